/**
 * How a notebook reads. The answer comes first, computed from committed records; nothing that the reader runs changes it.
 *
 *   # NN · The finding, or the question that the first screen answers
 *   ## In short           import * as subject from './lib/analysis/NN-name';       the only import
 *                         subject.showAnswer(subject.answer());
 *                         await subject.showFigure('name', subject.figure());      the one figure that answers
 *                         subject.showHeadlines(...subject.questions());           a line per verdict
 *   ## Claim              who claims what, the number and the tolerance, where from
 *   ## Method             subject.showTable(subject.methodRows(config)); subject.showFolded('All settings', config);
 *   ## Experiment         const { tier, seed } = subject.openNotebook();
 *                         const record = await subject.run(experiment, config, subject.notebookObserver(1, committed runs));
 *                         subject.showRun(record);    small, grey, dashed, next to the committed ones; it decides nothing
 *   ## Details            further figures and tables, for those who doubt the answer
 *   ## Verdicts           subject.showVerdict(...subject.questions()); which verdicts changed after the runs, and why
 *   ## Best objection, and what would change it    what a sceptical author would say, and what would change the verdict
 *   ## Predictions        subject.showPredictions(...), where there are some
 *
 * Rules. `answer()` is two or three sentences with numbers, all from records. `questions()` are put to committed runs alone.
 * A claim has at most twelve words; `kind` gives its verdict its words (`verdict.ts`), `claimedBy` says whose it is. Tables:
 * at most 8 columns, three digits where they suffice, seeds as a range in one row; what all rows share is said once
 * (`showTable` does it). Figures: lines named at their ends (`endLabels`), no legend for up to four kinds of line; training
 * solid, held out dotted; filled counts, hollow does not; colours as in `COLOURS`; exact values black, published ones dashed
 * with a grey band. Each technical word is explained where it first appears. At most 20 cells of at most 25 lines, no logic.
 *
 * Files: notebooks/NN-name.ts in jupytext's percent format and notebooks/NN-name.ipynb with outputs. Write either one;
 * `npm run reproduce -- NN --save` executes it and writes both. Cells import from './lib/…', which the kernel reads live.
 * Trap: the types of what a cell keeps in a variable are exported by `lib`, though no file imports them: the kernel names them.
 * A folder is not imported for its index: the kernel does not find it.
 */
import { decides, TIERS, type Tier } from '../train/config';
import type { RunRecord } from '../train/record';
import { oneOf, wholeNumber } from '../util/errors';
import { engine } from '../tensor/engine';
import { Display, escapeHtml } from './display';
import { answerOf, badge, expectedText, keptVerdict, ownText, type Question, type Verdict } from './verdict';

/**
 * Tier and seed of this execution: the variables TIER and SEED, which `reproduce` sets; quick and 1 without them, as in
 * JupyterLab. Shows them with the engine; a record has all else of its machine.
 */
export function openNotebook(): { tier: Tier; seed: number } {
  const tier = oneOf('TIER', process.env.TIER ?? 'quick', TIERS);
  const seed = wholeNumber('SEED', process.env.SEED ?? '1', 1);
  const { device, tensorflowVersion } = engine();
  const [which, where] = [
    `Tier ${tier}, seed ${seed}.`,
    `TensorFlow ${tensorflowVersion} on the ${device.toUpperCase()}`,
  ];
  new Display().show({
    data: { 'text/markdown': `**${which}** ${where}`, 'text/plain': `${which} ${where}` },
  });
  return { tier, seed };
}

/** `**bold**` and `[text](address)` of Markdown as HTML. */
const inlineHtml = (text: string): string =>
  escapeHtml(text)
    .replace(/\*\*(.+?)\*\*/g, '<b>$1</b>')
    .replace(/\[(.+?)\]\((.+?)\)/g, '<a href="$2">$1</a>');

/** The first output of a notebook: what was found, in two or three sentences of Markdown, and a list (`- ...`) if one follows. */
export function showAnswer(answer: string): void {
  const [sentences = '', ...items] = answer.split('\n- ');
  const list = items.length ? `<ul>${items.map((item) => `<li>${inlineHtml(item)}</li>`).join('')}</ul>` : '';
  const html = `<p style="font-size: 1.1em">${inlineHtml(sentences)}</p>${list}`;
  new Display().show({ data: { 'text/html': html, 'text/plain': answer } });
}

/** A line per verdict, under the figure that answers; one that leaves the claim open says why. */
export function showHeadlines(...questions: Question[]): void {
  const verdicts = questions.map(keptVerdict);
  const line = (v: Verdict) =>
    `${v.claim} Holds if: ${expectedText(v)}. Found: ${ownText(v)}${answerOf(v) === null ? `; ${v.reason}` : ''}.`;
  const html = verdicts.map((v) => `<p style="margin: 0.3em 0">${badge(v)} · ${escapeHtml(line(v))}</p>`);
  const text = verdicts.map((v) => `${v.outcome} · ${line(v)}`);
  new Display().show({ data: { 'text/html': html.join(''), 'text/plain': text.join('\n\n') } });
}

/** A line on the run just made: where it ended, and that it decides nothing. */
export function showRun({ config, curve }: RunRecord): void {
  const { trainLossNats, heldOutLossNats } = curve.at(-1)!;
  const text = `This run (${config.tier}, seed ${config.seed}) ended at ${trainLossNats.toFixed(3)} nats per token in training and ${heldOutLossNats.toFixed(3)} held out. ${decides(config.tier) ? 'It decides only where it is among the committed runs.' : 'It decides nothing.'}`;
  new Display().show({ data: { 'text/plain': text, 'text/html': `<p>${text}</p>` } });
}
