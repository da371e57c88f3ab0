/** Runs an experiment from config to record; an interrupted run continues by itself. */
import { existsSync, readFileSync } from 'node:fs';
import type { LanguageModel } from '../model/model';
import { checkpointPath, checkpointState, lacksWeights, loadedModel, weightsIn } from '../train/checkpoint';
import type { TrainingConfig } from '../train/config';
import { showFinished, silent, type TrainingObserver } from '../train/observer';
import {
  allCommitted,
  bestStep,
  committedPath,
  readRecord,
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

/**
 * The finished record of this run, if there is one; else trains, from the last checkpoint if there is one. A finished run
 * whose last checkpoint is of an earlier step is trained to its end again.
 * @param options.weights whether one without a checkpoint is, too
 */
export async function run<C extends TrainingConfig, M extends Measures>(
  experiment: Experiment<C, M>,
  config: C,
  observer: TrainingObserver = silent,
  { weights = false } = {},
): Promise<RunRecord<C, M>> {
  checkConfig(experiment, config);
  const known = finishedRecord(experiment, config);
  if (known && !lacksWeights(known, weights)) {
    await showFinished(known, observer);
    return known;
  }
  const whole = known?.config ?? config;
  return train(runId(experiment, config), whole, await experiment.task(whole), observer, { weights });
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

/** Throws a UserError unless a checkpoint is the one that belongs to a finished run's record. */
function checkBelongs(
  path: string,
  which: 'last' | 'best',
  config: TrainingConfig,
  record: RunRecord | null,
): void {
  const refuse = (expected: string, got: string): never => {
    throw new UserError(
      `checkpoint ${path}: expected ${expected}; got ${got}: start this run again, which trains the missing steps, or delete its folder to start it from the beginning`,
    );
  };
  const step = checkpointState(path)?.step;
  if (step === undefined) return; // Reading it says why.
  if (!record) return refuse(`that of a finished run of ${config.steps} steps`, `one after step ${step}`);
  const end = which === 'last' ? record.curve.at(-1)!.step : bestStep(record.curve);
  if (step !== end) refuse(`it after step ${end}, as the run's record says`, `one after step ${step}`);
  const own = existsSync(recordPath(record.id))
    ? readRecord(recordPath(record.id)).weights?.[which]
    : undefined;
  const { sha256 } = weightsIn(path);
  if (own && own.sha256 !== sha256)
    refuse(`weights ${own.sha256.slice(0, 12)}, as the run's record says`, sha256.slice(0, 12));
}

/** The model in one of a finished run's checkpoints, for the caller to `dispose` of. */
export function trainedModel<C extends TrainingConfig>(
  experiment: Experiment<C>,
  config: C,
  which: 'last' | 'best',
): LanguageModel {
  const path = checkpointPath(runId(experiment, config), which);
  checkBelongs(path, which, config, finishedRecord(experiment, config));
  return loadedModel(path, config);
}
