/** Runs next to each other: which of them belong together, what they cost, and their values in a verdict. */
import { runId, type Experiment } from '../../experiments/experiment';
import { committedRecords } from '../../experiments/run';
import type { OwnValue } from '../../report/verdict';
import type { Tier, TrainingConfig } from '../../train/config';
import type { Measures, RunRecord } from '../../train/record';

/** `2 CPU cores, a GPU`: the hardware of some runs. */
export const hardwareText = (records: readonly Pick<RunRecord, 'hardware'>[]): string =>
  [
    ...new Set(
      records.map(({ hardware: { cores, device } }) => (device === 'gpu' ? 'a GPU' : `${cores} CPU cores`)),
    ),
  ].join(', ');

/** Those of some records that a list names, in its order. */
export function ofList<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  records: readonly RunRecord<C, M>[],
  list: readonly C[],
): RunRecord<C, M>[] {
  const byId = new Map(records.map((record) => [record.id, record]));
  return list.flatMap((config) => byId.get(runId(experiment, config)) ?? []);
}

/** The committed runs of each list in the desk tier. */
export function committedLists<C extends TrainingConfig, M extends Measures, Name extends string>(
  experiment: Experiment<C, M>,
  lists: Readonly<Record<Name, (tier: Tier) => readonly C[]>>,
): Record<Name, RunRecord<C, M>[]> {
  const records = committedRecords(experiment);
  const entries = Object.entries<(tier: Tier) => readonly C[]>(lists);
  return Object.fromEntries(
    entries.map(([name, list]) => [name, ofList(experiment, records, list('desk'))]),
  ) as Record<Name, RunRecord<C, M>[]>;
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
