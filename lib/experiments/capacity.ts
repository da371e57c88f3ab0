/** Random items: how many bits of them a GPT-2 memorises, and how many items it recalls. */
import { Epochs } from '../data/text/windows';
import { gpt2Parameters, type Gpt2Config } from '../model/config';
import { windowBatch, type Batch, type LanguageModel } from '../model/model';
import { longer, slower, withSteps, type Tier, type TrainingConfig } from '../train/config';
import { meanLoss, scored, type Task } from '../train/evaluate';
import type { Measures, RunRecord } from '../train/record';
import { checkWhole, refuse } from '../util/check';
import { oneOf } from '../util/errors';
import { count, percent } from '../util/format';
import { Random } from '../util/random';
import { sum } from '../util/statistics';
import type { Experiment } from './experiment';
import { itemsHash, randomItems } from './random-items';
import { inGroups } from '../util/groups';

/** Uniformly random tokens: nothing can be learned but the items themselves. */
export interface CapacityConfig extends TrainingConfig<Gpt2Config> {
  /** `sequences`: every token is predicted; `associations`: the last one alone, after distinct random prefixes. */
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

/** Over all items; the held-out loss is of fresh items, at least the logarithm of their number of values. */
export interface CapacityMeasures extends Measures {
  /** Bits of the items less their code length under the model, at least 0 for each item. */
  memorisedBits: number;
  /** Share of items whose tokens after the prompt the model predicts greedily without a mistake. */
  recalledShare: number;
}

export type CapacityRecord = RunRecord<CapacityConfig, CapacityMeasures>;

/** Tokens of an item that are predicted. */
const predictedPerItem = ({ what, itemTokens, promptTokens }: CapacityConfig): number =>
  what === 'sequences' ? itemTokens : itemTokens - promptTokens;

/** Bits of an item's predicted tokens, which are uniform over all ids but that of the start token. */
const bitsOfItem = (config: CapacityConfig): number =>
  predictedPerItem(config) * Math.log2(config.model.vocabulary - 1);

/**
 * 16 tokens out of 64, 96 bits an item; a start token comes before the first. The rate is that of width 64; lists of runs
 * give narrow models a larger one: at 3e-3, 6e-3 and 1.2e-2 a model of 2 × 32 memorised 2.55, 2.74 and 2.82 bits a parameter.
 */
const desk: CapacityConfig = {
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

/** The base run per tier; the lists of runs change model, number of items and precision. */
const tiers: Record<Tier, CapacityConfig> = {
  full: {
    ...desk,
    tier: 'full',
    steps: 128_000,
    schedule: { ...desk.schedule, decaySteps: 128_000 },
    evaluateEverySteps: 8000,
    checkpointEverySteps: 8000,
  },
  desk: desk,
  quick: {
    ...desk,
    tier: 'quick',
    model: { ...desk.model, layers: 1, width: 32 },
    items: 256,
    batchItems: 128,
    steps: 600,
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-4, warmupSteps: 50, decaySteps: 600 },
    evaluateEverySteps: 150,
    checkpointEverySteps: 300,
  },
  smoke: {
    ...desk,
    tier: 'smoke',
    model: { ...desk.model, layers: 1, width: 16 },
    items: 16,
    batchItems: 16,
    steps: 12,
    schedule: { kind: 'cosine', peak: 1e-2, floor: 1e-3, warmupSteps: 2, decaySteps: 12 },
    evaluateEverySteps: 6,
    checkpointEverySteps: 6,
  },
};

/** Morris et al. 2025 (arXiv 2505.24832): bits that a GPT-style model memorises per parameter. */
export const MORRIS_BITS = 3.6;

type Size = [layers: number, width: number, heads: number];
const SIZES = {
  tiny: [1, 32, 2],
  small: [2, 32, 2],
  middle: [2, 64, 2],
  wide: [2, 128, 4],
  deep: [4, 128, 4],
  largest: [4, 192, 6],
} satisfies Record<string, Size>;

/** A model, and the sizes of its data as multiples of what it holds after Morris et al. */
interface Rung {
  size: Size;
  sequences: number[];
  associations: number[];
}

const HALF_STEP = Math.SQRT1_2;
const FROM_FEW = { sequences: [0.25, 0.5, HALF_STEP, 1, 2, 4], associations: [0.125, 0.25, 0.5, HALF_STEP] };
const DESK_LADDER: Rung[] = [
  { size: SIZES.tiny, ...FROM_FEW, associations: [...FROM_FEW.associations, 1] },
  { size: SIZES.small, ...FROM_FEW, associations: [...FROM_FEW.associations, 1] },
  { size: SIZES.middle, ...FROM_FEW },
  { size: SIZES.wide, sequences: [0.5, HALF_STEP, 1], associations: [] },
];
/** Up to 1.8 million parameters; in the desk tier training ends long before the memory of such models is full. */
const FULL_LADDER: Rung[] = Object.values(SIZES).map((size) => ({ size, ...FROM_FEW }));

/** Numbers of items are whole multiples of it. */
const ITEM_STEP = 16;

/** One model, trained on so many items that their bits are `load` times what it should hold, at a rate that falls with its width. */
function loaded(base: CapacityConfig, [layers, width, heads]: Size, load: number): CapacityConfig {
  const model = { ...base.model, layers, width, heads };
  const items =
    ITEM_STEP *
    Math.max(1, Math.round((load * MORRIS_BITS * gpt2Parameters(model).all) / bitsOfItem(base) / ITEM_STEP));
  return {
    ...base,
    model,
    items,
    batchItems: Math.min(base.batchItems, items),
    schedule: slower(base.schedule, width / base.model.width),
  };
}

/** Distinct random prefixes with one token each: the paper's well separated patterns. */
const associations = (base: CapacityConfig): CapacityConfig => ({
  ...base,
  what: 'associations',
  itemTokens: 5,
  promptTokens: 4,
  batchItems: 4 * base.batchItems,
});

export function capacityRuns(tier: Tier): CapacityConfig[] {
  const base = tiers[tier];
  if (tier === 'smoke') return [base, { ...associations(base), items: 64 }];
  if (tier === 'quick') {
    const ladder = (from: CapacityConfig, loads: number[]) =>
      loads.flatMap((load) => [16, 32].map((width) => loaded(from, [1, width, 2], load)));
    return [...ladder(base, [0.5, 2]), ...ladder(associations(base), [0.125, 0.5])];
  }
  const runsOf = ({ size, ...loads }: Rung) => [
    ...loads.sequences.map((load) => loaded(base, size, load)),
    ...loads.associations.map((load) => loaded(associations(base), size, load)),
  ];
  const saturated = [SIZES.tiny, SIZES.small, SIZES.middle].map((size) => loaded(base, size, 2));
  return [
    ...(tier === 'full' ? FULL_LADDER : DESK_LADDER).flatMap(runsOf),
    ...[2, 3].flatMap((seed) => saturated.map((config) => ({ ...config, seed }))),
    ...saturated.map((config): CapacityConfig => ({ ...config, precision: 'bf16' })),
  ];
}

/**
 * Runs of the desk's sweep with more steps and as many points of their curves: whether it is training that ends before memory
 * does. The smallest model on twice what it should hold; three models on associations around where recall ends, for the
 * exponent; the largest on sequences. Full runs have 16 times the steps from the start.
 */
export function longerCapacityRuns(tier: Tier): CapacityConfig[] {
  if (tier !== 'desk') return [];
  const [sequences, pairs] = [tiers[tier], associations(tiers[tier])];
  const times = (factor: number, from: CapacityConfig, size: Size, loads: number[]): CapacityConfig[] =>
    loads.map((load) => ({
      ...longer(loaded(from, size, load), factor),
      evaluateEverySteps: factor * from.evaluateEverySteps,
    }));
  return [
    ...times(4, sequences, SIZES.tiny, [2]),
    ...times(16, sequences, SIZES.tiny, [2]),
    ...[SIZES.tiny, SIZES.small].flatMap((size) => times(4, pairs, size, [0.5, HALF_STEP, 1])),
    ...times(4, pairs, SIZES.middle, [0.5, HALF_STEP]),
    ...times(4, sequences, SIZES.wide, [HALF_STEP, 1]),
  ];
}

/** The same run with so many steps that each item is read `exposures` times, at 16 points of its curve. */
function exposed(config: CapacityConfig, exposures: number): CapacityConfig {
  const steps = Math.round((exposures * config.items) / config.batchItems);
  return { ...withSteps(config, steps), evaluateEverySteps: Math.ceil(steps / 16) };
}

/** Exposures that Allen-Zhu and Li (2024, arXiv 2404.05405) give each fact. */
const EXPOSURES = 1000;

/** Two layers on sequences a quarter as long as the model is wide: the bits of an item then grow with the width, as those of a pattern do. */
function wideItems(tier: Tier, width: number, load: number): CapacityConfig {
  const base = tiers[tier];
  const itemTokens = width / 4;
  const model = { ...base.model, context: itemTokens };
  return exposed(loaded({ ...base, model, itemTokens }, [2, width, 2], load), EXPOSURES);
}

/** The widest model last: it takes as long as the others together. */
export const wideItemRuns = (tier: Tier): CapacityConfig[] =>
  tier === 'desk'
    ? [32, 48, 64, 96].flatMap((width) => [1, HALF_STEP, 0.5].map((load) => wideItems(tier, width, load)))
    : [];

/** Twice the exposures, which add at most 2% of the bits where 1,000 are enough. */
export const twiceTheExposures = (tier: Tier): CapacityConfig[] =>
  wideItemRuns(tier)
    .filter(({ model, items }) => model.width < 96 && items === wideItems(tier, model.width, 1).items)
    .map((config) => exposed(config, 2 * EXPOSURES));

/**
 * The exponent on associations at constant depth, 2 × 32 to 2 × 64: what the larger model memorises when it reads each of 44,672
 * associations as often as the smaller one read its 16,832; and of 37,568, which is less than the model may hold.
 */
export const longAssociationRuns = (tier: Tier): CapacityConfig[] =>
  tier === 'desk'
    ? [
        { items: 44_672, steps: 85_000 },
        { items: 37_568, steps: 55_000 },
      ].map(({ items, steps }) => {
        const config = loaded(associations(tiers[tier]), SIZES.middle, HALF_STEP);
        return {
          ...withSteps(config, steps),
          items,
          evaluateEverySteps: 2500,
          checkpointEverySteps: 2500,
        };
      })
    : [];

function check({ model, what, ...config }: CapacityConfig): void {
  oneOf('config.model.kind', model.kind, ['gpt2']);
  oneOf('config.what', what, ['sequences', 'associations']);
  for (const field of ['items', 'itemTokens', 'promptTokens', 'batchItems'] as const)
    checkWhole(field, config[field]);
  if (config.itemTokens > model.context)
    refuse('itemTokens', `at most the context ${model.context}`, config.itemTokens, 'shorten the items');
  if (config.promptTokens >= config.itemTokens)
    refuse(
      'promptTokens',
      `fewer than the ${config.itemTokens} tokens of an item`,
      config.promptTokens,
      'lower it',
    );
  if (config.batchItems > config.items)
    refuse('batchItems', `at most the ${config.items} items`, config.batchItems, 'lower it');
  if (model.vocabulary < 3)
    refuse(
      'model.vocabulary',
      'at least 3: two tokens and the one before an item',
      model.vocabulary,
      'enlarge it',
    );
}

/** Items per forward pass of an evaluation. */
const EVALUATION_BATCH = 1024;
/** Held-out items. */
const FRESH = 256;
/** Once every item is recalled, a run ends when it has memorised this share of the bits that can be memorised. */
const COMPLETE_SHARE = 0.99;

/** Bits of the data. */
export const bitsOf = (config: CapacityConfig): number => config.items * bitsOfItem(config);

/** Most bits that can be memorised: of a sequence all but the log2(D) that say which of the D items it is, of an association all. */
export const mostBits = (config: CapacityConfig): number =>
  bitsOf(config) - (config.what === 'sequences' ? config.items * Math.log2(config.items) : 0);

/** Whether there is nothing left to memorise. */
export const isComplete = (
  config: CapacityConfig,
  { recalledShare, memorisedBits }: CapacityMeasures,
): boolean => recalledShare === 1 && memorisedBits >= COMPLETE_SHARE * mostBits(config);

export class CapacityTask implements Task<CapacityMeasures> {
  readonly dataHash: string;
  private readonly items: Uint16Array[];
  private readonly fresh: Uint16Array[];
  private readonly order: Epochs;
  private readonly predicted: number;

  /** Runs of one seed and size share their items; the order is drawn from the same seed. */
  constructor(private readonly config: CapacityConfig) {
    const { itemTokens: tokens, promptTokens: prompt, seed, items, model } = config;
    const draw = (count: number, stream: string) =>
      randomItems(
        { items: count, tokens, prompt, values: model.vocabulary - 1 },
        new Random(seed, `capacity/${stream}`),
      );
    [this.items, this.fresh] = [draw(items, 'items'), draw(FRESH, 'fresh')];
    this.dataHash = itemsHash(this.items);
    this.order = new Epochs(items, seed);
    this.predicted = predictedPerItem(config);
  }

  batches(step: number): [() => Batch] {
    return [() => this.batch(this.order.step(step, this.config.batchItems).map((i) => this.items[i]!))];
  }

  evaluate(model: LanguageModel): CapacityMeasures {
    const { config, predicted } = this;
    const raw = bitsOfItem(config);
    const prompted = Math.max(0, config.promptTokens - (config.itemTokens - predicted));
    let [bits, recalled] = [0, 0];
    for (const items of inGroups(this.items, EVALUATION_BATCH)) {
      const { nats, right } = scored(model, config, () => this.batch(items));
      items.forEach((_, i) => {
        const [from, to] = [i * predicted, (i + 1) * predicted];
        bits += Math.max(0, raw - sum(nats.subarray(from, to)) / Math.LN2);
        if (right.slice(from + prompted, to).every(Boolean)) recalled++;
      });
    }
    const fresh = inGroups(this.fresh, EVALUATION_BATCH).map((items) => () => this.batch(items));
    return {
      heldOutLossNats: meanLoss(model, config, fresh),
      memorisedBits: bits,
      recalledShare: recalled / this.items.length,
    };
  }

  complete(measures: CapacityMeasures): boolean {
    return isComplete(this.config, measures);
  }

  dispose(): void {}

  /** The start token, the model's last id, comes before every item. */
  private batch(items: Uint16Array[]): Batch {
    const { model } = this.config;
    return windowBatch(
      items.map((item) => [model.vocabulary - 1, ...item]),
      model,
      this.predicted,
    );
  }
}

export const capacity: Experiment<CapacityConfig, CapacityMeasures> = {
  name: 'capacity',
  tiers,
  check,
  idPart: ({ model, items, what }) => `-width-${model.width}-${items}-${what}`,
  task: (config) => new CapacityTask(config),
  summary: ({ memorisedBits, recalledShare }) =>
    `${count(Math.round(memorisedBits))} bits memorised, ${percent(recalledShare)} recalled`,
  sweeps: {
    capacity: (tier) => [...capacityRuns(tier), ...longerCapacityRuns(tier)],
    'capacity-wide-items': wideItemRuns,
    'capacity-associations': longAssociationRuns,
    'capacity-exposures': twiceTheExposures,
  },
};
