// %% [markdown]
// # 06 · With ten times the text the losses are close for twelve passes, then part
//
// On a small text a model overfits ([notebook 05](05-overfitting-9m.ipynb)). A paper reports that with ten times the text it
// does not: training and validation loss stay close, as they do on 9B tokens. We ask how long this lasts, and
// what decides it: the size of the text, or how often it is read.
//
// ## In short

// %%
import * as scaling from './lib/analysis/06-scaling-90m';

scaling.showAnswer(scaling.answer());
await scaling.showFigure('scaling-phases', scaling.phaseFigure());
scaling.showHeadlines(...scaling.articleQuestions());

// %% [markdown]
// ## Claim
//
// Niu, Bai, Deng and Han ([arXiv 2405.08707](https://arxiv.org/abs/2405.08707), section 6 and Figure 3) train GPT-2 small on 1% of
// OpenWebText, 90M tokens, as well. Training and validation loss stay close to each other, and like those on all 9B tokens.
//
// **Numbers, fixed before the runs**, each for three seeds, in *nats* (1 nat is 1.44 bits) a token. *Close* (R3): held-out less
// training loss, the *gap*, is at most 0.5 at the end. *Like 9B* (R4): neither loss is more than 0.25 above that of a model that
// reads as many tokens once. **Our own predictions.** The *load* is the number of bits in the text over the bits that
// the model can memorise, 3.6 a parameter (Morris et al. 2025, [arXiv 2505.24832](https://arxiv.org/abs/2505.24832)); a text
// of load above 1 does not fit. R5: the smallest load whose gap stays under 0.5 for 21.6 passes lies in 0.5 to 2. R6: on 90M tokens
// the gap reaches 0.5 before pass 66. R7: it does between passes 12 and 18.

// %% [markdown]
// ## Method
//
// The replica of notebook 05: parameters, text and tokens a step are about 190 times smaller, their ratios are the paper's. A *pass* is one reading of the whole
// training text. The paper does not say how many it made: the 4,000 steps, here 21.6 passes, are our choice, and the verdicts hold
// for it; the first table of the details has them at fewer passes. The numbers were committed after a trial with seed 1, which
// is not counted, and before the runs of seeds 2, 3 and 4, which decide.

// %%
const { tier, seed } = scaling.openNotebook();
const config = scaling.arm(tier, 'C', seed);
scaling.showTable(scaling.methodRows(config));
scaling.showFolded('All settings of this run', config);

// %% [markdown]
// ## Experiment
//
// Your run, dashed, next to the committed ones.

// %%
const record = await scaling.run(scaling.replica, config, scaling.notebookObserver(1, scaling.deciding()));
scaling.showRun(record);

// %% [markdown]
// ## Details
//
// *C* is the run on 90M tokens, *F* the one that reads every token once, for the paper's 9B. All losses are evaluated without an
// update, on 64 fixed windows of training text and 64 windows of other books. The gap is that of the training text's own windows;
// F has read only part of its text when it is evaluated. *Lower energy in* is the share of pairs of notebook 05's test of the energy.

// %%
scaling.showTable(scaling.passRows());
scaling.showTable(scaling.loadRows());
scaling.showFolded('Every run', scaling.seedRows());

// %% [markdown]
// **Steps, passes, warm-up.** In one schedule a longer text has fewer passes after as many steps, and the learning rate of a step
// is that of its place in the schedule. The left panel orders the runs by steps, the right one by passes; the dashed runs reach
// the highest learning rate after a tenth of the usual steps, and the dotted ones are twice as wide, with text and windows a step in
// proportion to their parameters and half the learning rate. Runs at loads of 0.35 and 3 make as many passes as *C*, so that steps and
// warm-up are in proportion to the text: what they show is the effect of all three together.

// %%
await scaling.showFigure('scaling-gap', scaling.gapFigure());

// %% [markdown]
// **What known laws say.** Laws for the loss by parameters and tokens were fitted to models that read everything once; that of
// Muennighoff et al. 2023 ([arXiv 2305.16264](https://arxiv.org/abs/2305.16264)) lets repeated tokens and surplus
// parameters lose their worth. It speaks of held-out loss alone; the gap to the training loss has no such law. The laws are
// taken at the paper's size, ours is measured at a 190th of it.

// %%
await scaling.showFigure('scaling-excess', scaling.excessFigure());
scaling.showTable(scaling.lawRows());

// %% [markdown]
// ## Verdicts
//
// **Changed after earlier runs, before these.** The claim was asked of one run with 33 parameters a token that made 3.4 passes,
// and could not be decided: INCONCLUSIVE. Only half of it was asked. Now both halves are, *close* and *like 9B*, at the paper's
// 1.38 parameters a token: NOT REPRODUCED IN MINIATURE. A law of loss against the size of the text was fitted to minima within
// the warm-up; it has been removed.

// %%
scaling.showVerdict(...scaling.questions());

// %% [markdown]
// ## Best objection, and what would change it
//
// If the paper stopped before pass 12, its observation is what we see too, and only its reading is at issue: *ten times the text*
// and *fewer passes* were not told apart. Books of one register hold fewer bits a token than web pages, and a model of 0.66M
// parameters learns less from each: at the paper's size the losses may part earlier or later. The bits of the text are those that
// arm F still pays at its end, an upper bound that a larger model would lower.
//
// A run of GPT-2 small on 90M tokens whose gap is under 0.5 after 21.6 passes would change the first verdict.

// %% [markdown]
// ## Predictions
//
// R7 was made after one look at seed 1. Two of its three values miss the border of 12 passes, and by less than the distance of two
// evaluations, 0.54 passes: it stays open. R6 follows from it and says little.

// %%
scaling.showPredictions(scaling.predictions());
