/** Runs an experiment from config to record; an interrupted run continues by itself. */
import { readFileSync } from 'node:fs';
import type { LanguageModel } from '../model/model';
import { checkpointPath, loadedModel } from '../train/checkpoint';
import type { TrainingConfig } from '../train/config';
import { showFinished, silent, type TrainingObserver } from '../train/observer';
import {
  allCommitted,
  committedPath,
  recordAt,
  recordPath,
  type Measures,
  type RunRecord,
} from '../train/record';
import { train } from '../train/trainer';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { isListed } from './index';
import { checkConfig, runId, type Experiment } from './experiment';

/** The record of a finished run, or null. A committed record takes precedence over this machine's. */
export function finishedRecord<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  config: C,
): RunRecord<C, M> | null {
  const id = runId(experiment, config);
  return recordAt(committedPath(id), config) ?? recordAt(recordPath(id), config);
}

/** Makes the record of a finished run evidence: copies it to data/runs, from where git takes it. @returns its path there */
export function commitRecord<C extends TrainingConfig>(experiment: Experiment<C>, config: C): string {
  const id = runId(experiment, config);
  if (!isListed(config))
    throw new UserError(
      `--commit: expected a desk or full run that a list names, as "npm run sweep -- NAME --list" prints them; got ${id}: add it to a list of its experiment`,
    );
  const [from, to] = [recordPath(id), committedPath(id)];
  const own = recordAt(from, config);
  const known = recordAt(to, own?.config ?? config);
  if (!own && !known)
    throw new UserError(
      `--commit: expected a finished run of ${config.steps} steps; ${id} is not: train it first`,
    );
  if (!known) writeAtomically(to, readFileSync(from, 'utf8'));
  return to;
}

/** The finished records among those of a list of runs, in its order. */
export const finishedRecords = <C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  configs: readonly C[],
): RunRecord<C, M>[] => configs.flatMap((config) => finishedRecord(experiment, config) ?? []);

/** The committed records of an experiment whose runs a list names, in the order of their ids. */
export const committedRecords = <C extends TrainingConfig, M extends Measures>({
  name,
}: Experiment<C, M>): RunRecord<C, M>[] =>
  allCommitted().filter(({ config }) => config.experiment === name && isListed(config)) as RunRecord<C, M>[];

/** The finished record of this run, if there is one; else trains, from the last checkpoint if there is one. */
export async function run<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  config: C,
  observer: TrainingObserver = silent,
): Promise<RunRecord<C, M>> {
  checkConfig(experiment, config);
  const known = finishedRecord(experiment, config);
  if (!known) return train(runId(experiment, config), config, await experiment.task(config), observer);
  await showFinished(known, observer);
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
