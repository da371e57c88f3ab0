/**
 * The functions of `functional.ts` composed of TensorFlow's own ops, in float32 within: for a GPU, for a machine without a
 * compiler, and as what tests compare the fused ops with.
 */
import { DT, runOp, tf, type Tensor } from './engine';
import * as K from './kernels';
import type {
  ActivationKind,
  AdamWNumbers,
  AdamWVariables,
  Dropout,
  Layout,
  NormGradients,
  NormInputs,
  NormOutputs,
} from './functional';

/** A float32 result in the compute dtype. */
const inComputeDtype = (x: Tensor, bf16: boolean): Tensor => (bf16 ? K.bfloat16(x) : x);

/** Of layer norm. */
export const EPSILON = 1e-5;
const [GELU_SLOPE, GELU_CUBE] = [Math.sqrt(8 / Math.PI), 0.044715];

/** x times its mask. */
function dropped(x: Tensor, dropout: Dropout | null): Tensor {
  if (!dropout) return x;
  const { seed, stream, rate } = dropout;
  const kept = K.greaterEqual(K.statelessRandomUniform(seed, stream, x), K.scalar(rate));
  return K.mul(x, K.mul(kept, K.scalar(1 / (1 - rate))));
}

/** (sum − mean) / √(var + ε). */
function normalised(sum: Tensor): { xhat: Tensor; mean: Tensor; inverse: Tensor } {
  const mean = K.meanLast(sum);
  const centred = K.sub(sum, mean);
  const inverse = K.rsqrt(K.add(K.meanLast(K.square(centred)), K.scalar(EPSILON)));
  return { xhat: K.mul(centred, inverse), mean, inverse };
}

/** σ(u) and u′ of gelu(x) = x σ(u), u = √(8/π) (x + 0.044715 x³). */
function geluGate(x: Tensor): { gate: Tensor; slope: Tensor } {
  const square = K.square(x);
  const polynomial = (cube: number) => K.add(K.scalar(GELU_SLOPE), K.mul(K.scalar(cube), square));
  const cube = GELU_SLOPE * GELU_CUBE;
  return { gate: K.sigmoid(K.mul(x, polynomial(cube))), slope: polynomial(3 * cube) };
}

const masks = new Map<number, Tensor>();

/** −10³⁰ where key j is after query i, 0 elsewhere. Lives as long as the process. */
function causalMask(T: number): Tensor {
  let mask = masks.get(T);
  if (!mask) {
    const values = new Float32Array(T * T);
    for (let i = 0; i < T; i++) values.fill(-1e30, i * T + i + 1, (i + 1) * T);
    masks.set(T, (mask = tf.keep(tf.tensor2d(values, [T, T]))));
  }
  return mask;
}

/** Rows `[N, H·d]` → `[B, H, T, d]`, zeros where a line has ended. */
function toHeads(x: Tensor, { lines, longest, padded }: Layout, heads: number): Tensor {
  const rows = padded ? K.unsortedSegmentSum(K.float32(x), padded, lines * longest) : x;
  const d = x.shape[1]! / heads;
  return K.transpose(K.reshape(K.castLike(rows, x), [lines, longest, heads, d]), [0, 2, 1, 3]);
}

/** Inverse of `toHeads`. */
function fromHeads(x: Tensor, { padded }: Layout): Tensor {
  const [lines, heads, longest, d] = x.shape as [number, number, number, number];
  const rows = K.reshape(K.transpose(x, [0, 2, 1, 3]), [lines * longest, heads * d]);
  return padded ? K.gather(rows, padded) : rows;
}

/** softmax(q kᵀ / √d), float32, where the last queries are those of the last keys. */
export function attentionWeights(q: Tensor, k: Tensor): Tensor {
  const [T, all, d] = [q.shape[2]!, k.shape[2]!, q.shape[3]!];
  const scores = K.mul(K.float32(K.matMul(q, k, false, true)), K.scalar(1 / Math.sqrt(d)));
  return K.softmax(T === 1 ? scores : K.add(scores, K.slice(causalMask(all), 0, all - T, T)));
}

const qkvOf = (qkv: Tensor, layout: Layout, heads: number): [Tensor, Tensor, Tensor] => {
  const C = qkv.shape[1]! / 3;
  return [0, 1, 2].map((i) => toHeads(K.slice(qkv, 1, i * C, C), layout, heads)) as [Tensor, Tensor, Tensor];
};

export const stock = {
  /** Nats per row of logits `[n, V]`, and `scale` (softmax − onehot) in their dtype; null without `scale`. */
  crossEntropy(
    logits: Tensor,
    labels: Tensor,
    scale: Tensor | null,
  ): { perToken: Tensor; gradient: Tensor | null } {
    const [perToken, gradient] = K.sparseSoftmaxCrossEntropy(K.float32(logits), labels);
    return { perToken, gradient: scale && K.castLike(K.mul(gradient, scale), logits) };
  },

  /** @param _inFloat32 whether `normalFloat32` is wanted */
  norm({ x, branch, gain, bias, dropout, bf16 }: NormInputs, _inFloat32: boolean): NormOutputs {
    const sum = branch ? K.add(x, dropped(K.float32(branch), dropout)) : x;
    const { xhat, mean, inverse } = normalised(sum);
    const normalFloat32 = K.add(K.mul(xhat, gain), bias);
    const statistics = K.concat([mean, inverse], 1);
    return { sum, normal: inComputeDtype(normalFloat32, bf16), normalFloat32, statistics };
  },

  /** From the gradients of what `norm` gave, null for none: those of x, branch, gain and bias. */
  normGradient(
    { branch, gain, dropout, bf16 }: NormInputs,
    { sum }: NormOutputs,
    gradients: NormGradients,
  ): [x: Tensor, branch: Tensor | null, gain: Tensor, bias: Tensor] {
    const { normal, normalFloat32 } = gradients;
    const dy =
      normal && normalFloat32
        ? K.add(normalFloat32, K.float32(normal))
        : (normalFloat32 ?? K.float32(normal!));
    const { xhat, inverse } = normalised(sum);
    const d = K.mul(dy, gain);
    const turned = K.mul(dy, xhat);
    const centred = K.sub(K.sub(d, K.meanLast(d)), K.mul(xhat, K.meanLast(K.mul(d, xhat))));
    const through = K.mul(centred, inverse);
    const dx = gradients.sum ? K.add(through, gradients.sum) : through;
    return [dx, branch && inComputeDtype(dropped(dx, dropout), bf16), K.sumFirst(turned), K.sumFirst(dy)];
  },

  /** dropout(f(x)). */
  activation(input: Tensor, kind: ActivationKind, dropout: Dropout | null): Tensor {
    const x = K.float32(input);
    const y = kind === 'relu' ? K.relu(x) : kind === 'gelu' ? K.mul(x, geluGate(x).gate) : x;
    return K.castLike(dropped(y, dropout), input);
  },

  /** @param saved x for gelu, what `activation` gave for relu */
  activationGradient(dy: Tensor, saved: Tensor, kind: ActivationKind, dropout: Dropout | null): Tensor {
    const d = dropped(K.float32(dy), dropout);
    const x = K.float32(saved);
    if (kind === 'none') return K.castLike(d, dy);
    if (kind === 'relu') return K.castLike(K.reluGrad(d, x), dy);
    const { gate, slope } = geluGate(x);
    // σ + x σ (1 − σ) u′.
    const turned = K.mul(K.mul(x, slope), K.mul(gate, K.sub(K.scalar(1), gate)));
    return K.castLike(K.mul(d, K.add(gate, turned)), dy);
  },

  /** Causal attention of every line to itself. @param qkv `[N, 3C]` in the compute dtype @returns `[N, C]` in it, and what the gradient needs */
  attention(
    qkv: Tensor,
    layout: Layout,
    heads: number,
    dropout: Dropout | null,
  ): [y: Tensor, logSum: Tensor] {
    const [q, k, v] = qkvOf(qkv, layout, heads);
    const weights = attentionWeights(q, k);
    const y = K.matMul(K.castLike(dropped(weights, dropout), v), v);
    return [fromHeads(y, layout), tf.zeros([0])];
  },

  attentionGradient(
    dy: Tensor,
    qkv: Tensor,
    [y]: [y: Tensor, logSum: Tensor],
    layout: Layout,
    heads: number,
    dropout: Dropout | null,
  ): Tensor {
    const [q, k, v] = qkvOf(qkv, layout, heads);
    const weights = attentionWeights(q, k);
    const dout = toHeads(dy, layout, heads);
    const dweights = dropped(K.float32(K.matMul(dout, v, false, true)), dropout);
    // Σ_j p_j dp_j = y · dy, row by row: no product of [T, T] matrices is needed.
    const inner = K.sumLast(K.mul(K.float32(toHeads(y, layout, heads)), K.float32(dout)));
    const scores = K.mul(K.mul(weights, K.sub(dweights, inner)), K.scalar(1 / Math.sqrt(q.shape[3]!)));
    const ds = K.castLike(scores, q);
    const gradients = [
      K.matMul(ds, k),
      K.matMul(ds, q, true, false),
      K.matMul(K.castLike(dropped(weights, dropout), q), dout, true, false),
    ];
    return K.concat(
      gradients.map((g) => fromHeads(g, layout)),
      1,
    );
  },

  /** @param x `[N, n]` in the compute dtype @returns float32 `[n]` */
  sumRows: (x: Tensor): Tensor => K.sumFirst(K.float32(x)),

  /** Σ x² over all elements of all tensors, of one dtype. */
  sumSquares: (tensors: Tensor[]): Tensor => K.sumSquares(tensors.map(K.float32)),

  /** base (zeros for null) plus the float32 rows of x, each at its index; rows may repeat. @returns `[rows, C]` in the compute dtype */
  scatterRows(base: Tensor | null, x: Tensor, index: Tensor, rows: number, bf16: boolean): Tensor {
    const sums = K.unsortedSegmentSum(x, index, rows);
    return inComputeDtype(base ? K.add(K.float32(base), sums) : sums, bf16);
  },

  /** One update in place: g = clip · gradient, m = β₁ m + (1 − β₁) g, v = β₂ v + (1 − β₂) g², p = p − η (λ p + m̂ / (√v̂ + ε)). */
  adamW(variables: AdamWVariables[], gradients: Tensor[], n: AdamWNumbers): void {
    const [correction1, correction2] = [n.beta1 ** n.step, n.beta2 ** n.step];
    // TensorFlow's op adds its ε to √v before the correction.
    const epsilon = n.epsilon * Math.sqrt(1 - correction2);
    tf.tidy(() => {
      const scalars = (...numbers: number[]) => numbers.map((x) => tf.scalar(x));
      const numbers = scalars(correction1, correction2, n.learningRate, n.beta1, n.beta2, epsilon);
      const [clip, shrink] = scalars(n.clip, 1 - n.learningRate * n.weightDecay) as [Tensor, Tensor];
      variables.forEach(({ value, m, v, bfloat16 }, i) => {
        if (n.weightDecay > 0) tf.tidy(() => value.assign(K.mul(value.read(), shrink)));
        const g = K.mul(K.float32(gradients[i]!), clip);
        const attributes = { T: { dtype: DT.float32 }, use_locking: false, use_nesterov: false };
        const resources = [value, m, v].map(({ resource }) => resource);
        runOp('ResourceApplyAdam', [...resources, ...numbers, g], attributes, 0);
        bfloat16?.assign(K.bfloat16(value.read()));
      });
    });
  },
};
