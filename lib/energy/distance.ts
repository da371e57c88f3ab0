/**
 * The distance-based energy, and nearest neighbours, for many patterns at once (letters: `matrix.ts`). Squared distances are
 * computed in blocks by a matrix product, ‖x‖² − 2x·ρ + ‖ρ‖² about a mean μ. In float32 their error is about u S with
 * u = 2⁻²⁴, S = ‖x−μ‖² + ‖ρ−μ‖² (measured for n from 2 to 12,288: 0.8 u S in the root mean square, at most 11 u S):
 * negligible for distant vectors, not for close ones. So squares up to S/16 are computed again from the differences in
 * float64; then every distance has a relative error below 6e-6. Sums over patterns are float32 in a block, float64 over
 * blocks.
 */
import { UserError } from '../util/errors';
import * as K from '../tensor/kernels';
import { squaredDistance } from '../util/statistics';
import { engine, tf, type Tensor } from '../tensor/engine';
import { memory, type AssociativeMemory } from './hopfield';
import {
  matrix,
  named,
  positive,
  matrixProduct,
  row,
  rowRange,
  tensorOf,
  type Matrix,
  type Rows,
} from './matrix';

const NEAR = 1 / 16;
/** Masks a square: no distance is as large. */
const FAR = 1e38;
/** Patterns and states per block. */
const AT_A_TIME = 2048;
/** Parts in which a state's squares of a block are searched. */
const PARTS = 16;
/** With more candidates per state in a block than this, bfloat16 does not pay. */
const CROWD = 32;

/** Squared distances of a batch of states from the patterns `first`, … */
interface Block {
  firstState: number;
  batch: Matrix;
  first: number;
  squares: Tensor;
  /** Whether `squares` is from a product in bfloat16. */
  coarse: boolean;
  /** Axis of the patterns in `squares`. */
  along: 0 | 1;
  /** Less μ, as `patterns`. */
  states: Tensor;
  patterns: Tensor;
  /** S of each state with the largest ‖ρ−μ‖² of the block. */
  norms: Float32Array;
}

/**
 * Visits all blocks; μ is the mean of the first patterns. The square is [−2x, ‖x‖², 1]·[ρ, 1, ‖ρ‖²]; among the patterns
 * themselves one product serves a block and its transpose. While `coarse`, products are in bfloat16, which represents norms
 * in two parts to 2⁻¹⁷.
 */
function eachBlock(
  patterns: Matrix,
  states: Matrix,
  coarse: () => boolean,
  visit: (block: Block) => void,
): void {
  const norms = (of: Float32Array, others: Float32Array) => {
    const most = others.reduce((a, b) => Math.max(a, b));
    return of.map((s) => {
      if (!(s + most < FAR))
        throw new UserError(
          'vectors: expected squared lengths below 1e38, which float32 holds; got longer ones; scale the data',
        );
      return s + most;
    });
  };
  const middle = tf.tidy(() => tf.mean(tensorOf(rowRange(patterns, 0, AT_A_TIME)), 0, true));
  const about = (rows: Tensor) => [rows, K.sumLast(K.square(rows))] as const;
  const parts = (norms: Tensor) => {
    const high = K.float32(K.bfloat16(norms));
    return [high, K.sub(norms, high)];
  };
  for (let firstState = 0; firstState < states.rows; firstState += AT_A_TIME) {
    tf.tidy(() => {
      const batch = rowRange(states, firstState, AT_A_TIME);
      const [x, xx] = about(K.sub(tensorOf(batch), middle));
      const left = K.concat([K.mul(x, tf.scalar(-2)), ...parts(xx), tf.ones([batch.rows, 2])], 1);
      const stateNorms = xx.dataSync() as Float32Array;
      for (let first = states === patterns ? firstState : 0; first < patterns.rows; first += AT_A_TIME) {
        tf.tidy(() => {
          const [y, yy] = about(K.sub(tensorOf(rowRange(patterns, first, AT_A_TIME)), middle));
          const patternNorms = yy.dataSync() as Float32Array;
          const block = {
            squares: matrixProduct(
              left,
              K.concat([y, tf.ones([y.shape[0]!, 2]), ...parts(yy)], 1),
              true,
              coarse(),
            ),
            coarse: coarse(),
          };
          visit({
            ...block,
            firstState,
            batch,
            first,
            along: 1,
            states: x,
            patterns: y,
            norms: norms(stateNorms, patternNorms),
          });
          if (states === patterns && first > firstState)
            visit({
              ...block,
              firstState: first,
              batch: rowRange(patterns, first, AT_A_TIME),
              first: firstState,
              along: 0,
              states: y,
              patterns: x,
              norms: norms(patternNorms, stateNorms),
            });
        });
      }
    });
  }
  middle.dispose();
}

function upTo(values: ArrayLike<number>, limit: (k: number) => number): number[] {
  const all: number[] = [];
  for (let k = 0; k < values.length; k++) if (values[k]! <= limit(k)) all.push(k);
  return all;
}

/** Transposed, if needed, to `[states, patterns]`. */
const upright = ({ along }: Block, squares: Tensor): Tensor =>
  along === 1 ? squares : K.transpose(squares, [1, 0]);

/** Visits the entries of a block up to a state's limit, in order; limits may fall meanwhile. @returns how many */
function eachBelow(
  block: Block,
  limit: (i: number, least: number) => number,
  visit: (i: number, j: number) => void,
): number {
  const [b, least] = [block.squares.shape[block.along]!, tf.min(block.squares, block.along).dataSync()];
  const [states, width] = [upTo(least, (i) => limit(i, least[i]!)), b % PARTS ? b : b / PARTS];
  if (states.length === 0) return 0;
  const cut = tf.reshape(
    upright(block, tf.gather(block.squares, tf.tensor1d(states, 'int32'), 1 - block.along)),
    [-1, width],
  );
  const [of, most] = [
    (k: number) => states[Math.floor((k * width) / b)]!,
    (k: number) => limit(of(k), least[of(k)]!),
  ];
  const chosen = upTo(tf.min(cut, 1).dataSync(), most);
  const values = tf.gather(cut, tf.tensor1d(chosen, 'int32')).dataSync();
  let met = 0;
  for (const [c, k] of chosen.entries()) {
    let top = most(k);
    for (let j = 0; j < width; j++) {
      if (values[c * width + j]! > top) continue;
      visit(of(k), ((k * width) % b) + j);
      top = most(k);
      met++;
    }
  }
  return met;
}

/** Σ_i exp(−β‖x − ρ_i‖) (1, 1/‖x − ρ_i‖, (x − ρ_i)/‖x − ρ_i‖), without `slopes` its first component alone, divided by the largest exponential. */
interface Sums {
  beta: number;
  slopes: boolean;
  largest: Float64Array;
  values: Float64Array;
}

/** Adds exp(−β `distance`) `terms` to the sums of state i. */
function add({ beta, largest, values }: Sums, i: number, distance: number, terms: ArrayLike<number>): void {
  const [exponent, at] = [-beta * distance, i * terms.length];
  if (exponent > largest[i]!) {
    const old = Math.exp(largest[i]! - exponent);
    largest[i] = exponent;
    for (let k = 0; k < terms.length; k++) values[at + k] *= old;
  }
  const factor = Math.exp(exponent - largest[i]!);
  if (factor > 0) for (let k = 0; k < terms.length; k++) values[at + k] += factor * terms[k]!;
}

/** Adds a block to the sums; short distances one by one, in float64. */
function addBlock(sums: Sums, patterns: Matrix, block: Block): void {
  const [{ firstState, states }, squares] = [block, upright(block, block.squares)];
  const limits = block.norms.map((s) => NEAR * s);
  const near = eachBelow(
    block,
    (i) => limits[i]!,
    (i, j) => {
      const [x, rho] = [row(block.batch, i), row(patterns, block.first + j)];
      const distance = Math.sqrt(squaredDistance(x, rho));
      add(
        sums,
        firstState + i,
        distance,
        sums.slopes ? [1, 1 / distance, ...x.map((v, k) => (v - rho[k]!) / (distance || 1))] : [1],
      );
    },
  );
  const left = near
    ? tf.where(tf.lessEqual(squares, tf.tensor2d(limits, [limits.length, 1])), FAR, squares)
    : squares;
  const least = tf.sqrt(tf.min(left, 1, true));
  const distances = tf.sqrt(left);
  const weights = K.exp(K.mul(K.sub(least, distances), tf.scalar(sums.beta)));
  let terms = K.sumLast(weights);
  if (sums.slopes) {
    const pulls = tf.div(weights, distances);
    const curvature = K.sumLast(pulls);
    terms = K.concat(
      [terms, curvature, K.sub(K.mul(states, curvature), matrixProduct(pulls, block.patterns))],
      1,
    );
  }
  const [values, m] = [terms.dataSync() as Float32Array, terms.shape[1]!];
  least
    .dataSync()
    .forEach((distance, i) => add(sums, firstState + i, distance, values.subarray(i * m, (i + 1) * m)));
}

/** With w = softmax(−β‖x − ρ_i‖); `curvatures` and `gradients` are empty unless `slopes` are computed. */
export interface SoftMin {
  /** E_β(x), `[q]`. */
  energies: Float64Array;
  /** A = Σ_i w_i / ‖x − ρ_i‖, `[q]`; infinite on a pattern. */
  curvatures: Float64Array;
  /** ∇E_β(x) = Σ_i w_i (x − ρ_i) / ‖x − ρ_i‖, `[q·n]`; a pattern's own term is 0. */
  gradients: Float64Array;
}

/** Distance-based energy of checked rows; `slopes` cost a second product. */
export function softMin(patterns: Matrix, states: Matrix, beta: number, slopes: boolean): SoftMin {
  const [q, n, m] = [states.rows, states.width, slopes ? states.width + 2 : 1];
  const sums = {
    beta,
    slopes,
    largest: new Float64Array(q).fill(-Infinity),
    values: new Float64Array(q * m),
  };
  eachBlock(
    patterns,
    states,
    () => false,
    (block) => addBlock(sums, patterns, block),
  );
  const over = (i: number, k: number) => sums.values[i * m + k]! / sums.values[i * m]!;
  return {
    energies: sums.largest.map((exponent, i) => -(exponent + Math.log(sums.values[i * m]!)) / beta),
    curvatures: Float64Array.from({ length: slopes ? q : 0 }, (_, i) => over(i, 1)),
    gradients: Float64Array.from({ length: slopes ? q * n : 0 }, (_, j) =>
      over(Math.floor(j / n), 2 + (j % n)),
    ),
  };
}

interface EnergyArgs {
  patterns: Rows;
  states: Rows;
  beta: number;
}

function checked(what: string, args: EnergyArgs): [Matrix, Matrix, number] {
  const { patterns, states, beta } = named(what, args, ['patterns', 'states', 'beta']);
  const rho = matrix('patterns', patterns);
  return [rho, matrix('states', states, rho), positive('beta', beta)];
}

/**
 * Distance-based energy, a soft minimum of distances:   E_β(x) = −β⁻¹ log Σ_i exp(−β ‖x − ρ_i‖)
 * Source: Niu et al. 2024 (arXiv:2405.08707), section 4, eq. 5 for β = 1.
 * @param patterns `[d, n]` @param states `[q, n]` @param beta per unit of distance @returns `[q]`, in units of distance
 * Trap: it is below the nearest distance by up to β⁻¹ log d, so it may be negative.
 */
export const distanceEnergy = (args: EnergyArgs): Float64Array =>
  softMin(...checked('distanceEnergy', args), false).energies;

/**
 * ∇E_β(x) = Σ_i w_i (x − ρ_i) / ‖x − ρ_i‖ with w = softmax(−β ‖x − ρ_i‖); no longer than 1.
 * Source: the gradient of LogSumExp is softmax (Niu et al. 2024, section 4). Arguments as in `distanceEnergy`.
 * @returns `[q, n]`, without unit
 * Trap: E has a kink at a pattern; there the pattern's own term counts 0. Exponents have β times the error of distances.
 */
export function distanceGradient(args: EnergyArgs): Matrix {
  const [patterns, states, beta] = checked('distanceGradient', args);
  return { ...states, values: Float32Array.from(softMin(patterns, states, beta, true).gradients) };
}

/**
 * Bounds of E_β by the nearest distance g: g − β⁻¹ log d ≤ E_β ≤ g, since the largest of d terms is at most their sum and at
 * least a d-th of it. Source: Niu et al. 2024, proposition 2.
 * @param g of one state, in units of distance @param d number of patterns @param beta per unit of distance
 * Trap: the lower bound is reached only where all d distances are equal.
 */
export function softMinBounds(args: { g: number; d: number; beta: number }) {
  const { g, d, beta } = named('softMinBounds', args, ['g', 'd', 'beta']);
  return { lower: g - Math.log(d) / positive('beta', beta), upper: g };
}

/** A step of majorisation-minimisation, x⁺ = x − ∇E_β(x) / A `[q, n]`; derived at `majorisers` in `layers.ts`. */
export const stepDown = (states: Matrix, { curvatures, gradients }: SoftMin): Matrix => ({
  ...states,
  values: states.values.map((x, j) => x - gradients[j]! / curvatures[Math.floor(j / states.width)]!),
});

/**
 * Memory of real patterns `[d, n]` with the distance-based energy, β per unit of distance. Its update is the step of
 * majorisation-minimisation (MM)   x⁺ = Σ a_i ρ_i / Σ a_i,   a_i = w_i / ‖x − ρ_i‖
 * Source: Niu et al. 2024, sections 4 and 4.1; derived at `majorisers`.
 * Trap: as in Weiszfeld's algorithm (1937), a state exactly on a pattern stays there, minimum or not.
 */
export function distanceMemory(args: { patterns: Rows; beta: number }): AssociativeMemory {
  named('distanceMemory', args, ['patterns', 'beta']);
  const [rho, beta] = [matrix('patterns', args.patterns), positive('beta', args.beta)];
  return memory(
    (x) => matrix('states', x, rho),
    (x) => softMin(rho, x, beta, false).energies,
    (x) => stepDown(x, softMin(rho, x, beta, true)),
  );
}

/**
 * Nearest neighbour of each state, g(x) = min_i ‖x − ρ_i‖; without `states`, of each pattern among the others. Exact: squares
 * from a product only exclude patterns, by a bound on their error: 2 (n + 5) u S in float32, and 0.008 S more in bfloat16,
 * which is used where the hardware has it, until a block has too many candidates. The rest is compared in float64.
 * Source: Niu et al. 2024, sections 4 (g) and 6.1. @param patterns `[d, n]` @param states `[q, n]`
 * @returns indices of the patterns (the lowest of equals) and distances, both `[q]`
 * Trap: repeated patterns are each other's neighbours, at distance 0.
 */
export function nearestNeighbours(args: { patterns: Rows; states?: Rows }): {
  indices: Int32Array;
  distances: Float64Array;
} {
  const { patterns, states } = named('nearestNeighbours', args, ['patterns']);
  const rho = matrix('patterns', patterns);
  if (!states && rho.rows < 2)
    throw new UserError(
      'nearest neighbours: expected at least two patterns, or states; got one pattern; pass states',
    );
  const x = states ? matrix('states', states, rho) : rho;
  const [indices, squares] = [new Int32Array(x.rows), new Float64Array(x.rows).fill(Infinity)];
  const limit =
    ({ firstState, first, norms, coarse }: Block) =>
    (i: number, least: number) => {
      const error = ((coarse ? 0.008 : 0) + (rho.width + 5) * 2 ** -23) * norms[i]!;
      const ofBlock = !states && first === firstState ? Infinity : least + error; // There, the least is a pattern's distance from itself.
      return Math.min(squares[firstState + i]!, ofBlock) + error;
    };
  let coarse = engine().bf16;
  eachBlock(
    rho,
    x,
    () => coarse,
    (block) => {
      const met = eachBelow(block, limit(block), (i, j) => {
        const [at, index] = [block.firstState + i, block.first + j];
        if (!states && index === at) return;
        const square = squaredDistance(row(x, at), row(rho, index));
        if (square < squares[at]!) [indices[at], squares[at]] = [index, square];
      });
      coarse &&= met <= CROWD * block.batch.rows;
    },
  );
  return { indices, distances: squares.map(Math.sqrt) };
}
