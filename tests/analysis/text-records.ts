/** Records of runs on texts, made up for tests. */
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import type { TextRecord } from '../../lib/experiments/text-task';

/** A record with these training and held-out losses, an epoch apart. */
function textRecord(
  losses: [train: number, heldOut: number][],
  config = overfitting9m.tiers.desk,
): TextRecord {
  const curve = losses.map(([trainLossNats, heldOutLossNats], i) => ({
    step: i + 1,
    epoch: i + 1,
    tokensSeen: 10 * (i + 1),
    trainLossNats,
    heldOutLossNats,
    memorisedShare: null,
    learningRate: 1,
    gradientNorm: 1,
    nearest: null,
    energies: { own: -5 * i, others: 1 + i, heldOut: 2 + 3 * i },
  }));
  return {
    config,
    curve,
    minutes: 3,
    parameters: 1e6,
    hardware: { cpu: 'c', cores: 2, memoryGiB: 1, device: 'cpu' },
  } as unknown as TextRecord;
}
export const RUN = textRecord([
  [3, 4],
  [1, 3.5],
  [0.05, 3.8],
  [0.08, 4.2],
]);
