/** Overfitting: GPT-2 on so little text that it can memorise it. */
import type { Tier } from '../train/config';
import type { Experiment } from './experiment';
import { gpt2Of, onText, type TextConfig, type TextMeasures } from './text-task';

/**
 * nanoGPT's recipe for GPT-2 on OpenWebText (config/train_gpt2.py): 12 windows × 40 × 1,024 = 491,520 tokens a step.
 * Its 600,000 steps are for 9B tokens. Here the run and its schedule end after 4,000 steps, 2.0B tokens: 218 epochs of 9M.
 */
const full: TextConfig = {
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

/** The same recipe at smaller sizes, on English books in the desk tier, on a synthetic corpus below it. */
const tiers: Record<Tier, TextConfig> = {
  full,
  desk: {
    ...full,
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
    ...full,
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
    ...full,
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
 * a peak of 1e-3 its loss was 3.6 nats after 16 passes, at 4e-4 at 0.8. It ends before its schedule, where nothing is left to
 * learn: 27 passes, 4 minutes each on two cores.
 */
export const overfittingSmall: TextConfig = {
  ...tiers.desk,
  model: gpt2Of(12, 768, 12, 256),
  steps: 2400,
  schedule: { kind: 'cosine', peak: 4e-4, floor: 4e-5, warmupSteps: 100, decaySteps: 2800 },
  evaluateEverySteps: 200,
  evaluationWindows: 64,
  memorised: { windows: 16, prefix: 32, continuation: 32 },
  energy: { windows: 8 },
  checkpointEverySteps: 200,
};

export const overfitting9m: Experiment<TextConfig, TextMeasures> = {
  name: 'overfitting-9m',
  tiers,
  ...onText,
};
