/** GPT-2 on a text of the user's own, with defaults that fit its size. Such runs are no evidence for any claim. */
import { SPLITS, vocabularyOf, type DatasetMeta } from '../data/text/shards';
import type { Tier } from '../train/config';
import { UserError } from '../util/errors';
import type { Experiment } from './experiment';
import { overfitting9m } from './overfitting-9m';
import { gpt2Of, onText, type TextConfig, type TextMeasures } from './text-task';

/** Ids for a text of fewer training tokens: GPT-2's would be most of a small model, and most of them too rare to be learned. */
const SMALL = { tokens: 1e6, vocabulary: 2048 } as const;

/** The vocabulary that fits a data set; one that is smaller than GPT-2's is kept. */
export const vocabularyFor = (meta: DatasetMeta): number =>
  meta.vocabulary === undefined && meta.train.tokens < SMALL.tokens ? SMALL.vocabulary : vocabularyOf(meta);

/** Sizes up to a number of training tokens, with the windows of a step. The largest needs a GPU. */
const SIZES = [
  { upTo: 1e6, layers: 4, width: 128, heads: 4, context: 128, batch: 16 },
  { upTo: 30e6, layers: 6, width: 384, heads: 6, context: 256, batch: 16 },
  { upTo: Infinity, layers: 12, width: 768, heads: 12, context: 1024, batch: 12 },
] as const;

/** Passes over the text, within a number of steps. */
const PASSES = 20;
const STEPS = { least: 200, most: 5000 } as const;
const SHORTEST_CONTEXT = 16;

/** What a user may set; the rest follows from the data set. */
export interface OwnTextSettings {
  seed: number;
  tokens?: number;
  layers?: number;
  width?: number;
  heads?: number;
  context?: number;
  dropout?: number;
  steps?: number;
  /** Windows of a step. */
  batch?: number;
  /** Learning rate after the warm-up. */
  rate?: number;
}

/** 2e-3 at width 128, 1e-3 at 384, 6e-4 at 768, as GPT-2 small is trained. */
const rateFor = (width: number): number => Number((2e-3 * (128 / width) ** (2 / 3)).toPrecision(2));

/** The largest divisor of the width up to a number of heads. */
const headsFor = (width: number, most: number): number => {
  let heads = Math.min(most, width);
  while (width % heads) heads--;
  return heads;
};

/** Halved until both splits have a window. */
function contextFor(longest: number, tokens: number): number {
  let context = longest;
  while (context >= 2 * SHORTEST_CONTEXT && tokens <= context) context /= 2;
  return context;
}

/** The run on a data set. */
export function ownTextRun(name: string, meta: DatasetMeta, settings: OwnTextSettings): TextConfig {
  const trainTokens = settings.tokens ?? meta.train.tokens;
  const shortest = Math.min(trainTokens, ...SPLITS.map((split) => meta[split].tokens));
  const size = SIZES.find(({ upTo }) => trainTokens < upTo)!;
  const { layers = size.layers, width = size.width, batch = size.batch, dropout = 0 } = settings;
  const { heads = headsFor(width, size.heads), context = contextFor(size.context, shortest) } = settings;
  if (shortest <= context)
    throw new UserError(
      `--context: expected at most ${shortest - 1}, so that ${trainTokens} training and ${meta.validation.tokens} validation tokens of data set ${name} hold a window each; got ${context}: shorten it, or make the data set again with more text or a larger --validation-share`,
    );
  const windows = (tokens: number): number => Math.ceil((tokens - 1) / context);
  const passes = Math.ceil((PASSES * trainTokens) / (batch * context));
  const { steps = Math.min(STEPS.most, Math.max(STEPS.least, passes)), rate = rateFor(width) } = settings;
  const every = Math.max(1, Math.round(steps / 10));
  const part = Math.min(32, Math.floor(context / 2));
  return {
    ...overfitting9m.tiers.desk,
    experiment: ownTextExperiment.name,
    seed: settings.seed,
    dataset: name,
    trainTokens,
    model: { ...gpt2Of(layers, width, heads, context), vocabulary: vocabularyOf(meta), dropout },
    batchWindows: batch,
    accumulate: 1,
    steps,
    schedule: {
      kind: 'cosine',
      peak: rate,
      floor: rate / 10,
      warmupSteps: Math.ceil(steps / 20),
      decaySteps: steps + 1,
    },
    evaluateEverySteps: every,
    checkpointEverySteps: every,
    evaluationWindows: Math.min(64, windows(meta.validation.tokens)),
    memorised: { windows: Math.min(16, windows(trainTokens)), prefix: part, continuation: part },
    energy: null,
  };
}

const tiers = Object.fromEntries(
  Object.entries(overfitting9m.tiers).map(([tier, config]) => [
    tier,
    { ...config, experiment: 'text', energy: null },
  ]),
) as Record<Tier, TextConfig>;

export const ownTextExperiment: Experiment<TextConfig, TextMeasures> = {
  ...onText,
  name: 'text',
  tiers,
  idPart: ({ dataset, trainTokens }) => `-${dataset}-${trainTokens}-tokens`,
};
