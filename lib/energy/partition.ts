/**
 * Partition function of p(x) = exp(−E(x)) / Z on Ω = ∪ B(ρ_i, r) with β = 1, in logarithms and float64 (letters: `matrix.ts`;
 * `r` in units of distance). For another β use β r and β ρ, and subtract n log β from log Z.
 */
import { UserError } from '../util/errors';
import { Random } from '../util/random';
import { mean, squaredDistance } from '../util/statistics';
import { matrix, named, positive, row, type Rows } from './matrix';

/**
 * log Γ(x) for x > 0 by Stirling's series (NIST DLMF 5.11.1) for x ≥ 15, else by Γ(x) = Γ(x + 1) / x.
 * Trap: the error is relative to x log x (1e-14), so it is not small next to the zeros at 1 and 2.
 */
export function logGamma(x: number): number {
  let [z, product] = [x, 1];
  for (; z < 15; z++) product *= z;
  const s = 1 / (z * z);
  const series = (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)))) / z;
  return (z - 0.5) * Math.log(z) - z + Math.log(2 * Math.PI) / 2 + series - Math.log(product);
}

/**
 * log γ(n, r), the lower incomplete gamma function, for whole n:
 *   γ(n, r) = r^n e^−r Σ_k r^k / (n (n+1) … (n+k)) up to r = n,   Γ(n) − r^(n−1) e^−r Σ_k (n−1) … (n−k) / r^k beyond
 * Source: NIST DLMF 8.11.4 and 8.4.8; no term is negative. Relative error 1e-14 up to n = 12,288 (compared with mpmath).
 * Trap: for n ≥ 512 and the radii in use, γ(n, r) / Γ(n) underflows, so a library that returns this ratio gives 0.
 */
export function logLowerGamma(n: number, r: number): number {
  if (!(Number.isInteger(n) && n >= 1))
    throw new UserError(`n: expected a whole number of at least 1; got ${n}; pass the width of the patterns`);
  const power = n * Math.log(positive('r', r)) - r;
  let [term, sum] = [1, 1];
  for (let k = 1; term > sum * 1e-17; k++) sum += term *= r > n ? (n - k) / r : r / (n + k);
  return r > n
    ? logGamma(n) + Math.log1p(-Math.exp(power - logGamma(n)) * (sum / r))
    : power + Math.log(sum / n);
}

/** log S_n = log 2 + (n/2) log π − log Γ(n/2), the area of the unit sphere in n dimensions. */
const logSphere = (n: number): number => Math.LN2 + (n / 2) * Math.log(Math.PI) - logGamma(n / 2);

/**
 * log Z = log d + log S_n + log γ(n, r) for d patterns far apart. It is always a lower bound; if patterns are at least s ≥ 2r
 * apart, Z is at most 1 + (d − 1) e^(2r − s) times it. Source: Niu et al. 2024 (arXiv:2405.08707), section 5.
 * Trap: Z has the unit distance^n: log Z has no lower bound, and a change of unit by c shifts it by n log c.
 */
export function logPartition(args: { n: number; r: number; d: number }): number {
  const { n, r, d } = named('logPartition', args, ['n', 'r', 'd']);
  return logSphere(n) + logLowerGamma(n, r) + Math.log(positive('d', d));
}

/**
 * Radius r*(n) at which Z = 1 for one pattern, log S_n + log γ(n, r*) = 0, by Newton's method in log r from the leading order
 * √(n / 2πe) (Niu et al. 2024, section 5); the next order has the factor (πn)^(1/2n) e^(r/n). @returns units of distance
 * Trap: with Z = 1 for each of d patterns, Z = d.
 */
export function radius(n: number): number {
  let r = Math.sqrt(n / (2 * Math.PI * Math.E));
  for (let change = 1; Math.abs(change) > 1e-14; r *= Math.exp(change))
    change = -logPartition({ n, r, d: 1 }) / Math.exp(n * Math.log(r) - r - logLowerGamma(n, r));
  return r;
}

/**
 * Mean energy of p around one pattern, ⟨E⟩ = γ(n + 1, r) / γ(n, r); log Z + ⟨E⟩ is the entropy of p. Units of distance.
 * Trap: for r far below n it is about r n/(n + 1), not 1.
 */
export function meanEnergy(args: { n: number; r: number }): number {
  const { n, r } = named('meanEnergy', args, ['n', 'r']);
  return Math.exp(logLowerGamma(n + 1, r) - logLowerGamma(n, r));
}

/**
 * log Z + 1/Z, the cross-entropy of Niu et al. 2024 (section 5, recalled), nats; at least 1 for any Z > 0, as log u ≥ 1 − 1/u.
 * Trap: for data on the patterns the cross-entropy of p is log Z + mean E(ρ_i), which is at most log Z.
 */
export const claimedCrossEntropy = (logZ: number): number => logZ + Math.exp(-logZ);

function unitVectors(n: number, count: number, seed: number): number[][] {
  if (n === 1) return [[-1], [1]];
  const random = new Random(seed, 'energy/directions');
  return Array.from({ length: count }, (_, i) => {
    const angle = (2 * Math.PI * (i + 0.5)) / count;
    const v = n === 2 ? [Math.cos(angle), Math.sin(angle)] : Array.from(random.normals(n));
    return v.map((x) => x / Math.hypot(...v));
  });
}

/** Gauss-Legendre quadrature with five points on each twelfth of [0, 1]: nodes and weights. */
const NODES = [
  [0, 128 / 225],
  ...[
    [0.5384693101056831, 0.47862867049936647],
    [0.906179845938664, 0.23692688505618908],
  ].flatMap(([x, w]) => [
    [x, w],
    [-x!, w],
  ]),
].flatMap(([x, w]) =>
  Array.from({ length: 12 }, (_, panel) => [(2 * panel + 1 + x!) / 24, w! / 24] as const),
);

interface ExactCase {
  logZ: number;
  /** Standard error of log Z, 0 if directions are not drawn at random. */
  error: number;
  /** ∫ E p. */
  meanEnergy: number;
  /** log Z + mean E(ρ_i), nats. */
  crossEntropy: number;
}

/**
 * Z and cross-entropy of a few patterns exactly, overlapping balls included. Ω is divided into the patterns'
 * nearest-neighbour cells:
 *   Z = Σ_j ∫ du ∫_0^R dt t^(n−1) Σ_i exp(−‖ρ_j + t u − ρ_i‖),   R = min(r, ‖ρ_k − ρ_j‖² / 2u·(ρ_k − ρ_j) over k)
 * over unit vectors u: both for n = 1, equally spaced for n = 2, random for n ≥ 3. @param patterns `[d, n]`, all different
 * Trap: the cost is d² times directions, fit for a dozen patterns and n up to 8; for n = 2 the error is of order
 * directions⁻².
 */
export function exactCase(args: { patterns: Rows; r: number; directions: number; seed: number }): ExactCase {
  const { patterns, r, directions, seed } = named('exactCase', args, ['patterns', 'r', 'directions', 'seed']);
  const rho = matrix('patterns', patterns);
  if (!(Number.isSafeInteger(directions) && directions >= 2))
    throw new UserError(
      `directions: expected a whole number of at least 2; got ${directions}; a few hundred are exact to a thousandth`,
    );
  const [n, points] = [rho.width, Array.from({ length: rho.rows }, (_, i) => Array.from(row(rho, i)))];
  const density = (x: number[]) =>
    points.reduce((sum, p) => sum + Math.exp(-Math.sqrt(squaredDistance(x, p))), 0);
  if (points.some((p, i) => points.some((q, j) => j < i && squaredDistance(p, q) === 0)))
    throw new UserError('patterns: expected all different; got two that are equal; leave one out');
  const ray = (p: number[], u: number[]): readonly [number, number] => {
    const ends = points
      .map((q) => squaredDistance(p, q) / (2 * u.reduce((sum, v, k) => sum + v * (q[k]! - p[k]!), 0)))
      .filter((t) => t > 0);
    const end = Math.min(positive('r', r), ...ends);
    return NODES.reduce<readonly [number, number]>(
      ([z, e], [node, weight]) => {
        const f = density(p.map((v, k) => v + end * node * u[k]!));
        const part = weight * end * (end * node) ** (n - 1) * f;
        return [z + part, e - part * Math.log(f)];
      },
      [0, 0],
    );
  };
  const sums = unitVectors(n, directions, seed).map((u) =>
    points.map((p) => ray(p, u)).reduce(([z, e], [dz, de]) => [z + dz, e + de] as const),
  );
  const [z, e] = [mean(sums.map((s) => s[0])), mean(sums.map((s) => s[1]))];
  const spread = Math.sqrt(mean(sums.map((s) => (s[0] - z) ** 2)) / (sums.length - 1));
  const logZ = logSphere(n) + Math.log(z);
  return {
    logZ,
    error: n <= 2 ? 0 : spread / z,
    meanEnergy: e / z,
    crossEntropy: logZ - mean(points.map((p) => Math.log(density(p)))),
  };
}
