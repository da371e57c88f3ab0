/** What the analyses of capacity share: whether a run has settled, which runs belong together, which differ in one thing; and their table. */
import { isDeepStrictEqual } from 'node:util';
import { showTable } from '../../report/table';
import { gpt2Parameters } from '../../model/config';
import { bitsOf, isComplete, type CapacityConfig, type CapacityRecord } from '../../experiments/capacity';
import { grouped } from '../../train/record';

export type What = CapacityConfig['what'];

export const sizeName = ({ model }: CapacityConfig): string => `${model.layers} × ${model.width}`;
export const memorised = (record: CapacityRecord): number => record.curve.at(-1)!.memorisedBits;
export const perParameter = (record: CapacityRecord): number =>
  memorised(record) / gpt2Parameters(record.config.model).all;
export const recalled = (record: CapacityRecord): number => record.curve.at(-1)!.recalledShare;

/** A run counts as settled when it knows everything, or its memorised bits grow by at most this share over the last quarter; fixed before any desk run. */
export const FLAT_SHARE = 0.05;

export function isFlat({ curve, config }: CapacityRecord): boolean {
  const before = [...curve].reverse().find(({ step }) => step <= 0.75 * config.steps);
  const last = curve.at(-1)!;
  if (isComplete(config, last)) return true;
  return before !== undefined && last.memorisedBits - before.memorisedBits <= FLAT_SHARE * last.memorisedBits;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

function row(record: CapacityRecord) {
  const { config, minutes, curve } = record;
  const { all, withoutEmbeddings } = gpt2Parameters(config.model);
  const { step, trainLossNats } = curve.at(-1)!;
  return {
    what: config.what,
    tier: config.tier,
    model: sizeName(config),
    precision: config.precision,
    seed: config.seed,
    parameters: all,
    'without embeddings': withoutEmbeddings,
    D: config.items,
    steps: step,
    minutes: Math.round(10 * minutes) / 10,
    'bits of the data': Math.round(bitsOf(config)),
    'memorised bits': Math.round(memorised(record)),
    'bits per parameter': perParameter(record),
    recalled: percent(recalled(record)),
    'training loss (nats)': trainLossNats,
    settled: isFlat(record) ? 'yes' : 'no',
  };
}

export const showRuns = (records: readonly CapacityRecord[]): void => showTable(records.map(row));

/** Records of one kind and precision, by tier, steps and size of model, each in the order of D. */
export function families(
  records: readonly CapacityRecord[],
  what: What,
  precision: CapacityConfig['precision'] = 'fp32',
): CapacityRecord[][] {
  const chosen = records.filter(({ config }) => config.what === what && config.precision === precision);
  return grouped(chosen, ({ config }) => `${config.tier} ${config.steps} ${sizeName(config)}`).map(
    ([, runs]) => runs.sort((a, b) => a.config.items - b.config.items),
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

/** A run beside the one that differs from it in its steps alone, with the share of bits that it has more. */
interface Gain {
  record: CapacityRecord;
  base: CapacityRecord;
  factor: number;
  gain: number;
}

export function gains(records: readonly CapacityRecord[], longer: readonly CapacityRecord[]): Gain[] {
  return longer.flatMap((record) => {
    const base = alikeBut(
      ['steps', 'schedule', 'evaluateEverySteps', 'checkpointEverySteps'],
      record,
      records,
    );
    return base
      ? [
          {
            record,
            base,
            factor: record.config.steps / base.config.steps,
            gain: memorised(record) / memorised(base) - 1,
          },
        ]
      : [];
  });
}

export function showLonger(records: readonly CapacityRecord[], longer: readonly CapacityRecord[]): void {
  const all = gains(records, longer);
  if (!all.length) return console.log('no run with more steps yet: "npm run sweep -- capacity" trains them');
  showTable(
    all.map(({ record, base, factor, gain }) => ({
      what: record.config.what,
      model: sizeName(record.config),
      D: record.config.items,
      steps: base.config.steps,
      'bits per parameter': perParameter(base),
      recalled: percent(recalled(base)),
      'times the steps': factor,
      'bits per parameter then': perParameter(record),
      'more bits': percent(gain),
      'recalled then': percent(recalled(record)),
      settled: isFlat(record) ? 'yes' : 'no',
    })),
  );
}
