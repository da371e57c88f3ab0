// %% [markdown]
// # 06 · Ten times the text: does overfitting stop?
//
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), section 6 and Figure 3) train GPT-2 small on
// the first 1% of OpenWebText too, 90M tokens. Training and validation loss stay close to each other, and to what 9B tokens
// give; on 0.1% of the text the same model overfits ([notebook 05](05-overfitting-9m.ipynb)).
//
// **Number and tolerance, fixed before any run:** the gap between held-out and training loss at the end is at most
// **0.5 nats** per token. **Added after the first desk run:** a run decides only if it has fewer parameters per token than the
// paper's overfitting run and makes at least half the passes of the full one. A gap grows with the passes, so a run that is
// stopped early is always close.
//
// **What is asked beyond the claim.** How does the lowest held-out loss fall with the size D of the text, at one size of
// model? Chinchilla's law ([arXiv 2203.15556](https://arxiv.org/abs/2203.15556)) says $L = E + B D^{-\beta}$ with
// $\beta = 0.28$ where the model is large enough.

// %%
import * as scaling from './lib/analysis/06-scaling-90m';

const { tier, seed } = scaling.openNotebook();

// %% [markdown]
// ## Scale
//
// Model, batch and schedule are those of notebook 05; only D differs, by ten. The `full` run is the paper's size and needs a
// GPU; `desk` runs are on English books. The `quick` runs are a small GPT-2 on stories whose entropy is known exactly; they
// show what to look for and carry no verdict.

// %%
const config = { ...scaling.scaling90m.tiers[tier], seed };
scaling.showTable(scaling.scaleRows(config));
console.log(`The main run departs from the full one in:\n  ${scaling.deviations(config, scaling.scaling90m.tiers.full).join('\n  ')}`);

// %% [markdown]
// ## Experiment
//
// The main run first; then the same model on a tenth of its text, the run of notebook 05, which is taken over where it is
// finished; then on a twentieth and on a forty-fifth, which of 90M tokens are the paper's 2M, with three seeds each. Those
// follow the same schedule and end when the held-out loss has turned: after five passes, or at twice the warm-up.

// %%
console.log(JSON.stringify(config, null, 1));

// %%
const record = await scaling.run(scaling.scaling90m, config, scaling.notebookObserver());

// %%
const others = await scaling.runSmaller(config);
const records = scaling.runs([record, ...others]);

// %% [markdown]
// ## Figure

// %%
const losses = scaling.lossFigure(records, scaling.entropyOf(config));
await scaling.saveFigure('scaling-loss', losses);
await scaling.show(losses);

// %%
const sizes = scaling.sizeFigure(records, scaling.entropyOf(config));
await scaling.saveFigure('scaling-law', sizes);
await scaling.show(sizes);

// %% [markdown]
// ## Verdict

// %%
scaling.showTable(scaling.endRows(records));
scaling.showTable(scaling.lawRows(records));
scaling.showVerdict(...scaling.questions(records));

// %% [markdown]
// ## What would change it
//
// A run at the paper's size with a gap beyond the tolerance. Only runs whose held-out loss has turned are fitted: the lowest
// loss of any other is a matter of steps. Over few sizes E and β trade off against each other, and a model that is too
// small for the text bends the curve.
