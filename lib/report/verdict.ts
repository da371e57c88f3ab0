/** Verdicts, computed by one rule from the values of single runs, never from their mean alone. */
import { TIERS, type Tier } from '../train/config';
import { UserError } from '../util/errors';
import { fixed, isSmall } from '../util/format';
import { Display, escapeHtml, type Bundle } from './display';
import { OUTCOME_COLOURS } from './style';
import { htmlTable, textTable } from './table';

export const VERDICT_MIME = 'application/vnd.memorization.verdict+json';

type Outcome = 'REPRODUCED' | 'NOT REPRODUCED' | 'INCONCLUSIVE';

/** One run's value, to be compared with the paper's. */
export interface OwnValue {
  seed: number;
  tier: Tier;
  value: number;
  /** Why this run cannot decide, such as "20 times fewer steps than published". It is shown and not counted. */
  unfit?: string;
}

export interface Question {
  /** The sentence that is put to the test: the paper's, or ours after it. */
  claim: string;
  /** Paper, section, figure. */
  source: string;
  paper: number;
  /** Largest |ours − paper| that counts as the same; set before the runs. */
  tolerance: number;
  /** For a bound: ours may be beyond the paper's value on one side without limit, and by the tolerance on the other. */
  relation?: 'at most' | 'at least';
  unit: string;
  ours: readonly OwnValue[];
  /** Runs of a lower tier are shown and not counted. Smoke runs never count. */
  leastTier?: Tier;
  /** The sentence speaks of every run there is: one outside refutes it. */
  universal?: boolean;
}

export interface Verdict extends Question {
  outcome: Outcome;
  reason: string;
}

/** Why a run cannot decide; undefined: it can. */
export const unfitness = (
  { tier, unfit }: OwnValue,
  { leastTier = 'quick' }: Pick<Question, 'leastTier'>,
): string | undefined =>
  unfit ??
  (TIERS.indexOf(tier) < TIERS.indexOf(leastTier) ? `${tier} runs are too small to decide` : undefined);

function isWithin({ value }: OwnValue, { paper, tolerance, relation }: Question): boolean {
  if (relation === 'at most') return value <= paper + tolerance;
  if (relation === 'at least') return value >= paper - tolerance;
  return Math.abs(value - paper) <= tolerance;
}

/**
 * The rule. Of the runs that can decide: all within the tolerance → REPRODUCED; none → NOT REPRODUCED; some → INCONCLUSIVE,
 * or NOT REPRODUCED for a sentence on every run. No such run → INCONCLUSIVE. A value that is not a number is outside.
 */
export function verdict(question: Question): Verdict {
  const { paper, tolerance, ours } = question;
  if (!Number.isFinite(paper) || !(tolerance > 0 || (question.relation && tolerance === 0)))
    throw new UserError(
      `verdict: expected a paper's value and a tolerance above 0, or of 0 for a bound; got ${paper} and ${tolerance}`,
    );
  const fit = ours.filter((run) => unfitness(run, question) === undefined);
  const within = fit.filter((run) => isWithin(run, question)).length;
  const decided = (outcome: Outcome, reason: string): Verdict => ({ ...question, outcome, reason });

  if (!ours.length) return decided('INCONCLUSIVE', 'no run');
  if (!fit.length)
    return decided(
      'INCONCLUSIVE',
      `no run that can decide: ${[...new Set(ours.map((run) => unfitness(run, question)))].join('; ')}`,
    );
  const all = (where: string) =>
    fit.length === 1
      ? `the run is ${where} the tolerance`
      : `all ${fit.length} runs are ${where} the tolerance`;
  if (within === fit.length) return decided('REPRODUCED', all('within'));
  if (within === 0) return decided('NOT REPRODUCED', all('outside'));
  return decided(
    question.universal ? 'NOT REPRODUCED' : 'INCONCLUSIVE',
    `${within} of ${fit.length} runs within the tolerance${question.universal ? '; the claim is on all' : ''}`,
  );
}

/** `1.00 ± 0.05 nats`, `at most 0.00 + 0.10 nats` */
export function expectedText({ paper, tolerance, relation, unit }: Question): string {
  const text = (x: number) =>
    Math.abs(Number(x.toFixed(2)) - x) > 0.005 * Math.abs(x) && !isSmall(x)
      ? String(Number(x.toPrecision(3)))
      : fixed(x, 2);
  const allowed =
    tolerance === 0 ? '' : ` ${!relation ? '±' : relation === 'at most' ? '+' : '−'} ${text(tolerance)}`;
  return `${relation ? `${relation} ` : ''}${text(paper)}${allowed} ${unit}`;
}

/** Columns of the table: one row per run. */
function rows(v: Verdict): string[][] {
  return v.ours.map((run) => {
    const unfit = unfitness(run, v);
    const finding = unfit ? `not counted: ${unfit}` : isWithin(run, v) ? 'within' : 'outside';
    return [
      run.tier,
      String(run.seed),
      fixed(run.value, 3),
      `${run.value >= v.paper ? '+' : '−'}${fixed(Math.abs(run.value - v.paper), 3)}`,
      finding,
    ];
  });
}

export function verdictBundle(v: Verdict): Bundle {
  const columns = ['tier', 'seed', `ours (${v.unit})`, `ours − paper (${v.unit})`, 'finding'];
  const expected = `Paper: ${expectedText(v)}`;
  const badge = `<b style="color: ${OUTCOME_COLOURS[v.outcome]}; border-left: 4px solid; padding-left: 0.5em">${v.outcome}</b>: ${escapeHtml(v.reason)}.`;
  const html = `<p>${badge}</p><p>${escapeHtml(v.claim)}<br>${escapeHtml(expected)} (${escapeHtml(v.source)}).</p>${htmlTable(columns, rows(v))}`;
  const text = `${v.outcome}: ${v.reason}.\n${v.claim}\n${expected} (${v.source}).\n${textTable(columns, rows(v))}`;
  return { data: { 'text/html': html, 'text/plain': text, [VERDICT_MIME]: v } };
}

/** Shows the verdict of each question in the cell's output, where `reproduce` reads it. */
export function showVerdict(...questions: Question[]): void {
  for (const question of questions) new Display().show(verdictBundle(verdict(question)));
}
