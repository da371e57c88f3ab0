/** Runs an experiment from config to record; an interrupted run continues by itself. */
import { existsSync } from 'node:fs';
import type { LanguageModel } from '../model/model';
import { checkpointPath, loadedModel } from '../train/checkpoint';
import type { TrainingConfig } from '../train/config';
import { silent, type TrainingObserver } from '../train/observer';
import { allCommitted, readRecord, recordPath, type Measures, type RunRecord } from '../train/record';
import { train } from '../train/trainer';
import { checkConfig, runId, type Experiment } from './experiment';

/** The record of a run that has ended, at its last step or because it was complete before; else null. */
export function finishedRecord<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  config: C,
): RunRecord<C, M> | null {
  const path = recordPath(runId(experiment, config), config.tier);
  if (!existsSync(path)) return null;
  const record = readRecord(path) as RunRecord<C, M>;
  return record.finishedAt !== null && record.config.steps >= config.steps ? record : null;
}

/** The finished records among those of a list of runs, in its order. */
export const finishedRecords = <C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  configs: readonly C[],
): RunRecord<C, M>[] => configs.flatMap((config) => finishedRecord(experiment, config) ?? []);

/** The committed records of an experiment, in the order of their ids. */
export const committedRecords = <C extends TrainingConfig, M extends Measures>({
  name,
}: Experiment<C, M>): RunRecord<C, M>[] =>
  allCommitted().filter(({ config }) => config.experiment === name) as RunRecord<C, M>[];

/** The finished record of this run, if there is one; else trains, from the last checkpoint if there is one. */
export async function run<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  config: C,
  observer: TrainingObserver = silent,
): Promise<RunRecord<C, M>> {
  checkConfig(experiment, config);
  const known = finishedRecord(experiment, config);
  if (!known) return train(runId(experiment, config), config, await experiment.task(config), observer);
  const { steps } = known.config;
  await observer.started({ config, steps, fromStep: steps, curve: known.curve });
  await observer.finished(known);
  return known;
}

/** Runs one after the other, before one observer. */
export async function runAll<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  configs: readonly C[],
  observer: TrainingObserver = silent,
): Promise<RunRecord<C, M>[]> {
  const records: RunRecord<C, M>[] = [];
  for (const config of configs) records.push(await run(experiment, config, observer));
  return records;
}

/** The model in one of a run's checkpoints, for the caller to `dispose` of. */
export const trainedModel = <C extends TrainingConfig>(
  experiment: Experiment<C>,
  config: C,
  which: 'last' | 'best',
): LanguageModel => loadedModel(checkpointPath(runId(experiment, config), which), config);
