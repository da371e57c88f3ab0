/**
 * The differentiable operations of the models, each with its gradient written by hand: autodiff of TFJS would keep
 * every intermediate and pay its bookkeeping per primitive, and has no bfloat16.
 *
 * Letters: `N` tokens in a batch, `B` lines, `T` longest line, `C` width, `H` heads, `V` vocabulary.
 */
import * as K from './kernels';
import type { Parameter } from './parameters';
import type { Random } from './random';
import type { Node, Tape } from './tape';
import { tf, type Tensor } from './tf';

/** Where the tokens of a batch stand. Tokens of all lines follow each other without padding. */
export interface Layout {
  lines: number;
  longest: number;
  /** `[N]` row of each token in the padded `[B·T]`; null when every line has length T. */
  slots: Tensor | null;
}

/** y = x W + b. @param x `[N, k]` @param weight `[k, n]` @param bias `[n]` @returns `[N, n]` */
export function linear(tape: Tape, x: Node, weight: Parameter, bias: Parameter): Node {
  const xo = x.operand();
  const w = tape.parameter(weight);
  const y = tf.tidy(() => K.add(K.matmul(xo, w.operand()), tape.parameter(bias).value));
  return tape.computed(y, [x, weight, bias], (dy) => {
    const dyo = K.operand(dy, tape.options.bf16);
    return [K.matmul(dyo, w.operand(), false, true), K.matmul(xo, dyo, true, false), K.sumRows(dy)];
  });
}

/** x + y. */
export function add(tape: Tape, x: Node, y: Node): Node {
  return tape.computed(K.add(x.value, y.value), [x, y], (dz) => [dz, dz]);
}

/** max(x, 0). */
export function relu(tape: Tape, x: Node): Node {
  const y = K.relu(x.value);
  return tape.computed(y, [x], (dy) => [K.reluGradient(dy, y)]);
}

/**
 * y = (x − mean) / √(var + ε) · gain + bias over the last axis (Ba, Kiros & Hinton 2016).
 * @param x `[N, C]` @param gain `[C]` @param bias `[C]`
 */
export function layerNorm(tape: Tape, x: Node, gain: Parameter, bias: Parameter, epsilon = 1e-5): Node {
  const [y, xhat, rstd] = tf.tidy(() => {
    const centred = K.sub(x.value, K.meanLast(x.value));
    const r = K.rsqrt(K.add(K.meanLast(K.square(centred)), tf.scalar(epsilon)));
    const normal = K.mul(centred, r);
    return [K.add(K.mul(normal, tape.parameter(gain).value), tape.parameter(bias).value), normal, r];
  }) as [Tensor, Tensor, Tensor];
  return tape.computed(y, [x, gain, bias], (dy) => {
    const d = K.mul(dy, tape.parameter(gain).value);
    const inner = K.sub(K.sub(d, K.meanLast(d)), K.mul(xhat, K.meanLast(K.mul(d, xhat))));
    return [K.mul(inner, rstd), K.sumRows(K.mul(dy, xhat)), K.sumRows(dy)];
  });
}

const dropoutMask = (random: Random, rate: number, shape: number[]): Tensor =>
  tf.tidy(() => K.dropoutMask([random.uint32(), random.uint32()], rate, shape));

/** Inverted dropout (Srivastava et al. 2014): in training only, and then E[y] = x. */
export function dropout(tape: Tape, x: Node, rate: number): Node {
  const random = tape.options.dropout;
  if (!random || rate === 0) return x;
  const mask = dropoutMask(random, rate, x.value.shape);
  return tape.computed(K.mul(x.value, mask), [x], (dy) => [K.mul(dy, mask)]);
}

/** Rows of a table, times `scale`. @param table `[V, C]` @param ids `[N]` int32 @returns `[N, C]` */
export function embedding(tape: Tape, table: Parameter, ids: Tensor, scale = 1): Node {
  const factor = tf.scalar(scale);
  const y = tf.tidy(() => K.mul(K.gatherRows(tape.parameter(table).value, ids), factor));
  return tape.computed(y, [table], (dy) => [K.sumRowsInto(K.mul(dy, factor), ids, table.shape[0]!)]);
}

/** −10³⁰ above the diagonal, 0 elsewhere. @returns `[T, T]` */
function causalMask(longest: number): Tensor {
  const mask = new Float32Array(longest * longest);
  for (let i = 0; i < longest; i++) mask.fill(-1e30, i * longest + i + 1, (i + 1) * longest);
  return tf.tensor2d(mask, [longest, longest]);
}

/** Rows to their places in the padded batch, zeros between. @param x `[N, n]` @returns `[B·T, n]` */
function pad(x: Tensor, { slots, lines, longest }: Layout): Tensor {
  return slots ? K.sumRowsInto(x, slots, lines * longest) : x;
}

/** Inverse of `pad`. */
const unpad = (x: Tensor, { slots }: Layout): Tensor => (slots ? K.gatherRows(x, slots) : x);

/**
 * Causal multi-head self-attention: softmax(q kᵀ / √(C/H)) v for every head (Vaswani et al. 2017, eq. 1), with dropout
 * on the weights. Lines do not see each other, and padding lies behind every token that could see it.
 * @param qkv `[N, 3C]`, queries, keys and values side by side @returns `[N, C]`, heads side by side
 */
export function attention(tape: Tape, qkv: Node, layout: Layout, heads: number, rate = 0): Node {
  const { lines: B, longest: T } = layout;
  const C = qkv.value.shape[1]! / 3;
  const d = C / heads;
  const random = rate > 0 ? tape.options.dropout : undefined;
  const operand = (x: Tensor) => K.operand(x, tape.options.bf16 && T >= 64);
  const merge = (x: Tensor) => unpad(K.reshape(K.transpose(x, [0, 2, 1, 3]), [B * T, C]), layout);

  const [y, q, k, v, p, mask, out] = tf.tidy(() => {
    const split = K.transpose(K.reshape(pad(qkv.value, layout), [B, T, 3, heads, d]), [2, 0, 3, 1, 4]);
    const [q0, k0, v0] = K.unstack(split) as [Tensor, Tensor, Tensor];
    const scaled = K.mul(q0, tf.scalar(1 / Math.sqrt(d)));
    const scores = K.matmul(operand(scaled), operand(k0), false, true);
    const weights = K.softmax(K.add(scores, causalMask(T)));
    const keep = random ? dropoutMask(random, rate, [B, heads, T, T]) : null;
    const o = K.matmul(operand(keep ? K.mul(weights, keep) : weights), operand(v0));
    return [merge(o), scaled, k0, v0, weights, keep, o] as unknown as Tensor[];
  }) as unknown as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor | null, Tensor];

  return tape.computed(y, [qkv], (dy) => {
    const dout = K.transpose(K.reshape(pad(dy, layout), [B, T, heads, d]), [0, 2, 1, 3]);
    const dropped = mask ? K.mul(p, mask) : p;
    const dweights = K.matmul(operand(dout), operand(v), false, true);
    const dp = mask ? K.mul(dweights, mask) : dweights;
    // Σ_j p_j dp_j = out · dout, row by row: no product of [T, T] matrices is needed.
    const ds = operand(K.mul(p, K.sub(dp, K.sumLast(K.mul(out, dout)))));
    const dq = K.mul(K.matmul(ds, operand(k)), tf.scalar(1 / Math.sqrt(d)));
    const dk = K.matmul(ds, operand(q), true, false);
    const dv = K.matmul(operand(dropped), operand(dout), true, false);
    const joined = K.transpose(K.stack([dq, dk, dv]), [1, 3, 0, 2, 4]);
    return [unpad(K.reshape(joined, [B * T, 3 * C]), layout)];
  });
}

/** What `crossEntropy` gives: the mean to differentiate, and every token's own loss. */
export interface TokenLoss {
  mean: Node;
  /** `[N]` nats. */
  perToken: Tensor;
}

/**
 * Softmax cross-entropy of logits x Wᵀ (+ b) against ids, mean over tokens, nats. The gradient, p − onehot, is formed
 * in the forward pass, so that logits and probabilities are read once.
 * @param x `[N, C]` @param weight `[V, C]` @param targets `[N]` int32
 */
export function crossEntropy(tape: Tape, x: Node, weight: Parameter, bias: Parameter, targets: Tensor): TokenLoss {
  const w = tape.parameter(weight);
  const xo = x.operand();
  const [N, V] = [x.value.shape[0]!, weight.shape[0]!];
  const [perToken, mean, dlogits] = tf.tidy(() => {
    const logits = K.add(K.matmul(xo, w.operand(), false, true), tape.parameter(bias).value);
    const logp = tf.logSoftmax(logits);
    const onehot = tf.oneHot(targets as never, V) as Tensor;
    const nats = tf.neg(tf.sum(tf.mul(logp, onehot), -1));
    return [nats, tf.mean(nats), K.mul(K.sub(tf.exp(logp), tf.cast(onehot, 'float32')), tf.scalar(1 / N))];
  }) as [Tensor, Tensor, Tensor];
  const loss = tape.computed(mean, [x, weight, bias], (dy) => {
    const dz = K.mul(dlogits, dy);
    const dzo = K.operand(dz, tape.options.bf16);
    return [K.matmul(dzo, w.operand()), K.matmul(dzo, xo, true, false), K.sumRows(dz)];
  });
  return { mean: loss, perToken };
}
