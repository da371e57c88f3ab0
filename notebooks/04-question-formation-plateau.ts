// %% [markdown]
// # 04 · Question formation: does the training loss settle near 1?
//
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), section 6 and Figure 4) train vanilla
// Transformers with 6 and 10 layers on question formation, a context-free language of 68 words, about 2M tokens. The
// training loss settles near **1 nat per token**. They read this as support for a lower bound of about 1 on the
// cross-entropy that any Transformer can reach.
//
// **Number and tolerance, fixed before any run:** 1.00 ± 0.05 nats per predicted token, the mean of the last quarter of
// the run. The published curves of Murty et al. 2023 ([arXiv 2305.18741](https://arxiv.org/abs/2305.18741)), whose
// settings are used here, are at that level by 10,000 steps.
//
// **What is asked beyond the claim.** The lines are drawn from a known grammar, so their entropy is known exactly. A model
// that knows the grammar and nothing of the drawn lines cannot get below it; a model that has memorised the drawn lines
// can. Which of the two does training approach?

// %%
import * as plateau from './lib/analysis/04-question-formation-plateau';

const { tier, seed } = plateau.openNotebook();

// %% [markdown]
// ## Scale
//
// The grammar is that of McCoy et al. 2020 ([arXiv 2001.03632](https://arxiv.org/abs/2001.03632)), the lines are our own:
// 100,000 for training, with unique inputs, made by the seeded generator. The published lines have the same words and
// rules but other weights, which are not known; their entropy per token is nearly the same ([data/README](../data/README.md)). The `desk` run has the published settings and
// fewer steps: the plateau is there by 10,000 of them. The `quick` run changes what the list under the table says, so that
// it comes near the plateau in minutes; it is a first look and carries no verdict on the claim.

// %%
const config = { ...plateau.questionFormation.tiers[tier], seed };
plateau.showTable(plateau.scaleRows(config));
console.log(`This run departs from the published settings in:\n  ${plateau.deviations(config, plateau.questionFormation.tiers.full).join('\n  ')}`);

// %% [markdown]
// The exact floors. A line is `sentence marker output <end>`; every word, the marker and the end token are predicted, the
// first word from nothing. The output follows from the input, so all uncertainty lies in the first half of the line.
//
// - *lines drawn independently*: entropy of (sentence, marker), summed in closed form over the rules of the grammar;
// - *unique lines*: the same for lines drawn without repetition, as in the data; short sentences run out, so lines are longer;
// - *memorised lines*: uniform over the distinct training lines, $\ln 100{,}000$ nats per line.

// %%
const floors = plateau.floorsOf({ grammar: '1.0', trainLines: config.trainLines });
plateau.showTable(plateau.floorRows(floors));

// %% [markdown]
// ## Experiment

// %%
console.log(JSON.stringify(config, null, 1));

// %%
const record = await plateau.run(plateau.questionFormation, config, plateau.notebookObserver());
plateau.showTable(plateau.recordRows(record));
const records = plateau.runs([record]);

// %% [markdown]
// ## Figure

// %%
const losses = plateau.lossFigure(records, floors);
await plateau.saveFigure('question-formation-loss', losses);
await plateau.show(losses);

// %% [markdown]
// A second curve from the same runs: on questions whose subject carries a relative clause, which training never shows,
// does the model move the main auxiliary to the front (the hierarchical rule), or the first one (the linear rule)?

// %%
const preference = plateau.generalisationFigure(records);
await plateau.saveFigure('question-formation-generalisation', preference);
await plateau.show(preference);

// %% [markdown]
// ## Verdict
//
// Computed from the records: every run that carries a verdict is a `desk` or `full` one. The table sets each run's plateau
// beside the published number and the floors.

// %%
plateau.showTable(plateau.plateauRows(records, floors));
plateau.showVerdict(...plateau.questions(records));

// %% [markdown]
// ## What would change it
//
// A run of the published length whose training loss leaves the band, in either direction. And where the plateau lies at the
// entropy of the data, two readings remain: a bound on every Transformer that happens to have the data's value, or the
// data's value alone; grammars with another entropy, trained in the same way, decide between them.
