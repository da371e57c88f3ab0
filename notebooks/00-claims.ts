// %% [markdown]
// # 00 · What was claimed, and what was found
//
// A paper (Niu et al. 2024, below) describes Transformers as associative memories. This page has every claim, of that paper and of
// others, that the notebooks of this collection put to the test, with the number that decides and what came of
// it. Numbers were fixed before the runs that decide; where one was changed afterwards, its notebook says so under *Verdicts*.
// Nothing here is typed by hand: the page reads the verdicts from the committed notebooks.
//
// ## In short

// %%
import * as claims from './lib/analysis/00-claims';

const all = claims.claims();
claims.showAnswer(claims.answer(all));
await claims.showFigure('claims', claims.claimsFigure(all));

// %% [markdown]
// ## Claim
//
// Niu, Bai, Deng and Han, *Beyond Scaling Laws: Understanding Transformer Performance with Associative Memory*
// ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707)), describe Transformers as associative memories: attention layers store
// the training data, one *energy* (a landscape made of distances to what is stored) describes the stack of layers, and from it
// follow a lower bound on the loss and a law for how the size of a model must grow with its data.

// %% [markdown]
// ## Method
//
// Four tables: what the paper observed on trained models (A), its theory (B), older results and claims of other authors (C), and our
// own predictions, registered before their runs (D): of each question the last ones. Notebooks 08 and 09 list ten earlier ones each, P1
// to P10; of these 20, 11 failed. One rule for all: a claim holds if every run that can decide is within the
// tolerance; it does not if none is, or, for a claim on *all* models, if one is not; otherwise it is open. The words depend on the
// kind of claim:
//
// | claim | holds | does not | open |
// | --- | --- | --- | --- |
// | a number that others measured | REPRODUCED | NOT REPRODUCED | INCONCLUSIVE |
// | the same at a smaller scale | REPRODUCED IN MINIATURE | NOT REPRODUCED IN MINIATURE | INCONCLUSIVE |
// | a theorem or an identity | CHECKED | REFUTED | UNCHECKED |
// | a formula that we had to reconstruct | FOLLOWS | DOES NOT FOLLOW | OPEN |
// | our prediction | HELD | FAILED | OPEN |
//
// TEST CANNOT TELL: a control gives the same result as the thing that is tested, or the result depends on a choice that the theory
// leaves open. Tiers: a *quick* run takes minutes and is a first look; a *desk* run takes up to hours on two CPU cores, and its record
// is in the repository; *full* is the paper's size and needs a GPU. Notebook 01 trains nothing: what it computed at the quick tier is
// in the repository and decides. *In miniature*: a smaller model on less text, at the paper's ratio of parameters to tokens. A *nat*
// is the natural unit of information, 1.44 bits.

// %%
const { tier } = claims.openNotebook();

// %% [markdown]
// ## Experiment
//
// None of its own. `npm run reproduce` executes the other notebooks; what they compute on your machine is shown there and changes
// nothing here.

// %%
claims.showFolded('All committed runs', claims.runRows());
claims.showFolded('Where runs depart from the published settings', claims.deviationRows(tier));

// %% [markdown]
// ## Details
//
// The paper trains GPT-2 small (124M parameters, 1,024 tokens of context) on OpenWebText, on 9B tokens and on 1% and 0.1% of them
// (90M and 9M), and vanilla Transformers with 6 and 10 layers on question formation, about 2M tokens. Its data sets of 100%, 1% and
// 0.1% are those of its Figure 3; the "2M tokens" of its abstract are question formation. D, the size of the data, is a number of
// tokens. How the committed runs differ from this is in the two tables above, and in each notebook's method.

// %% [markdown]
// ## Verdicts

// %%
claims.showClaims(all);

// %% [markdown]
// ## Best objection, and what would change it
//
// Nearly all trained models here are small, and two CPU cores do not reach the paper's. Where a claim is about size, a miniature at
// the same ratio of parameters to tokens is the best that can be done, and says so in its verdict. Runs at the paper's sizes would
// change what is open; each notebook names them. A statement of mathematics changes only with its assumptions.
