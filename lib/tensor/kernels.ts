/**
 * Tensor primitives: one native op where TensorFlow is loaded, the same in plain TFJS where it is not.
 * Nothing here knows of gradients; `ops.ts` builds on it.
 */
import { uniforms } from '../util/random';
import { DT, isNative, run, tf, type Tensor } from './engine';

/**
 * A tensor to be multiplied: bfloat16 in mixed precision, else float32 as it is; times `scale` `[]`, where there is one.
 * Trap: TFJS calls a bfloat16 tensor float32; only the functions of this file may take it.
 */
export interface Operand {
  tensor: Tensor;
  bf16: boolean;
  scale?: Tensor;
}

const F32 = { T: { dtype: DT.float32 } };
const BF16 = { T: { dtype: DT.bfloat16 } };
const INT32 = { dtype: DT.int32 };
const REDUCE = { ...F32, Tidx: INT32 };
const SLICE = {
  fp32: { ...F32, Index: INT32 },
  bf16: { ...BF16, Index: INT32 },
  int32: { T: INT32, Index: INT32 },
};

const constants = new Map<string, Tensor>();

/** Small tensor that lives as long as the process. */
function constant(name: string, make: () => Tensor): Tensor {
  const key = `${tf.getBackend()}:${name}`;
  let t = constants.get(key);
  if (!t) constants.set(key, (t = tf.keep(make())));
  return t;
}

/** For axes, shapes and permutations. */
const int32 = (...values: number[]): Tensor => constant(values.join(), () => tf.tensor1d(values, 'int32'));
const scalarInt = (value: number): Tensor => constant(`scalar:${value}`, () => tf.scalar(value, 'int32'));

const one = (op: string, inputs: Tensor[], attributes: Parameters<typeof run>[2]): Tensor =>
  run(op, inputs, attributes)[0]!;

/** float32 → operand of a product, rounded to bfloat16 if asked for and there is a native engine. */
export function operand(x: Tensor, bf16: boolean): Operand {
  if (!bf16 || !isNative()) return { tensor: x, bf16: false };
  return {
    tensor: one('Cast', [x], { SrcT: { dtype: DT.float32 }, DstT: { dtype: DT.bfloat16 }, Truncate: false }),
    bf16: true,
  };
}

/** Operand → float32. */
export function float32(x: Operand): Tensor {
  if (!x.bf16) return x.tensor;
  return one('Cast', [x.tensor], {
    SrcT: { dtype: DT.bfloat16 },
    DstT: { dtype: DT.float32 },
    Truncate: false,
  });
}

/** What multiplies the product of some operands; none: nothing does. */
export const scaleOf = (...operands: { scale?: Tensor }[]): { scale?: Tensor } =>
  operands.reduce(
    (all, { scale }) => (all.scale && scale ? { scale: mul(all.scale, scale) } : scale ? { scale } : all),
    {},
  );

/** `x` times a scale, where there is one. */
export const scaled = (x: Tensor, { scale }: { scale?: Tensor }): Tensor => (scale ? mul(x, scale) : x);

/**
 * a b, aᵀ b or a bᵀ. bfloat16 operands are accumulated in float32 and rounded once; the product is one again, with their scales.
 * @param a `[m, k]` or, with batch axes in front, `[…, m, k]`  @param b `[k, n]` or `[…, k, n]`  @returns `[…, m, n]`
 */
export function product(a: Operand, b: Operand, transposeA = false, transposeB = false): Operand {
  if (!isNative())
    return { tensor: tf.matMul(a.tensor, b.tensor, transposeA, transposeB), bf16: false, ...scaleOf(a, b) };
  const T = a.bf16 ? BF16 : F32;
  // In float32 never MatMul: with few rows a signal that arrives meanwhile, as Jupyter's interrupt, breaks oneDNN's memory.
  const tensor =
    a.tensor.rank === 2 && a.bf16
      ? one('MatMul', [a.tensor, b.tensor], { ...T, transpose_a: transposeA, transpose_b: transposeB })
      : one('BatchMatMulV2', [a.tensor, b.tensor], { ...T, adj_x: transposeA, adj_y: transposeB });
  return { tensor, bf16: a.bf16, ...scaleOf(a, b) };
}

/** The same in float32, scales multiplied in. */
export function matmul(a: Operand, b: Operand, transposeA = false, transposeB = false): Tensor {
  const rounded = product(a, b, transposeA, transposeB);
  const result = float32(rounded);
  if (rounded.bf16) rounded.tensor.dispose();
  return scaled(result, rounded);
}

/** x W + b; with bfloat16 operands b is rounded too, and one op adds it to the product before it is stored. */
export function biased(x: Operand, weight: Operand, bias: Tensor): Operand {
  if (!x.bf16) return { tensor: add(matmul(x, weight), bias), bf16: false };
  const { tensor, scale } = product(x, weight);
  const rounded = operand(scale ? div(bias, scale) : bias, true).tensor;
  return {
    tensor: one('BiasAdd', [tensor, rounded], { ...BF16, data_format: 'NHWC' }),
    bf16: true,
    ...scaleOf({ scale }),
  };
}

/** x W + b in float32. */
export function affine(x: Operand, weight: Operand, bias: Tensor): Tensor {
  const sum = biased(x, weight, bias);
  return scaled(float32(sum), sum);
}

/** Elementwise with broadcasting. */
export const neg = (x: Tensor): Tensor => (isNative() ? one('Neg', [x], F32) : tf.neg(x));
export const add = (a: Tensor, b: Tensor): Tensor => (isNative() ? one('AddV2', [a, b], F32) : tf.add(a, b));
export const sub = (a: Tensor, b: Tensor): Tensor => (isNative() ? one('Sub', [a, b], F32) : tf.sub(a, b));
export const mul = (a: Tensor, b: Tensor): Tensor => (isNative() ? one('Mul', [a, b], F32) : tf.mul(a, b));
export const div = (a: Tensor, b: Tensor): Tensor =>
  isNative() ? one('RealDiv', [a, b], F32) : tf.div(a, b);
export const square = (x: Tensor): Tensor => (isNative() ? one('Square', [x], F32) : tf.square(x));
export const rsqrt = (x: Tensor): Tensor => (isNative() ? one('Rsqrt', [x], F32) : tf.rsqrt(x));
/** max(x, 0); scales are positive. */
export const relu = ({ tensor, ...kind }: Operand): Operand => ({
  tensor: isNative() ? one('Relu', [tensor], kind.bf16 ? BF16 : F32) : tf.relu(tensor),
  ...kind,
});
export const sigmoid = (x: Tensor): Tensor => (isNative() ? one('Sigmoid', [x], F32) : tf.sigmoid(x));
export const exp = (x: Tensor): Tensor => (isNative() ? one('Exp', [x], F32) : tf.exp(x));
export const log = (x: Tensor): Tensor => (isNative() ? one('Log', [x], F32) : tf.log(x));
/** eˣ − 1, exact near 0. */
export const expm1 = (x: Tensor): Tensor => (isNative() ? one('Expm1', [x], F32) : tf.expm1(x));

/** dy where y > 0, else 0. */
export function reluGradient({ tensor: dy, ...kind }: Operand, { tensor: y }: Operand): Operand {
  return {
    tensor: isNative()
      ? one('ReluGrad', [dy, y], kind.bf16 ? BF16 : F32)
      : tf.mul(dy, tf.cast(tf.greater(y, 0), 'float32')),
    ...kind,
  };
}

/** dy · y (1 − y), for y = sigmoid(x). */
export function sigmoidGradient(dy: Tensor, y: Tensor): Tensor {
  return isNative() ? one('SigmoidGrad', [y, dy], F32) : tf.mul(dy, tf.mul(y, tf.sub(1, y)));
}

/** Over the last axis. */
export const softmax = (x: Tensor): Tensor => (isNative() ? one('Softmax', [x], F32) : tf.softmax(x));

/** Sum of all elements, a scalar. @param x `[n]` */
export const total = (x: Tensor): Tensor =>
  isNative() ? one('Sum', [x, int32(0)], { ...REDUCE, keep_dims: false }) : tf.sum(x);

/** Mean over the last axis. As a product it takes a third of the time of TensorFlow's own mean. @param x `[rows, n]` @returns `[rows, 1]` */
export function meanLast(x: Tensor): Tensor {
  const n = x.shape[1]!;
  return isNative()
    ? dotLast(
        x,
        constant(`mean:${n}`, () => tf.fill([n], 1 / n)),
      )
    : tf.mean(x, -1, true);
}

/** Each row times a vector: the float32 MatMul that `product` avoids, for one column, where signals were tried and broke nothing. @param x `[rows, n]` @param vector `[n]` @returns `[rows, 1]` */
export function dotLast(x: Tensor, vector: Tensor): Tensor {
  const column = reshape(vector, [-1, 1]);
  return isNative()
    ? one('MatMul', [x, column], { ...F32, transpose_a: false, transpose_b: false })
    : tf.matMul(x as never, column as never);
}

/** Sum over the last axis, which stays with length 1. */
export function sumLast(x: Tensor): Tensor {
  return isNative()
    ? one('Sum', [x, int32(x.rank - 1)], { ...REDUCE, keep_dims: true })
    : tf.sum(x, -1, true);
}

/** Largest over the last axis, which stays with length 1. */
export function maxLast(x: Tensor): Tensor {
  return isNative()
    ? one('Max', [x, int32(x.rank - 1)], { ...REDUCE, keep_dims: true })
    : tf.max(x, -1, true);
}

/** Ones, one per row, in the precision of `x`. @param x `[rows, n]` @returns `[rows, 1]` */
export function onePerRow({ tensor, bf16 }: Operand): Operand {
  if (!isNative()) return { tensor: tf.ones([tensor.shape[0]!, 1]), bf16 };
  const kind = bf16 ? BF16 : F32;
  return {
    tensor: one(
      'OnesLike',
      [one('Slice', [tensor, int32(0, 0), int32(-1, 1)], { ...kind, Index: INT32 })],
      kind,
    ),
    bf16,
  };
}

/** Sum over rows, as a product with ones: a fifth of the time of TensorFlow's own sum. Trap: of a bfloat16 operand it is rounded to bfloat16. @param x `[rows, n]` @param ones of `onePerRow` @returns `[n]` */
export function sumRows(x: Operand, ones = onePerRow(x)): Tensor {
  return isNative() ? reshape(matmul(ones, x, true, false), [-1]) : tf.sum(x.tensor, 0);
}

/** Sum of squares of all elements of all tensors, a scalar. */
export function sumSquares(tensors: Tensor[]): Tensor {
  if (!isNative()) return tf.addN(tensors.map((x) => tf.sum(tf.square(x))));
  return mul(
    one(
      'AddN',
      tensors.map((x) => one('L2Loss', [x], F32)),
      { ...F32, N: tensors.length },
    ),
    tf.scalar(2),
  );
}

/** One −1 in `shape` stands for what is left. */
export function reshape(x: Tensor, shape: number[]): Tensor {
  if (!isNative()) return tf.reshape(x, shape);
  return one('Reshape', [x, int32(...shape)], {
    T: { dtype: x.dtype === 'int32' ? DT.int32 : DT.float32 },
    Tshape: INT32,
  });
}

export function transpose(x: Tensor, order: number[]): Tensor {
  return isNative()
    ? one('Transpose', [x, int32(...order)], { ...F32, Tperm: INT32 })
    : tf.transpose(x, order);
}

/** `count` places from `start` on along one axis; `x` itself where that is all of it. */
export function part<X extends Tensor | Operand>(x: X, axis: number, start: number, count: number): X {
  const { tensor, bf16 } = 'bf16' in x ? x : { tensor: x, bf16: false };
  if (start === 0 && count === tensor.shape[axis]) return x;
  const begin = tensor.shape.map((_, i) => (i === axis ? start : 0));
  const size = tensor.shape.map((n, i) => (i === axis ? count : n));
  const wrap = (t: Tensor) => ('bf16' in x ? { ...x, tensor: t } : t) as X;
  if (!isNative()) return wrap(tf.slice(tensor, begin, size));
  const [from, extent] = [tf.tensor1d(begin, 'int32'), tf.tensor1d(size, 'int32')];
  const y = one(
    'Slice',
    [tensor, from, extent],
    bf16 ? SLICE.bf16 : tensor.dtype === 'int32' ? SLICE.int32 : SLICE.fp32,
  );
  from.dispose();
  extent.dispose();
  return wrap(y);
}

/** Tensors one after the other along an axis. */
export function concat(parts: Tensor[], axis: number): Tensor {
  if (parts.length === 1) return parts[0]!;
  return isNative()
    ? one('ConcatV2', [...parts, scalarInt(axis)], { ...F32, N: parts.length, Tidx: INT32 })
    : tf.concat(parts, axis);
}

/** Zeros behind `x` along an axis until it has length `length`. */
export function padTo(x: Tensor, axis: number, length: number): Tensor {
  if (x.shape[axis] === length) return x;
  const widths = x.shape.map((n, i): [number, number] => [0, i === axis ? length - n : 0]);
  if (!isNative()) return tf.pad(x, widths);
  const paddings = tf.tensor2d(widths, undefined, 'int32');
  const y = one('Pad', [x, paddings], { ...F32, Tpaddings: INT32 });
  paddings.dispose();
  return y;
}

/** Parts `x[0]`, `x[1]`, … along the first axis, which goes. */
export function unstack(x: Tensor): Tensor[] {
  return isNative()
    ? run('Unpack', [x], { ...F32, num: x.shape[0]!, axis: 0 }, x.shape[0]!)
    : tf.unstack(x, 0);
}

/** Cuts a vector into pieces. @param x `[n]` @param sizes their sum is n */
export function cut(x: Tensor, sizes: number[]): Tensor[] {
  if (!isNative()) return tf.split(x, sizes);
  return run(
    'SplitV',
    [x, int32(...sizes), scalarInt(0)],
    { ...F32, Tlen: INT32, num_split: sizes.length },
    sizes.length,
  );
}

/** Inverse of `unstack`. */
export function stack(parts: Tensor[]): Tensor {
  return isNative() ? one('Pack', parts, { ...F32, N: parts.length, axis: 0 }) : tf.stack(parts, 0);
}

/** Rows `x[index]`. @param x `[rows, n]` @param index `[k]` int32 @returns `[k, n]` */
export function gatherRows(x: Tensor, index: Tensor): Tensor {
  if (!isNative()) return tf.gather(x, index as never, 0);
  return one('Gather', [x, index], {
    Tparams: { dtype: DT.float32 },
    Tindices: INT32,
    validate_indices: true,
  });
}

/** Sum of the rows of `x` that share an index, 0 where none does. @param x `[k, n]` @param index `[k]` @param rows also as `[]` int32 @returns `[rows, n]` */
export function sumRowsInto(x: Tensor, index: Tensor, rows: number | Tensor): Tensor {
  if (!isNative())
    return tf.unsortedSegmentSum(x, index as never, typeof rows === 'number' ? rows : rows.dataSync()[0]!);
  return one('UnsortedSegmentSum', [x, index, typeof rows === 'number' ? scalarInt(rows) : rows], {
    ...F32,
    Tindices: INT32,
    Tnumsegments: INT32,
  });
}

/** The first rows and columns of a matrix. @param size `[2]` int32 */
export function corner(x: Tensor, size: Tensor): Tensor {
  return isNative()
    ? one('Slice', [x, int32(0, 0), size], SLICE.fp32)
    : tf.slice(x, [0, 0], [...size.dataSync()]);
}

/** `x` with other values at some places. @param x `[m, n]` @param places `[k, 2]` int32, no two alike @param values `[k]` */
export function withValues({ tensor, bf16 }: Operand, places: Tensor, values: Operand): Operand {
  if (!isNative()) return { tensor: tf.tensorScatterUpdate(tensor, places, values.tensor), bf16 };
  return {
    tensor: one('TensorScatterUpdate', [tensor, places, values.tensor], {
      ...(bf16 ? BF16 : F32),
      Tindices: INT32,
    }),
    bf16,
  };
}

/** `x` with `values` added at rows; rows may repeat. @param x `[rows, n]` @param index `[k]` int32 @param values `[k, n]` */
export function addToRows(x: Tensor, index: Tensor, values: Tensor): Tensor {
  const places = reshape(index, [-1, 1]);
  if (isNative()) return one('TensorScatterAdd', [x, places, values], { ...F32, Tindices: INT32 });
  return tf.add(x, sumRowsInto(values, index, x.shape[0]!));
}

/** [[0, i₀], [1, i₁], …]: the place of one element in each row. @param index `[k]` int32 @returns `[k, 2]` int32 */
export function inRows(index: Tensor): Tensor {
  if (!isNative()) return tf.stack([tf.range(0, index.size, 1, 'int32'), index], 1);
  const count = one('Size', [index], { T: INT32, out_type: INT32 });
  const rows = one('Range', [scalarInt(0), count, scalarInt(1)], { Tidx: INT32 });
  return one('Pack', [rows, index], { T: INT32, N: 2, axis: 1 });
}

/** @param x `[m, n]` @param places `[k, 2]` int32 @returns `[k]` */
export function gatherAt(x: Tensor, places: Tensor): Tensor {
  return isNative()
    ? one('GatherNd', [x, places], { Tparams: { dtype: DT.float32 }, Tindices: INT32 })
    : tf.gatherND(x, places);
}

/**
 * 1 where a uniform number is at least `rate`, else 0, in the precision of `like`. Native and plain draw the same numbers.
 * @param seed `[]` int32, at least 0 @param stream tells masks of one seed apart @param like gives the shape
 */
function keepMask(seed: Tensor, stream: number, rate: number, { tensor: like, bf16 }: Operand): Tensor {
  if (!isNative())
    return tf.tensor(
      uniforms(seed.dataSync()[0]!, stream, like.size).map((u) => (u >= Math.fround(rate) ? 1 : 0)),
      like.shape,
    );
  const shape = one('Shape', [like], { ...(bf16 ? BF16 : F32), out_type: INT32 });
  const pair = one('Pack', [seed, scalarInt(stream)], { T: INT32, N: 2, axis: 0 });
  const u = one('StatelessRandomUniform', [shape, pair], {
    dtype: { dtype: DT.float32 },
    T: INT32,
    Tseed: INT32,
  });
  return one('Cast', [one('GreaterEqual', [u, tf.scalar(rate)], F32)], {
    SrcT: { dtype: DT.bool },
    DstT: { dtype: bf16 ? DT.bfloat16 : DT.float32 },
    Truncate: false,
  });
}

/** Mask of dropout for a float32 tensor: 1/(1 − rate) where `keepMask` is 1, else 0. */
export const dropoutMask = (seed: Tensor, stream: number, rate: number, like: Tensor): Tensor =>
  mul(keepMask(seed, stream, rate, { tensor: like, bf16: false }), tf.scalar(1 / (1 - rate)));

/** Dropout in the operand's own precision: what is kept stays as it is, and 1/(1 − rate) joins the scale. */
export function dropped(x: Operand, seed: Tensor, stream: number, rate: number): Operand {
  const mask = keepMask(seed, stream, rate, x);
  const tensor = x.bf16 ? one('Mul', [x.tensor, mask], BF16) : mul(x.tensor, mask);
  return { tensor, bf16: x.bf16, ...scaleOf(x, { scale: tf.scalar(1 / (1 - rate)) }) };
}
