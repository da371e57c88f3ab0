/** Verdicts, computed by one rule from the values of single runs, never from their mean alone. */
import { TIERS, type Tier } from '../train/config';
import { UserError } from '../util/errors';
import { count, fixed, isSmall, rangeText, rounded, significant } from '../util/format';
import { Display, escapeHtml, type Bundle } from './display';
import { BADGES } from './style';
import { htmlTable, textOfCell, textTable, type TableCell } from './table';

export const VERDICT_MIME = 'application/vnd.memorization.verdict+json';

/** What a verdict is called if the claim holds, if it does not, and if it is open. */
const WORDS = {
  /** A number that others measured, at their settings. */
  measurement: ['REPRODUCED', 'NOT REPRODUCED', 'INCONCLUSIVE'],
  /** The same on a smaller model and less data, at the published ratios or the ratios that the notebook names. */
  miniature: ['REPRODUCED IN MINIATURE', 'NOT REPRODUCED IN MINIATURE', 'INCONCLUSIVE'],
  /** An identity or a theorem, evaluated on many cases. */
  check: ['CHECKED', 'REFUTED', 'UNCHECKED'],
  /** A formula that we have rebuilt from the text around it: does it follow from the stated assumptions? */
  reconstruction: ['FOLLOWS', 'DOES NOT FOLLOW', 'OPEN'],
  /** Our own, registered before the runs. */
  prediction: ['HELD', 'FAILED', 'OPEN'],
} as const;
type Kind = keyof typeof WORDS;

/** Of a test whose control gives the same result as what it should tell from it. */
const BLIND = 'TEST CANNOT TELL';

export type Outcome = (typeof WORDS)[Kind][number] | typeof BLIND;

/** The four tables of notebook 00. */
export const TABLES = {
  observations: "A. The paper's observations",
  theory: "B. The paper's theory, checked numerically",
  others: 'C. Classical results, and claims of other authors',
  predictions: 'D. Our predictions',
} as const;
export type TableName = keyof typeof TABLES;

/** One run's value, to be compared with the claimed one. */
export interface OwnValue {
  seed: number;
  tier: Tier;
  value: number;
  /** Of all runs that the value is taken from, where it is not one run's, such as a slope. */
  seeds?: readonly number[];
  /** 95% interval of the value, where it is an estimate such as a slope. */
  interval?: readonly [low: number, high: number];
  /** Why this run cannot decide, such as "20 times fewer steps than published". It is shown and not counted. */
  unfit?: string;
}

export interface Question {
  /** The sentence that is put to the test, in at most twelve words. */
  claim: string;
  /** Who says so; "us" for our own. */
  claimedBy?: string;
  /** Section and figure of the claim, and what exactly is measured. */
  source: string;
  /** The claimed number. */
  paper: number;
  /** Largest |ours − claimed| that counts as the same; set before the runs. */
  tolerance: number;
  /** For a bound: ours may be beyond the claimed value on one side without limit, and by the tolerance on the other. */
  relation?: 'at most' | 'at least';
  unit: string;
  ours: readonly OwnValue[];
  kind?: Kind;
  /** By default that of its kind. */
  table?: TableName;
  /** Why the test cannot tell: what its controls showed. */
  blind?: string;
  /** Up to where it holds, or what else it depends on; part of the verdict's reason. */
  note?: string;
  /** Runs of a lower tier are shown and not counted. Smoke runs never count. */
  leastTier?: Tier;
  /** The sentence speaks of every run there is: one outside refutes it. */
  universal?: boolean;
}

export interface Verdict extends Question {
  outcome: Outcome;
  reason: string;
}

export const tableOf = ({ table, kind = 'measurement' }: Question): TableName =>
  table ??
  (kind === 'prediction'
    ? 'predictions'
    : kind === 'check' || kind === 'reconstruction'
      ? 'theory'
      : 'observations');

/** Who claims what we had to rebuild from the text around it. */
export const RECONSTRUCTED = 'Niu et al., as we reconstruct it';

/** Who claims it, for tables. */
export const claimantOf = ({ claimedBy, kind }: Question): string =>
  claimedBy ?? (kind === 'prediction' ? 'us' : kind === 'reconstruction' ? RECONSTRUCTED : 'Niu et al.');

/** Whether a claim with this verdict holds: null if that is open. */
export function answerOf({
  outcome,
  kind = 'measurement',
}: Pick<Verdict, 'outcome' | 'kind'>): boolean | null {
  const [yes, no] = WORDS[kind];
  return outcome === yes ? true : outcome === no ? false : null;
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
 * The rule. Of the runs that can decide: all within the tolerance → the claim holds; none → it does not; some → open, or it
 * does not for a sentence on every run. No such run → open. A value that is not a number is outside. The words for the
 * three answers depend on the kind of claim.
 */
export function verdict(question: Question): Verdict {
  const { paper, tolerance, ours, kind = 'measurement' } = question;
  if (!Number.isFinite(paper) || !(tolerance > 0 || (question.relation && tolerance === 0)))
    throw new UserError(
      `verdict: expected a paper's value and a tolerance above 0, or of 0 for a bound; got ${paper} and ${tolerance}`,
    );
  const [yes, no, open] = WORDS[kind];
  const fit = ours.filter((run) => unfitness(run, question) === undefined);
  const within = fit.filter((run) => isWithin(run, question)).length;
  const decided = (outcome: Outcome, why: string): Verdict => ({
    ...question,
    outcome,
    reason: question.note ? `${why}; ${question.note}` : why,
  });

  if (question.blind) return decided(BLIND, question.blind);
  if (!ours.length) return decided(open, 'no run');
  if (!fit.length)
    return decided(
      open,
      `no run that can decide: ${[...new Set(ours.map((run) => unfitness(run, question)))].join('; ')}`,
    );
  const all = (where: string) =>
    fit.length === 1
      ? `the run is ${where} the tolerance`
      : `all ${fit.length} runs are ${where} the tolerance`;
  if (within === fit.length) return decided(yes, all('within'));
  if (within === 0) return decided(no, all('outside'));
  return decided(
    question.universal ? no : open,
    `${within} of ${fit.length} runs within the tolerance${question.universal ? '; the claim is on all' : ''}`,
  );
}

/** Of numbers that cancel, what is left is 0. */
const kept = (x: number): number => (Number.isFinite(x) && Math.abs(x) < 1e-12 ? 0 : rounded(x));

/** The verdict that a notebook keeps: on numbers rounded before the rule, so that every machine comes to the same. */
export const keptVerdict = (question: Question): Verdict =>
  verdict({
    ...question,
    paper: rounded(question.paper),
    tolerance: rounded(question.tolerance),
    ours: question.ours.map(({ interval, ...own }) => ({
      ...own,
      value: kept(own.value),
      ...(interval && { interval: [kept(interval[0]), kept(interval[1])] as const }),
    })),
  });

/** A number of a claim: two decimals, or three digits where these would change it. */
const claimed = (x: number): string =>
  isSmall(x) || Math.abs(Number(x.toFixed(2)) - x) > 0.005 * Math.abs(x) ? significant(x, 3) : fixed(x, 2);

/** `1.00 ± 0.05 nats`, `at most 0.10 nats`, for a prediction `12.00 to 18.00 passes`: the number that decides. */
export function expectedText({ paper, tolerance, relation, unit, kind }: Question): string {
  const whole = relation && tolerance === 0 && Number.isInteger(paper) && paper > 1;
  const numbers =
    relation === 'at most'
      ? `at most ${whole ? count(paper) : claimed(paper + tolerance)}`
      : relation === 'at least'
        ? `at least ${whole ? count(paper) : claimed(paper - tolerance)}`
        : kind === 'prediction'
          ? `${claimed(paper - tolerance)} to ${claimed(paper + tolerance)}`
          : `${claimed(paper)} ± ${claimed(tolerance)}`;
  return unit ? `${numbers} ${unit}` : numbers;
}

/** What is shown for a value that is not finite, which JSON keeps as null. */
const NO_VALUE = 'none';

/** The value of a run: four digits, or three below 1. */
export const valueText = (value: number, digits = Math.abs(value) < 1 ? 3 : 4): string =>
  Number.isFinite(value) ? significant(value, digits) : NO_VALUE;

/** `1.013 (desk, seed 1)`, `0.98 to 1.02 (desk, 3 seeds)`; runs that cannot decide are in brackets where there is no other. */
export function ownText(question: Pick<Question, 'ours' | 'leastTier' | 'kind'>): string {
  const { ours, kind } = question;
  const fit = ours.filter((run) => unfitness(run, question) === undefined);
  const shown = fit.length ? fit : ours;
  if (!shown.length) return 'no run';
  const number = (x: number) => valueText(Number.isFinite(x) && Math.abs(x) < 1e-12 ? 0 : x);
  // JSON keeps what is not finite as null.
  const values = shown.map(({ value }) => (Number.isFinite(value) ? value : Infinity));
  const ends = [Math.min(...values), Math.max(...values)];
  // As many decimals at both ends: 0.448 to 0.470.
  const decimals = Math.max(...ends.map((x) => /\.(\d+)$/.exec(number(x))?.[1]!.length ?? 0));
  const range = rangeText(ends, (x) => (/^-?[\d.]+$/.test(number(x)) ? x.toFixed(decimals) : number(x)));
  const [{ interval }] = shown as [OwnValue];
  const spread = shown.length === 1 && interval ? `, 95% ${interval.map(number).join(' to ')}` : '';
  // A computation has no tier.
  if (kind === 'check' || kind === 'reconstruction') return range;
  const seeds = [...new Set(shown.flatMap(({ seed, seeds }) => seeds ?? [seed]))];
  const runs = `${[...new Set(shown.map(({ tier }) => tier))].join(', ')}, ${seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds`}`;
  return fit.length ? `${range}${spread} (${runs})` : `[${range}${spread}] (${runs}: cannot decide)`;
}

/** A verdict in its colour, `<b>REPRODUCED</b>`. */
export const badge = (v: Verdict): string => {
  const answer = answerOf(v);
  const colour = answer === null ? BADGES.open : answer ? BADGES.yes : BADGES.no;
  return `<b style="color: ${colour}; white-space: nowrap">${v.outcome}</b>`;
};

const COLUMNS = ['claim', 'claimed by', 'holds if', 'found', 'verdict'];
const rowOf = (v: Verdict): TableCell[] => [
  v.claim,
  claimantOf(v),
  expectedText(v),
  ownText(v),
  { text: `${v.outcome}: ${v.reason}`, html: `${badge(v)}<br>${escapeHtml(v.reason)}` },
];

/** One row per run, of every claim. */
const RUN_COLUMNS = ['claim', 'tier', 'seed', 'found', 'found − claimed', 'finding'];
const runRowsOf = (v: Verdict): string[][] =>
  v.ours.map((run) => {
    const unfit = unfitness(run, v);
    const finding = unfit ? `not counted: ${unfit}` : isWithin(run, v) ? 'within' : 'outside';
    const away = run.value - v.paper;
    return [
      v.claim,
      run.tier,
      run.seeds ? run.seeds.join(', ') : String(run.seed),
      Number.isFinite(run.value) ? fixed(run.value, 3) : NO_VALUE,
      Number.isFinite(run.value) ? `${away < 0 ? '−' : '+'}${fixed(Math.abs(away), 3)}` : '–',
      finding,
    ];
  });

/** The verdicts as one table; the single runs and the sources are folded under it. */
export function verdictBundle(...verdicts: Verdict[]): Bundle {
  const rows = verdicts.map(rowOf);
  const runs = verdicts.flatMap(runRowsOf);
  const sources = verdicts.map(({ claim, source }) => `${claim} ${source}.`);
  const fold = `<details><summary>Every run, and where each claim is from</summary>${htmlTable(RUN_COLUMNS, runs)}<ul>${sources.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul></details>`;
  const text = [
    textTable(
      COLUMNS,
      rows.map((row) => row.map(textOfCell)),
    ),
    ...sources,
    textTable(RUN_COLUMNS, runs),
  ].join('\n\n');
  return {
    data: { 'text/html': htmlTable(COLUMNS, rows) + fold, 'text/plain': text, [VERDICT_MIME]: verdicts },
  };
}

/** Shows the verdicts on some questions in the cell's output, where `reproduce` reads them. */
export const showVerdict = (...questions: Question[]): void =>
  new Display().show(verdictBundle(...questions.map(keptVerdict)));
