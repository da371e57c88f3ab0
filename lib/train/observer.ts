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
  started(run: {
    config: TrainingConfig;
    steps: number;
    fromStep: number;
    curve: readonly CurvePoint<M>[];
  }): Promise<void> | void;
  /** After every step. */
  progressed(at: TrainingProgress): Promise<void> | void;
  /** After every evaluation; `point` is the last of `curve`. */
  evaluated(point: CurvePoint<M>, curve: readonly CurvePoint<M>[]): Promise<void> | void;
  finished(record: RunRecord<TrainingConfig, M>): Promise<void> | void;
}

/** Shows nothing. */
export const silent: TrainingObserver = { started() {}, progressed() {}, evaluated() {}, finished() {} };
