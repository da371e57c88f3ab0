/** The Energy Transformer block of Hoover et al. 2023 (arXiv 2302.07253), whose tokens descend a known energy by construction. */
import type { Random } from '../util/random';
import type { Matrix } from './matrix';

/** Weights of a block: per head `[k, n]` queries and keys, and memories `[m, n]`. */
export interface EnergyBlock {
  queries: Float64Array[][];
  keys: Float64Array[][];
  memories: Float64Array[];
  beta: number;
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
};
const addTo = (to: Float64Array, from: ArrayLike<number>, by: number): void => {
  for (let i = 0; i < to.length; i++) to[i] += by * from[i]!;
};

/** A block with random weights for tokens of a width. */
export function randomBlock(width: number, random: Random): EnergyBlock {
  const [heads, k, memories] = [4, width / 4, 2 * width];
  const rows = (count: number) =>
    Array.from({ length: count }, () => Float64Array.from(random.normals(width, width ** -0.5)));
  const perHead = () => Array.from({ length: heads }, () => rows(k));
  return { queries: perHead(), keys: perHead(), memories: rows(memories), beta: k ** -0.5 };
}

/** Layer norm without gain: what the energy is a function of. */
export function normed(x: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(x);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const std = Math.sqrt(values.reduce((a, v) => a + (v - mean) ** 2, 0) / values.length + 1e-5);
  return values.map((v) => (v - mean) / std);
}

/**
 * Energy of a sequence of normed tokens g_C and its gradient:
 *   E = −β⁻¹ Σ_h Σ_C log Σ_{B ≠ C} exp(β (K_h g_B)·(Q_h g_C)) − ½ Σ_B Σ_μ max(0, ξ_μ·g_B)²
 * Source: Hoover et al. 2023, eqs. 4 and 6. @param g `[T][n]` @returns the energy, without unit, and ∂E/∂g
 */
export function blockEnergy(
  { queries, keys, memories, beta }: EnergyBlock,
  g: readonly Float64Array[],
): { energy: number; gradient: Float64Array[] } {
  const gradient = g.map((token) => new Float64Array(token.length));
  let energy = 0;
  queries.forEach((query, h) => {
    const [Q, K] = [query, keys[h]!].map((rows) => g.map((token) => rows.map((row) => dot(row, token))));
    const [dQ, dK] = [Q!, K!].map((all) => all.map((values) => new Float64Array(values.length)));
    Q!.forEach((q, c) => {
      const scores = K!.map((k, b) => (b === c ? -Infinity : beta * dot(k, q)));
      const largest = Math.max(...scores);
      const weights = scores.map((s) => Math.exp(s - largest));
      const total = weights.reduce((a, b) => a + b, 0);
      energy -= (largest + Math.log(total)) / beta;
      weights.forEach((w, b) => {
        addTo(dQ![c]!, K![b]!, -w / total);
        addTo(dK![b]!, q, -w / total);
      });
    });
    gradient.forEach((slope, t) => {
      query.forEach((row, i) => addTo(slope, row, dQ![t]![i]!));
      keys[h]!.forEach((row, i) => addTo(slope, row, dK![t]![i]!));
    });
  });
  g.forEach((token, t) => {
    for (const memory of memories) {
      const overlap = Math.max(0, dot(memory, token));
      energy -= overlap ** 2 / 2;
      addTo(gradient[t]!, memory, -overlap);
    }
  });
  return { energy, gradient };
}

/**
 * Normed tokens after each of some updates x ← x − α ∂E/∂g, g = layer norm of x, and the energies. ∂g/∂x has no negative
 * eigenvalue, so a small step cannot raise E.
 * @param rows tokens `[T·sequences, n]`, sequences of `length` one after the other
 */
export function descend(
  block: EnergyBlock,
  rows: Matrix,
  { length, steps, rate }: { length: number; steps: number; rate: number },
): { layers: Matrix[]; energies: number[][] } {
  const count = Math.floor(rows.rows / length);
  const n = rows.width;
  const layers = Array.from({ length: steps + 1 }, () => ({
    values: new Float32Array(count * length * n),
    rows: count * length,
    width: n,
  }));
  const energies = Array.from({ length: count }, (_, s) => {
    const x = Array.from({ length }, (_, t) =>
      Float64Array.from(rows.values.subarray((s * length + t) * n, (s * length + t + 1) * n)),
    );
    return layers.map(({ values }, step) => {
      const g = x.map(normed);
      g.forEach((token, t) => values.set(token, (s * length + t) * n));
      const { energy, gradient } = blockEnergy(block, g);
      if (step < steps) x.forEach((token, t) => addTo(token, gradient[t]!, -rate));
      return energy;
    });
  });
  return { layers, energies };
}
