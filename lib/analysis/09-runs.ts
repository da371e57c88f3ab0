/** The runs of notebook 09: what each keeps of its random items, which belong together, and the most that each model keeps. */
import { isDeepStrictEqual } from 'node:util';
import {
  bitsOf,
  capacity,
  capacityRuns,
  longAssociationRuns,
  longerCapacityRuns,
  twiceTheExposures,
  wideItemRuns,
  type CapacityConfig,
  type CapacityRecord,
} from '../experiments/capacity';
import { gpt2Parameters } from '../model/config';
import { decides, type Tier } from '../train/config';
import type { RunRecord } from '../train/record';
import { estimateText, layersByWidth } from '../util/format';
import { grouped } from '../util/groups';
import { line, mean, type Estimate, type Point } from '../util/statistics';
import { committedCapacities } from './shared/memories';
import { committedLists } from './shared/runs';
import { isSettled } from './shared/settled';

/** The lists of runs, by what they are for. */
const LISTS = {
  ladder: capacityRuns,
  longer: longerCapacityRuns,
  longAssociations: longAssociationRuns,
  wideItems: wideItemRuns,
  twiceExposed: twiceTheExposures,
};

export type CapacityRuns = Record<keyof typeof LISTS, CapacityRecord[]>;

/** The committed runs of each list. */
export const runs = (): CapacityRuns => committedLists(capacity, LISTS);

/** What the items are: sequences or associations. */
export type Items = CapacityConfig['what'];

export const keptBits = ({ curve }: CapacityRecord): number => curve.at(-1)!.memorisedBits;
export const recalledShare = ({ curve }: CapacityRecord): number => curve.at(-1)!.recalledShare;
const parametersOf = ({ config }: CapacityRecord): number => gpt2Parameters(config.model).all;
export const bitsPerParameter = (record: CapacityRecord): number => keptBits(record) / parametersOf(record);

/** How often each item was read by a step. */
export const exposuresAt = ({ batchItems, items }: CapacityConfig, step: number): number =>
  (step * batchItems) / items;
export const exposures = ({ config, curve }: CapacityRecord): number =>
  exposuresAt(config, curve.at(-1)!.step);

export const keepsSettled = (record: RunRecord): boolean => isSettled(record, 'bits');

/** Records of one kind of items and precision, by tier, steps and size of model, each in the order of D. */
export function families(
  records: readonly CapacityRecord[],
  what: Items,
  precision: CapacityConfig['precision'] = 'fp32',
): CapacityRecord[][] {
  const chosen = records.filter(({ config }) => config.what === what && config.precision === precision);
  return grouped(chosen, ({ config }) => `${config.tier} ${config.steps} ${layersByWidth(config.model)}`).map(
    ([, own]) => own.sort((a, b) => a.config.items - b.config.items),
  );
}

/** Models that it takes to speak of all models. */
export const LEAST_MODELS = 3;

/** The run among others whose config is that of `record` but for some fields. */
export function alikeBut(
  fields: readonly (keyof CapacityConfig)[],
  record: CapacityRecord,
  others: readonly CapacityRecord[],
): CapacityRecord | undefined {
  const rest = ({ config }: CapacityRecord) =>
    Object.fromEntries(Object.entries(config).filter(([key]) => !(fields as string[]).includes(key)));
  return others.find((other) => isDeepStrictEqual(rest(other), rest(record)));
}

/** A run, the one that differs from it in its steps alone, and the share of bits that it has more. */
interface Gain {
  record: CapacityRecord;
  base: CapacityRecord;
  factor: number;
  gain: number;
}

export const gains = (records: readonly CapacityRecord[], longer: readonly CapacityRecord[]): Gain[] =>
  longer.flatMap((record) => {
    const base = alikeBut(
      ['steps', 'schedule', 'evaluateEverySteps', 'checkpointEverySteps'],
      record,
      records,
    );
    if (!base) return [];
    const factor = record.config.steps / base.config.steps;
    return [{ record, base, factor, gain: keptBits(record) / keptBits(base) - 1 }];
  });

/** Most bits that a model memorised in a settled run, per seed; saturated where the data of one held at least 1.5 times what it memorised. */
export interface Saturation {
  tier: Tier;
  size: string;
  seed: number;
  precision: CapacityConfig['precision'];
  parameters: number;
  withoutEmbeddings: number;
  bits: number;
  saturated: boolean;
}

export const saturations = (records: readonly CapacityRecord[]): Saturation[] =>
  (['fp32', 'bf16'] as const).flatMap((precision) =>
    families(records.filter(keepsSettled), 'sequences', precision).flatMap((group) =>
      grouped(group, ({ config }) => config.seed).map(([seed, own]): Saturation => {
        const most = own.reduce((a, b) => (keptBits(b) > keptBits(a) ? b : a));
        const { tier, model } = most.config;
        const { all, withoutEmbeddings } = gpt2Parameters(model);
        return {
          tier,
          size: layersByWidth(model),
          seed,
          precision,
          parameters: all,
          withoutEmbeddings,
          bits: keptBits(most),
          saturated: own.some((record) => bitsOf(record.config) >= 1.5 * keptBits(record)),
        };
      }),
    ),
  );

/** The most that a memory of some size keeps: items that it recalls whole, and bits, each the most of all its runs. */
export interface Kept {
  parameters: number;
  items: number;
  bits: number;
}

/** Of each model in single precision, the smallest first, whether its runs have settled or not. */
export const mostKept = (records: readonly CapacityRecord[]): Kept[] =>
  grouped(
    records.filter(({ config: { precision, tier } }) => precision === 'fp32' && decides(tier)),
    parametersOf,
  )
    .map(([parameters, own]) => ({
      parameters,
      items: Math.max(...own.map((record) => recalledShare(record) * record.config.items)),
      bits: Math.max(...own.map(keptBits)),
    }))
    .sort((a, b) => a.parameters - b.parameters);

/** The classical Hopfield network of notebook 01: the n(n − 1)/2 weights of W hold patterns of n signs, here their mean over seeds. */
const classicalKept = (): Kept[] =>
  grouped(
    committedCapacities().filter(({ model }) => model === 'classical'),
    ({ n }) => n,
  ).map(([n, own]) => {
    const items = mean(own.map(({ patterns }) => patterns));
    return { parameters: (n * (n - 1)) / 2, items, bits: n * items };
  });

export type Memory = 'sequences' | 'associations' | 'wideItems' | 'classical';

/** What each kind of memory keeps, by its size. */
export const memoriesOf = ({
  ladder,
  longer,
  longAssociations,
  wideItems,
}: CapacityRuns): Record<Memory, Kept[]> => {
  const of = (what: Items) =>
    mostKept([...ladder, ...longer, ...longAssociations].filter(({ config }) => config.what === what));
  return {
    sequences: of('sequences'),
    associations: of('associations'),
    wideItems: mostKept(wideItems),
    classical: classicalKept(),
  };
};

/** The exponent k of N ∝ D^k: slope of log N against log D over memories, which its interval varies; null for fewer than three. */
export const exponentIn = (unit: 'items' | 'bits', kept: readonly Kept[]): Estimate | null =>
  kept.length < LEAST_MODELS
    ? null
    : line(kept.map((one): Point => [Math.log(one[unit]), Math.log(one.parameters)])).slope;

/** From the smallest to the largest model alone: where the largest could memorise more than it did, the exponent is at most this. */
export function boundIn(unit: 'items' | 'bits', kept: readonly Kept[]): number | null {
  const [first, last] = [kept[0], kept.at(-1)];
  if (!first || !last || kept.length < LEAST_MODELS) return null;
  return Math.log(last.parameters / first.parameters) / Math.log(last[unit] / first[unit]);
}

/** Of associations the largest model memorised nearly all that it was given, of the others less. */
export function exponentText(
  unit: 'items' | 'bits',
  memory: Memory,
  kept: readonly Kept[],
  form: 'short' | 'long',
): string {
  if (memory === 'associations') {
    const bound = boundIn(unit, kept);
    return bound === null ? 'not run yet' : `${form === 'short' ? '≤' : 'at most'} ${bound.toFixed(2)}`;
  }
  const k = exponentIn(unit, kept);
  return k ? (form === 'short' ? k.value.toFixed(2) : estimateText(k)) : 'not run yet';
}
