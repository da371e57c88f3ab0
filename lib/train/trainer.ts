/** Training from a config to its record. */
import { existsSync, rmSync, statfsSync, statSync } from 'node:fs';
import * as os from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { arithmetic, threadsNow, type Arithmetic } from './arithmetic';
import { engine, isLoaded } from '../tensor/engine';
import { UserError } from '../util/errors';
import { megabytes } from '../util/format';
import { linkAtomically } from '../util/files';
import { takeLease, type Lease } from '../util/lease';
import { sourceCommit } from '../util/source';
import {
  checkpointPath,
  checkpointState,
  lacksWeights,
  loadCheckpoint,
  saveCheckpoint,
  weightsIn,
  type RunningMeans,
  type RunState,
} from './checkpoint';
import type { TrainingConfig } from './config';
import type { Task } from './evaluate';
import { disposeGraphs } from './gradients';
import { showFinished, StoppedError, type TrainingObserver } from './observer';
import {
  bestStep,
  configHash,
  recordAt,
  recordPath,
  runFolder,
  writeRecord,
  type CurvePoint,
  type Machine,
  type Measures,
  type RunRecord,
} from './record';
import { DivergedError, trainStep, usesBf16, type StepResult } from './step';

/** Record of a run that begins now. */
function newRecord<C extends TrainingConfig, M extends Measures>(
  id: string,
  config: C,
  dataHash: string,
  parameters: number,
): RunRecord<C, M> {
  const { tensorflowVersion, tfjsVersion, device } = engine();
  return {
    format: 2,
    id,
    config,
    configHash: configHash(config),
    dataHash,
    commit: sourceCommit(),
    versions: { node: process.versions.node, tensorflow: tensorflowVersion, tfjs: tfjsVersion },
    hardware: {
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      cores: os.cpus().length,
      memoryGiB: Math.round(os.totalmem() / 2 ** 30),
      device,
    },
    computedIn: usesBf16(config) ? 'bf16' : 'fp32',
    engine: arithmetic(),
    startedAt: new Date().toISOString(),
    finishedAt: null,
    minutes: 0,
    parameters,
    tokensPerSecond: 0,
    curve: [],
  };
}

const machineOf = ({ versions, hardware, engine: arithmetic }: RunRecord): Omit<Machine, 'untilStep'> => ({
  versions,
  hardware,
  engine: arithmetic,
});

/** Whether two parts of a run may differ in bits though their settings are the same. */
const isElsewhere = (one: RunRecord, other: RunRecord): boolean =>
  one.versions.tensorflow !== other.versions.tensorflow ||
  one.hardware.device !== other.hardware.device ||
  (one.engine !== undefined && !isDeepStrictEqual(one.engine.cpuFeatures, other.engine!.cpuFeatures));

const described = ({ hardware: { cpu, device }, versions: { tensorflow } }: RunRecord): string =>
  `${cpu} (${device.toUpperCase()}, TensorFlow ${tensorflow})`;

/** How to resume a run with the arithmetic that it began with. */
const remedies = ({ fused }: Arithmetic) => ({
  threads: 'set TF_NUM_INTRAOP_THREADS to that number, or give the sweep the --jobs that it had',
  oneDnn: 'set TF_ENABLE_ONEDNN_OPTS to 1 or 0 as then',
  fused: fused ? 'unset FUSED and run "npm run doctor"' : 'set FUSED=0',
});

/** Sets the number of threads to that which a run began with; for commands that train one run, before the engine is loaded. */
export function takeThreads(id: string): void {
  const threads = checkpointState(checkpointPath(id))?.record.engine?.threads;
  if (threads === undefined || threads === threadsNow() || isLoaded()) return;
  process.env.TF_NUM_INTRAOP_THREADS = process.env.OMP_NUM_THREADS = String(threads);
}

/** Value and two moments, in float32. */
const BYTES_PER_PARAMETER = 12;

/** Throws a UserError unless the disk has room for the last and the best checkpoint, and one that is being written. */
function checkRoom(id: string, parameters: number): void {
  const files = (['last', 'best'] as const).map((which) => checkpointPath(id, which)).filter(existsSync);
  const present = new Set(files.map((path) => statSync(path).ino)).size;
  const needed = (3 - present) * BYTES_PER_PARAMETER * parameters;
  const { bavail, bsize } = statfsSync(runFolder(id));
  if (bavail * bsize < needed)
    throw new UserError(
      `${runFolder(id)}: expected ${megabytes(needed)} free for checkpoints; there are ${megabytes(bavail * bsize)}: free some and start again`,
    );
}

const nothing = (): RunningMeans => ({ steps: 0, tokens: 0, nats: 0, gradientNorms: 0 });

/** The state of a run between two steps. */
class Training<C extends TrainingConfig, M extends Measures> {
  private record: RunRecord<C, M>;
  private step = 0;
  private tokensSeen = 0;
  private since = nothing();
  private readonly minutesBefore: number;
  private readonly startedAt = performance.now();
  /** In this process. */
  private trained = { steps: 0, seconds: 0, tokens: 0 };

  constructor(
    private readonly id: string,
    private readonly config: C,
    private readonly model: LanguageModel,
    private readonly task: Task<M>,
    private readonly observer: TrainingObserver,
    private readonly lease: Lease,
  ) {
    const parameters = model.parameters.reduce((n, p) => n + p.size, 0);
    this.record = newRecord(id, config, task.dataHash, parameters);
    const path = checkpointPath(id);
    checkRoom(id, parameters);
    const saved = loadCheckpoint<C, M>(path, this.record.configHash, model.parameters);
    if (saved) this.resume(path, saved);
    this.minutesBefore = this.record.minutes;
  }

  private resume(path: string, { step, tokensSeen, since, record: saved }: RunState<C, M>): void {
    const { config, record } = this;
    const { startedAt, minutes, curve, commit, tokensPerSecond, dataHash, computedIn, engine: begun } = saved;
    if (step > config.steps)
      throw new UserError(
        `config.steps: expected at least ${step}, the step of the run's checkpoint; got ${config.steps}: ask for more, or delete ${path} to start from the beginning`,
      );
    if (dataHash !== record.dataHash)
      throw new UserError(
        `checkpoint ${path}: expected data ${record.dataHash.slice(0, 12)}; got ${dataHash.slice(0, 12)}: the data set has changed since; restore it, or delete the checkpoint to start from the beginning`,
      );
    if (computedIn && computedIn !== record.computedIn)
      throw new UserError(
        `checkpoint ${path}: expected products in ${computedIn}, as it was begun; got ${record.computedIn}, which this machine has: continue the run where it began, or delete the checkpoint to start from the beginning`,
      );
    for (const key of ['threads', 'oneDnn', 'fused'] as const)
      if (begun && begun[key] !== record.engine![key])
        throw new UserError(
          `checkpoint ${path}: expected ${key} ${begun[key]}, as it was made with; here it is ${record.engine![key]}, which gives other bits: ${remedies(begun)[key]}, or delete the checkpoint to start this run from the beginning`,
        );
    [this.step, this.tokensSeen, this.since] = [step, tokensSeen, since];
    // A process that trains no further step adds no commit.
    const commits =
      step < config.steps && !commit.endsWith(record.commit) ? `${commit}, ${record.commit}` : commit;
    const before = isElsewhere(saved, record)
      ? [...(saved.before ?? []), { ...machineOf(saved), untilStep: step }]
      : saved.before;
    if (before !== saved.before)
      console.warn(
        `${this.id}: steps to ${step} were made on ${described(saved)}, the others are on ${described(record)}: bits may differ from those of one machine, and the record says so`,
      );
    this.record = {
      ...record,
      startedAt,
      minutes,
      curve,
      tokensPerSecond,
      commit: commits,
      ...(before && { before }),
    };
  }

  async toTheEnd(): Promise<RunRecord<C, M>> {
    const { config, observer, record } = this;
    await this.nameBest();
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
      const stops = !this.isOver() && observer.stops?.() === true;
      if (stops || this.isOver() || this.isBest() || this.step % config.checkpointEverySteps === 0)
        await this.writeCheckpoint();
      if (stops) throw new StoppedError(`a checkpoint of step ${this.step} of ${config.steps} is saved`);
    }
    const [last, best] = [weightsIn(checkpointPath(this.id)), checkpointPath(this.id, 'best')];
    const weights = existsSync(best) ? { last, best: weightsIn(best) } : { last };
    const ended = { ...record, weights, finishedAt: new Date().toISOString() };
    const written = await this.lease.writing((folder) => writeRecord(ended, folder));
    await observer.finished(written);
    return written;
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

  private evaluate({ learningRate }: StepResult): CurvePoint<M> {
    const { since } = this;
    const point: CurvePoint<M> = {
      step: this.step,
      tokensSeen: this.tokensSeen,
      trainLossNats: since.nats / since.tokens,
      ...this.task.evaluate(this.model, this.step),
      learningRate,
      gradientNorm: since.gradientNorms / since.steps,
    };
    if (!Number.isFinite(point.heldOutLossNats))
      throw new DivergedError(this.step, 'the held-out loss is not a finite number');
    this.since = nothing();
    this.record.curve.push(point);
    return point;
  }

  /** The curve's point of the current step, if it has one. */
  private pointNow(): CurvePoint<M> | undefined {
    const last = this.record.curve.at(-1);
    return last?.step === this.step ? last : undefined;
  }

  private isOver(): boolean {
    const now = this.pointNow();
    return this.step >= this.config.steps || (now !== undefined && this.task.complete?.(now) === true);
  }

  /** Whether the current step's held-out loss is the lowest so far. */
  private isBest(): boolean {
    return this.step > 0 && bestStep(this.record.curve) === this.step;
  }

  /** Called after a save, and on start, in case the process was killed between the two or a file was changed. */
  private async nameBest(): Promise<void> {
    const [last, best] = [checkpointPath(this.id), checkpointPath(this.id, 'best')];
    if (this.isBest()) return this.lease.writing((folder) => linkAtomically(last, best, folder));
    const [expected, got] = [bestStep(this.record.curve), checkpointState(best)?.step];
    if (expected === got || !existsSync(best)) return;
    console.warn(
      `${best}: expected the checkpoint of step ${expected ?? 'none'}, where the held-out loss was lowest; got ${got === undefined ? 'none that can be read' : `that of step ${got}`}: removed`,
    );
    await this.lease.writing(() => rmSync(best));
  }

  private async writeCheckpoint(): Promise<void> {
    this.record.minutes = this.minutesBefore + (performance.now() - this.startedAt) / 60_000;
    const { step, tokensSeen, record, since } = this;
    const state = { step, tokensSeen, record, since };
    await this.lease.writing((folder) =>
      saveCheckpoint(checkpointPath(this.id), state, this.model.parameters, folder),
    );
    await this.nameBest();
  }
}

/** TensorFlow's report that memory ran out, in one line. */
function asMemoryError(error: unknown): unknown {
  const [what] =
    /OOM when allocating [^\n.]*|Array buffer allocation failed|std::bad_alloc/.exec(String(error)) ?? [];
  return what
    ? new UserError(
        `training: expected enough memory; ${what}: ask for a smaller batch (more of "accumulate"), a smaller model or fewer jobs; the run goes on from its last checkpoint`,
      )
    : error;
}

/**
 * Trains a model on a task, from the last checkpoint if there is one, and closes the task. Waits while another process
 * trains this run; if that one finishes it, its record is the result.
 * @param options.weights whether a run is trained again that has a record and no checkpoint
 */
export async function train<C extends TrainingConfig, M extends Measures>(
  id: string,
  config: C,
  task: Task<M>,
  observer: TrainingObserver,
  { weights = false } = {},
): Promise<RunRecord<C, M>> {
  try {
    const lease = await takeLease(checkpointPath(id), (owner) => observer.waits?.(owner));
    try {
      const known = recordAt<C, M>(recordPath(id), config);
      if (known && !lacksWeights(known, weights)) {
        await showFinished(known, observer);
        return known;
      }
      const model = buildModel(config.model, config.seed);
      try {
        return await new Training(id, config, model, task, observer, lease).toTheEnd();
      } catch (error) {
        throw asMemoryError(error);
      } finally {
        disposeGraphs(model);
        model.dispose();
      }
    } finally {
      await lease.release();
    }
  } finally {
    task.dispose();
  }
}
