/**
 * The differentiable operations of the models, each with its gradient written by hand: autodiff of TFJS would keep
 * every intermediate and pay its bookkeeping per primitive, and has no bfloat16.
 *
 * Letters: `N` tokens in a batch, `C` width, `V` vocabulary.
 */
import { after } from './graph';
import * as K from './kernels';
import type { Parameter } from './parameters';
import type { Node, Tape } from './tape';
import { tf, type Tensor } from './engine';

export { attention } from './attention';

/** y = x W + b. @param x `[N, k]` @param weight `[k, n]` @param bias `[n]` @returns `[N, n]` */
export function linear(tape: Tape, x: Node, weight: Parameter, bias: Parameter): Node {
  const xo = x.operand();
  const w = tape.parameter(weight);
  const y = tf.tidy(() => K.affine(xo, w.operand(), tape.parameter(bias).value));
  return tape.computed(y, [x, weight, bias], (dy) => {
    const dyo = K.operand(dy, tape.options.bf16);
    return [K.matmul(dyo, w.operand(), false, true), K.matmul(xo, dyo, true, false), tape.sumRows(dy)];
  });
}

/** Rows of x, no row twice; all of them for null. @param x `[N, C]` @param places `[n]` int32 @returns `[n, C]` */
export function rows(tape: Tape, x: Node, places: Tensor | null): Node {
  if (!places) return x;
  return tape.computed(K.gatherRows(x.value, places), [x], (dy) => [
    K.sumRowsInto(dy, places, x.value.shape[0]!),
  ]);
}

/** x + y. */
export function add(tape: Tape, x: Node, y: Node): Node {
  return tape.computed(K.add(x.value, y.value), [x, y], (dz) => [dz, dz]);
}

/** max(x, 0). */
export function relu(tape: Tape, x: Node): Node {
  const y = K.relu({ tensor: x.value, bf16: false });
  return tape.computed(y.tensor, [x], (dy) => [K.reluGradient({ tensor: dy, bf16: false }, y).tensor]);
}

/** A weight `[k, n]` and its bias `[n]`. */
export interface Affine {
  weight: Parameter;
  bias: Parameter;
}

/**
 * max(x W₁ + b₁, 0) W₂ + b₂ with dropout on the hidden units. In bfloat16 they stay as the first product stores them:
 * the wide matrix is neither turned into float32 nor back, and factors go to the narrow ones.
 * @param x `[N, C]` @returns `[N, C]`
 */
export function reluFeedForward(tape: Tape, x: Node, up: Affine, down: Affine, rate: number): Node {
  const xo = x.operand();
  if (!xo.bf16)
    return linear(
      tape,
      dropout(tape, relu(tape, linear(tape, x, up.weight, up.bias)), rate),
      down.weight,
      down.bias,
    );
  const [w1, w2] = [tape.parameter(up.weight).operand(), tape.parameter(down.weight).operand()];
  const unscaled = ({ tensor }: K.Operand): K.Operand => ({ tensor, bf16: true });
  const active = K.relu(K.biased(xo, w1, tape.parameter(up.bias).value));
  const kept = tape.options.dropout && rate > 0 ? tape.dropped(unscaled(active), rate) : unscaled(active);
  const hidden = { ...kept, ...K.scaleOf(active, kept) };
  const y = tf.tidy(() => K.affine(hidden, w2, tape.parameter(down.bias).value));
  return tape.computed(y, [x, up.weight, up.bias, down.weight, down.bias], (dy) => {
    const times = (factor: { scale?: Tensor }) => K.operand(K.scaled(dy, factor), true);
    // What dropout took is 0 in `hidden`: its gradient is that of max(·, 0).
    const dz = K.reluGradient(K.product(times(K.scaleOf(w2, kept)), unscaled(w2), false, true), hidden);
    return [
      K.matmul(dz, w1, false, true),
      K.matmul(xo, dz, true, false),
      tape.sumRows(dz),
      K.matmul(unscaled(hidden), times(hidden), true, false),
      tape.sumRows(dy),
    ];
  });
}

const [GELU_SLOPE, GELU_CUBE] = [Math.sqrt(8 / Math.PI), 0.044715];

/**
 * GELU in its tanh form, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel 2016, section 2), computed as
 * x σ(u) with u = √(8/π) (x + 0.044715 x³): the same, with fewer passes over memory.
 */
export function gelu(tape: Tape, x: Node): Node {
  const [linear, cubic, slope] = [GELU_SLOPE, GELU_SLOPE * GELU_CUBE, 3 * GELU_SLOPE * GELU_CUBE].map((c) =>
    tf.scalar(c),
  ) as [Tensor, Tensor, Tensor];
  const [y, gate] = tf.tidy(() => {
    const s = K.sigmoid(K.mul(x.value, K.add(linear, K.mul(cubic, K.square(x.value)))));
    return [K.mul(x.value, s), s];
  }) as [Tensor, Tensor];
  return tape.computed(y, [x], (dy) => {
    // σ + x σ (1 − σ) u′, u′ = √(8/π) (1 + 3 · 0.044715 x²).
    const xu = K.mul(x.value, K.add(linear, K.mul(slope, K.square(x.value))));
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
    // With d = dy · gain: (d − mean d − x̂ mean(d x̂)) / std; both means are products with gain / C.
    const g = tape.parameter(gain).value;
    const share = K.mul(g, tf.scalar(1 / g.size));
    const turned = K.mul(dy, xhat);
    const inner = K.sub(K.sub(K.mul(dy, g), K.dotLast(dy, share)), K.mul(xhat, K.dotLast(turned, share)));
    return [K.mul(inner, rstd), tape.sumRows(turned), tape.sumRows(dy)];
  });
}

/** Inverted dropout (Srivastava et al. 2014): in training only, and then E[y] = x. */
export function dropout(tape: Tape, x: Node, rate: number): Node {
  if (!tape.options.dropout || rate === 0) return x;
  const mask = tape.dropoutMask(rate, x.value);
  return tape.computed(K.mul(x.value, mask), [x], (dy) => [K.mul(dy, mask)]);
}

/** Rows of a table, times `scale`. @param table `[V, C]` @param ids `[N]` int32 @returns `[N, C]` */
export function embedding(tape: Tape, table: Parameter, ids: Tensor, scale = 1): Node {
  const scaled = (x: Tensor) => (scale === 1 ? x : K.mul(x, tf.scalar(scale)));
  const rows = tape.parameter(table);
  const y = tf.tidy(() => {
    const stored = scaled(K.gatherRows(rows.stored, ids));
    return rows.scale ? K.mul(stored, rows.scale) : stored;
  });
  return tape.computed(y, [table], (dy) => [
    (sum) => (sum ? K.addToRows(sum, ids, scaled(dy)) : K.sumRowsInto(scaled(dy), ids, table.shape[0]!)),
  ]);
}

/** What `crossEntropy` gives: the mean to differentiate, and every token's own loss. */
export interface TokenLoss {
  mean: Node;
  /** `[N]` nats. */
  perToken: Tensor;
}

/** Logits in memory at a time, 103 MB: those of 512 tokens with GPT-2's vocabulary. */
const LOGITS_AT_A_TIME = 512 * 50_257;

/**
 * Tokens whose logits are in memory at a time. Fewer would stay in cache, but every product with W reads and reorders
 * all of it: with GPT-2's vocabulary on 2 cores, 83 tokens at a time took 7 to 14% longer per step.
 */
export const tokensAtATime = (vocabulary: number): number =>
  Math.max(1, Math.floor(LOGITS_AT_A_TIME / vocabulary));

/** Losses of some tokens, and p − onehot, from which both gradients come. @param z `[n, V]` @param targets `[n]` int32 */
function lossOf(
  z: Tensor,
  targets: Tensor,
  round: (x: Tensor) => K.Operand,
): { perToken: Tensor; dz: K.Operand } {
  const places = K.inRows(targets);
  const p = K.softmax(z);
  // max p = 1 / Σ exp(z − max z) is at least 1/V: its logarithm is always safe.
  const behind = K.sub(K.reshape(K.maxLast(z), [-1]), K.gatherAt(z, places));
  const perToken = K.sub(behind, K.log(K.reshape(K.maxLast(p), [-1])));
  return { perToken, dz: K.withValues(round(p), places, round(K.expm1(K.neg(perToken)))) };
}

/**
 * Softmax cross-entropy of logits z = x Wᵀ (+ b) against ids, nats: `share` Σ (log Σ exp z − z_target) over tokens;
 * gradient (p − onehot) `share`. Tokens are taken some at a time, forward and backward in one pass, so that `[N, V]`
 * never lies in memory. Exact for any logits: nothing underflows to log 0, and the target's p − 1 = expm1(−loss) loses
 * no digits as p nears 1.
 * Trap: it is the end of a forward pass; the gradient is that of the mean itself.
 * @param x `[N, C]` @param weight `[V, C]` @param bias `[V]` @param targets `[N]` int32 @param share `[]`, one over the tokens of a step
 */
export function crossEntropy(
  tape: Tape,
  x: Node,
  weight: Parameter,
  bias: Parameter | null,
  targets: Tensor,
  share: Tensor,
  atATime = tokensAtATime(weight.shape[0]!),
): TokenLoss {
  const N = targets.size;
  const round = (t: Tensor) => K.operand(t, tape.options.bf16);
  const { scale, ...w } = tape.parameter(weight).operand();
  // The scale goes to x: [N, C] is smaller than the logits.
  const scaled = (t: Tensor) => K.scaled(t, { scale });
  const xo = scale ? round(scaled(x.value)) : x.operand();
  const b = bias && tape.parameter(bias).value;
  const shared = tape.options.record ? round(K.mul(x.value, share)) : null;

  const [losses, dxs]: [Tensor[], Tensor[]] = [[], []];
  let [dw, db]: (Tensor | null)[] = [null, null];
  const plus = (sum: Tensor | null, more: Tensor) => (sum ? K.add(sum, more) : more);
  for (let from = 0; from < N; from += atATime) {
    const n = Math.min(atATime, N - from);
    const rows = K.part(xo, 0, from, n);
    const [perToken, dx, dwMore, dbMore] = tf.tidy(() => {
      const product = K.matmul({ ...rows, tensor: after(rows.tensor, dw) }, w, false, true);
      const { perToken, dz } = lossOf(b ? K.add(product, b) : product, K.part(targets, 0, from, n), round);
      if (!shared) return [perToken];
      return [
        perToken,
        K.matmul(dz, w),
        K.matmul(dz, K.part(shared, 0, from, n), true, false),
        ...(b ? [K.sumRows({ tensor: K.float32(dz), bf16: false })] : []),
      ];
    }) as Tensor[];
    losses.push(perToken!);
    if (!shared) continue;
    dxs.push(dx!);
    dw = plus(dw, dwMore!);
    if (b) db = plus(db, dbMore!);
  }
  const perToken = K.concat(losses, 0);
  const mean = K.mul(K.total(perToken), share);
  const loss = tape.computed(mean, bias ? [x, weight, bias] : [x, weight], (dy) => {
    tape.mustBeLoss(dy);
    return [scaled(K.mul(K.concat(dxs, 0), share)), dw, db && K.mul(db, share)];
  });
  return { mean: loss, perToken };
}
