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

/** GPT-2 (Radford et al. 2019): pre-norm, tanh-GELU, learned positions, tied output; feed-forward 4 · width. */
export interface Gpt2Config {
  kind: 'gpt2';
  layers: number;
  width: number;
  heads: number;
  /** Longest sequence, tokens. */
  context: number;
  vocabulary: number;
  /** Share of activations dropped in training. */
  dropout: number;
}

export type ModelConfig = VanillaConfig | Gpt2Config;

const gpt2Size = (layers: number, width: number, heads: number): Gpt2Config => ({ kind: 'gpt2', layers, width, heads, context: 1024, vocabulary: 50257, dropout: 0.1 });

/** The published sizes: 124, 355, 774 and 1558 million parameters. */
export const GPT2_SIZES = {
  small: gpt2Size(12, 768, 12),
  medium: gpt2Size(24, 1024, 16),
  large: gpt2Size(36, 1280, 20),
  xl: gpt2Size(48, 1600, 25),
} as const;

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

export interface RunConfig<M extends ModelConfig = ModelConfig> {
  experiment: 'question-formation';
  tier: Tier;
  seed: number;
  model: M;
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

/**
 * Settings of Murty et al. 2023 (arXiv 2305.18741) as its public code has them: 8 lines a step, AdamW with learning
 * rate 1e-4 after 10,000 steps of warm-up, then down to 0 at 2,000,000; the plateau is there by 10,000 steps.
 */
const questionFormationDesk: RunConfig<VanillaConfig> = {
  experiment: 'question-formation',
  tier: 'desk',
  seed: 1,
  model: { kind: 'vanilla', layers: 6, width: 512, heads: 8, feedForward: 2048, context: 128, vocabulary: 69, dropout: 0.1 },
  trainLines: 100_000,
  batchLines: 8,
  steps: 20_000,
  schedule: { kind: 'linear', peak: 1e-4, warmupSteps: 10_000, decaySteps: 2_000_000 },
  adamw: { beta1: 0.9, beta2: 0.999, epsilon: 1e-7, weightDecay: 0 },
  clipNorm: 1,
  precision: 'bf16',
  evaluateEverySteps: 500,
  evaluationLines: 400,
  checkpointEverySteps: 500,
};

/** Question formation per tier. `full` is the paper's length; `quick` and `smoke` change what they say. */
export const questionFormation: Record<Tier, RunConfig<VanillaConfig>> = {
  full: { ...questionFormationDesk, tier: 'full', steps: 200_000, evaluateEverySteps: 1000, checkpointEverySteps: 1000 },
  desk: questionFormationDesk,
  quick: {
    ...questionFormationDesk,
    tier: 'quick',
    model: { ...questionFormationDesk.model, dropout: 0 },
    steps: 1300,
    schedule: { kind: 'linear', peak: 1.5e-4, warmupSteps: 200, decaySteps: 1300 },
    evaluateEverySteps: 100,
    evaluationLines: 100,
    checkpointEverySteps: 100,
  },
  smoke: {
    ...questionFormationDesk,
    tier: 'smoke',
    model: { ...questionFormationDesk.model, layers: 1, width: 32, heads: 2, feedForward: 64 },
    trainLines: 500,
    steps: 30,
    schedule: { kind: 'linear', peak: 3e-3, warmupSteps: 5, decaySteps: 30 },
    evaluateEverySteps: 10,
    evaluationLines: 20,
    checkpointEverySteps: 10,
  },
};
