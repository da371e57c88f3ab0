/** The functions of `functional.ts` as fused ops of `native/ops.cc`, one each. */
import { DT, dtypeOf, runOp, tf, type Attributes, type Tensor } from './engine';
import type { Dropout, Functional } from './functional';
import { scalar } from './kernels';
import { EPSILON } from './stock';

const dtype = (bf16: boolean): Attributes => ({ T: { dtype: bf16 ? DT.bfloat16 : DT.float32 } });
const typed = (x: Tensor): Attributes => ({ T: { dtype: dtypeOf(x) } });
const list = (x: Tensor | null): Tensor[] => (x ? [x] : []);

let noSeed: Tensor | null = null;

/** An op that draws a dropout mask: its last input is the seed. */
function masked(
  op: string,
  inputs: Tensor[],
  attributes: Attributes,
  dropout: Dropout | null,
  outputs = 1,
): Tensor[] {
  const seed = dropout?.seed ?? (noSeed ??= tf.keep(tf.scalar(0, 'int32')));
  const mask = { rate: { float: dropout?.rate ?? 0 }, stream: dropout?.stream ?? 0 };
  return runOp(op, [...inputs, seed], { ...attributes, ...mask }, outputs);
}

export const fused: Functional = {
  crossEntropy(logits, labels, scale) {
    const attributes = { ...typed(logits), differentiate: scale !== null };
    const inputs = [logits, labels, scale ?? scalar(1)];
    const [perToken, gradient] = runOp('FusedSoftmaxCrossEntropy', inputs, attributes, 2);
    return { perToken: perToken!, gradient: scale && gradient! };
  },

  norm({ x, branch, gain, bias, dropout, bf16 }, inFloat32) {
    const branches = list(branch);
    const epsilon = { float: EPSILON };
    const attributes = { ...dtype(bf16), branches: branches.length, epsilon, in_float32: inFloat32 };
    const [sum, normal, normalFloat32, statistics] = masked(
      'FusedResidualNorm',
      [x, ...branches, gain, bias],
      attributes,
      dropout,
      4,
    ) as [Tensor, Tensor, Tensor, Tensor];
    return { sum, normal, normalFloat32, statistics };
  },

  normGradient({ branch, gain, dropout, bf16 }, { sum, statistics }, gradients) {
    const [dsums, dnormals, dnormals32] = [gradients.sum, gradients.normal, gradients.normalFloat32].map(
      list,
    ) as [Tensor[], Tensor[], Tensor[]];
    const attributes = {
      ...dtype(bf16),
      dsums: dsums.length,
      dnormals: dnormals.length,
      dnormals_float32: dnormals32.length,
      branched: branch !== null,
    };
    const inputs = [sum, statistics, gain, ...dsums, ...dnormals, ...dnormals32];
    const [dx, dbranch, dgain, dbias] = masked('FusedResidualNormGradient', inputs, attributes, dropout, 4);
    return [dx!, branch && dbranch!, dgain!, dbias!];
  },

  activation: (x, kind, dropout) => masked('FusedActivation', [x], { ...typed(x), kind }, dropout)[0]!,

  activationGradient: (dy, saved, kind, dropout) =>
    masked('FusedActivationGradient', [dy, saved], { ...typed(dy), kind }, dropout)[0]!,

  attention: (qkv, { starts }, heads, dropout) =>
    masked('FusedAttention', [qkv, starts], { ...typed(qkv), heads }, dropout, 2) as [Tensor, Tensor],

  attentionGradient(dy, qkv, outputs, { starts }, heads, dropout) {
    const inputs = [dy, qkv, ...outputs, starts];
    return masked('FusedAttentionGradient', inputs, { ...typed(qkv), heads }, dropout)[0]!;
  },

  sumRows: (x) => runOp('FusedSumRows', [x], typed(x))[0]!,

  sumSquares: (tensors) =>
    runOp('FusedSumSquares', tensors, { ...typed(tensors[0]!), count: tensors.length })[0]!,

  scatterRows(base, x, index, rows, bf16) {
    const bases = list(base);
    const attributes = { ...dtype(bf16), bases: bases.length, rows };
    return runOp('FusedScatterRows', [...bases, x, index], attributes)[0]!;
  },

  adamW(variables, gradients, n) {
    const corrections = [1 - n.beta1 ** n.step, 1 - n.beta2 ** n.step];
    const numbers = tf.tensor1d(
      [n.learningRate, n.beta1, n.beta2, n.epsilon, n.weightDecay, n.clip].concat(corrections),
    );
    const [values, m, v] = (['value', 'm', 'v'] as const).map((name) => variables.map((all) => all[name]));
    const copies = variables.flatMap(({ bfloat16 }) => list(bfloat16));
    const inputs = [...values!, ...m!, ...v!, ...copies, ...gradients, numbers];
    const attributes = { ...typed(gradients[0]!), count: variables.length, copies: copies.length };
    runOp('FusedAdamW', inputs, attributes, 0);
    numbers.dispose();
  },
};
