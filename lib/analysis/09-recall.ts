/** Recall in notebook 09: how many items each model gives back whole, and the exponent of N against D. */
import type { CapacityRecord } from '../experiments/capacity';
import { gpt2Parameters } from '../model/config';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, seriesColour } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import { decides, type Tier } from '../train/config';
import { count, estimateText, layersByWidth, percent } from '../util/format';
import { bootstrapSlope, line, type Estimate, type Point } from '../util/statistics';
import {
  families,
  keepsSettled,
  keptBits,
  LEAST_MODELS,
  recalledShare,
  type Items,
} from './shared/capacity-runs';
import { lineTrace, markerTrace } from './shared/traces';
import { grouped } from '../util/groups';
import { ofFullestTier } from './shared/runs';

/** Share of items that must come back. */
export const RECALLED = 0.99;

/** Between which sizes of settled runs of so many steps recall falls below 99%: the largest D that is held and the next one, which is lost; null where no run is on that side. */
export interface Recall {
  tier: Tier;
  what: Items;
  size: string;
  steps: number;
  parameters: number;
  held: number | null;
  lost: number | null;
}

export const recalls = (records: readonly CapacityRecord[]): Recall[] =>
  (['sequences', 'associations'] as const).flatMap((what) =>
    families(records.filter(keepsSettled), what).map((group): Recall => {
      const own = group.filter(({ config }) => config.seed === group[0]!.config.seed);
      const last = own.map((record) => recalledShare(record) >= RECALLED).lastIndexOf(true);
      const { tier, steps, model } = own[0]!.config;
      return {
        tier,
        what,
        size: layersByWidth(model),
        steps,
        parameters: gpt2Parameters(model).all,
        held: own[last]?.config.items ?? null,
        lost: own[last + 1]?.config.items ?? null,
      };
    }),
  );

type Bracketed = Recall & { held: number; lost: number };
export const isBracketed = (recall: Recall): recall is Bracketed =>
  recall.held !== null && recall.lost !== null;

/** The middle of what is held and what is lost, on a log scale. */
const middle = ({ held, lost }: Bracketed): number => Math.sqrt(held * lost);

/** Recalls whose models were trained alike: one tier, one kind of item, so many steps. */
const trainedAlike = <R extends Recall>(all: readonly R[]): [name: string, alike: R[]][] =>
  grouped(all, ({ tier, what, steps }) => `${tier}, ${what}, ${count(steps)} steps`);

/**
 * log N against log D at 99% recall, of models trained alike: the exponent of N = O(D^k); null for fewer than three models. D
 * may be anywhere between what is held and what is lost, and its bootstrap interval says so: on sizes in proportion to N the
 * middles alone would be on slope 1 whatever they are.
 */
export function exponent(alike: readonly Recall[], seed: number): Estimate | null {
  const own = alike.filter(isBracketed);
  return own.length < LEAST_MODELS
    ? null
    : bootstrapSlope(
        own.map((r): Point => [Math.log(middle(r)), Math.log(r.parameters)]),
        seed,
        own.map(({ held, lost }) => Math.log(lost / held) / 2),
      );
}

export const contains = ({ low, high }: Estimate, value: number): boolean => low <= value && value <= high;

/** Whether an interval holds one of the exponents 1 and 2 and not the other. */
const tells = (k: Estimate): boolean => contains(k, 1) !== contains(k, 2);

/** What would tell 1 from 2 where the interval does not: finer sizes of data if it does with D at the middle, more models if it still holds both. */
export function whatWouldTell(alike: readonly Recall[], seed: number): string {
  const k = exponent(
    alike.filter(isBracketed).map((r) => ({ ...r, held: middle(r), lost: middle(r) })),
    seed,
  )!;
  return `were D known exactly it would be ${estimateText(k)}: ${tells(k) ? 'finer sizes of the data would tell 1 from 2' : contains(k, 2) ? 'more models would tell 1 from 2' : 'neither 1 nor 2'}`;
}

/**
 * Slope of log N against log D from the smallest to the largest model, wherever D is between what each holds and loses: no
 * statistics, and the upper end needs no run that the largest loses. Null where an end cannot be said.
 */
export function endToEnd(alike: readonly Recall[]): { least: number | null; most: number | null } {
  const [small, large] = [
    alike.reduce((a, b) => (b.parameters < a.parameters ? b : a)),
    alike.reduce((a, b) => (b.parameters > a.parameters ? b : a)),
  ];
  if (!isBracketed(small) || large.held === null || small.parameters === large.parameters)
    return { least: null, most: null };
  const slope = (from: number, to: number) =>
    Math.log(large.parameters / small.parameters) / Math.log(to / from);
  return {
    least: large.lost === null ? null : slope(small.held, large.lost),
    most: large.held > small.lost ? slope(small.lost, large.held) : null,
  };
}

export function recallRows(all: readonly Recall[]): Row[] {
  const items = (n: number | null) => (n === null ? 'no settled run' : count(n));
  return all.map((recall) => ({
    what: recall.what,
    tier: recall.tier,
    steps: recall.steps,
    model: recall.size,
    parameters: recall.parameters,
    'largest D held': items(recall.held),
    'next D, lost': items(recall.lost),
    'parameters per item': isBracketed(recall) ? recall.parameters / middle(recall) : null,
  }));
}

/** A sentence on each exponent that can be said: from end to end, and with its interval. */
export const exponentTexts = (all: readonly Recall[], seed: number): string[] =>
  trainedAlike(all).flatMap(([name, alike]) => {
    const [k, { least, most }] = [exponent(alike, seed), endToEnd(alike)];
    const ends = [
      ...(least === null ? [] : [`at least ${least.toFixed(2)}`]),
      ...(most === null ? [] : [`at most ${most.toFixed(2)}`]),
    ];
    return [
      ...(ends.length
        ? [
            `${name}: from the smallest to the largest model the exponent is ${ends.join(' and ')}, wherever D lies between held and lost`,
          ]
        : []),
      ...(k
        ? [
            `${name}: N grows as D to the power ${estimateText(k)}, 95% bootstrap interval over models and over D between held and lost${tells(k) ? '' : `; ${whatWouldTell(alike, seed)}`}`,
          ]
        : []),
    ];
  });

/** Of each model the most bits that any of its runs memorised, whatever the steps and the load. */
const mostBitsOf = (records: readonly CapacityRecord[], what: Items): Point[] =>
  grouped(
    records.filter(
      ({ config }) => config.what === what && config.precision === 'fp32' && decides(config.tier),
    ),
    ({ config }) => gpt2Parameters(config.model).all,
  )
    .map(([parameters, own]): Point => [parameters, Math.max(...own.map(keptBits))])
    .sort(([a], [b]) => a - b);

/**
 * The exponent in memorised bits: slope of log N against log bits, with its interval over models. Of associations the largest model
 * memorised all that it was given, so that from the smallest to the largest the exponent is at most what its bits say.
 */
export function bitsExponentQuestions(records: readonly CapacityRecord[]): Question[] {
  return (['associations', 'sequences'] as const).map((what): Question => {
    const points = mostBitsOf(records, what);
    const logs = points.map(([n, bits]): Point => [Math.log(bits), Math.log(n)]);
    const [first, last] = [logs[0], logs.at(-1)];
    const slope = points.length < LEAST_MODELS ? null : line(logs).slope;
    const bound = what === 'associations' && first && last && (last[1] - first[1]) / (last[0] - first[0]);
    return {
      claim: `Parameters must grow as the square of the data: ${what === 'associations' ? 'random associations' : 'random sequences'}, in bits.`,
      source: `arXiv 2405.08707, ICLR 2026 version, N = O(D²); linear after Madden et al. 2024 (arXiv 2405.13718), Nichani et al. 2025 (arXiv 2412.06538) and Morris et al. 2025, a square root after Kajitsuka and Sato 2024 (arXiv 2409.17677); statistic chosen after the runs: ${bound ? 'upper bound of the exponent from the smallest to the largest model' : 'slope of log N against log memorised bits over models'}`,
      paper: 2,
      tolerance: 0.5,
      unit: 'exponent of D',
      table: 'theory',
      leastTier: 'desk',
      ours: slope
        ? [
            bound
              ? { tier: 'desk', seed: 1, value: bound }
              : { tier: 'desk', seed: 1, value: slope.value, interval: [slope.low, slope.high] },
          ]
        : [],
    };
  });
}

/** Parameters against D at 99% recall, from what is held to what is lost, with the slopes 1 and 2. */
export function exponentFigure(all: readonly Recall[]): Figure {
  const known = all.filter(isBracketed);
  const [first] = ofFullestTier(known, ({ tier }) => tier);
  const ends = first
    ? [Math.min(...known.map(({ held }) => held)), Math.max(...known.map(({ lost }) => lost))]
    : [1, 10];
  const through = (k: number) =>
    ends.map((d) => (first ? first.parameters * (d / middle(first)) ** k : d ** k));
  const sizes = known.map(({ parameters }) => Math.log10(parameters));
  return chart({
    title: 'Parameters against items recalled',
    subtitle: `where recall falls below ${percent(RECALLED)}; bars: from what is held to what is lost; lines through the fullest tier's first point`,
    x: axis('D', 'items, log scale', { type: 'log' }),
    y: axis('N', 'parameters, log scale', {
      type: 'log',
      ...(first ? { range: [Math.min(...sizes) - 0.5, Math.max(...sizes) + 0.5] } : {}),
    }),
    data: [
      ...trainedAlike(known).map(([name, own], i) =>
        markerTrace(
          name,
          own.map(middle),
          own.map(({ parameters }) => parameters),
          { color: seriesColour(i), size: 9 },
          {
            text: own.map(({ size }) => size),
            error_x: {
              type: 'data',
              symmetric: false,
              array: own.map((r) => r.lost - middle(r)),
              arrayminus: own.map((r) => middle(r) - r.held),
            },
          },
        ),
      ),
      lineTrace('slope 1', ends, through(1), { color: COLOURS.faint, dash: 'dot' }),
      lineTrace('slope 2 (the paper)', ends, through(2), { color: COLOURS.paper, dash: 'dash' }),
    ],
  });
}
