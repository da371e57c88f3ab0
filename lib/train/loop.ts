/** A run from its config to its record; it continues by itself where an earlier one was cut off. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RunConfig } from '../config';
import { checkConfig } from '../config-check';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { loadCheckpoint, saveCheckpoint, type RunningMeans } from './checkpoint';
import { silent, type TrainingObserver } from './observer';
import { QuestionFormation } from './question-formation';
import { newRecord, readRecord, recordPath, runFolder, runId, writeRecord, type CurvePoint, type RunRecord } from './record';
import { trainStep, type StepResult } from './step';
import type { Task } from './task';

const nothing = (): RunningMeans => ({ steps: 0, tokens: 0, nats: 0, gradientNorms: 0 });

export const checkpointPath = (config: RunConfig): string => join(runFolder(runId(config)), 'last.checkpoint');

/** The finished record of this run, if there is one; else trains, from the last checkpoint if there is one. */
export async function run(config: RunConfig, observer: TrainingObserver = silent): Promise<RunRecord> {
  checkConfig(config);
  const path = recordPath(runId(config), config.tier);
  if (existsSync(path)) {
    const record = readRecord(path);
    if (record.finishedAt !== null && record.config.steps >= config.steps) {
      const { steps } = record.config;
      await observer.started({ config, steps, fromStep: steps, curve: record.curve });
      await observer.finished(record);
      return record;
    }
  }
  const model = buildModel(config.model, config.seed);
  try {
    return await new Training(config, model, new QuestionFormation(config), observer).toTheEnd();
  } finally {
    model.dispose();
  }
}

/** The state of a run between two steps. */
class Training {
  private record: RunRecord;
  private step = 0;
  private tokensSeen = 0;
  private since = nothing();
  private readonly minutesBefore: number;
  private readonly startedAt = performance.now();
  /** What this session has trained. */
  private trained = { steps: 0, seconds: 0, tokens: 0 };

  constructor(private readonly config: RunConfig, private readonly model: LanguageModel, private readonly task: Task, private readonly observer: TrainingObserver) {
    const parameters = model.parameters.reduce((n, p) => n + p.size, 0);
    this.record = newRecord(config, task.dataHash, parameters);
    const saved = loadCheckpoint(checkpointPath(config), this.record.configHash, model.parameters);
    if (saved) {
      this.step = saved.step;
      this.tokensSeen = saved.tokensSeen;
      this.since = saved.since;
      const { startedAt, minutes, curve, commit, tokensPerSecond } = saved.record;
      // A session that trains no further step leaves the run the work of those before.
      const commits = this.step < config.steps && !commit.endsWith(this.record.commit) ? `${commit}, ${this.record.commit}` : commit;
      this.record = { ...this.record, startedAt, minutes, curve, tokensPerSecond, commit: commits };
    }
    this.minutesBefore = this.record.minutes;
  }

  async toTheEnd(): Promise<RunRecord> {
    const { config, observer, record } = this;
    await observer.started({ config, steps: config.steps, fromStep: this.step, curve: record.curve });
    while (this.step < config.steps) {
      const startedAt = performance.now();
      const result = trainStep(this.model, config, this.step + 1, () => this.task.batch(this.step + 1));
      this.step++;
      this.count(result, (performance.now() - startedAt) / 1000);
      const { tokensPerSecond } = record;
      const secondsLeft = ((config.steps - this.step) * this.trained.seconds) / this.trained.steps;
      await observer.progressed({ step: this.step, steps: config.steps, lossNats: result.lossNats, tokensPerSecond, secondsLeft });
      const last = this.step === config.steps;
      if (last || this.step % config.evaluateEverySteps === 0) await observer.evaluated(this.evaluate(result), record.curve);
      if (last || this.step % config.checkpointEverySteps === 0) await this.save();
    }
    record.finishedAt = new Date().toISOString();
    writeRecord(record);
    await observer.finished(record);
    return record;
  }

  private count({ lossNats, tokens, gradientNorm }: StepResult, seconds: number): void {
    const { since, trained } = this;
    since.steps++;
    since.tokens += tokens;
    since.nats += lossNats * tokens;
    since.gradientNorms += gradientNorm;
    trained.steps++;
    trained.seconds += seconds;
    trained.tokens += tokens;
    this.tokensSeen += tokens;
    this.record.tokensPerSecond = Math.round(trained.tokens / trained.seconds);
  }

  private evaluate({ learningRate }: StepResult): CurvePoint {
    const { since } = this;
    const point: CurvePoint = {
      step: this.step,
      tokensSeen: this.tokensSeen,
      trainLossNats: since.nats / since.tokens,
      ...this.task.evaluate(this.model),
      learningRate,
      gradientNorm: since.gradientNorms / since.steps,
    };
    this.since = nothing();
    this.record.curve.push(point);
    return point;
  }

  private async save(): Promise<void> {
    this.record.minutes = this.minutesBefore + (performance.now() - this.startedAt) / 60_000;
    const { step, tokensSeen, record, since } = this;
    await saveCheckpoint(checkpointPath(this.config), { step, tokensSeen, record, since }, this.model.parameters);
  }
}
