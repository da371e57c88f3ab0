/** Associative memories with one interface (letters: `matrix.ts`): of ±1 patterns in float64, the modern continuous one in float32. */
import { UserError } from '../util/errors';
import * as K from '../tensor/kernels';
import { numbersOf, tf, type Tensor } from '../tensor/engine';
import {
  matrix,
  named,
  positive,
  matrixProduct,
  row,
  rowRange,
  spins,
  tensorOf,
  type Matrix,
  type Rows,
} from './matrix';

export interface Retrieval {
  states: Matrix;
  /** `[q]` before the first update and after each. */
  energies: Float64Array[];
  updates: number;
  /** `[q]`: whether the last update moved the state by at most the tolerance. */
  converged: boolean[];
}

/** States are `[q, n]`, energies `[q]`. */
export interface AssociativeMemory {
  energy(states: Rows): Float64Array;
  update(states: Rows): Matrix;
  /** Updates until no component of any state moves by more than `tolerance`, at most `maxSteps` times. */
  retrieve(states: Rows, options: { maxSteps: number; tolerance: number }): Retrieval;
}

/** Builds a memory from a check of states, an energy and an update. */
export function memory(
  check: (states: Rows) => Matrix,
  energy: (states: Matrix) => Float64Array,
  update: (states: Matrix) => Matrix,
): AssociativeMemory {
  return {
    energy: (states) => energy(check(states)),
    update: (states) => update(check(states)),
    retrieve(start, options) {
      const { maxSteps, tolerance } = named('retrieve', options, ['maxSteps', 'tolerance']);
      let states = check(start);
      const energies = [energy(states)];
      let converged = Array.from({ length: states.rows }, () => false);
      while (energies.length <= maxSteps && converged.includes(false)) {
        const next = update(states);
        converged = converged.map((_, i) =>
          row(next, i).every((v, k) => Math.abs(v - row(states, i)[k]!) <= tolerance),
        );
        states = next;
        energies.push(energy(states));
      }
      return { states, energies, updates: energies.length - 1, converged };
    },
  };
}

/** Sums within this relative difference are a tie, so that rounding cannot flip a unit back and forth. */
const TIE = 1e-12;

/** F(z) = table[z + origin(m)] of an overlap z, up to a factor that depends on the largest overlap m; `energy` is a function of Σ F and m. */
interface Separation {
  table: Float64Array;
  origin(m: number): number;
  energy(sum: number, m: number): number;
}

/** Memory of ±1 states whose energy falls as Σ_i F(ρ_iᵀx) grows: each unit in turn takes the sign with the larger sum; a tie leaves it. */
function spinMemory(rho: Matrix, { table, origin, energy }: Separation): AssociativeMemory {
  const { rows: d, width: n } = rho;
  const units = Array.from({ length: n }, (_, k) =>
    Int8Array.from({ length: d }, (_, i) => rho.values[i * n + k]!),
  );
  const move = (overlaps: Int32Array, unit: Int8Array, by: number) => {
    for (let i = 0; i < d; i++) overlaps[i] += by * unit[i]!;
  };
  const overlapsOf = (x: Float32Array): Int32Array => {
    const overlaps = new Int32Array(d);
    units.forEach((unit, k) => move(overlaps, unit, x[k]!));
    return overlaps;
  };
  const largest = (overlaps: Int32Array) => overlaps.reduce((a, b) => Math.max(a, b));
  const energyOf = (overlaps: Int32Array, m = largest(overlaps)) =>
    energy(
      overlaps.reduce((sum, z) => sum + table[z + origin(m)]!, 0),
      m,
    );
  const sweep = (x: Float32Array): void => {
    const overlaps = overlapsOf(x);
    let zero = origin(largest(overlaps));
    units.forEach((unit, k) => {
      let [up, down] = [0, 0];
      for (let i = 0; i < d; i++) {
        const without = overlaps[i]! - unit[i]! * x[k]! + zero;
        up += table[without + unit[i]!]!;
        down += table[without - unit[i]!]!;
      }
      const sign = Math.sign(up - down);
      if (sign === x[k] || Math.abs(up - down) <= TIE * Math.abs(up + down)) return;
      x[k] = sign;
      move(overlaps, unit, 2 * sign);
      zero = origin(largest(overlaps));
    });
  };
  const each = (states: Matrix) => Array.from({ length: states.rows }, (_, i) => row(states, i));
  const energies = (states: Matrix) => Float64Array.from(each(states), (x) => energyOf(overlapsOf(x)));
  return memory(
    (states) => spins('states', states, rho),
    energies,
    (states) => {
      const next = { ...states, values: states.values.slice() };
      each(next).forEach(sweep);
      return next;
    },
  );
}

/** F(z) = z^k, or max(z, 0)^k, for width n. */
const powers = (n: number, degree: number, rectified: boolean) => ({
  table: Float64Array.from(
    { length: 2 * n + 1 },
    (_, j) => (rectified ? Math.max(j - n, 0) : j - n) ** degree,
  ),
  origin: () => n,
});

/**
 * Classical Hopfield network:
 *   E(x) = −½ xᵀWx,   W = (1/n) Σ_i ρ_i ρ_iᵀ with zero diagonal,   x_m ← sign((Wx)_m) for m = 1 … n in turn
 * Source: Hopfield 1982, eqs. 1, 2 and 7 (there 0/1 units, without 1/n). It is the dense memory of degree 2, since
 * −½ xᵀWx = d/2 − Σ_i (ρ_iᵀx)² / 2n. About 0.138 n random patterns are stored with few errors.
 * @param patterns `[d, n]` of ±1; E has no unit
 * Trap: if all units are updated at once, E may rise and the state alternate forever.
 */
export function classicalHopfield(args: { patterns: Rows }): AssociativeMemory {
  const { patterns } = named('classicalHopfield', args, ['patterns']);
  const rho = spins('patterns', patterns);
  return spinMemory(rho, {
    ...powers(rho.width, 2, false),
    energy: (sum) => (rho.rows - sum / rho.width) / 2,
  });
}

/**
 * Dense associative memory of degree k:
 *   E(x) = −Σ_i F(ρ_iᵀx),   F(z) = max(z, 0)^k if rectified, else z^k;   x_m ← the sign with the lower E, m = 1 … n in turn
 * Source: Krotov & Hopfield 2016 (arXiv:1606.01164), section 2. Capacity grows as n^(k−1).
 * @param patterns `[d, n]` of ±1 @param degree k @param rectified whether negative overlaps count 0; E has no unit
 * Trap: if the degree is even and F not rectified, −ρ is as deep as ρ. Sums are exact up to 2⁵³, then rounded.
 */
export function denseHopfield(args: {
  patterns: Rows;
  degree: number;
  rectified: boolean;
}): AssociativeMemory {
  const { patterns, degree, rectified } = named('denseHopfield', args, ['patterns', 'degree', 'rectified']);
  const rho = spins('patterns', patterns);
  if (!(Number.isInteger(degree) && degree >= 2 && rho.rows * rho.width ** degree < Infinity))
    throw new UserError(
      `degree: expected a whole number of at least 2, with d n^degree below 1.8e308; got ${degree} for width ${rho.width}; choose another`,
    );
  return spinMemory(rho, { ...powers(rho.width, degree, rectified), energy: (sum) => -sum });
}

/**
 * Exponential memory, in logarithms so that nothing overflows:
 *   E(x) = −log Σ_i exp(ρ_iᵀx);   x_m ← the sign with the lower E, m = 1 … n in turn
 * Source: Demircigil et al. 2017 (arXiv:1702.01929), section 2, where E is −Σ_i exp(ρ_iᵀx): the same order of states, so
 * the same updates. Capacity 2^(n/2). @param patterns `[d, n]` of ±1; E has no unit
 * Trap: differences of this E are logarithms of ratios of the original's.
 */
export function exponentialHopfield(args: { patterns: Rows }): AssociativeMemory {
  const { patterns } = named('exponentialHopfield', args, ['patterns']);
  const rho = spins('patterns', patterns);
  const span = 2 * rho.width + 2;
  const table = Float64Array.from({ length: span + 3 }, (_, j) => Math.exp(j - span));
  return spinMemory(rho, { table, origin: (m) => span - m, energy: (sum, m) => -m - Math.log(sum) });
}

const STATES_AT_A_TIME = 128;
/** Values of `work` on the scores β ρ_iᵀx `[some q, d]`, computed for a few states at a time. */
function overScores(
  rho: Matrix,
  x: Matrix,
  beta: number,
  work: (scores: Tensor, patterns: Tensor) => Tensor,
): Float32Array {
  return numbersOf(() => {
    const patterns = tensorOf(rho);
    const parts = Array.from({ length: Math.ceil(x.rows / STATES_AT_A_TIME) }, (_, i) =>
      tf.tidy(() =>
        work(
          matrixProduct(
            K.mul(tensorOf(rowRange(x, i * STATES_AT_A_TIME, STATES_AT_A_TIME)), tf.scalar(beta)),
            patterns,
            true,
          ),
          patterns,
        ),
      ),
    );
    return K.concat(parts, 0);
  });
}

/**
 * Modern continuous Hopfield network (MCHN):
 *   E(x) = −β⁻¹ log Σ_i exp(β ρ_iᵀx) + ½ xᵀx + β⁻¹ log d + ½ max_i ‖ρ_i‖²,   x ← Σ_i softmax_i(β ρ_iᵀx) ρ_i
 * Source: Ramsauer et al. 2020 (arXiv:2008.02217), eqs. 2 and 3. The update is attention with queries x, keys and values ρ,
 * and β for 1/√n. @param patterns `[d, n]` real @param beta per squared unit of the data; E is in squared units
 * Traps: without the ½ of ½ xᵀx the update may raise E. E is a difference of terms of size ½ ‖x‖² in float32, with an error
 * of about 2⁻²⁴ ‖ρ‖ ‖x‖.
 */
export function modernHopfield(args: { patterns: Rows; beta: number }): AssociativeMemory {
  const { patterns, beta } = named('modernHopfield', args, ['patterns', 'beta']);
  const rho = matrix('patterns', patterns);
  positive('beta', beta);
  const halfSquares = (m: Matrix) =>
    Float64Array.from({ length: m.rows }, (_, i) => row(m, i).reduce((sum, v) => sum + v * v, 0) / 2);
  const most = halfSquares(rho).reduce((a, b) => Math.max(a, b));
  const energy = (x: Matrix) => {
    const sums = overScores(rho, x, beta, (scores) => {
      const largest = K.maxLast(scores);
      return K.add(largest, K.log(K.sumLast(K.exp(K.sub(scores, largest)))));
    });
    return halfSquares(x).map((half, i) => half - sums[i]! / beta + Math.log(rho.rows) / beta + most);
  };
  const update = (x: Matrix) => ({
    ...x,
    values: overScores(rho, x, beta, (scores, xi) => matrixProduct(K.softmax(scores), xi)),
  });
  return memory((states) => matrix('states', states, rho), energy, update);
}
