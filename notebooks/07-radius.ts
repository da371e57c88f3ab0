// %% [markdown]
// # 07 · The radius: how far is the nearest pattern?
//
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), sections 5 and 6.1) fix a radius r*(n) around
// each stored pattern by $Z = 1$, to leading order $\sqrt{n/2\pi e}$, and compare it with the nearest-neighbour distances of
// last-layer activations of pre-trained GPT-2 medium on OpenWebText.
//
// **Number and tolerance, fixed before any run:** the median distance of a held-out token's activation to the nearest
// activation of training text is **r*(n) ± 25%**. The paper's own number was not at hand when this was written.
//
// **What is asked beyond the claim.** Do training and held-out tokens differ? What does training do to the distances, and
// what the final layer norm, which the output sees them through?

// %%
import * as radius from './lib/analysis/07-radius';

const { tier, seed } = radius.openNotebook();

// %% [markdown]
// ## Scale
//
// The model is that of [notebook 05](05-overfitting-9m.ipynb) in the same tier: in the quick tier a GPT-2 with 4 layers of
// width 128 that has learnt 3,000 tokens of synthetic stories by heart; its run is shared, so after notebook 05 nothing is
// trained here. The paper's GPT-2 medium, n = 1,024, joins where the variable GPT2_WEIGHTS names a folder with its
// `model.safetensors` and `config.json`, on the tokens of `npm run data -- openwebtext --tokens 9M`; it alone can decide.

// %%
const config = { ...radius.overfitting9m.tiers[tier], seed };
console.log(JSON.stringify(config, null, 1));

// %% [markdown]
// ## Experiment
//
// Patterns are the activations of all tokens of some training windows. For a token of a training window those of its own
// window are left out: they share its context. Neighbours are exact.

// %%
const record = await radius.run(radius.overfitting9m, config, radius.notebookObserver());
const distances = radius.trainedDistances(config);
const all = [distances, ...radius.publishedDistances()];
const records = radius.runs([record]);

// %% [markdown]
// ## Figure

// %%
const raw = radius.histogramFigure(distances, 'raw', config);
await radius.saveFigure('radius-raw', raw);
await radius.show(raw);

// %%
const normed = radius.histogramFigure(distances, 'normed', config);
await radius.saveFigure('radius-normed', normed);
await radius.show(normed);

// %%
const along = radius.alongFigure(records);
await radius.saveFigure('radius-along-training', along);
await radius.show(along);

// %% [markdown]
// ## Verdict

// %%
radius.showTable(radius.distanceRows(all));
radius.showVerdict(radius.radiusQuestion(all, tier, seed));

// %% [markdown]
// ## What would change it
//
// r* has the unit of the activations: multiply them all by ten, which the next layer norm undoes, and every distance grows
// tenfold while r* stays. So agreement at one layer of one model says little without a reason for that unit; distances
// behind the final layer norm, whose scale is learnt too, show how much hangs on it.
