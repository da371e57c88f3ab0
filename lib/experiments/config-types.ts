/** What a run is: its fields and their units. */
import type { FamilyName } from '../data/grammar/grammar-family';

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

export const gpt2Size = (layers: number, width: number, heads: number): Gpt2Config => ({
  kind: 'gpt2',
  layers,
  width,
  heads,
  context: 1024,
  vocabulary: 50257,
  dropout: 0.1,
});

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

/** Lines of a grammar of the family of question formation: what the loss does when grammar, data or model is changed. */
export interface PlateauConfig extends TrainingConfig<VanillaConfig> {
  experiment: 'plateau-intervention';
  grammar: FamilyName;
  /** D: lines in the training split. */
  trainLines: number;
  /** Lines per step. */
  batchLines: number;
  /** Held-out lines per evaluation, and at most as many training lines. */
  evaluationLines: number;
}

/** Uniformly random tokens: nothing can be learned but the items themselves. */
export interface CapacityConfig extends TrainingConfig<Gpt2Config> {
  experiment: 'capacity';
  /** `sequences`: every token is predicted; `associations`: the last one alone, behind distinct random prefixes. */
  what: 'sequences' | 'associations';
  /** D. */
  items: number;
  /** Tokens of an item, the predicted ones included. */
  itemTokens: number;
  /** First tokens that are given when an item is to be recalled. */
  promptTokens: number;
  /** Items per step. */
  batchItems: number;
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

/** Whether a run reads a text. */
export const isText = (config: RunConfig): config is TextConfig => 'dataset' in config;

/** Predicted tokens per step of a text run. */
export const tokensPerStep = ({ batchWindows, accumulate, model }: TextConfig): number =>
  batchWindows * accumulate * model.context;

/** Tokens of an item that are predicted. */
export const predictedTokens = ({ what, itemTokens, promptTokens }: CapacityConfig): number =>
  what === 'sequences' ? itemTokens : itemTokens - promptTokens;

/** Bits of an item's predicted tokens; of all ids only the start token, the last one, stands in none. */
export const bitsOfItem = (config: CapacityConfig): number =>
  predictedTokens(config) * Math.log2(config.model.vocabulary - 1);

/** All that decides what a run computes. */
export type RunConfig = QuestionFormationConfig | TextConfig | PlateauConfig | CapacityConfig;

/** The configs of an experiment. */
export type ConfigOf<E extends RunConfig['experiment']> =
  Extract<RunConfig, { experiment: E }> extends never ? TextConfig : Extract<RunConfig, { experiment: E }>;

/** Fields in which a config departs from another, tier and seed apart, `dotted.name: theirs → ours`; what one of them does not have is "none". */
export function deviations(ours: RunConfig, reference: RunConfig): string[] {
  const flat = (value: unknown, name = ''): [string, unknown][] => {
    if (value === null) return [];
    return typeof value === 'object'
      ? Object.entries(value!).flatMap(([k, v]) => flat(v, name ? `${name}.${k}` : k))
      : [[name, value]];
  };
  const [own, theirs] = [new Map(flat(ours)), new Map(flat(reference))];
  const names = [...new Set([...theirs.keys(), ...own.keys()])].filter(
    (name) => name !== 'tier' && name !== 'seed' && own.get(name) !== theirs.get(name),
  );
  return names.map(
    (name) => `${name}: ${String(theirs.get(name) ?? 'none')} → ${String(own.get(name) ?? 'none')}`,
  );
}
