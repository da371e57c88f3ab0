// %% [markdown]
// # 07 · Are a model's activations as far apart as the theory says?
//
// In a theory of memory each stored pattern sits in a ball of radius r\*, which follows from the number of dimensions alone. Are
// the activations of a trained model (the numbers that its last layer computes for a token) about that far from each other?
//
// ## In short

// %%
import * as radius from './lib/analysis/07-radius';

radius.showAnswer(radius.answer());
await radius.showFigure('radius-along-training', radius.alongFigure());
radius.showHeadlines(radius.radiusQuestion());

// %% [markdown]
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), sections 5 and 6.1) fix the radius r\*(n) around
// each stored pattern of width n by requiring that the *partition function* Z, the integral of $e^{-\text{distance}}$ over the ball,
// is 1; to leading order $r^* = \sqrt{n/2\pi e}$. They compare it with the distances between nearest neighbours among last-layer
// activations of GPT-2 medium on OpenWebText.
//
// **Number and tolerance, fixed before any run:** the distance of a held-out token's activation to the nearest activation of
// training text is **r\* ± 25%**. We could not read the paper's own number. If balls of radius r\* are not to overlap, neighbours
// must be 2r\* apart, so half the distance is compared too.

// %% [markdown]
// ## Method
//
// The committed runs of notebooks [05](05-overfitting-9m.ipynb) and [06](06-scaling-90m.ipynb) measured distances while they
// trained: GPT-2 models of 6 × 384 (layers × width) and 12 × 768 on 90,000 to 9 million tokens of English books. The patterns are
// the activations of all tokens of some training windows, after the final layer norm; neighbours are found exactly.

// %%
const { tier } = radius.openNotebook();
radius.showTable(radius.runRows());
radius.showTable(radius.scaleRows());

// %% [markdown]
// ## Experiment
//
// The committed weights of notebooks 05 and 06, GPT-2 models of 4 × 96, measured here before and after the final layer norm. Their
// books are not in the repository, and are not needed: after one token the first model writes a window of its training text, and it
// is sure of it; its text is the beginning of the other two's. For each token the patterns of its own window are left out. Where the variable
// GPT2_WEIGHTS names a folder with the `model.safetensors` and `config.json` of GPT-2 medium, and
// `npm run data -- openwebtext --tokens 9M` has been run, the paper's model is in the table too.

// %%
radius.showTable(radius.distanceRows([...(await radius.ownDistances(tier)), ...radius.publishedDistances()]));

// %% [markdown]
// ## Details
//
// The same model gives another answer before and after its final layer norm, whose scale is learnt, and for half the distance.
// There is no reason to prefer one of these. Before it, a layer norm undoes any scale; after it, the output matrix divided by as
// much does. The theory's energy counts distances with β = 1, so r\* is in a unit of length that it does not tie to the model.

// %% [markdown]
// ## Verdicts
//
// **Changed after the runs:** INCONCLUSIVE (4.9 r\*, one model before the final norm, not the paper's) is now TEST CANNOT TELL. The
// value depends on when one looks and on a scale that the model does not see, so that the paper's own model would not decide
// either. Distances are now those that runs recorded along their training, after the final layer norm, as means.

// %%
radius.showVerdict(...radius.questions());

// %% [markdown]
// ## Best objection, and what would change it
//
// The paper looks at one well-trained model and finds distances of the order of r\*; a relation that holds at the end of long
// training on much text is not refuted by small models that memorise. True, but then the theory has to say why the scale of that
// layer is the right unit, and at which point of training the relation should hold.
//
// A version of the theory with β tied to the model, for example through the temperature of its softmax, would make it testable.
