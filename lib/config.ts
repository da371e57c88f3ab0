import { UserError, oneOf } from './errors';

/** smoke: seconds, tests. quick: minutes, default of `reproduce`. desk: hours on 2 cores. full: the paper's sizes. */
export const TIERS = ['smoke', 'quick', 'desk', 'full'] as const;
export type Tier = (typeof TIERS)[number];

/** Decoder-only Transformer of 2017: post-norm, ReLU, sinusoidal positions, embeddings × √width, untied output. */
export interface VanillaConfig {
  kind: 'vanilla';
  layers: number;
  width: number;
  heads: number;
  feedForward: number;
  /** Longest sequence, tokens. */
  context: number;
  vocabulary: number;
  /** Share of activations dropped in training. */
  dropout: number;
}

export type ModelConfig = VanillaConfig;

/** Linear warm-up from 0 to `peak` over `warmupSteps`, then linear decay to 0 at `decaySteps`. A step is one optimiser update. */
export interface ScheduleConfig {
  kind: 'linear';
  peak: number;
  warmupSteps: number;
  decaySteps: number;
}

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled, on matrices only. */
  weightDecay: number;
}

export interface RunConfig {
  experiment: 'question-formation';
  tier: Tier;
  seed: number;
  model: ModelConfig;
  /** Lines in the training split. */
  trainLines: number;
  /** Lines per step. */
  batchLines: number;
  steps: number;
  schedule: ScheduleConfig;
  adamw: AdamWConfig;
  /** Largest global norm of the gradient. */
  clipNorm: number;
  precision: 'fp32' | 'bf16';
  /** Steps between two points of the curve; each point's training loss is the mean since the last. */
  evaluateEverySteps: number;
  /** Held-out lines per evaluation, and generalisation lines per evaluation. */
  evaluationLines: number;
  checkpointEverySteps: number;
}
