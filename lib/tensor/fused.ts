/** The functions of `functional.ts` as fused ops of `native/ops.cc`, one each. */
import { DT, dtypeOf, runOp, tf, type Attributes, type Tensor } from './engine';
import { scalar } from './kernels';
import type { Dropout, Functional } from './functional';

const dtype = (bf16: boolean): Attributes => ({ T: { dtype: bf16 ? DT.bfloat16 : DT.float32 } });
const typed = (x: Tensor): Attributes => ({ T: { dtype: dtypeOf(x) } });
const list = (x: Tensor | null): Tensor[] => (x ? [x] : []);

let noSeed: Tensor | null = null;
const seedOf = (dropout: Dropout | null): Tensor =>
  dropout?.seed ?? (noSeed ??= tf.keep(tf.scalar(0, 'int32')));
const attributesOf = (dropout: Dropout | null): Attributes => ({
  rate: { float: dropout?.rate ?? 0 },
  stream: dropout?.stream ?? 0,
});

const EPSILON = 1e-5;

export const fused: Functional = {
  crossEntropy(logits, labels, scale) {
    const differentiate = scale !== null;
    const [perToken, gradient] = runOp(
      'FusedSoftmaxCrossEntropy',
      [logits, labels, scale ?? scalar(1)],
      { ...typed(logits), differentiate },
      2,
    );
    return { perToken: perToken!, gradient: differentiate ? gradient! : null };
  },

  norm({ x, branch, gain, bias, dropout, bf16 }, widen) {
    const [sum, normal, wide, statistics] = runOp(
      'FusedResidualNorm',
      [x, ...list(branch), gain, bias, seedOf(dropout)],
      {
        ...dtype(bf16),
        ...attributesOf(dropout),
        branches: branch ? 1 : 0,
        epsilon: { float: EPSILON },
        widen,
      },
      4,
    ) as [Tensor, Tensor, Tensor, Tensor];
    return { sum, normal, wide, statistics };
  },

  normGradient({ branch, gain, dropout, bf16 }, { sum, statistics }, gradients) {
    const lists = [gradients.sum, gradients.normal, gradients.wide].map(list);
    const [dx, dbranch, dgain, dbias] = runOp(
      'FusedResidualNormGradient',
      [sum, statistics, gain, seedOf(dropout), ...lists.flat()],
      {
        ...dtype(bf16),
        ...attributesOf(dropout),
        dsums: lists[0]!.length,
        dnormals: lists[1]!.length,
        dwides: lists[2]!.length,
        branched: branch !== null,
      },
      4,
    ) as [Tensor, Tensor, Tensor, Tensor];
    return [dx, branch && dbranch, dgain, dbias];
  },

  activation: (x, kind, dropout) =>
    runOp('FusedActivation', [x, seedOf(dropout)], { ...typed(x), kind, ...attributesOf(dropout) })[0]!,

  activationGradient: (dy, saved, kind, dropout) =>
    runOp('FusedActivationGradient', [dy, saved, seedOf(dropout)], {
      ...typed(dy),
      kind,
      ...attributesOf(dropout),
    })[0]!,

  attention: (qkv, { starts }, heads, dropout) =>
    runOp(
      'FusedAttention',
      [qkv, starts, seedOf(dropout)],
      { ...typed(qkv), heads, ...attributesOf(dropout) },
      2,
    ) as [Tensor, Tensor],

  attentionGradient: (dy, qkv, outputs, { starts }, heads, dropout) =>
    runOp('FusedAttentionGradient', [dy, qkv, ...outputs, starts, seedOf(dropout)], {
      ...typed(qkv),
      heads,
      ...attributesOf(dropout),
    })[0]!,

  sumRows: (x) => runOp('FusedSumRows', [x], typed(x))[0]!,

  sumSquares: (tensors) =>
    runOp('FusedSumSquares', tensors, { ...typed(tensors[0]!), count: tensors.length })[0]!,

  scatterRows: (base, x, index, rows, bf16) =>
    runOp('FusedScatterRows', [...list(base), x, index], { ...dtype(bf16), bases: base ? 1 : 0, rows })[0]!,

  adamW(variables, gradients, n) {
    const numbers = tf.tensor1d([
      n.learningRate,
      n.beta1,
      n.beta2,
      n.epsilon,
      n.weightDecay,
      n.clip,
      1 - n.beta1 ** n.step,
      1 - n.beta2 ** n.step,
    ]);
    const halves = variables.flatMap(({ half }) => list(half));
    const all = (which: 'value' | 'm' | 'v') => variables.map((variable) => variable[which]);
    runOp(
      'FusedAdamW',
      [...all('value'), ...all('m'), ...all('v'), ...halves, ...gradients, numbers],
      { ...typed(gradients[0]!), count: variables.length, copies: halves.length },
      0,
    );
    numbers.dispose();
  },
};
