/** Where the losses of runs on question formation settle, and what the paper reads from published curves of them. */
import type { CurvePoint, RunRecord } from '../../train/record';
import { mean } from '../../util/statistics';

/** Training loss at which the runs of Murty et al. 2023 with 6 layers settle, as published curves show it. */
export const PAPER_PLATEAU = { nats: 1, tolerance: 0.05 } as const;

/** Means over the last quarter of a run's steps, nats per token. */
export interface Plateau {
  trainLossNats: number;
  heldOutLossNats: number;
  /** Training loss of the third quarter minus that of the last. */
  driftNats: number;
}

export function plateau({ curve, config }: RunRecord): Plateau {
  const quarter = (n: number): CurvePoint[] =>
    curve.filter(({ step }) => step > ((n - 1) * config.steps) / 4 && step <= (n * config.steps) / 4);
  const train = (points: CurvePoint[]) => mean(points.map((p) => p.trainLossNats));
  return {
    trainLossNats: train(quarter(4)),
    heldOutLossNats: mean(quarter(4).map((p) => p.heldOutLossNats)),
    driftNats: train(quarter(3)) - train(quarter(4)),
  };
}
