/** A run from its config to its record; it continues by itself where an earlier one was cut off. */
import { existsSync } from 'node:fs';
import type { RunConfig } from '../config';
import { checkConfig } from '../config-check';
import { openDataset } from '../data/shards';
import { UserError } from '../errors';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { checkpointPath, loadCheckpoint } from './checkpoint';
import { disposeGraphs } from './gradients';
import { silent, type TrainingObserver } from './observer';
import { QuestionFormation } from './question-formation';
import { configHash, readRecord, recordPath, runId, type RunRecord } from './record';
import type { Task } from './task';
import { Text } from './text';
import { Training } from './training';

/** What a config trains on. */
function taskOf(config: RunConfig): Task {
  switch (config.experiment) {
    case 'question-formation': return new QuestionFormation(config);
    case 'overfitting-9m':
    case 'scaling-90m': return new Text(config, openDataset(config.dataset));
    default: {
      const unknown: never = config;
      throw new Error(`no such experiment: ${JSON.stringify(unknown)}`);
    }
  }
}

/** The finished record of this run, if there is one; else trains, from the last checkpoint if there is one. */
export async function run<C extends RunConfig>(config: C, observer: TrainingObserver = silent): Promise<RunRecord<C>> {
  checkConfig(config);
  const path = recordPath(runId(config), config.tier);
  if (existsSync(path)) {
    const record = readRecord(path);
    if (record.finishedAt !== null && record.config.steps >= config.steps) {
      const { steps } = record.config;
      await observer.started({ config, steps, fromStep: steps, curve: record.curve });
      await observer.finished(record);
      return record as RunRecord<C>;
    }
  }
  const task = taskOf(config);
  const model = buildModel(config.model, config.seed);
  try {
    return (await new Training(config, model, task, observer).toTheEnd()) as RunRecord<C>;
  } finally {
    disposeGraphs(model);
    model.dispose();
    task.dispose();
  }
}

/** The model of a run as one of its checkpoints has it. Its memory is the caller's to `dispose` of. */
export function trainedModel(config: RunConfig, which: 'last' | 'best'): LanguageModel {
  const path = checkpointPath(config, which);
  if (!existsSync(path)) throw new UserError(`checkpoint: expected a file at ${path}; found none: train this run here first`);
  const model = buildModel(config.model, config.seed);
  loadCheckpoint(path, configHash(config), model.parameters);
  return model;
}
