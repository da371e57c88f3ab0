/** Whether a run has settled: what it is judged by changes little over the last quarter of its steps. */
import { isComplete, type CapacityRecord } from '../../experiments/capacity';
import type { RunRecord } from '../../train/record';
import { plateau } from './plateau';

/** Most that a settled loss may change, nats per token. */
export const MOST_DRIFT = 0.01;

/**
 * The change over the last quarter and the most that a settled run may have, both fixed before any desk run. Two measures need
 * two rules, and on some runs they disagree: a loss has a unit in which 0.01 is small, and is averaged over quarters, for single
 * points are noisy; bits range over four orders of magnitude, so their change counts as a share of what is there at the end.
 */
const RULES = {
  /** Mean training loss of the third quarter minus that of the last, up or down, nats per token. */
  loss: (record: RunRecord) => ({ change: Math.abs(plateau(record).driftNats), most: MOST_DRIFT }),
  /** Memorised bits at the end minus those at three quarters of the steps; none where a run knows everything. */
  bits: (record: RunRecord) => {
    const { curve, config } = record as CapacityRecord;
    const before = [...curve].reverse().find(({ step }) => step <= 0.75 * config.steps);
    const last = curve.at(-1)!;
    const change = before === undefined ? Infinity : last.memorisedBits - before.memorisedBits;
    return { change: isComplete(config, last) ? 0 : change, most: 0.05 * last.memorisedBits };
  },
};

export function isSettled(record: RunRecord, by: keyof typeof RULES): boolean {
  const { change, most } = RULES[by](record);
  return change <= most;
}
