/** What notebook 01 shows: energy landscapes, retrieval from noise, capacities measured against theory. */
import type { Tier } from '../train/config';
import { distanceEnergy, distanceMemory } from '../energy/distance';
import {
  classicalHopfield,
  denseHopfield,
  exponentialHopfield,
  modernHopfield,
  type AssociativeMemory,
} from '../energy/hopfield';
import type { Matrix } from '../energy/matrix';
import { Random } from '../util/random';
import type { Figure } from '../report/figure';
import { axis, CIVIDIS, COLOURS, referenceLine, seriesColour, title } from '../report/style';
import { showTable } from '../report/table';
import type { Question } from '../report/verdict';
import { line, mean } from '../util/statistics';

/** The three patterns of the paper's Figure 1. */
export const FIGURE_1 = [
  [-2, -0.5],
  [0.2, -0.3],
  [1.5, 1.5],
];

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

/** Contour plots in two columns, the patterns as marks. */
export function contourFigure(
  { ticks, surfaces }: Landscapes,
  patterns: readonly number[][] = FIGURE_1,
): Figure {
  const names = Object.keys(surfaces);
  const suffix = (i: number) => (i === 0 ? '' : String(i + 1));
  const marks = names.map((_, i) => ({
    type: 'scatter' as const,
    mode: 'markers' as const,
    x: patterns.map((p) => p[0]!),
    y: patterns.map((p) => p[1]!),
    showlegend: false,
    xaxis: `x${suffix(i)}`,
    yaxis: `y${suffix(i)}`,
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
        xaxis: `x${suffix(i)}`,
        yaxis: `y${suffix(i)}`,
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

/** The distance-based energy and MCHN as surfaces to turn. */
export function surfaceFigure(all: Landscapes): Figure {
  const { ticks, surfaces } = all;
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
export function overloadFigure(all: readonly Capacity[], tier: Tier, seed: number): Figure {
  const curves = MODELS.map((model, i) => {
    const own = all.filter((c) => c.model === model.name && c.seed === seed);
    const { n, patterns } = own[Math.floor(own.length / 2)]!;
    const counts = LOADS.map((load) => Math.max(1, Math.round(load * patterns)));
    const wrong = counts.map((d) => {
      const random = new Random(seed, `overload/${model.name}/${d}`);
      return signErrors(model, spinPatterns(d, n, random), tier === 'smoke' ? 5 : 50, 0, random);
    });
    return {
      type: 'scatter' as const,
      mode: 'lines+markers' as const,
      name: `${model.name}, n = ${n}, capacity ${patterns}`,
      x: counts.map((d) => d / patterns),
      y: wrong,
      line: { color: seriesColour(i) },
    };
  });
  return {
    data: curves,
    layout: {
      title: title(
        'Where each memory fails',
        `wrong signs after retrieval beyond the capacity; seed ${seed}; half of the signs wrong: nothing is left`,
      ),
      xaxis: axis('patterns stored', 'multiples of the capacity'),
      yaxis: axis('signs wrong', 'share', { rangemode: 'tozero' }),
      height: 380,
      shapes: [referenceLine(MOST_WRONG, 'held up to here', { end: 'left' })],
    },
  };
}

/** Patterns of −1 and 1, drawn independently. */
export function spinPatterns(d: number, n: number, random: Random): Matrix {
  return {
    values: Float32Array.from({ length: d * n }, () => (random.uniform() < 0.5 ? -1 : 1)),
    rows: d,
    width: n,
  };
}

/** Rows of normal numbers. */
export const normalRows = (rows: number, width: number, random: Random, std: number): Matrix => ({
  values: random.normals(rows * width, std),
  rows,
  width,
});

/** A model of memory, as the measurements use it. */
export interface Model {
  name: string;
  make(patterns: Matrix): AssociativeMemory;
  /** Real states start from noise; spins from flips. */
  real: boolean;
}

const DEGREE = 3;

export const MODELS: Model[] = [
  { name: 'classical', make: (patterns) => classicalHopfield({ patterns }), real: false },
  {
    name: `dense, degree ${DEGREE}`,
    make: (patterns) => denseHopfield({ patterns, degree: DEGREE, rectified: false }),
    real: false,
  },
  { name: 'exponential', make: (patterns) => exponentialHopfield({ patterns }), real: false },
  { name: 'modern (MCHN)', make: (patterns) => modernHopfield({ patterns, beta: 1 }), real: true },
  { name: 'distance based', make: (patterns) => distanceMemory({ patterns, beta: 1 }), real: true },
];

const STEPS = { maxSteps: 20, tolerance: 1e-3 };
/** Standard deviation of what is added to each number of a real start. */
const NOISE = 0.2;

/** Share of the signs of `tested` patterns that are wrong after retrieval from states with `flips` of their signs turned. */
export function signErrors(
  { make, real }: Model,
  patterns: Matrix,
  tested: number,
  flips: number,
  random: Random,
): number {
  const { width: n, rows: d } = patterns;
  const chosen = Array.from({ length: Math.min(tested, d) }, () => random.int(d));
  const wanted = chosen.map((i) => patterns.values.subarray(i * n, (i + 1) * n));
  // A real state exactly on a pattern is a kink of the distance energy: it starts beside it.
  const start = wanted.map((row) =>
    Float32Array.from(row, (v) => (random.uniform() < flips ? -v : v) + (real ? NOISE * random.normal() : 0)),
  );
  const { states } = make(patterns).retrieve(start, STEPS);
  let wrong = 0;
  wanted.forEach((row, i) =>
    row.forEach((v, k) => {
      if (Math.sign(states.values[i * n + k]!) !== v) wrong++;
    }),
  );
  return wrong / (wanted.length * n);
}

/** A memory holds its patterns while at most this share of their signs is wrong after retrieval. */
export const MOST_WRONG = 0.05;
const TESTED = 20;
/** A capacity is found to this factor. */
const FINENESS = 1.06;
const MOST_PATTERNS = 200_000;

/** Largest number of patterns that a model of width n holds, by doubling and halving the step; null where it is beyond the largest tried. */
export function capacity(model: Model, n: number, seed: number): number | null {
  const holds = (d: number) => {
    const random = new Random(seed, `capacity/${model.name}/${n}/${d}`);
    return signErrors(model, spinPatterns(d, n, random), TESTED, 0, random) <= MOST_WRONG;
  };
  let [low, high] = [1, 2];
  while (holds(high)) {
    [low, high] = [high, 2 * high];
    if (high > MOST_PATTERNS) return null;
  }
  while (high > low + 1 && high / low > FINENESS) {
    const middle = Math.round(Math.sqrt(low * high));
    if (middle <= low || middle >= high) break;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

export interface Capacity {
  model: string;
  n: number;
  seed: number;
  patterns: number;
}

/** Widths per model: wide where the capacity grows as a power of n, narrow where it grows exponentially. */
const WIDTHS: Record<Exclude<Tier, 'full'>, number[][]> = {
  smoke: [
    [20, 40],
    [10, 20],
    [6, 8],
    [6, 8],
    [6, 8],
  ],
  quick: [
    [100, 200, 400],
    [20, 40, 80],
    [6, 9, 12, 15],
    [6, 9, 12, 15],
    [8, 16, 32, 64],
  ],
  desk: [
    [100, 200, 400, 800],
    [20, 40, 80, 160],
    [6, 9, 12, 15, 18],
    [6, 9, 12, 15, 18],
    [8, 16, 32, 64, 96],
  ],
};
const SEEDS = 3;

export function capacities(tier: Tier, seed: number): Capacity[] {
  const widths = WIDTHS[tier === 'full' ? 'desk' : tier];
  return MODELS.flatMap((model, m) =>
    widths[m]!.flatMap((n) =>
      Array.from({ length: SEEDS }, (_, s) => ({
        model: model.name,
        n,
        seed: seed + s,
        patterns: capacity(model, n, seed + s),
      })),
    ),
  ).filter((c): c is Capacity => c.patterns !== null);
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

export function capacityFigure(all: readonly Capacity[], tier: Tier): Figure {
  return {
    data: MODELS.flatMap(({ name }, i) => {
      const own = all.filter((c) => c.model === name);
      const widths = [...new Set(own.map(({ n }) => n))];
      const at = widths.map((n) => own.filter((c) => c.n === n).map(({ patterns }) => patterns));
      const means = at.map(mean);
      return [
        {
          type: 'scatter' as const,
          mode: 'lines+markers' as const,
          name,
          x: widths,
          y: means,
          line: { color: seriesColour(i) },
          error_y: {
            type: 'data' as const,
            symmetric: false,
            array: at.map((v, j) => Math.max(...v) - means[j]!),
            arrayminus: at.map((v, j) => means[j]! - Math.min(...v)),
          },
        },
        {
          type: 'scatter' as const,
          mode: 'lines' as const,
          name: `${name}: ${THEORY[name]!.law}`,
          x: widths,
          y: widths.map(THEORY[name]!.value),
          line: { color: seriesColour(i), dash: 'dot' as const, width: 1.5 },
        },
      ];
    }),
    layout: {
      title: title(
        'Capacity: patterns held against width',
        `${SEEDS} seeds, bars: range; held: at most ${100 * MOST_WRONG}% of signs wrong after retrieval; dotted: theory; tier ${tier}`,
      ),
      xaxis: axis('n', 'units, log scale', { type: 'log' }),
      yaxis: axis('patterns held', 'log scale', { type: 'log' }),
      height: 480,
    },
  };
}

/** Wrong signs after retrieval against flipped signs before it, for few patterns. */
export function noiseFigure(tier: Tier, seed: number): Figure {
  const [n, d] = tier === 'smoke' ? [16, 3] : [64, 6];
  const flips = Array.from({ length: 10 }, (_, i) => 0.05 * i);
  return {
    data: MODELS.map((model, i) => ({
      type: 'scatter' as const,
      mode: 'lines+markers' as const,
      name: model.name,
      x: flips,
      line: { color: seriesColour(i) },
      y: flips.map((share) => {
        const random = new Random(seed, `noise/${model.name}/${share}`);
        return signErrors(model, spinPatterns(d, n, random), tier === 'smoke' ? 5 : 100, share, random);
      }),
    })),
    layout: {
      title: title('Retrieval from noise', `${d} patterns of width ${n}; seed ${seed}`),
      xaxis: axis('signs flipped at the start', 'share'),
      yaxis: axis('signs wrong at the end', 'share', { rangemode: 'tozero' }),
      height: 380,
    },
  };
}

/** Capacity beside theory, a row per model and width. */
export function showCapacities(all: readonly Capacity[]): void {
  showTable(
    MODELS.flatMap(({ name }) =>
      [...new Set(all.filter((c) => c.model === name).map(({ n }) => n))].map((n) => {
        const held = all.filter((c) => c.model === name && c.n === n).map(({ patterns }) => patterns);
        return {
          model: name,
          n,
          'least held': Math.min(...held),
          'most held': Math.max(...held),
          law: THEORY[name]!.law,
          'by the law': THEORY[name]!.value(n),
        };
      }),
    ),
  );
}

/** One value per seed. */
const perSeed = (all: readonly Capacity[], model: string, tier: Tier, value: (own: Capacity[]) => number) =>
  [...new Set(all.map(({ seed }) => seed))].map((seed) => ({
    seed,
    tier,
    value: value(all.filter((c) => c.model === model && c.seed === seed)),
  }));

export function capacityQuestions(all: readonly Capacity[], tier: Tier): Question[] {
  const widest = (own: Capacity[]) => own.reduce((a, b) => (b.n > a.n ? b : a));
  return [
    {
      claim: 'The classical Hopfield network holds about 0.138 n patterns with few errors.',
      source: 'Table 1 of arXiv 2405.08707; Hopfield 1982, Amit et al. 1985',
      paper: 0.138,
      tolerance: 0.03,
      unit: 'patterns per unit',
      ours: perSeed(all, 'classical', tier, (own) => widest(own).patterns / widest(own).n),
    },
    {
      claim: `The dense memory of degree k holds a number of patterns that grows as n^(k−1); here k = ${DEGREE}.`,
      source: 'Table 1 of arXiv 2405.08707; Krotov & Hopfield 2016',
      paper: DEGREE - 1,
      tolerance: 0.4,
      unit: 'exponent of n',
      ours: perSeed(
        all,
        `dense, degree ${DEGREE}`,
        tier,
        (own) => line(own.map(({ n, patterns }) => [Math.log(n), Math.log(patterns)])).slope.value,
      ),
    },
    {
      claim: 'The exponential memory holds at least 2^(n/2) patterns.',
      source: 'Table 1 of arXiv 2405.08707; Demircigil et al. 2017',
      paper: Math.LN2 / 2,
      tolerance: 0.02,
      relation: 'at least',
      unit: 'growth of ln(patterns) per unit',
      ours: perSeed(
        all,
        'exponential',
        tier,
        (own) => line(own.map(({ n, patterns }) => [n, Math.log(patterns)])).slope.value,
      ),
    },
    {
      claim: 'The modern continuous memory holds exponentially many patterns.',
      source:
        'Table 1 of arXiv 2405.08707; Ramsauer et al. 2020, theorem 3: at least c^((n−1)/4) with c = 1.3718 at norm √n and β = 1',
      paper: Math.log(1.3718) / 4,
      tolerance: 0.02,
      relation: 'at least',
      unit: 'growth of ln(patterns) per unit',
      ours: perSeed(
        all,
        'modern (MCHN)',
        tier,
        (own) => line(own.map(({ n, patterns }) => [n, Math.log(patterns)])).slope.value,
      ),
    },
  ];
}
