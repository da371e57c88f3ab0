/** A run from its config to its record; it continues by itself where an earlier one was cut off. */
import { existsSync } from 'node:fs';
import type { RunConfig } from '../experiments/config';
import { checkConfig } from '../experiments/config-check';
import { datasetNames, openDataset } from '../data/text/shards';
import { makeGenerated } from '../data/text/generated';
import { STORIES } from '../data/grammar/synthetic-entropy';
import { UserError } from '../util/errors';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { Capacity } from '../experiments/capacity';
import { checkpointPath, loadCheckpoint } from './checkpoint';
import { disposeGraphs } from './gradients';
import { silent, type TrainingObserver } from './observer';
import { PlateauIntervention } from '../experiments/plateau-intervention';
import { QuestionFormation } from '../experiments/question-formation';
import { configHash, readRecord, recordPath, runId, type RunRecord } from './record';
import type { Task } from './evaluate';
import { Text } from '../experiments/text';
import { Training } from './trainer';

/** Needs neither network nor files: it is made where it is missing, in seconds. */
const SYNTHETIC = { name: 'synthetic', limits: { train: 2_000_000, validation: 500_000 }, seed: 1 } as const;

/** What a config trains on. */
async function taskOf(config: RunConfig): Promise<Task> {
  switch (config.experiment) {
    case 'question-formation':
      return new QuestionFormation(config);
    case 'plateau-intervention':
      return new PlateauIntervention(config);
    case 'capacity':
      return new Capacity(config);
    case 'overfitting-9m':
    case 'scaling-90m':
      if (config.dataset === SYNTHETIC.name && !datasetNames().includes(SYNTHETIC.name))
        await makeGenerated(STORIES, SYNTHETIC);
      return new Text(config, openDataset(config.dataset));
    default: {
      const unknown: never = config;
      throw new Error(`no such experiment: ${JSON.stringify(unknown)}`);
    }
  }
}

/** The record of a run that has ended, at its last step or because it was complete before; else null. */
export function finishedRecord(config: RunConfig): RunRecord | null {
  const path = recordPath(runId(config), config.tier);
  if (!existsSync(path)) return null;
  const record = readRecord(path);
  return record.finishedAt !== null && record.config.steps >= config.steps ? record : null;
}

/** The finished records among those of a list of runs, in its order. */
export const finishedRecords = <C extends RunConfig>(configs: readonly C[]): RunRecord<C>[] =>
  configs.map(finishedRecord).filter((record) => record !== null) as unknown as RunRecord<C>[];

/** The finished record of this run, if there is one; else trains, from the last checkpoint if there is one. */
export async function run<C extends RunConfig>(
  config: C,
  observer: TrainingObserver = silent,
): Promise<RunRecord<C>> {
  checkConfig(config);
  const known = finishedRecord(config);
  if (known) {
    const { steps } = known.config;
    await observer.started({ config, steps, fromStep: steps, curve: known.curve });
    await observer.finished(known);
    return known as RunRecord<C>;
  }
  const task = await taskOf(config);
  const model = buildModel(config.model, config.seed);
  try {
    return (await new Training(config, model, task, observer).toTheEnd()) as RunRecord<C>;
  } finally {
    disposeGraphs(model);
    model.dispose();
    task.dispose();
  }
}

/** Runs one after the other; one observer sees them all. */
export async function runAll<C extends RunConfig>(
  configs: readonly C[],
  observer: TrainingObserver = silent,
): Promise<RunRecord<C>[]> {
  const records: RunRecord<C>[] = [];
  for (const config of configs) records.push(await run(config, observer));
  return records;
}

/** The model of a run as one of its checkpoints has it. Its memory is the caller's to `dispose` of. */
export function trainedModel(config: RunConfig, which: 'last' | 'best'): LanguageModel {
  const path = checkpointPath(config, which);
  if (!existsSync(path))
    throw new UserError(`checkpoint: expected a file at ${path}; found none: train this run here first`);
  const model = buildModel(config.model, config.seed);
  loadCheckpoint(path, configHash(config), model.parameters);
  return model;
}
