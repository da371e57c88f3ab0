/**
 * The differentiable operations of the models, each with its gradient written by hand: autodiff of TFJS would keep
 * every intermediate and pay its bookkeeping per primitive, and has no bfloat16.
 *
 * Letters: `N` tokens in a batch, `C` width, `V` vocabulary. The compute dtype: see `functional.ts`.
 */
import { tf, type Tensor } from './engine';
import { after } from './graph';
import * as K from './kernels';
import type { Parameter } from './parameters';
import { functional, type ActivationKind } from './functional';
import type { Node, Tape } from './tape';

export { attention } from './attention';

/** y = x W + b. @param x `[N, k]` @param weight `[k, n]` @param bias `[n]` @returns `[N, n]` in the compute dtype */
export function linear(tape: Tape, x: Node, weight: Parameter, bias: Parameter): Node {
  const input = tape.operand(x.value);
  const w = tape.parameter(weight).operand;
  const y = tf.tidy(() => K.biasAdd(K.matMul(input, w), tape.parameter(bias).value));
  return tape.computed(y, [x, weight, bias], (dy) => [
    K.matMul(dy, w, false, true),
    K.matMul(input, dy, true, false),
    functional().sumRows(dy),
  ]);
}

/** Rows of x, no row twice; all of them for null. @param x `[N, C]` @param places `[n]` int32 @returns `[n, C]` */
export function rows(tape: Tape, x: Node, places: Tensor | null): Node {
  if (!places) return x;
  return tape.computed(K.gather(x.value, places), [x], (dy) => [
    K.castLike(K.unsortedSegmentSum(K.float32(dy), places, x.value.shape[0]!), dy),
  ]);
}

/** x + y. */
export function add(tape: Tape, x: Node, y: Node): Node {
  return tape.computed(K.add(x.value, y.value), [x, y], (dz) => [dz, dz]);
}

/** dropout(f(x)): GELU in its tanh form, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel 2016, section 2), max(x, 0), or x itself; in x's dtype. */
export function activation(tape: Tape, x: Node, kind: ActivationKind, rate = 0): Node {
  const dropout = tape.dropout(rate);
  if (kind === 'none' && !dropout) return x;
  const y = tf.tidy(() => functional().activation(x.value, kind, dropout));
  return tape.computed(y, [x], (dy) => [
    functional().activationGradient(dy, kind === 'relu' ? y : x.value, kind, dropout),
  ]);
}

/** Inverted dropout (Srivastava et al. 2014): in training only, and then E[y] = x. */
export const dropout = (tape: Tape, x: Node, rate: number): Node => activation(tape, x, 'none', rate);

/** Gain `[C]` and bias `[C]` of a layer norm. */
export interface Norm {
  gain: Parameter;
  bias: Parameter;
}

/** Nodes of a residual sum s and its layer norm y. */
export interface ResidualNorm {
  /** s, float32: the next residual of a pre-norm model. */
  sum: Node;
  /** y in the compute dtype: for matrix products. */
  normal: Node;
  /** y, float32: the next residual of a post-norm model. Empty unless asked for. */
  wide: Node;
}

/**
 * y = (s − mean s) / √(var s + ε) · gain + bias over the last axis (Ba, Kiros & Hinton 2016), of s = x + dropout(branch).
 * @param x `[N, C]` float32 @param branch `[N, C]` in the compute dtype; null: s = x @param widen whether `wide` is wanted
 */
export function residualNorm(
  tape: Tape,
  x: Node,
  branch: Node | null,
  { gain, bias }: Norm,
  rate = 0,
  widen = false,
): ResidualNorm {
  const inputs = {
    x: x.value,
    branch: branch && branch.value,
    gain: tape.parameter(gain).value,
    bias: tape.parameter(bias).value,
    dropout: branch && tape.dropout(rate),
    bf16: tape.options.bf16,
  };
  const outputs = functional().norm(inputs, widen);
  const [sum, normal, wide] = tape.computedTogether(
    [outputs.sum, outputs.normal, outputs.wide],
    [x, gain, bias, ...(branch ? [branch] : [])],
    ([dsum, dnormal, dwide]) => {
      const gradients = { sum: dsum!, normal: dnormal!, wide: dwide! };
      const [dx, dbranch, dgain, dbias] = functional().normGradient(inputs, outputs, gradients);
      return [dx, dgain, dbias, dbranch];
    },
  ) as [Node, Node, Node];
  return { sum, normal, wide };
}

/** Rows of a table, times `scale`. @param table `[V, C]` @param ids `[N]` int32 @returns float32 `[N, C]` */
export function embedding(tape: Tape, table: Parameter, ids: Tensor, scale = 1): Node {
  const scaled = (x: Tensor) => (scale === 1 ? x : K.mul(x, K.scalar(scale)));
  const y = tf.tidy(() => scaled(K.gather(tape.parameter(table).value, ids)));
  return tape.computed(y, [table], (dy) => [
    (sum) => functional().scatterRows(sum, scaled(dy), ids, table.shape[0]!, tape.options.bf16),
  ]);
}

/** What `crossEntropy` gives: the mean to differentiate, and every token's own loss. */
export interface TokenLoss {
  mean: Node;
  /** `[N]` nats. */
  perToken: Tensor;
}

/** Logits of a chunk, the most in memory at a time: those of 2,048 tokens with GPT-2's vocabulary, 206 MB in bfloat16. */
const LOGITS_IN_CHUNK = 2048 * 50_257;

/** Tokens of a chunk. Fewer would stay in cache, but every product with W reads and reorders all of it. */
export const chunkSize = (vocabulary: number): number =>
  Math.max(1, Math.floor(LOGITS_IN_CHUNK / vocabulary));

/**
 * Softmax cross-entropy of logits z = x Wᵀ (+ b) against ids, nats: `inverseTokens` Σ (log Σ exp z − z_target) over
 * tokens; gradient (p − onehot) `inverseTokens`. Exact for any logits: nothing underflows to log 0. Tokens are taken
 * in chunks, forward and backward in one pass, and a gradient is written over its logits.
 * Trap: it is the end of a forward pass; the gradient is that of the mean itself.
 * @param x `[N, C]` @param weight `[V, C]` @param bias `[V]` @param targets `[N]` int32 @param inverseTokens `[]`, one over the tokens of a step
 */
export function crossEntropy(
  tape: Tape,
  x: Node,
  weight: Parameter,
  bias: Parameter | null,
  targets: Tensor,
  inverseTokens: Tensor,
  chunk = chunkSize(weight.shape[0]!),
): TokenLoss {
  const N = targets.size;
  const input = tape.operand(x.value);
  const w = tape.parameter(weight).operand;
  const b = bias && tape.parameter(bias).value;
  const [losses, dxs]: [Tensor[], Tensor[]] = [[], []];
  let [dw, db]: (Tensor | null)[] = [null, null];
  const accumulate = (sum: Tensor | null, more: Tensor) =>
    sum ? K.add(K.float32(sum), K.float32(more)) : more;
  for (let from = 0; from < Math.max(N, 1); from += chunk) {
    const n = Math.min(chunk, N - from);
    const some = K.slice(input, 0, from, n);
    const [perToken, dx, dwMore, dbMore] = tf.tidy(() => {
      const product = K.matMul(after(some, dw), w, false, true);
      const { perToken, gradient } = functional().crossEntropy(
        b ? K.biasAdd(product, b) : product,
        K.slice(targets, 0, from, n),
        tape.options.record ? inverseTokens : null,
      );
      if (!gradient) return [perToken];
      return [
        perToken,
        K.matMul(gradient, w),
        K.matMul(gradient, some, true, false),
        ...(b ? [functional().sumRows(gradient)] : []),
      ];
    }) as Tensor[];
    losses.push(perToken!);
    if (!tape.options.record) continue;
    dxs.push(dx!);
    dw = accumulate(dw, dwMore!);
    if (b) db = accumulate(db, dbMore!);
  }
  const perToken = K.concat(losses, 0);
  const mean = K.mul(K.total(perToken), inverseTokens);
  const loss = tape.computed(mean, bias ? [x, weight, bias] : [x, weight], (dy) => {
    tape.requireLoss(dy);
    return [K.concat(dxs, 0), dw && K.castLike(dw, w), db];
  });
  return { mean: loss, perToken };
}
