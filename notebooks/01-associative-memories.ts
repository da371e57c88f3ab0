// %% [markdown]
// # 01 · Associative memories, old and new: landscapes and capacities
//
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), sections 3 and 4, Figure 1 and Table 1) set
// Transformers in a line of associative memories, and give them an energy without regularisation terms, made of distances
// to the stored patterns. Table 1 lists what each memory holds.
//
// **Numbers and tolerances, fixed before any run.** The classical network holds **0.138 n** patterns (± 0.03); the dense
// one of degree 3 a number that grows as **n²** (exponent ± 0.4); the exponential one at least **2^(n/2)**; the modern one
// exponentially many, at least **1.372^((n−1)/4)** at the norm and β used here. On patterns of one norm the modern energy
// equals a squared-distance energy up to a constant, to **10⁻⁴**. The distance-based energy lies between $g - \log(d)/\beta$
// and g, the distance to the nearest pattern: largest violation **0** to 10⁻⁴. No memory's update raises its energy:
// largest rise **0** to 10⁻⁵ of 1 + |E|.
//
// **What is asked beyond the claim.** What does the distance-based energy itself hold? The paper does not say.

// %%
import * as memories from './lib/analysis/01-associative-memories';

const { tier, seed } = memories.openNotebook();

// %% [markdown]
// ## Scale
//
// The landscapes are the paper's own three patterns in the plane. Capacities are measured on random patterns of −1 and 1 of
// up to a few hundred units, three seeds each: a memory holds its patterns while at most 5% of the signs are wrong after
// retrieval that starts from the patterns (for the two real memories, from patterns with a little noise). Larger tiers add
// wider memories; nothing here is smaller than in the paper, which measures no capacities.

// %% [markdown]
// ## Experiment
//
// All five memories have one interface, `energy`, `update`, `retrieve`; an update of the modern one is a call of attention.

// %%
const landscapes = memories.landscapes();
const capacities = memories.memoryCapacities(tier, seed);
const rises = memories.rises(tier, seed);

// %% [markdown]
// ## Figure
//
// The paper's Figure 1: without the regularisation term the modern energy runs down without end; the distance-based energy
// needs no such term, and has a kink at each pattern.

// %%
const contours = memories.contourFigure(landscapes);
await memories.saveFigure('memories-landscapes', contours);
await memories.show(contours);

// %%
await memories.show(memories.surfaceFigure(landscapes));

// %%
const noise = memories.noiseFigure(tier, seed);
await memories.saveFigure('memories-noise', noise);
await memories.show(noise);

// %%
const figure = memories.capacityFigure(capacities, tier);
await memories.saveFigure('memories-capacity', figure);
await memories.show(figure);

// %%
const overload = memories.overloadFigure(capacities, tier, seed);
await memories.saveFigure('memories-overload', overload);
await memories.show(overload);

// %% [markdown]
// ## Verdict
//
// Each memory fails in its own way. Beyond its capacity the distance-based one retrieves a mean of many patterns: at twice
// the number no sign is left. The classical one falls nearly as fast; the dense, exponential and modern ones lose patterns a
// few at a time. And with few patterns, in Figure 1, the modern energy has no minimum at (0.2, −0.3), where the
// distance-based one has its kink.
//
// The distance-based memory with β = 1 holds more than any power of n and less than an exponential of n. A start with noise
// of 0.2 per number lies 0.2√n from its pattern and about √(2n) from d others, so their weights together,
// d exp(−√(2n)), stay below its own, exp(−0.2√n), up to about d = √2 exp((√2 − 0.2)√n − ¼). Sharper β buys capacity: with β
// growing as √n it becomes exponential.

// %%
memories.showTable(memories.capacityRows(capacities));
memories.showVerdict(...memories.capacityQuestions(capacities, tier));
memories.showTable(memories.riseRows(rises, tier));
memories.showVerdict(...memories.inequalityQuestions(rises, tier, seed));

// %% [markdown]
// ## What would change it
//
// Correlated patterns, which every memory here holds fewer of; another criterion of retrieval, which moves the factors and
// not the growth; for the exponential memories widths beyond 18, where the number of patterns no longer fits.
