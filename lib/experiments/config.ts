/** One literal per published run and tier. */
import {
  gpt2Size,
  type CapacityConfig,
  type Gpt2Config,
  type PlateauConfig,
  type QuestionFormationConfig,
  type RunConfig,
  type TextConfig,
  type Tier,
  type VanillaConfig,
} from './config-types';

export * from './config-types';

/**
 * Settings of Murty et al. 2023 (arXiv 2305.18741) as its public code has them: 8 lines a step, AdamW with learning
 * rate 1e-4 after 10,000 steps of warm-up, then down to 0 at 2,000,000; the plateau is there by 10,000 steps.
 */
const questionFormationDesk: QuestionFormationConfig<VanillaConfig> = {
  experiment: 'question-formation',
  tier: 'desk',
  seed: 1,
  model: {
    kind: 'vanilla',
    layers: 6,
    width: 512,
    heads: 8,
    feedForward: 2048,
    context: 128,
    vocabulary: 69,
    dropout: 0.1,
  },
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
  full: {
    ...questionFormationDesk,
    tier: 'full',
    steps: 200_000,
    evaluateEverySteps: 1000,
    checkpointEverySteps: 1000,
  },
  desk: questionFormationDesk,
  quick: {
    ...questionFormationDesk,
    tier: 'quick',
    model: { ...questionFormationDesk.model, dropout: 0 },
    steps: 1000,
    schedule: { kind: 'linear', peak: 1.5e-4, warmupSteps: 200, decaySteps: 1000 },
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

const gpt2Of = (layers: number, width: number, heads: number, context: number): Gpt2Config => ({
  ...gpt2Size(layers, width, heads),
  context,
  dropout: 0,
});

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
    steps: 3000,
    schedule: { kind: 'cosine', peak: 1e-3, floor: 1e-4, warmupSteps: 100, decaySteps: 3000 },
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
    trainTokens: 3_000,
    batchWindows: 2,
    accumulate: 1,
    steps: 500,
    schedule: { kind: 'cosine', peak: 2e-3, floor: 2e-4, warmupSteps: 20, decaySteps: 500 },
    evaluateEverySteps: 50,
    evaluationWindows: 16,
    memorised: { windows: 8, prefix: 32, continuation: 32 },
    energy: { windows: 8 },
    checkpointEverySteps: 100,
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

/**
 * GPT-2 small on as little text: about 1,400 parameters a token. It needs a smaller learning rate than the smaller model: at
 * a peak of 1e-3 it stood at 3.6 nats after 16 passes, at 4e-4 at 0.8. It ends before its schedule, where nothing is left to
 * learn: 27 passes, 4 minutes each on two cores.
 */
export const overfittingSmall: TextConfig = {
  ...overfitting9m.desk,
  model: gpt2Of(12, 768, 12, 256),
  steps: 2400,
  schedule: { kind: 'cosine', peak: 4e-4, floor: 4e-5, warmupSteps: 100, decaySteps: 2800 },
  evaluateEverySteps: 200,
  evaluationWindows: 64,
  memorised: { windows: 16, prefix: 32, continuation: 32 },
  energy: { windows: 8 },
  checkpointEverySteps: 200,
};

const tenfold = (config: TextConfig): TextConfig => ({
  ...config,
  experiment: 'scaling-90m',
  trainTokens: 10 * config.trainTokens,
});

/** Scaling per tier: ten times the data; all else is that of overfitting. */
export const scaling90m: Record<Tier, TextConfig> = {
  full: { ...tenfold(overfitting9m.full), dataset: 'openwebtext-90m' },
  desk: tenfold(overfitting9m.desk),
  quick: tenfold(overfitting9m.quick),
  smoke: tenfold(overfitting9m.smoke),
};

/** A model that comes to its plateau in minutes, for many runs beside each other; tokens of all grammars fit its vocabulary. */
const plateauDesk: PlateauConfig = {
  experiment: 'plateau-intervention',
  tier: 'desk',
  seed: 1,
  model: {
    kind: 'vanilla',
    layers: 4,
    width: 128,
    heads: 4,
    feedForward: 512,
    context: 64,
    vocabulary: 304,
    dropout: 0.1,
  },
  grammar: '1.0',
  trainLines: 100_000,
  batchLines: 32,
  steps: 6000,
  schedule: { kind: 'linear', peak: 1e-3, warmupSteps: 500, decaySteps: 60_000 },
  adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0 },
  clipNorm: 1,
  precision: 'bf16',
  evaluateEverySteps: 300,
  evaluationLines: 400,
  checkpointEverySteps: 1500,
};

/** The base run per tier; `sweeps.ts` changes one thing at a time. */
export const plateauIntervention: Record<Tier, PlateauConfig> = {
  full: { ...plateauDesk, tier: 'full' },
  desk: plateauDesk,
  quick: {
    ...plateauDesk,
    tier: 'quick',
    model: { ...plateauDesk.model, layers: 2, width: 64, heads: 4, feedForward: 256, dropout: 0 },
    batchLines: 24,
    steps: 1000,
    schedule: { kind: 'linear', peak: 3e-3, warmupSteps: 150, decaySteps: 1000 },
    evaluateEverySteps: 100,
    evaluationLines: 200,
    checkpointEverySteps: 500,
  },
  smoke: {
    ...plateauDesk,
    tier: 'smoke',
    model: { ...plateauDesk.model, layers: 1, width: 32, heads: 2, feedForward: 64 },
    trainLines: 300,
    batchLines: 8,
    steps: 16,
    schedule: { kind: 'linear', peak: 3e-3, warmupSteps: 4, decaySteps: 16 },
    evaluateEverySteps: 2,
    evaluationLines: 20,
    checkpointEverySteps: 8,
  },
};

/**
 * 16 tokens out of 64, 96 bits an item; one more token stands before the first. The rate is that of width 64; `sweeps.ts`
 * gives narrow models a larger one: at 3e-3, 6e-3 and 1.2e-2 a model of 2 × 32 memorised 2.55, 2.74 and 2.82 bits a parameter.
 */
const capacityDesk: CapacityConfig = {
  experiment: 'capacity',
  tier: 'desk',
  seed: 1,
  model: { kind: 'gpt2', layers: 2, width: 64, heads: 2, context: 16, vocabulary: 65, dropout: 0 },
  what: 'sequences',
  items: 4096,
  itemTokens: 16,
  promptTokens: 4,
  batchItems: 256,
  steps: 8000,
  schedule: { kind: 'cosine', peak: 6e-3, floor: 6e-5, warmupSteps: 200, decaySteps: 8000 },
  adamw: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  clipNorm: 1,
  precision: 'fp32',
  evaluateEverySteps: 500,
  checkpointEverySteps: 2000,
};

/** The base run per tier; `sweeps.ts` changes model, number of items and precision. */
export const capacity: Record<Tier, CapacityConfig> = {
  full: {
    ...capacityDesk,
    tier: 'full',
    steps: 128_000,
    schedule: { ...capacityDesk.schedule, decaySteps: 128_000 },
    evaluateEverySteps: 8000,
    checkpointEverySteps: 8000,
  },
  desk: capacityDesk,
  quick: {
    ...capacityDesk,
    tier: 'quick',
    model: { ...capacityDesk.model, layers: 1, width: 32 },
    items: 256,
    batchItems: 128,
    steps: 600,
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-4, warmupSteps: 50, decaySteps: 600 },
    evaluateEverySteps: 150,
    checkpointEverySteps: 300,
  },
  smoke: {
    ...capacityDesk,
    tier: 'smoke',
    model: { ...capacityDesk.model, layers: 1, width: 16 },
    items: 16,
    batchItems: 16,
    steps: 12,
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmupSteps: 2, decaySteps: 12 },
    evaluateEverySteps: 6,
    checkpointEverySteps: 6,
  },
};

/** Every experiment by its name. */
export const EXPERIMENTS = {
  'question-formation': questionFormation,
  'overfitting-9m': overfitting9m,
  'scaling-90m': scaling90m,
  'plateau-intervention': plateauIntervention,
  capacity,
} as const satisfies Record<RunConfig['experiment'], Record<Tier, RunConfig>>;
