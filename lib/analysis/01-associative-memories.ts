/** What notebook 01 shows: energy landscapes, retrieval from noise, and capacities measured against theory. */
import { distanceEnergy } from '../energy/distance';
import { modernHopfield } from '../energy/hopfield';
import { chart, type Figure } from '../report/figure';
import { axis, CIVIDIS, COLOURS, referenceLine, seriesColour, title } from '../report/style';
import type { Row } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { percent } from '../util/format';
import { Random } from '../util/random';
import { line } from '../util/statistics';
import {
  DEGREE,
  FIGURE_1,
  MEMORIES,
  MOST_WRONG,
  NOISE,
  SEEDS,
  signErrors,
  spinPatterns,
  type MemoryCapacity,
} from './shared/memories';
import { summaries } from './shared/summary';
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
  const marks = names.map((_, i) => ({
    type: 'scatter' as const,
    mode: 'markers' as const,
    x: FIGURE_1.map((p) => p[0]!),
    y: FIGURE_1.map((p) => p[1]!),
    showlegend: false,
    ...axes(i),
    marker: { symbol: 'x', size: 8, color: COLOURS.second },
  }));
  return {
    data: [
      ...names.map((name, i) => ({
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
      })),
      ...marks,
    ] as Figure['data'],
    layout: {
      title: title(
        'Energy landscapes of three patterns',
        'crosses: the patterns (−2, −0.5), (0.2, −0.3), (1.5, 1.5); β = 1; brighter is higher',
      ),
      grid: { rows: Math.ceil(names.length / 2), columns: 2, pattern: 'independent' },
      width: 760,
      height: 60 + 115 * names.length,
      margin: { t: 90 },
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
        x: 0.5,
        y: 1.07,
        font: { size: 12 },
      })) as never,
    } as Figure['layout'],
  };
}

/** The distance-based energy and MCHN as surfaces that can be turned. */
export function surfaceFigure({ ticks, surfaces }: Landscapes): Figure {
  const chosen = Object.fromEntries(Object.entries(surfaces).slice(-2));
  const [modern, distance] = Object.values(chosen) as [number[][], number[][]];
  const surface = (z: number[][], scene: string) => ({
    type: 'surface' as const,
    x: ticks,
    y: ticks,
    z,
    scene,
    showscale: false,
    autocolorscale: false,
    colorscale: CIVIDIS,
  });
  const scene = (x: [number, number], text: string) => ({
    domain: { x, y: [0, 1] },
    zaxis: { title: { text } },
    xaxis: { title: { text: 'x₁' } },
    yaxis: { title: { text: 'x₂' } },
  });
  return {
    data: [surface(modern, 'scene'), surface(distance, 'scene2')] as Figure['data'],
    layout: {
      title: title(
        'Two of them as surfaces',
        'left: modern Hopfield; right: distance-based, with a kink at each pattern',
      ),
      scene: scene([0, 0.48], 'MCHN'),
      scene2: scene([0.52, 1], 'distance-based'),
      height: 460,
    } as Figure['layout'],
    still: contourFigure({ ticks, surfaces: chosen }),
  };
}

/** Multiples of its capacity with which a memory is loaded. */
const LOADS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 4];

/** Where each memory fails: wrong signs after retrieval against the number of patterns, at the middle one of its widths. */
export function overloadFigure(all: readonly MemoryCapacity[], tier: Tier, seed: number): Figure {
  const curves = MEMORIES.map((memory, i) => {
    const own = all.filter((c) => c.model === memory.name && c.seed === seed);
    const { n, patterns } = own[Math.floor(own.length / 2)]!;
    const counts = LOADS.map((load) => Math.max(1, Math.round(load * patterns)));
    const wrong = counts.map((d) => {
      const random = new Random(seed, `overload/${memory.name}/${d}`);
      return signErrors(memory, spinPatterns(d, n, random), tier === 'smoke' ? 5 : 50, 0, random);
    });
    return lineTrace(
      `${memory.name}, n = ${n}, capacity ${patterns}`,
      counts.map((d) => d / patterns),
      wrong,
      { color: seriesColour(i) },
      MARKED,
    );
  });
  return chart({
    title: 'Where each memory fails',
    subtitle: `wrong signs after retrieval beyond the capacity; seed ${seed}; half of the signs wrong: nothing is left`,
    x: axis('patterns stored', 'multiples of the capacity'),
    y: axis('signs wrong', 'share', { rangemode: 'tozero' }),
    data: curves,
    height: 380,
    shapes: [referenceLine(MOST_WRONG, 'held up to here', { end: 'left' })],
  });
}

/** What theory says of the capacity, up to a factor for the powers. */
const THEORY: Record<string, { law: string; value(n: number): number }> = {
  classical: { law: '0.138 n', value: (n) => 0.138 * n },
  [`dense, degree ${DEGREE}`]: {
    law: 'n² / (6 ln n), no errors',
    value: (n) => n ** (DEGREE - 1) / (6 * Math.log(n)),
  },
  exponential: { law: '2^(n/2)', value: (n) => 2 ** (n / 2) },
  'modern (MCHN)': { law: '1.372^((n−1)/4)', value: (n) => 1.3718 ** ((n - 1) / 4) },
  'distance based': {
    law: '√2 exp((√2 − 0.2)√n − ¼), ours',
    value: (n) => Math.SQRT2 * Math.exp((Math.SQRT2 - NOISE) * Math.sqrt(n) - 0.25),
  },
};

/** Patterns held over seeds, a group per memory and width. */
const overSeeds = (all: readonly MemoryCapacity[]) =>
  summaries(
    all.map(({ model, n, patterns }) => ({ model, n, value: patterns })),
    ['model', 'n'],
  );

export function capacityFigure(all: readonly MemoryCapacity[], tier: Tier): Figure {
  const groups = overSeeds(all);
  return chart({
    title: 'Capacity: patterns held against width',
    subtitle: `${SEEDS} seeds, bars: range; held: at most ${percent(MOST_WRONG)} of signs wrong after retrieval; dotted: theory; tier ${tier}`,
    x: axis('n', 'units, log scale', { type: 'log' }),
    y: axis('patterns held', 'log scale', { type: 'log' }),
    data: MEMORIES.flatMap(({ name }, i) => {
      const own = groups.filter(({ model }) => model === name);
      const widths = own.map(({ n }) => n);
      const { law, value } = THEORY[name]!;
      const color = seriesColour(i);
      return [
        lineTrace(
          name,
          widths,
          own.map(({ mean }) => mean),
          { color },
          { ...MARKED, error_y: rangeBars(own) },
        ),
        lineTrace(`${name}: ${law}`, widths, widths.map(value), { color, dash: 'dot', width: 1.5 }),
      ];
    }),
    height: 480,
  });
}

/** Wrong signs after retrieval against flipped signs before it, for few patterns. */
export function noiseFigure(tier: Tier, seed: number): Figure {
  const [n, d] = tier === 'smoke' ? [16, 3] : [64, 6];
  const flips = Array.from({ length: 10 }, (_, i) => 0.05 * i);
  return chart({
    title: 'Retrieval from noise',
    subtitle: `${d} patterns of width ${n}; seed ${seed}`,
    x: axis('signs flipped at the start', 'share'),
    y: axis('signs wrong at the end', 'share', { rangemode: 'tozero' }),
    data: MEMORIES.map((memory, i) => ({
      type: 'scatter' as const,
      mode: 'lines+markers' as const,
      name: memory.name,
      x: flips,
      line: { color: seriesColour(i) },
      y: flips.map((share) => {
        const random = new Random(seed, `noise/${memory.name}/${share}`);
        return signErrors(memory, spinPatterns(d, n, random), tier === 'smoke' ? 5 : 100, share, random);
      }),
    })),
    height: 380,
  });
}

/** Capacity and theory, a row per memory and width. */
export const capacityRows = (all: readonly MemoryCapacity[]): Row[] =>
  overSeeds(all).map(({ model, n, least, most }) => ({
    model,
    n,
    'least held': least,
    'most held': most,
    law: THEORY[model]!.law,
    'by the law': THEORY[model]!.value(n),
  }));

/** The claims of Table 1 on how many patterns the memories hold, a value per seed. */
export function capacityQuestions(all: readonly MemoryCapacity[], tier: Tier): Question[] {
  const perSeed = (model: string, value: (own: MemoryCapacity[]) => number): OwnValue[] =>
    [...new Set(all.map(({ seed }) => seed))].map((seed) => ({
      seed,
      tier,
      value: value(all.filter((c) => c.model === model && c.seed === seed)),
    }));
  const widest = (own: MemoryCapacity[]) => own.reduce((a, b) => (b.n > a.n ? b : a));
  /** Slope of ln(patterns) against n, or ln n. */
  const growth = (of: (n: number) => number) => (own: MemoryCapacity[]) =>
    line(own.map(({ n, patterns }) => [of(n), Math.log(patterns)])).slope.value;
  const perUnit = growth((n) => n);
  return [
    {
      claim: 'The classical Hopfield network holds about 0.138 n patterns with few errors.',
      source: 'Table 1 of arXiv 2405.08707; Hopfield 1982, Amit et al. 1985',
      paper: 0.138,
      tolerance: 0.03,
      unit: 'patterns per unit',
      ours: perSeed('classical', (own) => widest(own).patterns / widest(own).n),
    },
    {
      claim: `The dense memory of degree k holds a number of patterns that grows as n^(k−1); here k = ${DEGREE}.`,
      source: 'Table 1 of arXiv 2405.08707; Krotov & Hopfield 2016',
      paper: DEGREE - 1,
      tolerance: 0.4,
      unit: 'exponent of n',
      ours: perSeed(`dense, degree ${DEGREE}`, growth(Math.log)),
    },
    {
      claim: 'The exponential memory holds at least 2^(n/2) patterns.',
      source: 'Table 1 of arXiv 2405.08707; Demircigil et al. 2017',
      paper: Math.LN2 / 2,
      tolerance: 0.02,
      relation: 'at least',
      unit: 'growth of ln(patterns) per unit',
      ours: perSeed('exponential', perUnit),
    },
    {
      claim: 'The modern continuous memory holds exponentially many patterns.',
      source:
        'Table 1 of arXiv 2405.08707; Ramsauer et al. 2020, theorem 3: at least c^((n−1)/4) with c = 1.3718 at norm √n and β = 1',
      paper: Math.log(1.3718) / 4,
      tolerance: 0.02,
      relation: 'at least',
      unit: 'growth of ln(patterns) per unit',
      ours: perSeed('modern (MCHN)', perUnit),
    },
  ];
}
