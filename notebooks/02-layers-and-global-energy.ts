// %% [markdown]
// # 02 · Layers and one global energy
//
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), section 4.1) let the layers of a Transformer
// hold the training patterns between them, and see the stack as majorisation-minimisation (MM): each layer's step minimises
// a function that lies above one global energy and touches it, so the energy falls from layer to layer.
//
// **Numbers and tolerances, fixed before any run.** Mathematics: largest rise of the energy in an MM step, largest amount by
// which a majoriser lies below the energy, and by which it misses it where it should touch: **0** to $10^{-4}$ units of
// distance (float32 distances), over random stacks. Trained model: the energy falls from block to block for at least
// **90%** of held-out tokens.
//
// **What is asked beyond the claim.** What does a Transformer block share with an MM step, and what not?

// %%
import * as layers from './lib/analysis/02-layers-and-global-energy';

const { tier, seed } = layers.openNotebook();

// %% [markdown]
// ## Scale
//
// The mathematics is tested on random stacks of up to 5 layers, 30 patterns each and width 24, and in `lib`'s tests in the
// shapes of GPT-2 small. The trained model is a vanilla Transformer on question formation: in the quick tier a small one
// that trains in half a minute, at the desk that of [notebook 04](04-question-formation-plateau.ipynb). The paper trains no
// model for this claim.

// %%
const config = { ...layers.layersDemo[tier], seed };
console.log(JSON.stringify(config, null, 1));

// %% [markdown]
// ## Experiment
//
// $E(x) = -\log\sum_t e^{-E_t(x)}$ over layers t. At a point y, with $w$ the softmax weights of all patterns, the quadratic
// majoriser is least at $x^+ = \sum_i a_i\rho_i / \sum_i a_i$, $a_i = w_i/\lVert y-\rho_i\rVert$: a softmax-weighted mean of
// patterns, that is, attention with a step of its own length.

// %%
const violations = layers.violations(tier, seed);
await layers.run(layers.questionFormation, config, layers.notebookObserver());

// %% [markdown]
// In the trained model the patterns of layer t are the activations of training tokens behind block t, the states those of
// held-out tokens. Shared with MM: the step is a weighted mean of stored vectors, the weights a softmax. Not shared: a
// block's keys and values are made anew from each context, its MLP and layer norm have no counterpart, the residual adds
// where MM replaces, and each block reads its own patterns only, where an MM step reads those of all layers.

// %%
const stacks = layers.stacks(config);

// %% [markdown]
// ## Figure

// %%
const descent = layers.descentFigure([-0.5, 2.5]);
await layers.saveFigure('layers-descent', descent);
await layers.show(descent);

// %%
const figure = layers.stackFigure(stacks, config);
await layers.saveFigure('layers-energy', figure);
await layers.show(figure);

// %% [markdown]
// ## Verdict

// %%
layers.showTable(layers.stackRows(stacks));
layers.showVerdict(...layers.descentQuestions(violations, tier, seed), layers.stackQuestion(stacks[0], tier, seed));

// %% [markdown]
// ## What would change it
//
// Another choice of patterns: with the paper's stored patterns unknown, the activations of training tokens stand for them. A
// basis in which the activations of all blocks are comparable, such as that of the output, could show a descent that these
// raw distances hide.
