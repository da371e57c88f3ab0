// %% [markdown]
// # 05 · Overfitting: does the training loss vanish on little text?
//
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), section 6 and Figure 3) train GPT-2 small
// (124M parameters) on the first 0.1% of OpenWebText, 9M tokens. The model overfits: the training loss vanishes. In their
// theory an over-parameterised model approaches the distribution of its training points, a sum of delta functions.
//
// **Numbers and tolerances, fixed before any run.** *Vanishes*: the training loss falls under **0.1 nats** per token.
// *Overfits*: at the end the held-out loss is at least **0.1 nats** above its lowest point. *Delta functions*: the gap in
// distance energy between held-out and training activations grows by at least **1** from the first point of the curve to
// the last: the density at training points becomes e times as large beside that at held-out ones.
//
// **Changed after three desk runs, before that of GPT-2 small ended.** The gap took training activations with their own
// pattern in, whose energy is at most 0 whatever the model does: it grew in runs that knew nothing by heart as well, so it
// told how far activations spread. It now leaves the patterns of a token's own window out; the table has both, and the runs
// of notebook 06, which know nothing by heart, as a control.
//
// **What is asked beyond the claim.** How much of the training text can the model say by heart? And at which epoch does the
// held-out loss turn?

// %%
import * as overfitting from './lib/analysis/05-overfitting-9m';

const { tier, seed } = overfitting.openNotebook();

// %% [markdown]
// ## Scale
//
// The `full` run is the paper's: GPT-2 small, context 1,024, the first 9M tokens of OpenWebText, batch and schedule of
// nanoGPT's published recipe, shortened to 218 epochs; it needs a GPU. `desk` runs are on English books,
// with more parameters per token than the paper's 13.8 (table). The `quick` run is a small GPT-2 on stories from a grammar, whose entropy is known
// exactly ([data/README](../data/README.md)); it shows what to look for and carries no verdict.

// %%
const config = { ...overfitting.overfitting9m.tiers[tier], seed };
overfitting.showTable(overfitting.scaleRows(config));
console.log(`This run departs from the full one in:\n  ${overfitting.deviations(config, overfitting.overfitting9m.tiers.full).join('\n  ')}`);

// %% [markdown]
// ## Experiment

// %%
console.log(JSON.stringify(config, null, 1));

// %%
const record = await overfitting.run(overfitting.overfitting9m, config, overfitting.notebookObserver());
const records = overfitting.runs([record]);

// %% [markdown]
// ## Figure
//
// An epoch is one pass over the D tokens of training. The held-out loss is taken on windows of other documents.

// %%
const losses = overfitting.lossFigure(records, overfitting.entropyOf(config));
await overfitting.saveFigure('overfitting-loss', losses);
await overfitting.show(losses);

// %% [markdown]
// What is known by heart: the share of training windows in which, after 32 tokens, the model's own next 32 tokens by greedy
// choice are those of the text.

// %%
const memory = overfitting.memoryFigure(records);
await overfitting.saveFigure('overfitting-memory', memory);
await overfitting.show(memory);

// %% [markdown]
// The paper's energy at work. Patterns are the last-layer activations of all tokens of some training windows. A training
// activation is itself a pattern: with it, its energy is at most 0, and 0 where all others are far; the verdict therefore
// leaves out the patterns of its own window. The energy of a held-out activation is about its distance to the nearest
// pattern. What the verdict asks is how the gap between the two changes along the run.

// %%
const energy = overfitting.energyFigure(records);
await overfitting.saveFigure('overfitting-energy', energy);
await overfitting.show(energy);
overfitting.showTable(overfitting.energyRows(records));

// %% [markdown]
// ## Verdict

// %%
overfitting.showTable(overfitting.endRows(records));
overfitting.showVerdict(...overfitting.questions(records));

// %% [markdown]
// ## What would change it
//
// A run at the paper's size whose training loss stays above 0.1 nats at the end of its schedule, or whose held-out loss does
// not turn. The energy is measured on activations of one layer; a measure on other layers could tell another story.
