/**
 * The differentiable operations of the models, each with its gradient written by hand: autodiff of TFJS would keep
 * every intermediate and pay its bookkeeping per primitive, and has no bfloat16.
 *
 * Letters: `N` tokens in a batch, `C` width, `V` vocabulary, `H` heads, `d` = C/H. The compute dtype: see `functional.ts`.
 */
import { tf, type Tensor } from './engine';
import { functional, type ActivationKind, type Layout } from './functional';
import * as K from './kernels';
import type { Parameter } from './parameters';
import { Node, type Tape } from './tape';

/** y = x W + b. @param x `[N, k]` @param weight `[k, n]` @param bias `[n]` @returns `[N, n]` in the compute dtype */
export function linear(tape: Tape, x: Node, weight: Parameter, bias: Parameter): Node {
  const input = tape.operand(x.value);
  const [W, b] = [tape.parameter(weight), tape.parameter(bias)];
  const y = tf.tidy(() => K.biasAdd(K.matMul(input, W.operand), b.value));
  return tape.computed(y, (dy) => {
    tape.accumulate(x, K.matMul(dy, W.operand, false, true));
    tape.accumulate(W, K.matMul(input, dy, true, false));
    tape.accumulate(b, functional().sumRows(dy));
  });
}

/** Rows of x, no row twice; all of them for null. @param x `[N, C]` @param places `[n]` int32 @returns `[n, C]` */
export function rows(tape: Tape, x: Node, places: Tensor | null): Node {
  if (!places) return x;
  return tape.computed(K.gather(x.value, places), (dy) =>
    tape.accumulate(x, K.unsortedSegmentSum(K.float32(dy), places, x.value.shape[0]!)),
  );
}

/** x + y. */
export function add(tape: Tape, x: Node, y: Node): Node {
  return tape.computed(K.add(x.value, y.value), (dz) => {
    tape.accumulate(x, dz);
    tape.accumulate(y, dz);
  });
}

/** dropout(f(x)): GELU in its tanh form, ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks & Gimpel 2016, section 2), max(x, 0), or x itself; in x's dtype. */
export function activation(tape: Tape, x: Node, kind: ActivationKind, rate = 0): Node {
  const dropout = tape.dropout(rate);
  if (kind === 'none' && !dropout) return x;
  const y = tf.tidy(() => functional().activation(x.value, kind, dropout));
  return tape.computed(y, (dy) => {
    const saved = kind === 'relu' ? y : x.value;
    tape.accumulate(x, functional().activationGradient(dy, saved, kind, dropout));
  });
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
  normalFloat32: Node;
}

/**
 * y = (s − mean s) / √(var s + ε) · gain + bias over the last axis (Ba, Kiros & Hinton 2016), of s = x + dropout(branch).
 * @param x `[N, C]` float32 @param branch `[N, C]` in the compute dtype; null: s = x @param inFloat32 whether `normalFloat32` is wanted
 */
export function residualNorm(
  tape: Tape,
  x: Node,
  branch: Node | null,
  norm: Norm,
  rate = 0,
  inFloat32 = false,
): ResidualNorm {
  const [gain, bias] = [tape.parameter(norm.gain), tape.parameter(norm.bias)];
  const inputs = {
    x: x.value,
    branch: branch && branch.value,
    gain: gain.value,
    bias: bias.value,
    dropout: branch && tape.dropout(rate),
    bf16: tape.options.bf16,
  };
  const outputs = functional().norm(inputs, inFloat32);
  const [sum, normal, normalFloat32] = [outputs.sum, outputs.normal, outputs.normalFloat32].map(
    (value) => new Node(value),
  ) as [Node, Node, Node];
  tape.record([sum, normal, normalFloat32], () => {
    const [dx, dbranch, dgain, dbias] = functional().normGradient(inputs, outputs, {
      sum: sum.gradient,
      normal: normal.gradient,
      normalFloat32: normalFloat32.gradient,
    });
    tape.accumulate(x, dx);
    tape.accumulate(gain, dgain);
    tape.accumulate(bias, dbias);
    if (branch) tape.accumulate(branch, dbranch!);
  });
  return { sum, normal, normalFloat32 };
}

/**
 * Causal multi-head self-attention: softmax(q kᵀ / √d) v for every head (Vaswani et al. 2017, eq. 1), with dropout on
 * the weights. Lines do not see each other.
 * @param qkv `[N, 3C]`, queries, keys and values next to each other @returns `[N, C]`, heads next to each other
 */
export function attention(tape: Tape, qkv: Node, layout: Layout, heads: number, rate = 0): Node {
  const dropout = tape.dropout(rate);
  const outputs = tf.tidy(() => functional().attention(qkv.value, layout, heads, dropout));
  return tape.computed(outputs[0], (dy) =>
    tape.accumulate(qkv, functional().attentionGradient(dy, qkv.value, outputs, layout, heads, dropout)),
  );
}

/** Rows of a table, times `scale`. @param table `[V, C]` @param ids `[N]` int32 @returns float32 `[N, C]` */
export function embedding(tape: Tape, table: Parameter, ids: Tensor, scale = 1): Node {
  const scaled = (x: Tensor) => (scale === 1 ? x : K.mul(x, K.scalar(scale)));
  const W = tape.parameter(table);
  const y = tf.tidy(() => scaled(K.gather(W.value, ids)));
  return tape.computed(y, (dy) => {
    const { bf16 } = tape.options;
    tape.replaceGradient(W, functional().scatterRows(W.gradient, scaled(dy), ids, table.shape[0]!, bf16));
  });
}

/** What `crossEntropy` gives: the mean, whose gradient it has accumulated, and every token's own loss. */
export interface TokenLoss {
  /** `[]` nats. */
  mean: Tensor;
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
 * tokens; gradient (p − onehot) `inverseTokens`. Exact for any logits: nothing underflows to log 0. It ends a forward
 * pass: tokens are taken in chunks, forward and backward in one pass, and a gradient is written over its logits.
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
  const [W, b] = [tape.parameter(weight), bias && tape.parameter(bias)];
  const [losses, dxs]: [Tensor[], Tensor[]] = [[], []];
  let sums: Tensor[] = [];
  for (let from = 0; from < Math.max(N, 1); from += chunk) {
    const n = Math.min(chunk, N - from);
    const [loss, dx, ...parameters] = tf.tidy(() => {
      const some = K.slice(input, 0, from, n);
      const product = K.matMul(some, W.operand, false, true);
      const logits = b ? K.biasAdd(product, b.value) : product;
      const scale = tape.options.record ? inverseTokens : null;
      const { perToken, gradient } = functional().crossEntropy(logits, K.slice(targets, 0, from, n), scale);
      if (!gradient) return [perToken];
      const more = [K.matMul(gradient, some, true, false), ...(b ? [functional().sumRows(gradient)] : [])];
      const added = more.map((g, i) => (sums[i] ? K.add(K.float32(sums[i]!), K.float32(g)) : g));
      return [perToken, K.matMul(gradient, W.operand), ...added];
    }) as Tensor[];
    losses.push(loss!);
    if (dx) dxs.push(dx);
    tf.dispose(sums);
    sums = parameters;
  }
  tape.record([], () => {
    tape.accumulate(x, K.concat(dxs, 0));
    tape.accumulate(W, sums[0]!);
    if (b) tape.accumulate(b, sums[1]!);
    tf.dispose([...dxs, ...sums]);
  });
  const perToken = K.concat(losses, 0);
  return { mean: K.mul(K.total(perToken), inverseTokens), perToken };
}
