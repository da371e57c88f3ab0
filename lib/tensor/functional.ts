/**
 * Functions of tensors between the matrix products of a training step: fused ops where they are loaded, else composed of stock
 * ops. Both compute the same, up to rounding, and draw the same dropout masks.
 *
 * Letters: `N` tokens in a batch, `C` width, `V` vocabulary. The compute dtype is that of matrix
 * products: bfloat16 in bf16, else float32.
 */
import { engine, type Tensor } from './engine';
import { fused } from './fused';
import { stock } from './stock';
import type { Variable } from './variable';

/** Where the tokens of a batch are. Tokens of all lines follow each other without padding. */
export interface Layout {
  lines: number;
  longest: number;
  /** `[lines + 1]` int32: line b is rows starts[b] to starts[b + 1]. */
  starts: Tensor;
  /** `[N]` int32: row of each token in the lines padded to the longest; null when all lines have one length. */
  padded: Tensor | null;
}

/** One dropout mask: element i is kept where uniform number i of `seed` and `stream` is at least `rate`, and divided by 1 − rate. */
export interface Dropout {
  /** `[]` int32, at least 0. */
  seed: Tensor;
  stream: number;
  rate: number;
}

export type ActivationKind = 'gelu' | 'relu' | 'none';

/** Inputs of layer norm and of the residual sum before it. */
export interface NormInputs {
  /** `[N, C]` float32. */
  x: Tensor;
  /** `[N, C]` in the compute dtype, added to x. */
  branch: Tensor | null;
  gain: Tensor;
  bias: Tensor;
  dropout: Dropout | null;
  bf16: boolean;
}
export interface NormOutputs {
  /** x + dropout(branch), float32. */
  sum: Tensor;
  /** (sum − mean) / √(var + ε) · gain + bias, in the compute dtype. */
  normal: Tensor;
  /** The same in float32; empty unless asked for. */
  normalFloat32: Tensor;
  /** `[N, 2]`: mean and 1/√(var + ε). */
  statistics: Tensor;
}

/** What has arrived at each output; null: nothing. */
export type NormGradients = Record<'sum' | 'normal' | 'normalFloat32', Tensor | null>;

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled, on matrices only. */
  weightDecay: number;
}
/** Numbers of one update. */
export interface AdamWNumbers extends AdamWConfig {
  learningRate: number;
  /** Multiplies the gradients first. */
  clip: number;
  /** Updates done with this one included, from 1. */
  step: number;
}
/** Of one parameter; `bfloat16` is the rounded copy of its value. */
export interface AdamWVariables {
  value: Variable;
  m: Variable;
  v: Variable;
  bfloat16: Variable | null;
}

export type Functional = typeof stock;

export const functional = (): Functional => (engine().fused ? fused : stock);
