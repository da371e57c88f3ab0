// %% [markdown]
// # 08 · Does the plateau follow the data or stay at 1?
//
// ## Claim
//
// In [notebook 04](04-question-formation-plateau.ipynb) the training loss on question formation settles near 1 nat per token,
// and so does the entropy of its lines. Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), section
// 6) read the value as support for a bound of about 1 on every Transformer. One grammar cannot tell the two apart; grammars
// that differ in the sizes of their word classes, or in the weights of their rules, and in nothing else, can.
//
// **Predictions, fixed before any run of this notebook.** The paper's reading: slope of plateau against entropy **0 ± 0.25**.
// Ours: **P1** slope **1 ± 0.05**; **P2** intercept **0 ± 0.06**; **P3** at least 80% of the excess over the entropy lies at
// positions where words are free; **P4** with the fewest lines the loss on them comes within **0.05** of ln D per line; **P5**
// with the most lines training and held-out lines cost the same, to **0.02**; **P6** 6 and 10 layers settle within **0.05**
// of each other. **Stopping rule:** steps are fixed; a run counts when its training loss falls by at most **0.01** nats from
// the third quarter to the last. A prediction that fails stays in the table.

// %% [markdown]
// **Added after the runs of seed 1, before the run that decides it.** On the grammar of entropy 1.5 the model was flat by
// that rule at 1.91 nats, where it had not learnt to copy. **P7**: with three times the steps it settles within **0.06** of
// the entropy. This run enters no other verdict.
//
// **Added after the runs of seeds 1 to 3, before those that decide it.** Some settled runs do not copy the first half of a
// line: they pay more than 2 nats a line where the words before leave no choice, all others less than 0.1. Over settled runs
// with at most **1** nat a line there, on the five grammars that differ in word classes, with seeds 4 and 5: **P8** slope
// **1 ± 0.05**; **P9** intercept **0 ± 0.06**. These runs enter no other verdict.
//
// **How P3 and P5 are computed was changed after seeds 1 to 3, before the runs that decide P5.** Losses are measured on 400
// lines, whose own surprisal varies by about 0.4 nats a line: more than the excess of a model that copies. The excess is now
// the loss less the exact surprisal of those very lines, and P5 compares training and held-out lines in the same way. **How
// P6 is read, fixed before its runs:** the largest difference among the settled ones of all four deeper models (6 and 10
// layers of widths 128 and 256); it is judged when all four are trained.
//
// **Added after both models of 10 layers had stayed at 1.95 nats for most of their runs, before the run that decides it.** We
// take that for training, not depth: **P10** at a quarter of the learning rate 10 × 128 ends below **1.3** nats.

// %%
import * as intervention from './lib/analysis/08-plateau-intervention';

const { tier } = intervention.openNotebook();

// %% [markdown]
// ## Scale
//
// The grammars are that of McCoy et al. 2020 with other numbers of words, and once with other weights of rules; lines are
// unique, as in the data of notebook 04, and every floor is exact for unique lines. The model is a vanilla Transformer that
// settles in minutes. `desk`: six grammars and three seeds, five numbers of lines, seven models (`npm run sweep --
// plateau-intervention`), beside notebook 04's with 6 and 10 layers of width 512. `quick`: three grammars and one number of lines, one seed, a smaller model for 1,000 steps: a first
// look, which decides nothing about the slope. The paper ran none of this.

// %%
const configs = intervention.configs(tier);
console.log(JSON.stringify(configs[0], null, 1));

// %% [markdown]
// ## Experiment

// %%
const own = await intervention.runAll(intervention.plateauIntervention, configs, intervention.notebookObserver(configs.length));
const runs = intervention.runs(own);
intervention.showTable(intervention.runRows(runs));

// %% [markdown]
// ## Figure

// %%
const floors = intervention.floorFigure(runs);
await intervention.saveFigure('intervention-floor', floors);
await intervention.show(floors);
intervention.showTable(intervention.fitRows(runs));

// %% [markdown]
// Position by position: the exact conditional entropy of a line (probabilities of prefixes, summed over the grammar) beside
// the losses of the models that were trained on the original grammar, a line per seed. Behind the marker the line copies its
// first half: nothing is free there, and a model that copies pays nothing. In the table the excess is the loss less what the
// measured lines cost at best.

// %%
const positions = intervention.positionFigure(runs.grammars);
await intervention.saveFigure('intervention-positions', positions);
await intervention.show(positions);
intervention.showTable(intervention.excessRows(runs.grammars));

// %% [markdown]
// Fewer lines. With D lines the loss of a model that knows them all by heart is ln D per line; a line counts as known when
// the model, given the first half of its sentence, finds no word likelier than the line's own, to the end.

// %%
const sizes = intervention.sizeFigure(runs.fewerLines);
await intervention.saveFigure('intervention-size', sizes);
await intervention.show(sizes);
intervention.showTable(intervention.sizeRows(runs.fewerLines));

// %% [markdown]
// What that means for the bound. Where lines are few, the loss on them lies far below 1 and ends at ln D per line, which is
// what a list of equally likely lines costs: a floor that comes from the data, not from the model. The paper excepts severely
// over-parameterised models (Remark 1) without a number; its own example has 13.8 parameters per token, the table has ours.
// Its other assumption, patterns that are well separated, was not varied by itself: lines of one language stand closer the
// more there are. When they are too many to know, the loss goes to the entropy, which on this grammar is 1 as well, so that
// end of the curve decides nothing; the grammars above do.
//
// Other depths and widths on the original grammar, the published settings of notebook 04 and the run of P10 beside them.

// %%
intervention.showTable(intervention.modelRows(runs));

// %% [markdown]
// ## Verdict

// %%
intervention.showTable(intervention.predictionRows(intervention.predictions(runs)));
intervention.showVerdict(...intervention.questions(runs));

// %% [markdown]
// What a sceptical author would have to accept: nothing but the data's entropy was changed, it was computed exactly and
// beforehand, and the same model, steps and optimiser were used throughout; where the plateau moves with the entropy, a
// constant bound does not explain it. What a model that copies loses above the exact cost of the very lines it is measured
// on (table, nats per token) is a small part of the distance between any two grammars, and of their distance from 1. The best objection: these models are small and their data a toy language; a bound
// about real text at the paper's sizes may hold where the entropy of the text is itself above 1. Then it is the entropy
// that bounds, and the theory's constant does no work.
//
// The slopes of seeds 1 to 3 are bent by runs that stay on a level on which they do not copy the first half: on the grammar of
// entropy 1.5 all three, with three times the steps too; on those of 1.0 and 1.2 some and not others. On one grammar such runs
// agree, so it is a level of its own, neither the entropy nor 1, flat by the rule above; the curve alone does not tell it from
// a floor, but the losses position by position do. P8 and P9 ask the same of copying runs alone, with new seeds. Whether a
// run leaves that level differs from seed to seed on one grammar; what decides it is open.
//
// Depth makes it harder (P6 failed): models of 2 layers copy at every width, of 6 layers the wide one, and both of 10 stay at
// about twice the entropy, as if the second half of a line were another sentence, until their losses rise, which the stopping
// rule lets pass. With the published rate and a warm-up of 10,000 steps 10 × 512 settles near 1. A smaller rate alone does not
// do it in these steps (P10 failed; its loss still falls); a longer warm-up and more steps were not tried.
//
// ## What would change it
//
// Settled runs whose plateau stays within 0.05 of 1 on grammars of entropy 0.6 and 1.5; or a derivation that ties the
// constant to a property which these grammars change.
