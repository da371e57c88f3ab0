import type { TrainingConfig } from './config';
import type { CurvePoint, Measures, RunRecord } from './record';

/** What training has to tell at one moment. */
export interface TrainingProgress {
  step: number;
  steps: number;
  lossNats: number;
  tokensPerSecond: number;
  secondsLeft: number;
}

/** What a training run tells whoever shows it. A rejected promise stops the run; its last checkpoint stays. */
export interface TrainingObserver<M extends Measures = Measures> {
  /** Once a second while another process trains this run. */
  waits?(owner: string): Promise<void> | void;
  started(run: {
    config: TrainingConfig;
    steps: number;
    fromStep: number;
    curve: readonly CurvePoint<M>[];
  }): Promise<void> | void;
  /** Asked after every step: whether to save a checkpoint and end with a StoppedError, before the run is finished. */
  stops?(): boolean;
  /** After every step. */
  progressed(at: TrainingProgress): Promise<void> | void;
  /** After every evaluation; `point` is the last of `curve`. */
  evaluated(point: CurvePoint<M>, curve: readonly CurvePoint<M>[]): Promise<void> | void;
  finished(record: RunRecord<TrainingConfig, M>): Promise<void> | void;
}

/** A run was asked to stop, and goes on from its checkpoint when it is started again. */
export class StoppedError extends Error {}

/** Shows nothing. */
export const silent: TrainingObserver = { started() {}, progressed() {}, evaluated() {}, finished() {} };

/** Shows a run that was finished before. */
export async function showFinished<M extends Measures>(
  record: RunRecord<TrainingConfig, M>,
  observer: TrainingObserver<M>,
): Promise<void> {
  const { config, curve } = record;
  await observer.started({ config, steps: config.steps, fromStep: config.steps, curve });
  await observer.finished(record);
}
