/** How many patterns the memories of notebook 01 hold: measured, drawn beside theory, and put to the claims. */
import { chart, type Figure } from '../report/figure';
import { keptMeasure } from '../report/measure';
import { COLOURS, endLabels, logAxis, type EndLabel } from '../report/style';
import type { Row } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { count, percent, rangeText } from '../util/format';
import { grouped } from '../util/groups';
import { line, mean } from '../util/statistics';
import { inequalityQuestions, rises } from './01-inequalities';
import {
  DEGREE,
  MEMORIES,
  MEMORIES_MEASURE,
  memoryCapacities,
  memoryCapacity,
  MOST_WRONG,
  NOISE,
  SEEDS,
  type MemoryCapacity,
} from './shared/memories';
import { lineTrace, MARKED, rangeBars } from './shared/traces';

/** Signs that are flipped where retrieval from a disturbed pattern starts: a tenth of them, at least one. */
export const flippedOf = (n: number): number => Math.max(1, Math.round(n / 10));
const FLIPPED = { widths: [9, 12, 15, 18], tested: 100 };

/**
 * Patterns that the exponential memory retrieves from so many flipped signs (Demircigil et al. 2017, theorem 3): exp(α n) for
 * α < I(1 − 2ρ)/2, ρ the share of flipped signs, I(a) = ½ ((1 + a) ln(1 + a) + (1 − a) ln(1 − a)). At ρ = 0 it is 2^(n/2).
 */
export function promised(n: number, flipped: number): number {
  const a = 1 - (2 * flipped) / n;
  const term = (x: number) => (x > 0 ? x * Math.log(x) : 0);
  return Math.exp((n * (term(1 + a) + term(1 - a))) / 4);
}

/** All that the notebook measures. */
export interface Memories {
  /** Retrieval starts on the pattern, for real states next to it. */
  capacities: MemoryCapacity[];
  /** The exponential memory, from a tenth of the signs flipped. */
  flipped: MemoryCapacity[];
  inequalities: Question[];
}

const EXPONENTIAL = MEMORIES.find(({ name }) => name === 'exponential')!;

const flippedCapacities = (seed: number, widths = FLIPPED.widths): MemoryCapacity[] =>
  widths.flatMap((n) =>
    Array.from({ length: SEEDS }, (_, s) => ({
      model: EXPONENTIAL.name,
      n,
      seed: seed + s,
      patterns: memoryCapacity(EXPONENTIAL, n, seed + s, flippedOf(n), FLIPPED.tested)!,
    })),
  );

/** As they are committed: the quick tier's widths, seeds 1 to 3. */
export const memories = (): Promise<Memories> =>
  keptMeasure(MEMORIES_MEASURE, () => ({
    capacities: memoryCapacities('quick', 1),
    flipped: flippedCapacities(1),
    inequalities: inequalityQuestions(rises('quick', 1), 'quick', 1),
  }));

/** What theory says of the capacity, up to a factor for the powers, and how it is drawn. */
const THEORY: Record<string, { law: string; value(n: number): number; colour: string }> = {
  classical: { law: '0.138 n', value: (n) => 0.138 * n, colour: COLOURS.control },
  [`dense, degree ${DEGREE}`]: {
    law: 'n² / (6 ln n)',
    value: (n) => n ** (DEGREE - 1) / (6 * Math.log(n)),
    colour: '#5c6470',
  },
  exponential: { law: '2^(n/2)', value: (n) => 2 ** (n / 2), colour: COLOURS.exact },
  'modern (MCHN)': {
    law: '1.372^((n−1)/4)',
    value: (n) => 1.3718 ** ((n - 1) / 4),
    colour: COLOURS.second,
  },
  'distance based': {
    law: 'exp(1.21 √n), ours',
    value: (n) => Math.SQRT2 * Math.exp((Math.SQRT2 - NOISE) * Math.sqrt(n) - 0.25),
    colour: COLOURS.ours,
  },
};

/** Patterns held over seeds, a group per memory and width. */
export const overSeeds = (all: readonly MemoryCapacity[]) =>
  grouped(all, ({ model, n }) => `${model} ${n}`).map(([, own]) => {
    const values = own.map(({ patterns }) => patterns);
    const { model, n } = own[0]!;
    return { model, n, mean: mean(values), least: Math.min(...values), most: Math.max(...values) };
  });

export function capacityFigure({ capacities }: Pick<Memories, 'capacities'>): Figure {
  const groups = overSeeds(capacities);
  const span = { low: 1, high: 50_000, pixels: 380, log: true, logX: true };
  const ends: EndLabel[] = [];
  const data = MEMORIES.flatMap(({ name }) => {
    const own = groups.filter(({ model }) => model === name);
    const widths = own.map(({ n }) => n);
    const { law, value, colour } = THEORY[name]!;
    const last = own.at(-1)!;
    ends.push({ text: `${name}<br>(${law})`, x: last.n, y: last.mean, colour });
    return [
      lineTrace(
        name,
        widths,
        own.map(({ mean }) => mean),
        { color: colour, width: name === 'distance based' ? 3 : 2 },
        { ...MARKED, error_y: rangeBars(own) },
      ),
      lineTrace(law, widths, widths.map(value), { color: colour, dash: 'dash', width: 1.2 }),
    ];
  });
  return chart({
    title: "The paper's memory grows faster than a power, slower than an exponential",
    subtitle: `started on or next to a pattern, at most ${percent(MOST_WRONG)} of entries go wrong; ${SEEDS} seeds; dashed: theory`,
    x: logAxis('width n', 'units', [5, 600]),
    y: logAxis('patterns held', undefined, [span.low, span.high]),
    data,
    showlegend: false,
    height: 520,
    margin: { r: 60 },
    annotations: endLabels(ends, span) as never,
  });
}

/** Capacity and theory, a row per memory and width, seeds as a range. */
export const capacityRows = (all: readonly MemoryCapacity[]): Row[] =>
  overSeeds(all).map(({ model, n, least, most }) => ({
    memory: model,
    n,
    'patterns held': rangeText([least, most], count),
    law: THEORY[model]!.law,
    'by the law': count(Math.round(THEORY[model]!.value(n))),
  }));

/** The exponential memory from flipped signs, next to what it stores and what theorems promise. */
export const flippedRows = ({ capacities, flipped }: Memories): Row[] =>
  overSeeds(flipped).map(({ n, least, most }) => {
    const stored = overSeeds(capacities).find((g) => g.model === EXPONENTIAL.name && g.n === n);
    return {
      n,
      'signs flipped': flippedOf(n),
      'held from flipped signs': rangeText([least, most], count),
      'promised from flipped signs': count(Math.round(promised(n, flippedOf(n)))),
      'held from the pattern': stored ? rangeText([stored.least, stored.most], count) : null,
      'promised from the pattern, 2^(n/2)': count(Math.round(2 ** (n / 2))),
    };
  });

const widest = (own: readonly MemoryCapacity[]) => own.reduce((a, b) => (b.n > a.n ? b : a));

/** The claims of Table 1 on how many patterns the memories hold, a value per seed. */
export function capacityQuestions(
  { capacities: all, flipped }: Pick<Memories, 'capacities' | 'flipped'>,
  tier: Tier = 'quick',
): Question[] {
  const perSeed = (own: readonly MemoryCapacity[], value: (own: MemoryCapacity[]) => number): OwnValue[] =>
    grouped(own, ({ seed }) => seed).map(([seed, ofSeed]) => ({ seed, tier, value: value(ofSeed) }));
  const of = (model: string) => all.filter((c) => c.model === model);
  const over = (value: (n: number) => number) => (own: MemoryCapacity[]) =>
    widest(own).patterns / value(widest(own).n);
  const n = widest(of('exponential'))?.n;
  const atLeast = { paper: 1, tolerance: 0, relation: 'at least', table: 'others' } as const;
  return [
    {
      claim: 'The classical Hopfield network holds about 0.138 n patterns with few errors.',
      claimedBy: 'Amit et al. 1985',
      table: 'others',
      source: `Table 1 of arXiv 2405.08707; Hopfield 1982, Amit et al. 1985; at n = ${widest(of('classical')).n}, narrower ones hold more per unit`,
      paper: 0.138,
      tolerance: 0.03,
      unit: 'patterns per unit',
      ours: perSeed(of('classical'), (own) => widest(own).patterns / widest(own).n),
    },
    {
      claim: `The dense memory of degree ${DEGREE} holds patterns as the square of n.`,
      claimedBy: 'Krotov & Hopfield 2016',
      table: 'others',
      source: 'Table 1 of arXiv 2405.08707; Krotov & Hopfield 2016: n^(k−1) for degree k',
      paper: DEGREE - 1,
      tolerance: 0.4,
      unit: 'exponent of n',
      ours: perSeed(
        of(`dense, degree ${DEGREE}`),
        (own) => line(own.map(({ n, patterns }) => [Math.log(n), Math.log(patterns)])).slope.value,
      ),
    },
    {
      claim: 'The exponential memory stores at least 2^(n/2) patterns.',
      claimedBy: 'Demircigil et al. 2017',
      source:
        'Table 1 of arXiv 2405.08707; patterns held at the largest n, over 2^(n/2); retrieval starts on the pattern',
      ...atLeast,
      unit: `times 2^(n/2), n = ${n}`,
      ours: perSeed(
        of('exponential'),
        over((n) => 2 ** (n / 2)),
      ),
    },
    {
      claim: 'From a tenth of signs flipped it still retrieves exponentially many.',
      claimedBy: 'Demircigil et al. 2017',
      source: `theorem 3: exp(I(1 − 2ρ) n/2) for a share ρ of flipped signs; patterns held at the largest n over that number, ${FLIPPED.tested} starts`,
      ...atLeast,
      unit: `times exp(I n/2), n = ${widest(flipped).n}`,
      ours: perSeed(
        flipped,
        over((n) => promised(n, flippedOf(n))),
      ),
    },
    {
      claim: 'The modern continuous memory holds at least 1.372^((n−1)/4) patterns.',
      claimedBy: 'Ramsauer et al. 2020',
      kind: 'check',
      source:
        'Table 1 of arXiv 2405.08707; theorem 3 at norm √n and β = 1; a bound of 3 patterns at n = 15, which could hardly fail',
      ...atLeast,
      unit: 'times the bound',
      ours: perSeed(
        of('modern (MCHN)'),
        over((n) => 1.3718 ** ((n - 1) / 4)),
      ),
    },
  ];
}
