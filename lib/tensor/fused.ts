/** The functions of `functional.ts` as fused ops of `native/ops.cc`, one each. */
import { DT, dtypeOf, tf, type Attributes, type Tensor } from './engine';
import type { Dropout, Functional } from './functional';
import { scalar, typedOp } from './kernels';
import { EPSILON } from './stock';

const computeDtype = (bf16: boolean) => ({ T: { dtype: bf16 ? DT.bfloat16 : DT.float32 } });
const list = (x: Tensor | null): Tensor[] => (x ? [x] : []);

let noSeed: Tensor | null = null;

/** An op that draws a dropout mask: its last input is the seed. */
function masked(
  op: string,
  inputs: Tensor[],
  dropout: Dropout | null,
  outputs: number,
  attributes: Attributes,
): Tensor[] {
  const seed = dropout?.seed ?? (noSeed ??= tf.keep(tf.scalar(0, 'int32')));
  const mask = { rate: { float: dropout?.rate ?? 0 }, stream: dropout?.stream ?? 0 };
  return typedOp(op, [...inputs, seed], outputs, { ...attributes, ...mask });
}

export const fused: Functional = {
  crossEntropy(logits, labels, scale) {
    const inputs = [logits, labels, scale ?? scalar(1)];
    const [perToken, gradient] = typedOp('FusedSoftmaxCrossEntropy', inputs, 2, {
      differentiate: scale !== null,
    });
    return { perToken: perToken!, gradient: scale && gradient! };
  },

  norm({ x, branch, gain, bias, dropout, bf16 }, inFloat32) {
    const inputs = [x, ...list(branch), gain, bias];
    const [sum, normal, normalFloat32, statistics] = masked('FusedResidualNorm', inputs, dropout, 4, {
      ...computeDtype(bf16),
      branches: branch ? 1 : 0,
      epsilon: { float: EPSILON },
      in_float32: inFloat32,
    }) as [Tensor, Tensor, Tensor, Tensor];
    return { sum, normal, normalFloat32, statistics };
  },

  normGradient({ branch, gain, dropout, bf16 }, { sum, statistics }, { sum: dsum, normal, normalFloat32 }) {
    const inputs = [sum, statistics, gain, ...[dsum, normal, normalFloat32].flatMap(list)];
    const [dx, dbranch, dgain, dbias] = masked('FusedResidualNormGradient', inputs, dropout, 4, {
      ...computeDtype(bf16),
      dsums: dsum ? 1 : 0,
      dnormals: normal ? 1 : 0,
      dnormals_float32: normalFloat32 ? 1 : 0,
      branched: branch !== null,
    });
    return [dx!, branch && dbranch!, dgain!, dbias!];
  },

  activation: (x, kind, dropout) => masked('FusedActivation', [x], dropout, 1, { kind })[0]!,

  activationGradient: (dy, saved, kind, dropout) =>
    masked('FusedActivationGradient', [dy, saved], dropout, 1, { kind })[0]!,

  attention: (qkv, { starts }, heads, dropout) =>
    masked('FusedAttention', [qkv, starts], dropout, 2, { heads }) as [Tensor, Tensor],

  attentionGradient: (dy, qkv, outputs, { starts }, heads, dropout) =>
    masked('FusedAttentionGradient', [dy, qkv, ...outputs, starts], dropout, 1, { heads })[0]!,

  sumRows: (x) => typedOp('FusedSumRows', [x], 1)[0]!,

  sumSquares: (tensors) => typedOp('FusedSumSquares', tensors, 1, { count: tensors.length })[0]!,

  scatterRows: (base, x, index, rows, bf16) =>
    typedOp('FusedScatterRows', [...list(base), x, index], 1, {
      ...computeDtype(bf16),
      bases: base ? 1 : 0,
      rows,
    })[0]!,

  adamW(variables, gradients, n) {
    const corrections = [1 - n.beta1 ** n.step, 1 - n.beta2 ** n.step];
    const numbers = tf.tensor1d(
      [n.learningRate, n.beta1, n.beta2, n.epsilon, n.weightDecay, n.clip].concat(corrections),
    );
    const resources = (['value', 'm', 'v', 'bfloat16'] as const).map((name) =>
      variables.flatMap((of) => list(of[name]?.resource ?? null)),
    );
    const sizes = { count: variables.length, copies: resources[3]!.length };
    const T = { dtype: dtypeOf(gradients[0]!) };
    typedOp('FusedAdamW', [...resources.flat(), ...gradients, numbers], 0, { T, ...sizes });
    numbers.dispose();
  },
};
