/** AdamW as TensorFlow's own op, with decay and clipping as numbers beside the tensors. */
import { tf, type Tensor } from './engine';

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled, on matrices only. */
  weightDecay: number;
}

/** Value and moments of a parameter are kept as a number times a stored tensor: these are the numbers. 1 but for decay and clipping. */
export type Scales = Readonly<{ value: number; m: number; v: number }>;

/** What one update does to parameters with the same scales. */
interface Move {
  scales: Scales;
  /** β₁ᵗ, β₂ᵗ, rate, β₁, β₂ and ε as TensorFlow's op takes them, in its order. */
  scalars: Tensor[];
  /** Multiplies the gradient first; null: nothing does. */
  shrink: Tensor | null;
}

/** How far clipping may fall below the root mean square of its past before the gradient itself is multiplied. */
const LEAST_CLIP = 0.5;

/**
 * One AdamW update as in PyTorch (Loshchilov & Hutter 2019) with the clipped gradient c·g, decay on matrices only:
 *   p ← p − η·λ·p − η·m̂ / (√v̂ + ε),  m ← β₁ m + (1 − β₁) c g,  v ← β₂ v + (1 − β₂) c² g²
 * Decay and clipping only multiply; as passes over memory they would take a third of the update's time. So p = s q, m = k M
 * and v = K V are kept as numbers times tensors, and TensorFlow's op gets the tensors with other scalars:
 *   s′ = (1 − ηλ) s,  k′ = β₁ k + (1 − β₁) c,  K′ = β₂ K + (1 − β₂) c²
 *   M ← a M + (1 − a) g, a = β₁ k / k′;  V ← b V + (1 − b) g², b = β₂ K / K′;  q ← q − (η k′ / (s′ √K′)) M̂ / (√V̂ + ε / √K′)
 * The op adds its ε to √V, before the correction; a factor √(1 − β₂ᵗ) makes both the same.
 * Trap: its tensors belong to the caller's `tidy`.
 */
export class AdamWUpdate {
  private readonly moves = new Map<string, Move>();

  /** @param step updates done with this one included, from 1 @param clip c, at most 1 */
  constructor(
    readonly config: AdamWConfig,
    readonly step: number,
    readonly learningRate: number,
    readonly clip = 1,
  ) {}

  move(scales: Scales, isMatrix: boolean): Move {
    const key = `${scales.value} ${scales.m} ${scales.v} ${isMatrix}`;
    let move = this.moves.get(key);
    if (!move) this.moves.set(key, (move = this.compute(scales, isMatrix)));
    return move;
  }

  private compute(scales: Scales, isMatrix: boolean): Move {
    const {
      config: { beta1, beta2, epsilon, weightDecay },
      step,
      learningRate,
    } = this;
    // The op takes b and computes 1 − b in float32, which has few digits left where c² is far below K.
    const shrink = Math.min(1, this.clip / (LEAST_CLIP * Math.sqrt(scales.v)));
    const clip = this.clip / shrink;
    const value = scales.value * (isMatrix ? 1 - learningRate * weightDecay : 1);
    const m = beta1 * scales.m + (1 - beta1) * clip;
    const v = beta2 * scales.v + (1 - beta2) * clip ** 2;
    const root = Math.sqrt(v);
    const scalars = [
      beta1 ** step,
      beta2 ** step,
      (learningRate * m) / (value * root),
      (beta1 * scales.m) / m,
      (beta2 * scales.v) / v,
      (epsilon * Math.sqrt(1 - beta2 ** step)) / root,
    ];
    return {
      scales: { value, m, v },
      scalars: scalars.map((x) => tf.scalar(x)),
      shrink: shrink === 1 ? null : tf.scalar(shrink),
    };
  }
}
