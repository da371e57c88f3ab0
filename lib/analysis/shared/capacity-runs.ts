/** Runs on random items: what each keeps of them, which belong together, and which differ in one thing. */
import { isDeepStrictEqual } from 'node:util';
import { bitsOf, type CapacityConfig, type CapacityRecord } from '../../experiments/capacity';
import { gpt2Parameters } from '../../model/config';
import type { Row } from '../../report/table';
import type { RunRecord } from '../../train/record';
import { layersByWidth, percent } from '../../util/format';
import { tenths } from './runs';
import { isSettled } from './settled';
import { grouped } from '../../util/groups';

/** What the items are: sequences or associations. */
export type Items = CapacityConfig['what'];

export const keptBits = ({ curve }: CapacityRecord): number => curve.at(-1)!.memorisedBits;
export const recalledShare = ({ curve }: CapacityRecord): number => curve.at(-1)!.recalledShare;
export const bitsPerParameter = (record: CapacityRecord): number =>
  keptBits(record) / gpt2Parameters(record.config.model).all;

export const keepsSettled = (record: RunRecord): boolean => isSettled(record, 'bits');
const settledText = (record: RunRecord): string => (keepsSettled(record) ? 'yes' : 'no');

export const capacityRunRows = (records: readonly CapacityRecord[]): Row[] =>
  records.map((record) => {
    const { config, minutes, curve } = record;
    const { all, withoutEmbeddings } = gpt2Parameters(config.model);
    const { step, trainLossNats } = curve.at(-1)!;
    return {
      what: config.what,
      tier: config.tier,
      model: layersByWidth(config.model),
      precision: config.precision,
      seed: config.seed,
      parameters: all,
      'without embeddings': withoutEmbeddings,
      D: config.items,
      steps: step,
      minutes: tenths(minutes),
      'bits of the data': Math.round(bitsOf(config)),
      'memorised bits': Math.round(keptBits(record)),
      'bits per parameter': bitsPerParameter(record),
      recalled: percent(recalledShare(record), 1),
      'training loss (nats)': trainLossNats,
      settled: settledText(record),
    };
  });

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

/** What more steps add. */
export const longerRows = (records: readonly CapacityRecord[], longer: readonly CapacityRecord[]): Row[] =>
  gains(records, longer).map(({ record, base, factor, gain }) => ({
    what: record.config.what,
    model: layersByWidth(record.config.model),
    D: record.config.items,
    steps: base.config.steps,
    'bits per parameter': bitsPerParameter(base),
    recalled: percent(recalledShare(base), 1),
    'times the steps': factor,
    'bits per parameter then': bitsPerParameter(record),
    'more bits': percent(gain, 1),
    'recalled then': percent(recalledShare(record), 1),
    settled: settledText(record),
  }));
