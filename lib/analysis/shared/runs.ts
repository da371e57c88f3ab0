/** Runs next to each other: which of them belong together, what they cost, and their values in a verdict. */
import { runId, type Experiment } from '../../experiments/experiment';
import { finishedRecords } from '../../experiments/run';
import type { OwnValue } from '../../report/verdict';
import { TIERS, type Tier, type TrainingConfig } from '../../train/config';
import type { Measures, RunRecord } from '../../train/record';
import { grouped } from '../../util/groups';

/** Records, and those of others that are not among them. */
const withOthers = <R extends RunRecord>(own: readonly R[], others: readonly R[]): R[] => [
  ...own,
  ...others.filter(({ id }) => !own.some((record) => record.id === id)),
];

/** `2 CPU cores, a GPU`: the hardware of some runs. */
export const hardwareText = (records: readonly Pick<RunRecord, 'hardware'>[]): string =>
  [
    ...new Set(
      records.map(({ hardware: { cores, device } }) => (device === 'gpu' ? 'a GPU' : `${cores} CPU cores`)),
    ),
  ].join(', ');

/** The items of the fullest tier that any of them has. */
export const ofFullestTier = <T>(items: readonly T[], tierOf: (item: T) => Tier): T[] =>
  grouped(items, tierOf).sort(([a], [b]) => TIERS.indexOf(b) - TIERS.indexOf(a))[0]?.[1] ?? [];

/** Those of some records that a list names, in its order. */
export function ofList<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  records: readonly RunRecord<C, M>[],
  list: readonly C[],
): RunRecord<C, M>[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return list.flatMap((config) => byId.get(runId(experiment, config)) ?? []);
}

/** The runs of a list: those among `own`, in the list's order, then the committed ones of its desk tier. */
export function runsOf<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  list: (tier: Tier) => C[],
  own: readonly RunRecord<C, M>[],
): RunRecord<C, M>[] {
  const ids = [...new Set(own.map(({ config }) => config.tier))]
    .flatMap(list)
    .map((config) => runId(experiment, config));
  return withOthers(
    ids.flatMap((id) => own.find((record) => record.id === id) ?? []),
    finishedRecords(experiment, list('desk')),
  );
}

/** A value per run, as a verdict counts it. @param unfit why a run cannot decide; undefined: it can */
export const ownValues = <R extends Pick<RunRecord, 'config'>>(
  records: readonly R[],
  value: (record: R) => number,
  unfit: (record: R) => string | undefined = () => undefined,
): OwnValue[] =>
  records.map((record) => {
    const reason = unfit(record);
    const { seed, tier } = record.config;
    return { seed, tier, value: value(record), ...(reason === undefined ? {} : { unfit: reason }) };
  });

/** To one decimal, for tables. */
export const tenths = (x: number): number => Math.round(10 * x) / 10;
