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

/** Outputs of an op whose attribute T is the dtype of its first input, unless `more` says otherwise. */
export const typedOp = (op: string, inputs: Tensor[], outputs: number, more: Attributes = {}): Tensor[] =>
  runOp(op, inputs, { T: { dtype: dtypeOf(inputs[0]!) }, ...more }, outputs);
const one = (op: string, inputs: Tensor[], more?: Attributes): Tensor => typedOp(op, inputs, 1, more)[0]!;

export const isBfloat16 = (x: Tensor): boolean => dtypeOf(x) === DT.bfloat16;

function cast(x: Tensor, dtype: number): Tensor {
  if (dtypeOf(x) === dtype) return x;
  return runOp('Cast', [x], { SrcT: { dtype: dtypeOf(x) }, DstT: { dtype }, Truncate: false })[0]!;
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
    ? one('MatMul', [a, b], { transpose_a: transposeA, transpose_b: transposeB })
    : one('BatchMatMulV2', [a, b], { adj_x: transposeA, adj_y: transposeB });
}

/** x + bias, on the last axis. In a graph one op adds it to the product that `x` is before it is stored. @param bias float32 */
export const biasAdd = (x: Tensor, bias: Tensor): Tensor =>
  isBfloat16(x) ? one('BiasAdd', [x, bfloat16(bias)], { data_format: 'NHWC' }) : one('AddV2', [x, bias]);

/** Elementwise with broadcasting. */
export const add = (a: Tensor, b: Tensor): Tensor => one('AddV2', [a, b]);
export const sub = (a: Tensor, b: Tensor): Tensor => one('Sub', [a, b]);
export const mul = (a: Tensor, b: Tensor): Tensor => one('Mul', [a, b]);
export const square = (x: Tensor): Tensor => one('Square', [x]);
export const rsqrt = (x: Tensor): Tensor => one('Rsqrt', [x]);
export const relu = (x: Tensor): Tensor => one('Relu', [x]);
export const sigmoid = (x: Tensor): Tensor => one('Sigmoid', [x]);
export const exp = (x: Tensor): Tensor => one('Exp', [x]);
export const log = (x: Tensor): Tensor => one('Log', [x]);
/** dy where y > 0, else 0. */
export const reluGrad = (dy: Tensor, y: Tensor): Tensor => one('ReluGrad', [dy, y]);

/** Over the last axis. */
export const softmax = (x: Tensor): Tensor => one('Softmax', [x]);

const reduced = (op: string, x: Tensor, axis: number, keep: boolean): Tensor =>
  one(op, [x, int32(axis)], { Tidx: INT32, keep_dims: keep });
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
  const halves = tensors.map((x) => one('L2Loss', [x]));
  return mul(one('AddN', halves, { N: halves.length }), scalar(2));
}

/** One −1 in `shape` is for what is left. */
export const reshape = (x: Tensor, shape: number[]): Tensor =>
  one('Reshape', [x, int32(...shape)], { Tshape: INT32 });

export const transpose = (x: Tensor, order: number[]): Tensor =>
  one('Transpose', [x, int32(...order)], { Tperm: INT32 });

/** `size` elements from `begin` on along one axis; `x` itself where that is all of it. */
export function slice(x: Tensor, axis: number, begin: number, size: number): Tensor {
  if (begin === 0 && size === x.shape[axis]) return x;
  const from = x.shape.map((_, i) => (i === axis ? begin : 0));
  const extent = x.shape.map((n, i) => (i === axis ? size : n));
  return one('Slice', [x, int32(...from), int32(...extent)], { Index: INT32 });
}

/** Tensors one after the other along an axis. */
export const concat = (parts: Tensor[], axis: number): Tensor =>
  parts.length === 1
    ? parts[0]!
    : one('ConcatV2', [...parts, scalarInt(axis)], { N: parts.length, Tidx: INT32 });

/** `x[0]`, `x[1]`, … along the first axis, which goes. */
export const unstack = (x: Tensor): Tensor[] =>
  typedOp('Unpack', [x], x.shape[0]!, { num: x.shape[0]!, axis: 0 });

/** Rows `x[index]`. @param x `[rows, n]` @param index `[k]` int32 @returns `[k, n]` */
export const gather = (x: Tensor, index: Tensor): Tensor =>
  runOp('Gather', [x, index], {
    Tparams: { dtype: dtypeOf(x) },
    Tindices: INT32,
    validate_indices: true,
  })[0]!;

/** Sum of the rows of `x` that share an index, 0 where none does. @param x `[k, n]` @param index `[k]` int32 @returns `[rows, n]` */
export const unsortedSegmentSum = (x: Tensor, index: Tensor, rows: number): Tensor =>
  one('UnsortedSegmentSum', [x, index, scalarInt(rows)], { Tindices: INT32, Tnumsegments: INT32 });

/** Nats per row, and softmax − onehot. @param logits `[n, V]` @param labels `[n]` int32 */
export const sparseSoftmaxCrossEntropy = (logits: Tensor, labels: Tensor): [loss: Tensor, gradient: Tensor] =>
  typedOp('SparseSoftmaxCrossEntropyWithLogits', [logits, labels], 2, { Tlabels: INT32 }) as [Tensor, Tensor];

/** Uniform numbers on [0, 1) with 23 bits, in the shape of `like`. @param seed `[]` int32, at least 0 @param stream tells draws of one seed apart */
export function statelessRandomUniform(seed: Tensor, stream: number, like: Tensor): Tensor {
  const shape = one('Shape', [like], { out_type: INT32 });
  const pair = one('Pack', [seed, scalarInt(stream)], { N: 2, axis: 0 });
  return one('StatelessRandomUniform', [shape, pair], { dtype: FLOAT32, Tseed: INT32 });
}

/** 1 where a ≥ b, else 0, in float32. */
export const greaterEqual = (a: Tensor, b: Tensor): Tensor => cast(one('GreaterEqual', [a, b]), DT.float32);
