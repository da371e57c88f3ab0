/** The energies again, written out in float64 without blocks, and random cases to compare on. */
import { Random } from '../../lib/util/random';

export type Vectors = Float32Array[];

/** 60 in `npm test`; CASES=10000 for the figures in the notebooks. */
export const CASES = Number(process.env.CASES ?? 60);

export const distance = (x: ArrayLike<number>, y: ArrayLike<number>): number => {
  let sum = 0;
  for (let k = 0; k < x.length; k++) sum += (x[k]! - y[k]!) ** 2;
  return Math.sqrt(sum);
};

export function logSumExp(values: readonly number[]): number {
  const largest = values.reduce((a, b) => Math.max(a, b));
  return largest + Math.log(values.reduce((sum, v) => sum + Math.exp(v - largest), 0));
}

export const energy = (patterns: Vectors, x: ArrayLike<number>, beta: number): number =>
  -logSumExp(patterns.map((p) => -beta * distance(x, p))) / beta;

export const nearest = (patterns: Vectors, x: ArrayLike<number>): number =>
  patterns.reduce((least, p) => Math.min(least, distance(x, p)), Infinity);

/** w_i = softmax_i(−β ‖x − ρ_i‖). */
export function weights(patterns: Vectors, x: ArrayLike<number>, beta: number): number[] {
  const exponents = patterns.map((p) => -beta * distance(x, p));
  const total = logSumExp(exponents);
  return exponents.map((e) => Math.exp(e - total));
}

/** Size of the terms that E is made of, Σ w_i ‖x − ρ_i‖ + β⁻¹ log d: rounding errors are shares of it. */
export function termsOf(patterns: Vectors, x: ArrayLike<number>, beta: number): number {
  return weights(patterns, x, beta).reduce(
    (sum, w, i) => sum + w * distance(x, patterns[i]!),
    Math.log(patterns.length) / beta,
  );
}

/** A pattern at x itself counts 0. */
export function gradient(patterns: Vectors, x: ArrayLike<number>, beta: number): number[] {
  const pulls = weights(patterns, x, beta).map((w, i) => w / (distance(x, patterns[i]!) || Infinity));
  return Array.from(x, (v, k) => patterns.reduce((sum, p, i) => sum + pulls[i]! * (v - p[k]!), 0));
}

export const normals = (random: Random, rows: number, n: number, scale = 1): Vectors =>
  Array.from({ length: rows }, () => Float32Array.from({ length: n }, () => scale * random.normal()));

export const signs = (random: Random, rows: number, n: number): Vectors =>
  Array.from({ length: rows }, () =>
    Float32Array.from({ length: n }, () => (random.uniform() < 0.5 ? -1 : 1)),
  );

export interface Case {
  patterns: Vectors;
  states: Vectors;
  beta: number;
}

/**
 * Patterns that are spread, clustered or far from the origin, at scales from 10⁻³ to 10⁴; states between them, near one,
 * nearly on one. β from 10⁻² to 10³ over the scale.
 */
export function randomCase(random: Random): Case {
  const n = 1 + random.int(random.uniform() < 0.1 ? 768 : 40);
  const d = 1 + random.int(random.uniform() < 0.1 ? 300 : 40);
  const scale = 10 ** (7 * random.uniform() - 3);
  const offset = random.uniform() < 0.3 ? normals(random, 1, n, 30 * scale)[0]! : new Float32Array(n);
  const centres = normals(random, 1 + random.int(4), n, scale);
  const spread = scale * (random.uniform() < 0.5 ? 1 : 0.02);
  const near = (p: ArrayLike<number>, by: number) => Float32Array.from(p, (v) => v + by * random.normal());
  const patterns = Array.from({ length: d }, () =>
    near(near(centres[random.int(centres.length)]!, spread), 0).map((v, k) => v + offset[k]!),
  );
  const states = [scale, 0.1 * scale, 1e-3 * scale].map((by) => near(patterns[random.int(d)]!, by));
  return { patterns, states, beta: 10 ** (5 * random.uniform() - 2) / scale };
}
