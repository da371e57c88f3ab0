import type { CurvePoint, RunRecord } from './record';
import type { RunConfig } from '../experiments/config';

/** What training has to tell at one moment. */
export interface TrainingProgress {
  step: number;
  steps: number;
  lossNats: number;
  tokensPerSecond: number;
  secondsLeft: number;
}

/** What a training run tells whoever shows it. A rejected promise stops the run; its last checkpoint stays. */
export interface TrainingObserver {
  started(run: {
    config: RunConfig;
    steps: number;
    fromStep: number;
    curve: readonly CurvePoint[];
  }): Promise<void> | void;
  /** After every step. */
  progressed(at: TrainingProgress): Promise<void> | void;
  /** After every evaluation; `point` is the last of `curve`. */
  evaluated(point: CurvePoint, curve: readonly CurvePoint[]): Promise<void> | void;
  finished(record: RunRecord): Promise<void> | void;
}

/** Shows nothing. */
export const silent: TrainingObserver = { started() {}, progressed() {}, evaluated() {}, finished() {} };
