/** Sweeps: lists of runs that change one thing at a time, those first that decide most. */
import {
  bitsOfItem, capacity, overfitting9m, overfittingSmall, plateauIntervention, scaling90m, tokensPerStep, type CapacityConfig, type Gpt2Config, type PlateauConfig, type RunConfig, type ScheduleConfig, type TextConfig, type Tier,
  type TrainingConfig,
} from './config';
import type { FamilyName } from './data/grammar-family';

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
  const needed = Math.min(config.steps, Math.max(Math.ceil((PASSES * config.trainTokens) / tokensPerStep(config)), 2 * config.schedule.warmupSteps));
  const evaluateEverySteps = Math.min(config.evaluateEverySteps, Math.ceil(needed / POINTS));
  return { ...config, evaluateEverySteps, steps: Math.ceil(needed / evaluateEverySteps) * evaluateEverySteps, memorised: null, energy: null };
}

/** Runs beside the main one of notebook 06: that of notebook 05, on a tenth of its text; then on less still, three seeds each, cut off. */
export function smallerRuns(main: TextConfig, tenth: TextConfig): TextConfig[] {
  const sizes = SHARES.map((share) => Math.round(share * main.trainTokens));
  return [{ ...tenth, seed: main.seed }, ...sizes.flatMap((trainTokens) => seeds(SEEDS_AT_SMALLEST).map((i) => cutOff({ ...main, trainTokens, seed: main.seed + i - 1 })))];
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
  return { ...config, steps: factor * config.steps, schedule: { ...schedule, decaySteps: factor * schedule.decaySteps } };
}

/** A schedule whose rate is divided all along: wide models learn at a smaller one. */
function slower(schedule: ScheduleConfig, factor: number): ScheduleConfig {
  const peak = schedule.peak / factor;
  return schedule.kind === 'cosine' ? { ...schedule, peak, floor: schedule.floor / factor } : { ...schedule, peak };
}

/** Grammars with other floors: the same model on each. */
export function grammarRuns(tier: Tier): PlateauConfig[] {
  const base = plateauIntervention[tier];
  const grammars: FamilyName[] = decides(tier) ? ['0.6', '1.5', '1.0', '0.8', '1.2', 'fewer-objects'] : ['0.6', '0.8', '1.0'];
  return seeds(decides(tier) ? 3 : 1).flatMap((seed) => grammars.map((grammar) => ({ ...base, seed, grammar })));
}

/** Added after the runs of seed 1: the grammar whose first run stayed where it did not copy yet, with three times the steps. */
export const lateRuns = (tier: Tier): PlateauConfig[] => (decides(tier) ? [longer({ ...plateauIntervention[tier], grammar: '1.5' }, 3)] : []);

/** Added after the runs of seeds 1 to 3: two more seeds, for predictions on the runs that copy. */
export const repeatRuns = (tier: Tier): PlateauConfig[] =>
  (decides(tier) ? [4, 5].flatMap((seed) => (['0.6', '1.0', '1.2', '0.8', '1.5'] as const).map((grammar) => ({ ...plateauIntervention[tier], seed, grammar }))) : []);

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
  const sizes = [128, 256, 512].flatMap((width) => [2, 6, 10].map((layers) => ({ layers, width }))).filter(({ layers, width }) => width < 512 || layers === 2);
  return sizes.map(({ layers, width }): PlateauConfig => ({
    ...base, model: { ...base.model, layers, width, heads: width / 32, feedForward: 4 * width }, schedule: slower(base.schedule, width / base.model.width),
  }));
}

/** Weights of a GPT-2, and those without its embeddings of tokens and positions. */
export function gpt2Parameters({ layers, width: C, context, vocabulary }: Gpt2Config): { all: number; withoutEmbeddings: number } {
  const withoutEmbeddings = layers * (12 * C * C + 13 * C) + 2 * C;
  return { all: withoutEmbeddings + (vocabulary + context) * C, withoutEmbeddings };
}

/** Morris et al. 2025 (arXiv 2505.24832): bits that a GPT-style model memorises per parameter. */
export const MORRIS_BITS = 3.6;

/** A model's layers, width and heads, and the sizes of its data as multiples of what it holds after Morris et al. Half steps were added after the first runs, where recall ends. */
interface Rung { size: [layers: number, width: number, heads: number]; sequences: number[]; associations: number[] }

const HALF_STEP = Math.SQRT1_2;
const SMALL = { sequences: [0.25, 0.5, HALF_STEP, 1, 2, 4], associations: [0.125, 0.25, 0.5, HALF_STEP, 1] };
const LADDER: Rung[] = [
  { size: [1, 32, 2], ...SMALL },
  { size: [2, 32, 2], ...SMALL },
  { size: [2, 64, 2], ...SMALL },
  { size: [2, 128, 4], sequences: [0.25, 0.5, HALF_STEP, 1, 2], associations: [0.125, 0.25, 0.5] },
];
/** Larger models, which are beyond what a desk trains to the end. */
const LARGE: Rung[] = [
  { size: [4, 128, 4], sequences: [1, 2], associations: [] },
  { size: [4, 192, 6], sequences: [2], associations: [] },
];

/** Numbers of items are whole multiples of it. */
const ITEM_STEP = 16;

/** One model, trained on so many items that their bits are `load` times what it should hold, at a rate that falls with its width. */
function loaded(base: CapacityConfig, [layers, width, heads]: Rung['size'], load: number): CapacityConfig {
  const model = { ...base.model, layers, width, heads };
  const items = ITEM_STEP * Math.max(1, Math.round((load * MORRIS_BITS * gpt2Parameters(model).all) / bitsOfItem(base) / ITEM_STEP));
  return { ...base, model, items, batchItems: Math.min(base.batchItems, items), schedule: slower(base.schedule, width / base.model.width) };
}

/** Distinct random prefixes with one token each: the paper's well separated patterns. */
const associations = (base: CapacityConfig): CapacityConfig => ({ ...base, what: 'associations', itemTokens: 5, promptTokens: 4, batchItems: 4 * base.batchItems });

export function capacityRuns(tier: Tier): CapacityConfig[] {
  const base = capacity[tier];
  if (tier === 'smoke') return [base, { ...associations(base), items: 64 }];
  if (tier === 'quick') {
    const ladder = (from: CapacityConfig, loads: number[]) => loads.flatMap((load) => [16, 32].map((width) => loaded(from, [1, width, 2], load)));
    return [...ladder(base, [0.5, 2]), ...ladder(associations(base), [0.125, 0.5])];
  }
  const runsOf = ({ size, sequences, associations: pairs }: Rung) => [...sequences.map((load) => loaded(base, size, load)), ...pairs.map((load) => loaded(associations(base), size, load))];
  const saturated = LADDER.map(({ size }) => loaded(base, size, 2));
  return [
    ...LADDER.flatMap(runsOf),
    ...[2, 3].flatMap((seed) => saturated.slice(0, 3).map((config) => ({ ...config, seed }))), ...saturated.map((config): CapacityConfig => ({ ...config, precision: 'bf16' })),
    ...LARGE.flatMap(runsOf),
  ];
}

/** A run of capacity with more steps and as many points of its curve. */
const longerCapacity = (config: CapacityConfig, factor: number): CapacityConfig => ({ ...longer(config, factor), evaluateEverySteps: factor * config.evaluateEverySteps });

/** The smallest model on twice what it should hold, with more steps: whether it is training that ends before memory does. */
export const longerSequenceRuns = (tier: Tier): CapacityConfig[] =>
  (decides(tier) ? [4, 16].map((factor) => longerCapacity(loaded(capacity[tier], LADDER[0]!.size, 2), factor)) : []);

/** The three smaller models on associations around where recall ends, with more steps: the same question to the exponent. */
export const longerAssociationRuns = (tier: Tier): CapacityConfig[] =>
  (decides(tier) ? LADDER.slice(0, 3).flatMap(({ size }) => [0.5, HALF_STEP, 1].map((load) => longerCapacity(loaded(associations(capacity[tier]), size, load), 4))) : []);

export const SWEEPS = {
  text: (tier: Tier): RunConfig[] => textRuns(tier),
  'plateau-intervention': (tier: Tier): RunConfig[] => [...grammarRuns(tier), ...lateRuns(tier), ...sizeRuns(tier), ...modelRuns(tier), ...repeatRuns(tier)],
  capacity: (tier: Tier): RunConfig[] => [...capacityRuns(tier), ...longerSequenceRuns(tier), ...longerAssociationRuns(tier)],
} as const;

export type SweepName = keyof typeof SWEEPS;
export const SWEEP_NAMES = Object.keys(SWEEPS) as SweepName[];
