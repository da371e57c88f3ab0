/**
 * Tensor primitives: one native op each, under TensorFlow's names. Nothing here knows of gradients; `ops.ts` builds on it.
 *
 * A tensor is float32 or bfloat16, which TFJS cannot tell apart; each function takes the dtype from its first tensor.
 */
import { DT, dtypeOf, runOp, tf, type Attributes, type Tensor } from './engine';

const INT32 = { dtype: DT.int32 };
const FLOAT32 = { dtype: DT.float32 };

const constants = new Map<string, Tensor>();

/** Small tensor that lives as long as the process. */
function constant(name: string, make: () => Tensor): Tensor {
  let t = constants.get(name);
  if (!t) constants.set(name, (t = tf.keep(make())));
  return t;
}

/** For axes, shapes and permutations. */
const int32 = (...values: number[]): Tensor => constant(values.join(), () => tf.tensor1d(values, 'int32'));
const scalarInt = (value: number): Tensor => constant(`int:${value}`, () => tf.scalar(value, 'int32'));
export const scalar = (value: number): Tensor => constant(`float:${value}`, () => tf.scalar(value));

const one = (op: string, inputs: Tensor[], attributes: Attributes): Tensor =>
  runOp(op, inputs, attributes)[0]!;

/** Attribute T: the dtype of `x`. */
const typed = (x: Tensor, more: Attributes = {}): Attributes => ({ T: { dtype: dtypeOf(x) }, ...more });

export const isBfloat16 = (x: Tensor): boolean => dtypeOf(x) === DT.bfloat16;

function cast(x: Tensor, dtype: number): Tensor {
  if (dtypeOf(x) === dtype) return x;
  return one('Cast', [x], { SrcT: { dtype: dtypeOf(x) }, DstT: { dtype }, Truncate: false });
}
/** Rounded to bfloat16; `x` itself if it is. */
export const bfloat16 = (x: Tensor): Tensor => cast(x, DT.bfloat16);
/** As float32; `x` itself if it is. */
export const float32 = (x: Tensor): Tensor => cast(x, DT.float32);
/** `x` in the dtype of `like`. */
export const castLike = (x: Tensor, like: Tensor): Tensor => cast(x, dtypeOf(like));

/**
 * a b, aᵀ b or a bᵀ, in the operands' dtype; bfloat16 is accumulated in float32 and rounded once.
 * @param a `[m, k]` or, with batch axes in front, `[…, m, k]`  @param b `[k, n]` or `[…, k, n]`  @returns `[…, m, n]`
 */
export function matMul(a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor {
  // In float32 never MatMul: with few rows a signal that arrives meanwhile, as Jupyter's interrupt, breaks oneDNN's memory.
  return a.rank === 2 && isBfloat16(a)
    ? one('MatMul', [a, b], typed(a, { transpose_a: transposeA, transpose_b: transposeB }))
    : one('BatchMatMulV2', [a, b], typed(a, { adj_x: transposeA, adj_y: transposeB }));
}

/** x + bias, on the last axis. In a graph one op adds it to the product that `x` is before it is stored. @param bias float32 */
export const biasAdd = (x: Tensor, bias: Tensor): Tensor =>
  isBfloat16(x)
    ? one('BiasAdd', [x, bfloat16(bias)], typed(x, { data_format: 'NHWC' }))
    : one('AddV2', [x, bias], typed(x));

/** Elementwise with broadcasting. */
export const neg = (x: Tensor): Tensor => one('Neg', [x], typed(x));
export const add = (a: Tensor, b: Tensor): Tensor => one('AddV2', [a, b], typed(a));
export const sub = (a: Tensor, b: Tensor): Tensor => one('Sub', [a, b], typed(a));
export const mul = (a: Tensor, b: Tensor): Tensor => one('Mul', [a, b], typed(a));
export const square = (x: Tensor): Tensor => one('Square', [x], typed(x));
export const rsqrt = (x: Tensor): Tensor => one('Rsqrt', [x], typed(x));
export const relu = (x: Tensor): Tensor => one('Relu', [x], typed(x));
export const sigmoid = (x: Tensor): Tensor => one('Sigmoid', [x], typed(x));
export const exp = (x: Tensor): Tensor => one('Exp', [x], typed(x));
export const log = (x: Tensor): Tensor => one('Log', [x], typed(x));
/** eˣ − 1, exact near 0. */
export const expm1 = (x: Tensor): Tensor => one('Expm1', [x], typed(x));
/** dy where y > 0, else 0. */
export const reluGrad = (dy: Tensor, y: Tensor): Tensor => one('ReluGrad', [dy, y], typed(dy));

/** Over the last axis. */
export const softmax = (x: Tensor): Tensor => one('Softmax', [x], typed(x));

const reduced = (op: string, x: Tensor, axis: number, keep: boolean): Tensor =>
  one(op, [x, int32(axis)], typed(x, { Tidx: INT32, keep_dims: keep }));
/** Sum of all elements, a scalar. @param x `[n]` */
export const total = (x: Tensor): Tensor => reduced('Sum', x, 0, false);
/** Over the last axis, which stays with length 1. */
export const sumLast = (x: Tensor): Tensor => reduced('Sum', x, x.rank - 1, true);
export const maxLast = (x: Tensor): Tensor => reduced('Max', x, x.rank - 1, true);
export const meanLast = (x: Tensor): Tensor => reduced('Mean', x, x.rank - 1, true);
/** Over rows. @param x `[rows, n]` @returns `[n]` */
export const sumFirst = (x: Tensor): Tensor => reduced('Sum', x, 0, false);

/** Sum of squares of all elements of float32 tensors, a scalar. */
export function sumSquares(tensors: Tensor[]): Tensor {
  const halves = tensors.map((x) => one('L2Loss', [x], typed(x)));
  return mul(one('AddN', halves, { T: FLOAT32, N: halves.length }), scalar(2));
}

/** One −1 in `shape` is for what is left. */
export const reshape = (x: Tensor, shape: number[]): Tensor =>
  one('Reshape', [x, int32(...shape)], typed(x, { Tshape: INT32 }));

export const transpose = (x: Tensor, order: number[]): Tensor =>
  one('Transpose', [x, int32(...order)], typed(x, { Tperm: INT32 }));

/** `size` elements from `begin` on along one axis; `x` itself where that is all of it. */
export function slice(x: Tensor, axis: number, begin: number, size: number): Tensor {
  if (begin === 0 && size === x.shape[axis]) return x;
  const along = (value: number, others: (n: number) => number) =>
    tf.tensor1d(
      x.shape.map((n, i) => (i === axis ? value : others(n))),
      'int32',
    );
  const [from, extent] = [along(begin, () => 0), along(size, (n) => n)];
  const y = one('Slice', [x, from, extent], typed(x, { Index: INT32 }));
  tf.dispose([from, extent]);
  return y;
}

/** Tensors one after the other along an axis. */
export const concat = (parts: Tensor[], axis: number): Tensor =>
  parts.length === 1
    ? parts[0]!
    : one('ConcatV2', [...parts, scalarInt(axis)], typed(parts[0]!, { N: parts.length, Tidx: INT32 }));

/** `x[0]`, `x[1]`, … along the first axis, which goes. */
export const unstack = (x: Tensor): Tensor[] =>
  runOp('Unpack', [x], typed(x, { num: x.shape[0]!, axis: 0 }), x.shape[0]!);

/** Inverse of `unstack`. */
const stack = (parts: Tensor[], axis = 0): Tensor =>
  one('Pack', parts, typed(parts[0]!, { N: parts.length, axis }));

/** Rows `x[index]`. @param x `[rows, n]` @param index `[k]` int32 @returns `[k, n]` */
export const gather = (x: Tensor, index: Tensor): Tensor =>
  one('Gather', [x, index], { Tparams: { dtype: dtypeOf(x) }, Tindices: INT32, validate_indices: true });

/** @param x `[m, n]` @param places `[k, 2]` int32 @returns `[k]` */
export const gatherNd = (x: Tensor, places: Tensor): Tensor =>
  one('GatherNd', [x, places], { Tparams: { dtype: dtypeOf(x) }, Tindices: INT32 });

/** `x` with other values at some places. @param x `[m, n]` @param places `[k, 2]` int32, no two alike @param values `[k]` */
export const tensorScatterUpdate = (x: Tensor, places: Tensor, values: Tensor): Tensor =>
  one('TensorScatterUpdate', [x, places, values], typed(x, { Tindices: INT32 }));

/** Sum of the rows of `x` that share an index, 0 where none does. @param x `[k, n]` @param index `[k]` int32 @returns `[rows, n]` */
export const unsortedSegmentSum = (x: Tensor, index: Tensor, rows: number): Tensor =>
  one('UnsortedSegmentSum', [x, index, scalarInt(rows)], typed(x, { Tindices: INT32, Tnumsegments: INT32 }));

/** [[0, i₀], [1, i₁], …]: the place of one element in each row. @param index `[k]` int32 @returns `[k, 2]` int32 */
export function placesInRows(index: Tensor): Tensor {
  const count = one('Size', [index], { T: INT32, out_type: INT32 });
  const rows = one('Range', [scalarInt(0), count, scalarInt(1)], { Tidx: INT32 });
  return stack([rows, index], 1);
}

/** Uniform numbers on [0, 1) with 23 bits, in the shape of `like`. @param seed `[]` int32, at least 0 @param stream tells draws of one seed apart */
export function statelessRandomUniform(seed: Tensor, stream: number, like: Tensor): Tensor {
  const shape = one('Shape', [like], typed(like, { out_type: INT32 }));
  return one('StatelessRandomUniform', [shape, stack([seed, scalarInt(stream)])], {
    dtype: FLOAT32,
    T: INT32,
    Tseed: INT32,
  });
}

/** 1 where a ≥ b, else 0, in float32. */
export const greaterEqual = (a: Tensor, b: Tensor): Tensor =>
  cast(one('GreaterEqual', [a, b], typed(a)), DT.float32);
