// %% [markdown]
// # 09 · Bits per parameter, and the exponent of N against D
//
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), the version of ICLR 2026) balance a model's size N
// against the data D that it memorises: for well separated patterns, $N = O(D^2)$. Morris et al. 2025 ([arXiv
// 2505.24832](https://arxiv.org/abs/2505.24832)) measure about 3.6 bits per parameter, and Madden et al. 2024 ([arXiv
// 2405.13718](https://arxiv.org/abs/2405.13718)) prove a number of parameters that is linear in the contexts: N linear in D.
//
// **Predictions, fixed before any desk run.** Paper: slope of log N against log D at 99% recall **2 ± 0.5**. Ours: **1**, for
// random sequences (**P1**) and for distinct prefixes with one token each (**P2**); bits per parameter **3.6 ± 0.5** on saturated
// models (**P3**), no difference between fp32 and bf16 beyond **5%** (**P4**). **Rule:** a run ends early once it recalls every item and holds **99%** of
// what can be held (which of D sequences it is, log2 D bits, stays open); any other counts when its memorised bits grow by
// at most **5%** over its last quarter. A model is saturated where its data hold at least 1.5 times what it memorises. Where
// the bootstrap interval of the slope holds both 1 and 2, or neither, the verdict is INCONCLUSIVE.
//
// **Added after the first runs of 1 × 32, 2 × 32 and 2 × 64, before those that decide.** Sequences on 2 × 128: where D goes
// with N, complete recall ends between **10,800** (held) and 15,264 (lost; **P6**); where D goes with √N, from 2 × 64 on, it
// ends between 3,824 and 7,632. Associations: 2 × 64 lost 31,584 of them at 1.55 bits per parameter, where the smaller two kept
// 2.2 to 2.5. We take that for training, not memory: with **4 times the steps** it recalls **99%** of them (**P7**), and the
// slope over three models of which each had 4 times the steps has an interval that holds **1 and not 2** (**P8**).
//
// **Added after 2 × 128 recalled 52% of 10,800 sequences in 8,000 steps, before the runs that decide.** With 4 times the steps
// it recalls **99%** of them (**P9**), and of 15,264 it keeps at least **2.3** bits per parameter (**P10**; 1.62 in 8,000
// steps, where the three smaller models kept 2.39 to 2.82). Then P6 failed by training, not by memory.

// %%
import * as capacity from './lib/analysis/09-capacity';

const { tier, seed } = capacity.openNotebook();

// %% [markdown]
// ## Scale
//
// Items are uniformly random: 16 tokens out of 64, 96 bits, for sequences; four random tokens and one behind them, 6 bits, for
// associations. Prompts are distinct. Nothing in them can be learned but they themselves. Memorised bits are the bits of the
// data less the code length under the model, never below 0 for an item. The models are GPT-2s; Morris et al. train such of 0.1 to
// 20 million parameters, on 64 tokens out of 2,048. `desk`: 15 thousand to 0.4 million parameters, 8,000 steps, for some 4 and
// 16 times that (`npm run sweep -- capacity`). `full`: up to 1.8 million parameters and 128,000 steps, on a GPU.
// `quick`: two tiny models and two sizes of data of each kind, for seconds; it decides nothing.

// %%
const configs = capacity.capacityRuns(tier);
console.log(JSON.stringify(configs[0], null, 1));

// %% [markdown]
// ## Experiment

// %%
const own = await capacity.runAll(capacity.capacity, configs, capacity.notebookObserver(configs.length));
const runs = capacity.runs(own);
const { records, longer } = runs;
capacity.showTable(capacity.runRows([...records, ...longer]));

// %% [markdown]
// ## Figure

// %%
const bits = capacity.bitsFigure(records);
await capacity.saveFigure('capacity-bits', bits);
await capacity.show(bits);

// %%
const saturations = capacity.saturations(records);
capacity.showTable(capacity.saturationRows(saturations));
for (const text of capacity.saturationTexts(saturations)) console.log(text);

// %% [markdown]
// Is it memory that ends there, or training? The smallest model again on twice what it should hold, with 4 and 16 times the
// steps over which its learning rate falls. Predicted before these runs: 16 times the steps add at most **20%** (**P5**).
//
// A first sweep at a rate of 3e-3 for every width, with 2% for 5% in the rule, is not kept: most of its larger runs were not
// settled, and at larger rates a pilot memorised more. Rate and rule were changed then, before any run that counts.

// %%
capacity.showTable(capacity.longerRows(records, longer));

// %% [markdown]
// The classical memories on the same axes: patterns of n signs, n bits each, as many as each holds in
// [notebook 01](01-associative-memories.ipynb); its parameters are the n(n − 1)/2 weights of the classical network, or, for
// the memories that keep the patterns themselves, their n d numbers: there one bit per parameter is stored as it is, and what
// differs is how many come back.

// %%
const memories = capacity.memoryCapacities(tier === 'smoke' ? 'smoke' : 'quick', seed);
const parameters = capacity.parametersFigure(saturations, memories);
await capacity.saveFigure('capacity-parameters', parameters);
await capacity.show(parameters);

// %% [markdown]
// Where recall ends lies between two sizes of the data. After the first runs, a factor of two apart, sizes between them were
// added, and the interval of the slope was widened by that gap: sizes go with N, so their middles alone lie on slope 1.

// %%
const recalls = capacity.recalls([...records, ...longer]);
const exponent = capacity.exponentFigure(recalls);
await capacity.saveFigure('capacity-exponent', exponent);
await capacity.show(exponent);

// %% [markdown]
// ## Verdict
//
// **Changed after the runs.** (1) 3.6 bits a parameter, NOT REPRODUCED before: Morris et al. report 3.83 in fp32, for models of
// 0.5 million parameters and more; ours have 15 to 105 thousand, and so INCONCLUSIVE. (2) Exponents are taken in memorised bits, of
// each model the most of any run, and their intervals vary the models, not the seeds; before, they came from the number of items
// at 99% recall. Associations, INCONCLUSIVE before: the largest model memorised all that it was given, which bounds the exponent
// from above, NOT REPRODUCED. Sequences, NOT REPRODUCED before and now. (3) All this is on items of one size. If a pattern is as
// wide as the model, linear in bits is a square in items, as in the classical network: M2 and M3, not run yet, ask that.

// %%
capacity.showTable(capacity.recallRows(recalls));
for (const text of capacity.exponentTexts(recalls, seed)) console.log(text);
capacity.showTable(capacity.predictionRows(capacity.predictions(runs, seed)));
capacity.showVerdict(...capacity.questions(runs));

// %% [markdown]
// What a sceptical author would have to accept: on data that hold nothing but themselves, what a model keeps is counted in
// bits, against its number of parameters, and the exponent has an interval that comes from the sizes at which recall was
// looked at. And an exponent taken at one number of steps is one of training as well as of memory: in 8,000 steps 2 × 64 keeps
// less of 44,672 associations than of 31,584, and with 4 times the steps it recalls all but 0.1% of the latter. Where that
// bends a slope it bends it upwards, towards 2, for larger models are further from their end. From the smallest to the largest
// of three models with 4 times the steps the exponent on associations is then at most 1.56, whatever the largest holds beyond.
//
// The best objection: it bends our slopes too. On sequences 2 × 128 falls behind in 8,000 steps (P6 failed), so the slope over
// four models is above that of the smaller three. More steps bring back most of it and not all: with 4 times as many it recalls
// 96% of 10,800 (P9 failed; 52% before) and keeps 2.26 bits per parameter of 15,264 (P10 failed; 1.62 before). What the best
// weights would hold is bounded from below only, and a factor of 27 in N is less than scaling laws are fitted over.
//
// ## What would change it
//
// Models over two more decades of N, trained until nothing changes, with a slope whose interval holds 2 and not 1.
