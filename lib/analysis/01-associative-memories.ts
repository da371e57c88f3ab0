/** What notebook 01 shows: energy landscapes, retrieval from noise, and capacities measured against theory. */
import { distanceEnergy } from '../energy/distance';
import { modernHopfield } from '../energy/hopfield';
import { chart, type Figure } from '../report/figure';
import { committedMeasure, keptMeasure } from '../report/measure';
import { axis, CIVIDIS, COLOURS, endLabels, logAxis, title, type EndLabel } from '../report/style';
import type { Row } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { count, percent, rangeText } from '../util/format';
import { grouped } from '../util/groups';
import { line, mean } from '../util/statistics';
import { inequalityQuestions, rises } from './01-inequalities';
import {
  DEGREE,
  FIGURE_1,
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

export * from './shared/notebook';
export { memoryCapacities } from './shared/memories';
export * from './01-inequalities';

/** The four surfaces of Figure 1 with β = 1, `[y][x]` over a square grid. */
export interface Landscapes {
  ticks: number[];
  surfaces: Record<string, number[][]>;
}

const halfSquare = (x: readonly number[]): number => x.reduce((sum, v) => sum + v * v, 0) / 2;

export function landscapes(patterns: readonly number[][] = FIGURE_1, points = 61, extent = 3.5): Landscapes {
  const ticks = Array.from({ length: points }, (_, i) => -extent + (2 * extent * i) / (points - 1));
  const states = ticks.flatMap((y) => ticks.map((x) => [x, y]));
  const modern = modernHopfield({ patterns, beta: 1 }).energy(states);
  const regulariser = states.map(
    (x) => halfSquare(x) + Math.log(patterns.length) + Math.max(...patterns.map(halfSquare)),
  );
  const grid = (values: ArrayLike<number>) =>
    ticks.map((_, i) => Array.from(values).slice(i * points, (i + 1) * points));
  return {
    ticks,
    surfaces: {
      'negative LogSumExp': grid(states.map((_, i) => modern[i]! - regulariser[i]!)),
      'regularisation term': grid(regulariser),
      'their sum: modern Hopfield (MCHN)': grid(modern),
      'distance-based energy': grid(distanceEnergy({ patterns, states, beta: 1 })),
    },
  };
}

/** Contour plots in two columns, the patterns as crosses. */
export function contourFigure({ ticks, surfaces }: Landscapes): Figure {
  const names = Object.keys(surfaces);
  const suffix = (i: number) => (i === 0 ? '' : String(i + 1));
  const axes = (i: number) => ({ xaxis: `x${suffix(i)}`, yaxis: `y${suffix(i)}` });
  return {
    data: names.flatMap((name, i) => [
      {
        type: 'contour' as const,
        name,
        x: ticks,
        y: ticks,
        z: surfaces[name]!,
        ...axes(i),
        showscale: false,
        ncontours: 14,
        autocolorscale: false,
        colorscale: CIVIDIS,
      },
      {
        type: 'scatter' as const,
        mode: 'markers' as const,
        x: FIGURE_1.map((p) => p[0]!),
        y: FIGURE_1.map((p) => p[1]!),
        showlegend: false,
        ...axes(i),
        marker: { symbol: 'x', size: 8, color: COLOURS.outside },
      },
    ]) as Figure['data'],
    layout: {
      title: title(
        'Only the distance-based energy needs no extra term to have an end',
        'three patterns (crosses) in the plane; β = 1; brighter is higher, each panel on its own scale',
      ),
      grid: { rows: 2, columns: 2, pattern: 'independent', ygap: 0.32, xgap: 0.16 },
      height: 700,
      margin: { t: 120, r: 40 },
      ...Object.fromEntries(
        names.flatMap((_, i) => [
          [`xaxis${suffix(i)}`, axis('x₁')],
          [`yaxis${suffix(i)}`, axis('x₂')],
        ]),
      ),
      annotations: names.map((name, i) => ({
        text: name,
        showarrow: false,
        xref: `x${suffix(i)} domain`,
        yref: `y${suffix(i)} domain`,
        x: 0,
        y: 1.02,
        xanchor: 'left',
        yanchor: 'bottom',
        font: { size: 14 },
      })) as never,
    } as Figure['layout'],
  };
}

/** Signs that are flipped where retrieval from a disturbed pattern starts: a tenth of them, at least one. */
const flippedOf = (n: number): number => Math.max(1, Math.round(n / 10));
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
const overSeeds = (all: readonly MemoryCapacity[]) =>
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
    subtitle: `patterns stored: started on or next to one, at most ${percent(MOST_WRONG)} of entries go wrong; ${SEEDS} seeds; dashed: published or derived`,
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

/** All questions, to the committed measure. */
export const questions = (): Question[] => {
  const measured = committedMeasure<Memories>(MEMORIES_MEASURE);
  return [...capacityQuestions(measured), ...measured.inequalities];
};

export function answer(measured: Memories): string {
  const all = overSeeds(measured.capacities);
  const at = (model: string) => all.filter((g) => g.model === model).at(-1)!;
  const range = ({ least, most }: { least: number; most: number }) => rangeText([least, most], count);
  const [classical, exponential, distance] = ['classical', 'exponential', 'distance based'].map(at);
  const flipped = overSeeds(measured.flipped).at(-1)!;
  return [
    `**Each memory stores about as many patterns as is claimed for it, or more. The paper's own, based on distances, comes without a number; it stores ${range(distance!)} with ${distance!.n} units, and that grows faster than a power of their number and slower than an exponential.**`,
    `The classical network holds ${range(classical!)} with ${classical!.n} units (0.138 n = ${Math.round(0.138 * classical!.n)}), the exponential one ${range(exponential!)} with ${exponential!.n} (2^(n/2) = ${Math.round(2 ** (exponential!.n / 2))}).`,
    `To store a pattern and to find it again from a damaged copy are different tests: from ${flippedOf(flipped.n)} of ${flipped.n} signs flipped the exponential one retrieves ${range(flipped)} patterns, where its theorem promises ${Math.round(promised(flipped.n, flippedOf(flipped.n)))} and 2^(n/2) is ${Math.round(2 ** (flipped.n / 2))}.`,
  ].join(' ');
}
