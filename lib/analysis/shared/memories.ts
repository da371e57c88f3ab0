/** Associative memories on random patterns: how many errors they make, and how many patterns each holds. */
import { distanceMemory } from '../../energy/distance';
import {
  classicalHopfield,
  denseHopfield,
  exponentialHopfield,
  modernHopfield,
  type AssociativeMemory,
} from '../../energy/hopfield';
import type { Matrix } from '../../energy/matrix';
import { committedMeasure } from '../../report/measure';
import type { Tier } from '../../train/config';
import { Random } from '../../util/random';

/** The three patterns of the paper's Figure 1. */
export const FIGURE_1 = [
  [-2, -0.5],
  [0.2, -0.3],
  [1.5, 1.5],
];

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

/** A kind of associative memory, as the measurements use it. */
export interface MemoryKind {
  name: string;
  make(patterns: Matrix): AssociativeMemory;
  /** Real states start from noise; spins from flips. */
  real: boolean;
}

export const DEGREE = 3;

export const MEMORIES: MemoryKind[] = [
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
export const NOISE = 0.2;

/**
 * Share of the signs of `tested` patterns that are wrong after retrieval from states with a share `flips` of their signs turned, each
 * by chance, or with `exactly` so many of them.
 */
export function signErrors(
  { make, real }: MemoryKind,
  patterns: Matrix,
  tested: number,
  flips: number,
  random: Random,
  exactly = 0,
): number {
  const { width: n, rows: d } = patterns;
  const chosen = Array.from({ length: Math.min(tested, d) }, () => random.int(d));
  const wanted = chosen.map((i) => patterns.values.subarray(i * n, (i + 1) * n));
  // A real state exactly on a pattern is a kink of the distance energy, so it starts next to it.
  const start = wanted.map((row) =>
    Float32Array.from(row, (v) => (random.uniform() < flips ? -v : v) + (real ? NOISE * random.normal() : 0)),
  );
  if (exactly)
    for (const state of start) {
      const places = Array.from(state, (_, k) => [random.uniform(), k] as const).sort(([a], [b]) => a - b);
      for (const [, k] of places.slice(0, exactly)) state[k] = -state[k]!;
    }
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
/** A capacity is found to within this factor. */
const FINENESS = 1.06;
const MOST_PATTERNS = 200_000;

/**
 * Largest number of patterns that a memory of width n holds, by doubling and halving the step; null where it is beyond the largest tried.
 * @param flipped signs that are flipped where retrieval starts; with 0 it starts on the pattern
 */
export function memoryCapacity(
  memory: MemoryKind,
  n: number,
  seed: number,
  flipped = 0,
  tested = TESTED,
): number | null {
  const holds = (d: number) => {
    const random = new Random(seed, `capacity/${memory.name}/${n}/${d}`);
    return signErrors(memory, spinPatterns(d, n, random), tested, 0, random, flipped) <= MOST_WRONG;
  };
  if (!holds(1)) return 0;
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

/** What a memory of width n holds, with one seed for patterns and starts. */
export interface MemoryCapacity {
  model: string;
  n: number;
  seed: number;
  patterns: number;
}

/** Widths of each memory: wide where the capacity grows as a power of n, narrow where it grows exponentially. */
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
export const SEEDS = 3;

export function memoryCapacities(tier: Tier, seed: number): MemoryCapacity[] {
  const widths = WIDTHS[tier === 'full' ? 'desk' : tier];
  return MEMORIES.flatMap((memory, m) =>
    widths[m]!.flatMap((n) =>
      Array.from({ length: SEEDS }, (_, s) => ({
        model: memory.name,
        n,
        seed: seed + s,
        patterns: memoryCapacity(memory, n, seed + s),
      })),
    ),
  ).filter((c): c is MemoryCapacity => c.patterns !== null);
}

/** Where notebook 01 keeps what it has measured. */
export const MEMORIES_MEASURE = 'memories-capacity';

/** The capacities that notebook 01 shows. */
export const committedCapacities = (): MemoryCapacity[] =>
  committedMeasure<{ capacities: MemoryCapacity[] }>(MEMORIES_MEASURE).capacities;
