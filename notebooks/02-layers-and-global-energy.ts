// %% [markdown]
// # 02 · Do the layers of a trained Transformer descend one energy?
//
// A paper sees the layers of a Transformer as steps downhill on one landscape, an *energy* made of the distances to stored
// training data. If so, the energy of a token should fall from layer to layer.
//
// ## In short

// %%
import * as layers from './lib/analysis/02-layers-and-global-energy';

const stacks = await layers.stacks();
layers.showAnswer(layers.answer(stacks));
await layers.showFigure('layers-falling', layers.stackFigure(stacks));
layers.showHeadlines(layers.stackQuestion(stacks));

// %% [markdown]
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), section 4.1) assume that each layer stores a
// share of the training patterns, and describe the stack as *majorisation-minimisation* (MM): each layer minimises an upper
// surface that touches the energy where the token is, so that the energy cannot rise. The global energy is
// $E(x) = -\log\sum_t e^{-E_t(x)}$, where $E_t(x) = -\log\sum_{\rho}e^{-\lVert x-\rho\rVert}$ runs over the patterns ρ of layer t.
//
// **Numbers and tolerances, fixed before any run.** Mathematics: no MM step raises the energy, and the upper surfaces lie above
// it and touch it, up to $10^{-4}$ (distances are in single precision). Trained model: the energy falls from block to block for at
// least 90% of held-out tokens, a mean over blocks. The paper trains no model for this; the 90% is ours.

// %% [markdown]
// ## Method
//
// The model is the one that memorises its text in [notebook 05](05-overfitting-9m.ipynb): a GPT-2 of 4 blocks of width 96
// which recites all of its training windows, three seeds. If any stack stores its training data, this one does. The patterns of
// layer t are the activations of training tokens after block t (16 windows of 128 tokens), the states those of held-out tokens (8
// windows of other books). Four controls say what the measure can see:
//
// - *untrained*: the same model with its first weights;
// - *one trained block, repeated*: the second block in every place;
// - *Energy Transformer* (Hoover et al. 2023, [arXiv 2302.07253](https://arxiv.org/abs/2302.07253)): attention and memory built
//   as the gradient of a known energy, so that it descends by construction, though an energy of its own; random weights;
// - *MM steps*: the steps of the theory on the patterns of the trained model, which descend this very energy by construction.
//
// And if the order of the blocks means anything, the true one should do better than others. *Normed* activations, all of
// one length, are what the next block reads, but for a gain and a bias; they were added after the runs and decide nothing.
//
// ## Experiment
//
// The committed weights of one of the three, measured here. The books are not in the repository, and are not needed: after one
// token the model writes a window of its training text, and it is sure of it. Of such windows 8 are states here and 16
// others patterns, so that these states, unlike the committed ones, are of training text.

// %%
const { tier } = layers.openNotebook();
layers.showTable(layers.stackRows([await layers.ownStacks(tier)]));

// %% [markdown]
// ## Details
//
// All seeds: share of held-out tokens whose energy falls, from block to block and on average.

// %%
layers.showTable(layers.stackRows(stacks));
layers.showTable(layers.orderRows(stacks));

// %% [markdown]
// What a step of the theory does, in one dimension. The bowl is least at $x^+ = \sum_i a_i\rho_i / \sum_i a_i$ with
// $a_i = w_i/\lVert y-\rho_i\rVert$ and $w$ the softmax weights of all patterns: a softmax-weighted mean of patterns, as in
// attention. A block of a Transformer shares that with it, and not the rest: its keys and values are made from each context, its
// MLP and layer norm have no counterpart, its residual adds where MM replaces, and it reads its own patterns where an MM step
// reads those of all layers.

// %%
await layers.showFigure('layers-step', layers.stepFigure());

// %% [markdown]
// ## Verdicts
//
// **Changed after the runs:**
//
// | claim | before | now | why |
// | --- | --- | --- | --- |
// | trained layers descend one energy | NOT REPRODUCED (60% of tokens, one model of 6 blocks) | TEST CANNOT TELL | the untrained model scored higher (73%), and was not asked; by the rule below the measure does not see training |
// | three statements on MM | REPRODUCED | CHECKED | they are theorems |
//
// The rule for "cannot tell" was made after those runs and before these: training counts as seen if, for each seed, the trained
// stack scores higher than the untrained one and its true order is among the best 5% of all orders. It was first asked of three
// small models on question formation, whose activations have one length (trained 74% to 78%, untrained 80% to 88%), then of those
// that memorised their text; the verdict is the same.

// %%
layers.showVerdict(...layers.questions());

// %% [markdown]
// ## Best objection, and what would change it
//
// The paper's stored patterns are not known; activations of training tokens take their place here. In another basis, such as
// that of the output layer, the distances between the activations of different blocks could mean more than in this one. The
// models are small; a repeated block that was trained as such, or a large model, may differ.
//
// Taken literally, the claim fails here: the energy rises for more than nine tokens in ten, where stacks that are made to descend
// lower it for nine in ten. That it rises without training as well is why we do not count this against the theory, which says
// nothing about how long activations are.
//
// A measure that gives clearly more to a trained stack than to an untrained one, and prefers the true order, would decide.
