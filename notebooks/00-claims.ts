// %% [markdown]
// # 00 · The claims, and what became of them
//
// ## Claim
//
// Niu, Bai, Deng and Han, *Beyond Scaling Laws: Understanding Transformer Performance with Associative Memory*
// ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707)), describe Transformers as associative memories: attention layers
// store the training data, one energy without regularisation terms describes them, one global energy describes the stack,
// and from it follow a lower bound on the cross-entropy and a law for how the size of a model must grow with its data. This
// page lists every sentence of theirs that the collection puts to the test, with the number and the tolerance that were
// fixed before the runs, and the verdict that was computed from them. Nothing on it is typed by hand.

// %%
import * as claims from './lib/analysis/00-claims';

const { tier } = claims.openNotebook();

// %% [markdown]
// ## Scale
//
// The paper trains GPT-2 small (124M parameters, 1,024 tokens of context) on OpenWebText, on 9B tokens and on 1% and 0.1%
// of them (90M and 9M), and vanilla Transformers with 6 and 10 layers on question formation. Tiers: `smoke` and `quick`
// show that everything works and what to look for; they carry no verdict on a claim about training. `desk` runs are what
// two CPU cores do in hours, with the published settings where they fit and smaller models on English books where they do
// not; their records are in the repository. `full` is the paper's size and needs a GPU. The committed runs, and then, field by field,
// how these and the runs of this tier depart from the published ones; deviations of single claims stand in their notebooks:

// %%
claims.showTable(claims.runRows());
claims.showTable(claims.deviationRows(tier));

// %% [markdown]
// ## Experiment
//
// Each notebook shows its verdicts in a form that this page reads: of the last execution in this tier on this machine,
// else as committed. One rule for all: of the runs that can decide, all within the tolerance: REPRODUCED; none: NOT
// REPRODUCED, and likewise where a claim is on every run there is and one refutes it; some, or no such run: INCONCLUSIVE.

// %%
const all = claims.claims(tier);

// %% [markdown]
// ## Figure

// %%
const figure = claims.claimsFigure(all);
await claims.saveFigure('claims', figure);
await claims.show(figure);

// %% [markdown]
// ## Verdict

// %%
claims.showClaims(all);

// %% [markdown]
// ## What would change it
//
// Runs at the paper's sizes: every claim about training that stands on desk runs names what it would take in its own
// notebook. A claim of mathematics changes only with its assumptions, which its notebook names and tests one by one.
