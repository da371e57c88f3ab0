/**
 * The differentiable operations of the models, each with its gradient written by hand: autodiff of TFJS would keep
 * every intermediate and pay its bookkeeping per primitive, and has no bfloat16.
 *
 * Letters: `N` tokens in a batch, `C` width, `V` vocabulary.
 */
import { dropoutMask } from './attention';
import * as K from './kernels';
import type { Parameter } from './parameters';
import type { Node, Tape } from './tape';
import { tf, type Tensor } from './tf';

export { attention } from './attention';

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

const [GELU_SLOPE, GELU_CUBE] = [Math.sqrt(8 / Math.PI), 0.044715];

/**
 * GELU in its tanh form, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel 2016, section 2), computed as
 * x σ(u) with u = √(8/π) (x + 0.044715 x³): the same, with fewer passes over memory.
 */
export function gelu(tape: Tape, x: Node): Node {
  const [linear, cubic, slope] = [GELU_SLOPE, GELU_SLOPE * GELU_CUBE, 3 * GELU_SLOPE * GELU_CUBE].map((c) => tf.scalar(c)) as [Tensor, Tensor, Tensor];
  const [y, gate, squared] = tf.tidy(() => {
    const x2 = K.square(x.value);
    const s = K.sigmoid(K.mul(x.value, K.add(linear, K.mul(cubic, x2))));
    return [K.mul(x.value, s), s, x2];
  }) as [Tensor, Tensor, Tensor];
  return tape.computed(y, [x], (dy) => {
    // σ + x σ (1 − σ) u′, u′ = √(8/π) (1 + 3 · 0.044715 x²).
    const xu = K.mul(x.value, K.add(linear, K.mul(slope, squared)));
    return [K.mul(dy, K.add(gate, K.sigmoidGradient(xu, gate)))];
  });
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

/** Inverted dropout (Srivastava et al. 2014): in training only, and then E[y] = x. */
export function dropout(tape: Tape, x: Node, rate: number): Node {
  const random = tape.options.dropout;
  if (!random || rate === 0) return x;
  const mask = dropoutMask(random, rate, x.value.shape);
  return tape.computed(K.mul(x.value, mask), [x], (dy) => [K.mul(dy, mask)]);
}

/** Rows of a table, times `scale`. @param table `[V, C]` @param ids `[N]` int32 @returns `[N, C]` */
export function embedding(tape: Tape, table: Parameter, ids: Tensor, scale = 1): Node {
  const scaled = (x: Tensor) => (scale === 1 ? x : K.mul(x, tf.scalar(scale)));
  const y = tf.tidy(() => scaled(K.gatherRows(tape.parameter(table).value, ids)));
  return tape.computed(y, [table], (dy) => [K.sumRowsInto(scaled(dy), ids, table.shape[0]!)]);
}

/** What `crossEntropy` gives: the mean to differentiate, and every token's own loss. */
export interface TokenLoss {
  mean: Node;
  /** `[N]` nats. */
  perToken: Tensor;
}

/** Logits in memory at a time: 8 MB in float32, so that they stay in cache. */
const LOGITS_AT_A_TIME = 2 ** 21;

/** A range of ids, and the tokens whose target lies in it. */
interface IdRange {
  first: number;
  size: number;
  /** `[k]` int32. */
  tokens: Tensor;
  /** Where their targets' logits stand in `[N, size]`: `[k, 2]` int32, and `[k]` counted row by row. */
  places: Tensor;
  flat: Tensor;
}

/** Cuts the vocabulary so that `[N, size]` logits are few. `order` undoes the grouping of tokens by range. */
function idRanges(targets: Tensor, V: number, atATime: number): { ranges: IdRange[]; order: Tensor } {
  const ids = targets.dataSync();
  const size = Math.min(V, Math.max(64, Math.floor(atATime / ids.length)));
  const members = Array.from({ length: Math.ceil(V / size) }, (): number[] => []);
  ids.forEach((id, token) => members[Math.floor(id / size)]!.push(token));
  const order = new Int32Array(ids.length);
  members.flat().forEach((token, place) => (order[token] = place));
  const ranges = members.map((tokens, i) => {
    const first = i * size;
    const length = Math.min(size, V - first);
    return {
      first, size: length,
      tokens: tf.tensor1d(tokens, 'int32'),
      places: tf.tensor2d(tokens.flatMap((token) => [token, ids[token]! - first]), [tokens.length, 2], 'int32'),
      flat: tf.tensor1d(tokens.map((token) => token * length + ids[token]! - first), 'int32'),
    };
  });
  return { ranges, order: tf.tensor1d(order, 'int32') };
}

/** `perToken`: z_target's loss `[N]`; `total`: log Σ exp z `[N, 1]`; both by way of each range's largest logit. */
function lossOverRanges(ranges: IdRange[], order: Tensor, logits: (range: IdRange) => Tensor): { perToken: Tensor; total: Tensor } {
  return tf.tidy(() => {
    const seen = ranges.map((range) => tf.tidy(() => {
      const z = logits(range);
      const target = K.gatherRows(K.reshape(z, [z.size, 1]), range.flat);
      // max p = 1 / Σ exp(z − max z) is at least 1/V: its logarithm is always safe.
      return [K.maxLast(z), K.log(K.maxLast(K.softmax(z))), target];
    })) as unknown as [Tensor, Tensor, Tensor][];
    const largest = K.concat(seen.map(([max]) => max), 1);
    const most = K.maxLast(largest);
    const rest = K.log(K.sumLast(K.exp(K.sub(K.sub(largest, most), K.concat(seen.map(([, logp]) => logp), 1)))));
    const target = K.gatherRows(K.concat(seen.map(([, , z]) => z), 0), order);
    return { perToken: K.reshape(K.add(K.sub(most, target), rest), [order.size]), total: K.add(most, rest) };
  });
}

/**
 * Softmax cross-entropy of logits z = x Wᵀ (+ b) against ids: log Σ exp z − z_target, mean over tokens, nats; gradient
 * p − onehot. Ids are taken range by range, forward for the sum, backward for the gradient from the same logits
 * computed again, so that `[N, V]` never lies in memory and the gradient of each row of W is written once (as in
 * Wijmans et al. 2024, arXiv 2411.09009). Exact for any logits: nothing underflows to log 0, and the target's
 * p − 1 = expm1(−loss) loses no digits as p nears 1.
 * @param x `[N, C]` @param weight `[V, C]` @param bias `[V]` @param targets `[N]` int32
 */
export function crossEntropy(tape: Tape, x: Node, weight: Parameter, bias: Parameter | null, targets: Tensor, atATime = LOGITS_AT_A_TIME): TokenLoss {
  const [N, V] = [x.value.shape[0]!, weight.shape[0]!];
  const { ranges, order } = idRanges(targets, V, atATime);
  const [xo, w] = [x.operand(), tape.parameter(weight).operand()];
  const b = bias && tape.parameter(bias).value;
  const logits = ({ first, size }: IdRange): Tensor => {
    const z = K.matmul(xo, K.part(w, 0, first, size), false, true);
    return b ? K.add(z, K.part(b, 0, first, size)) : z;
  };

  const { perToken, total } = lossOverRanges(ranges, order, logits);
  const mean = tf.mean(perToken);

  const loss = tape.computed(mean, bias ? [x, weight, bias] : [x, weight], (dy) => {
    const share = K.mul(dy, tf.scalar(1 / N));
    const shared = K.operand(K.mul(x.value, share), tape.options.bf16);
    const atTarget = K.expm1(K.reshape(tf.neg(perToken), [N, 1]));
    let dx: Tensor | null = null;
    const rows = ranges.map((range) => {
      const [sum, dw, db] = tf.tidy(() => {
        const p = K.exp(K.sub(logits(range), total));
        const dz = K.withValues(p, range.places, K.reshape(K.gatherRows(atTarget, range.tokens), [range.tokens.size]));
        const dzo = K.operand(dz, tape.options.bf16);
        const part = K.matmul(dzo, K.part(w, 0, range.first, range.size));
        return [dx ? K.add(dx, part) : part, K.matmul(dzo, shared, true, false), b && K.mul(K.sumRows(dz), share)] as never;
      }) as unknown as [Tensor, Tensor, Tensor | null];
      dx?.dispose();
      dx = sum;
      return { dw, db };
    });
    const gradients = [K.mul(dx!, share), K.concat(rows.map(({ dw }) => dw), 0)];
    return b ? [...gradients, K.concat(rows.map(({ db }) => db!), 0)] : gradients;
  });
  return { mean: loss, perToken };
}
