import type { RunConfig } from '../experiments/config';
import { UserError } from '../util/errors';
import type { LanguageModel } from '../model/model';
import {
  checkpointPath,
  linkCheckpoint,
  loadCheckpoint,
  saveCheckpoint,
  type RunningMeans,
  type RunState,
} from './checkpoint';
import type { TrainingObserver } from './observer';
import { newRecord, writeRecord, type CurvePoint, type RunRecord } from './record';
import { trainStep, type StepResult } from './step';
import type { Task } from './evaluate';

const nothing = (): RunningMeans => ({ steps: 0, tokens: 0, nats: 0, gradientNorms: 0 });

/** The state of a run between two steps. */
export class Training {
  private record: RunRecord;
  private step = 0;
  private tokensSeen = 0;
  private since = nothing();
  private readonly minutesBefore: number;
  private readonly startedAt = performance.now();
  /** What this session has trained. */
  private trained = { steps: 0, seconds: 0, tokens: 0 };

  constructor(
    private readonly config: RunConfig,
    private readonly model: LanguageModel,
    private readonly task: Task,
    private readonly observer: TrainingObserver,
  ) {
    const parameters = model.parameters.reduce((n, p) => n + p.size, 0);
    this.record = newRecord(config, task.dataHash, parameters);
    const path = checkpointPath(config);
    const saved = loadCheckpoint(path, this.record.configHash, model.parameters);
    if (saved) this.continue(path, saved);
    this.minutesBefore = this.record.minutes;
  }

  private continue(
    path: string,
    {
      step,
      tokensSeen,
      since,
      record: { startedAt, minutes, curve, commit, tokensPerSecond, dataHash, computedIn },
    }: RunState,
  ): void {
    const { config, record } = this;
    if (step > config.steps)
      throw new UserError(
        `config.steps: expected at least ${step}, where the run's checkpoint stands; got ${config.steps}: ask for more, or delete ${path} to begin anew`,
      );
    if (dataHash !== record.dataHash)
      throw new UserError(
        `checkpoint ${path}: expected data ${record.dataHash.slice(0, 12)}; got ${dataHash.slice(0, 12)}: the data set has changed since; make it again as it was, or delete the checkpoint to begin anew`,
      );
    if (computedIn && computedIn !== record.computedIn)
      throw new UserError(
        `checkpoint ${path}: expected products in ${computedIn}, as it was made with; this machine has ${record.computedIn}: continue it where it began, or delete the checkpoint to begin anew`,
      );
    [this.step, this.tokensSeen, this.since] = [step, tokensSeen, since];
    // A session that trains no further step leaves the run the work of those before.
    const commits =
      step < config.steps && !commit.endsWith(record.commit) ? `${commit}, ${record.commit}` : commit;
    this.record = { ...record, startedAt, minutes, curve, tokensPerSecond, commit: commits };
    this.nameBest();
  }

  async toTheEnd(): Promise<RunRecord> {
    const { config, observer, record } = this;
    await observer.started({ config, steps: config.steps, fromStep: this.step, curve: record.curve });
    while (!this.isOver()) {
      const startedAt = performance.now();
      const result = trainStep(this.model, config, this.step + 1, ...this.task.batches(this.step + 1));
      this.step++;
      this.count(result, (performance.now() - startedAt) / 1000);
      const { tokensPerSecond } = record;
      const secondsLeft = ((config.steps - this.step) * this.trained.seconds) / this.trained.steps;
      await observer.progressed({
        step: this.step,
        steps: config.steps,
        lossNats: result.lossNats,
        tokensPerSecond,
        secondsLeft,
      });
      if (this.step === config.steps || this.step % config.evaluateEverySteps === 0)
        await observer.evaluated(this.evaluate(result), record.curve);
      if (this.isOver() || this.isBest() || this.step % config.checkpointEverySteps === 0) await this.save();
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
      ...this.task.evaluate(this.model, this.step),
      learningRate,
      gradientNorm: since.gradientNorms / since.steps,
    };
    this.since = nothing();
    this.record.curve.push(point);
    return point;
  }

  /** This very step's point of the curve, if it has one. */
  private pointNow(): CurvePoint | undefined {
    const last = this.record.curve.at(-1);
    return last?.step === this.step ? last : undefined;
  }

  private isOver(): boolean {
    const now = this.pointNow();
    return this.step >= this.config.steps || (now !== undefined && this.task.complete?.(now) === true);
  }

  /** Whether this very step's held-out loss is the lowest so far. */
  private isBest(): boolean {
    const now = this.pointNow();
    return (
      now !== undefined &&
      this.record.curve.every((point) => point === now || point.heldOutLossNats > now.heldOutLossNats)
    );
  }

  /** After a save, and after a kill between a save and this. */
  private nameBest(): void {
    if (this.isBest()) linkCheckpoint(checkpointPath(this.config), checkpointPath(this.config, 'best'));
  }

  private async save(): Promise<void> {
    this.record.minutes = this.minutesBefore + (performance.now() - this.startedAt) / 60_000;
    const { step, tokensSeen, record, since } = this;
    await saveCheckpoint(
      checkpointPath(this.config),
      { step, tokensSeen, record, since },
      this.model.parameters,
    );
    this.nameBest();
  }
}
