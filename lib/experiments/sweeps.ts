/** Sweeps: lists of runs that change one thing at a time, those first that decide most. */
import {
  bitsOfItem,
  capacity,
  overfitting9m,
  overfittingSmall,
  plateauIntervention,
  scaling90m,
  tokensPerStep,
  type CapacityConfig,
  type Gpt2Config,
  type PlateauConfig,
  type RunConfig,
  type ScheduleConfig,
  type TextConfig,
  type Tier,
  type TrainingConfig,
} from './config';
import type { FamilyName } from '../data/grammar/grammar-family';

/** Tiers whose runs decide a claim; the others are for a first look and for tests. */
const decides = (tier: Tier): boolean => tier === 'desk' || tier === 'full';

const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Of the main run's text. A forty-fifth of 90M tokens are the paper's 2M. */
const SHARES = [1 / 45, 1 / 20];
const SEEDS_AT_SMALLEST = 3;

const PASSES = 5;
const POINTS = 10;

/**
 * Ended where the held-out loss has turned: after five passes, and not before the learning rate has been at its peak for as
 * long as it took to get there; the schedule stays. With ten points of the curve, to see the turn.
 */
function cutOff(config: TextConfig): TextConfig {
  const needed = Math.min(
    config.steps,
    Math.max(
      Math.ceil((PASSES * config.trainTokens) / tokensPerStep(config)),
      2 * config.schedule.warmupSteps,
    ),
  );
  const evaluateEverySteps = Math.min(config.evaluateEverySteps, Math.ceil(needed / POINTS));
  return {
    ...config,
    evaluateEverySteps,
    steps: Math.ceil(needed / evaluateEverySteps) * evaluateEverySteps,
    memorised: null,
    energy: null,
  };
}

/** Runs beside the main one of notebook 06: that of notebook 05, on a tenth of its text; then on less still, three seeds each, cut off. */
export function smallerRuns(main: TextConfig, tenth: TextConfig): TextConfig[] {
  const sizes = SHARES.map((share) => Math.round(share * main.trainTokens));
  return [
    { ...tenth, seed: main.seed },
    ...sizes.flatMap((trainTokens) =>
      seeds(SEEDS_AT_SMALLEST).map((i) => cutOff({ ...main, trainTokens, seed: main.seed + i - 1 })),
    ),
  ];
}

/** Notebooks 05 and 06; at the desk also ten times as much text again, and GPT-2 small by heart. */
export function textRuns(tier: Tier): TextConfig[] {
  const [tenth, main] = [overfitting9m[tier], scaling90m[tier]];
  const more = tier === 'desk' ? [{ ...main, trainTokens: 10 * main.trainTokens }, overfittingSmall] : [];
  return [tenth, main, ...more, ...smallerRuns(main, tenth).slice(1)];
}

/** More steps, over which the learning rate falls; the warm-up stays. */
function longer<C extends TrainingConfig>(config: C, factor: number): C {
  const { schedule } = config;
  return {
    ...config,
    steps: factor * config.steps,
    schedule: { ...schedule, decaySteps: factor * schedule.decaySteps },
  };
}

/** A schedule whose rate is divided all along: wide models learn at a smaller one. */
function slower(schedule: ScheduleConfig, factor: number): ScheduleConfig {
  const peak = schedule.peak / factor;
  return schedule.kind === 'cosine'
    ? { ...schedule, peak, floor: schedule.floor / factor }
    : { ...schedule, peak };
}

/** Grammars with other floors: the same model on each. */
export function grammarRuns(tier: Tier): PlateauConfig[] {
  const base = plateauIntervention[tier];
  const grammars: FamilyName[] = decides(tier)
    ? ['0.6', '1.5', '1.0', '0.8', '1.2', 'fewer-objects']
    : ['0.6', '0.8', '1.0'];
  return seeds(decides(tier) ? 3 : 1).flatMap((seed) =>
    grammars.map((grammar) => ({ ...base, seed, grammar })),
  );
}

/** Added after the runs of seed 1: the grammar whose first run stayed where it did not copy yet, with three times the steps. */
export const lateRuns = (tier: Tier): PlateauConfig[] =>
  decides(tier) ? [longer({ ...plateauIntervention[tier], grammar: '1.5' }, 3)] : [];

/** Added after the runs of seeds 1 to 3: two more seeds, for predictions on the runs that copy. */
export const repeatRuns = (tier: Tier): PlateauConfig[] =>
  decides(tier)
    ? [4, 5].flatMap((seed) =>
        (['0.6', '1.0', '1.2', '0.8', '1.5'] as const).map((grammar) => ({
          ...plateauIntervention[tier],
          seed,
          grammar,
        })),
      )
    : [];

/** Fewer lines, down to what the model can know by heart; without dropout, which would blur every line. */
export function sizeRuns(tier: Tier): PlateauConfig[] {
  const base = { ...plateauIntervention[tier], model: { ...plateauIntervention[tier].model, dropout: 0 } };
  if (tier === 'smoke') return [{ ...base, trainLines: 50 }];
  if (tier === 'quick') return [{ ...base, trainLines: 500 }];
  return [500, 2000, 10_000, 50_000, 100_000].map((trainLines) => longer({ ...base, trainLines }, 2));
}

/** Other depths and widths on the original grammar; wide ones learn at a smaller rate. 6 and 10 layers of width 512 are notebook 04's. */
export function modelRuns(tier: Tier): PlateauConfig[] {
  if (!decides(tier)) return [];
  const base = plateauIntervention[tier];
  const sizes = [128, 256, 512]
    .flatMap((width) => [2, 6, 10].map((layers) => ({ layers, width })))
    .filter(({ layers, width }) => width < 512 || layers === 2);
  return sizes.map(({ layers, width }): PlateauConfig => ({
    ...base,
    model: { ...base.model, layers, width, heads: width / 32, feedForward: 4 * width },
    schedule: slower(base.schedule, width / base.model.width),
  }));
}

/** Added after both models of 10 layers had stayed where they do not copy: the narrow one at a quarter of the learning rate. */
export const slowRuns = (tier: Tier): PlateauConfig[] =>
  modelRuns(tier)
    .filter(({ model }) => model.layers === 10 && model.width === 128)
    .map((config) => ({ ...config, schedule: slower(config.schedule, 4) }));

/** Weights of a GPT-2, and those without its embeddings of tokens and positions. */
export function gpt2Parameters({ layers, width: C, context, vocabulary }: Gpt2Config): {
  all: number;
  withoutEmbeddings: number;
} {
  const withoutEmbeddings = layers * (12 * C * C + 13 * C) + 2 * C;
  return { all: withoutEmbeddings + (vocabulary + context) * C, withoutEmbeddings };
}

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

/** A model, and the sizes of its data as multiples of what it holds after Morris et al. Half steps were added after the first runs, where recall ends. */
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
/** Up to 1.8 million parameters; at the desk training ends long before the memory of such models does. */
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
  const base = capacity[tier];
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
  const [sequences, pairs] = [capacity[tier], associations(capacity[tier])];
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

export const SWEEPS = {
  text: (tier: Tier): RunConfig[] => textRuns(tier),
  'plateau-intervention': (tier: Tier): RunConfig[] => [
    ...grammarRuns(tier),
    ...lateRuns(tier),
    ...sizeRuns(tier),
    ...modelRuns(tier),
    ...repeatRuns(tier),
    ...slowRuns(tier),
  ],
  capacity: (tier: Tier): RunConfig[] => [...capacityRuns(tier), ...longerCapacityRuns(tier)],
} as const;

export type SweepName = keyof typeof SWEEPS;
export const SWEEP_NAMES = Object.keys(SWEEPS) as SweepName[];
