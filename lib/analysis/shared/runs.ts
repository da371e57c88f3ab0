/** Runs next to each other: what they are called, which of them belong together, what they cost, and their values in a verdict. */
import { runId, type Experiment } from '../../experiments/experiment';
import { finishedRecords } from '../../experiments/run';
import type { Row } from '../../report/table';
import type { OwnValue } from '../../report/verdict';
import type { Tier, TrainingConfig } from '../../train/config';
import { withOthers, type Measures, type RunRecord } from '../../train/record';

/** `desk, 6 layers, seed 1` */
export const runLabel = ({ tier, seed }: Pick<TrainingConfig, 'tier' | 'seed'>, ...what: string[]): string =>
  [tier, ...what, `seed ${seed}`].join(', ');

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

/** Minutes and hardware of a committed run, in columns of a table. */
export const costColumns = ({
  minutes,
  hardware: { cores, cpu },
}: Pick<RunRecord, 'minutes' | 'hardware'>): Row => ({
  minutes: Math.round(minutes),
  hardware: `${cores} × ${cpu}`,
});

/** To one decimal, for tables. */
export const tenths = (x: number): number => Math.round(10 * x) / 10;
