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
export interface LinearSchedule {
  kind: 'linear';
  peak: number;
  warmupSteps: number;
  decaySteps: number;
}

/** The same warm-up, then half a cosine from `peak` down to `floor` at `decaySteps`, and `floor` from there on. */
export interface CosineSchedule {
  kind: 'cosine';
  peak: number;
  /** Learning rate. */
  floor: number;
  warmupSteps: number;
  decaySteps: number;
}

export type ScheduleConfig = LinearSchedule | CosineSchedule;

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled, on matrices only. */
  weightDecay: number;
}

/** How a model is trained, whatever it reads. */
export interface TrainingConfig<M extends ModelConfig = ModelConfig> {
  tier: Tier;
  seed: number;
  model: M;
  steps: number;
  schedule: ScheduleConfig;
  adamw: AdamWConfig;
  /** Largest global norm of the gradient. */
  clipNorm: number;
  precision: 'fp32' | 'bf16';
  /** Steps between two points of the curve; each point's training loss is the mean since the last. */
  evaluateEverySteps: number;
  checkpointEverySteps: number;
}

export interface QuestionFormationConfig<M extends ModelConfig = ModelConfig> extends TrainingConfig<M> {
  experiment: 'question-formation';
  /** Lines in the training split. */
  trainLines: number;
  /** Lines per step. */
  batchLines: number;
  /** Held-out lines per evaluation, and generalisation lines per evaluation. */
  evaluationLines: number;
}

/** GPT-2 on the beginning of a data set of GPT-2's tokens. */
export interface TextConfig extends TrainingConfig<Gpt2Config> {
  experiment: 'overfitting-9m' | 'scaling-90m';
  /** Name of a data set that `npm run data` has made. */
  dataset: string;
  /** D: the first tokens of its training text, all that the model is trained on. */
  trainTokens: number;
  /** Windows of an epoch: in a random order of its own, or as they stand. */
  order: 'shuffled' | 'sequential';
  /** Windows of `context` predicted tokens per forward pass. */
  batchWindows: number;
  /** Forward passes per step; their gradients add up to that of one large batch. */
  accumulate: number;
  /** Held-out windows per evaluation. */
  evaluationWindows: number;
  /** Training windows per evaluation whose continuation is compared with the text; null: none. */
  memorised: { windows: number; prefix: number; continuation: number } | null;
  /** Training windows per evaluation whose last-layer activations are the patterns of the distance energy, and as many held-out ones; null: none. */
  energy: { windows: number } | null;
}

/** Predicted tokens per step of a text run. */
export const tokensPerStep = ({ batchWindows, accumulate, model }: TextConfig): number => batchWindows * accumulate * model.context;

/** All that decides what a run computes. */
export type RunConfig = QuestionFormationConfig | TextConfig;

/** The configs of an experiment. */
export type ConfigOf<E extends RunConfig['experiment']> = E extends TextConfig['experiment'] ? TextConfig : QuestionFormationConfig;

/**
 * Settings of Murty et al. 2023 (arXiv 2305.18741) as its public code has them: 8 lines a step, AdamW with learning
 * rate 1e-4 after 10,000 steps of warm-up, then down to 0 at 2,000,000; the plateau is there by 10,000 steps.
 */
const questionFormationDesk: QuestionFormationConfig<VanillaConfig> = {
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
export const questionFormation: Record<Tier, QuestionFormationConfig<VanillaConfig>> = {
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

/** The model whose layers notebook 02 looks at: at the desk that of the plateau, below it one that trains in half a minute. */
export const layersDemo: Record<Tier, QuestionFormationConfig<VanillaConfig>> = {
  ...questionFormation,
  smoke: { ...questionFormation.smoke, model: { ...questionFormation.smoke.model, layers: 3 } },
  quick: {
    ...questionFormation.quick,
    model: { ...questionFormation.quick.model, layers: 4, width: 128, heads: 4, feedForward: 512 },
    steps: 800,
    schedule: { kind: 'linear', peak: 1e-3, warmupSteps: 100, decaySteps: 800 },
    evaluateEverySteps: 200,
    checkpointEverySteps: 200,
  },
};

const gpt2Of = (layers: number, width: number, heads: number, context: number): Gpt2Config => ({ ...gpt2Size(layers, width, heads), context, dropout: 0 });

/**
 * nanoGPT's recipe for GPT-2 on OpenWebText (config/train_gpt2.py): 12 windows × 40 × 1,024 = 491,520 tokens a step.
 * Its 600,000 steps are for 9B tokens. Here the run and its schedule end after 4,000 steps, 2.0B tokens: 218 epochs of 9M.
 */
const overfittingFull: TextConfig = {
  experiment: 'overfitting-9m',
  tier: 'full',
  seed: 1,
  model: gpt2Of(12, 768, 12, 1024),
  dataset: 'openwebtext-9m',
  trainTokens: 9_000_000,
  order: 'shuffled',
  batchWindows: 12,
  accumulate: 40,
  steps: 4000,
  schedule: { kind: 'cosine', peak: 6e-4, floor: 6e-5, warmupSteps: 2000, decaySteps: 4000 },
  adamw: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1 },
  clipNorm: 1,
  precision: 'bf16',
  evaluateEverySteps: 50,
  evaluationWindows: 200,
  memorised: { windows: 256, prefix: 32, continuation: 32 },
  energy: { windows: 8 },
  checkpointEverySteps: 50,
};

/** Overfitting per tier: the same recipe at smaller sizes, on English books at the desk, on a synthetic corpus below. */
export const overfitting9m: Record<Tier, TextConfig> = {
  full: overfittingFull,
  desk: {
    ...overfittingFull,
    tier: 'desk',
    model: gpt2Of(6, 384, 6, 256),
    dataset: 'books',
    trainTokens: 90_000,
    batchWindows: 4,
    accumulate: 1,
    steps: 1600,
    schedule: { kind: 'cosine', peak: 1e-3, floor: 1e-4, warmupSteps: 100, decaySteps: 1600 },
    evaluateEverySteps: 100,
    evaluationWindows: 128,
    memorised: { windows: 64, prefix: 32, continuation: 32 },
    energy: { windows: 16 },
    checkpointEverySteps: 100,
  },
  quick: {
    ...overfittingFull,
    tier: 'quick',
    model: gpt2Of(4, 128, 4, 128),
    dataset: 'synthetic',
    trainTokens: 4_000,
    batchWindows: 4,
    accumulate: 1,
    steps: 600,
    schedule: { kind: 'cosine', peak: 2e-3, floor: 2e-4, warmupSteps: 20, decaySteps: 600 },
    evaluateEverySteps: 40,
    evaluationWindows: 16,
    memorised: { windows: 16, prefix: 32, continuation: 32 },
    energy: { windows: 16 },
    checkpointEverySteps: 120,
  },
  smoke: {
    ...overfittingFull,
    tier: 'smoke',
    model: gpt2Of(1, 32, 2, 64),
    dataset: 'synthetic',
    trainTokens: 2_000,
    batchWindows: 2,
    accumulate: 2,
    steps: 10,
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmupSteps: 2, decaySteps: 10 },
    evaluateEverySteps: 5,
    evaluationWindows: 4,
    memorised: { windows: 4, prefix: 8, continuation: 4 },
    energy: { windows: 4 },
    checkpointEverySteps: 5,
  },
};

const tenfold = (config: TextConfig): TextConfig => ({ ...config, experiment: 'scaling-90m', trainTokens: 10 * config.trainTokens });

/** Scaling per tier: ten times the data; model and batch are those of overfitting, and, but for the quick tier, steps and schedule. */
export const scaling90m: Record<Tier, TextConfig> = {
  full: { ...tenfold(overfitting9m.full), dataset: 'openwebtext-90m' },
  desk: tenfold(overfitting9m.desk),
  quick: { ...tenfold(overfitting9m.quick), steps: 400, schedule: { ...overfitting9m.quick.schedule, decaySteps: 400 } },
  smoke: tenfold(overfitting9m.smoke),
};

/** Every experiment by its name. */
export const EXPERIMENTS = {
  'question-formation': questionFormation,
  'overfitting-9m': overfitting9m,
  'scaling-90m': scaling90m,
} as const satisfies Record<RunConfig['experiment'], Record<Tier, RunConfig>>;
