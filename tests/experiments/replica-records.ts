/** Records of the replica, made up for tests. */
import type { ReplicaConfig, ReplicaRecord } from '../../lib/experiments/replica';
import { configHash } from '../../lib/train/record';

export type Loss = (pass: number) => number;

/** A run whose held-out and training losses are given by the passes, evaluated every 100 steps. */
export function made(config: ReplicaConfig, heldOut: Loss, train: Loss, energyAuc = 0.9): ReplicaRecord {
  const windows = config.trainTokens / config.model.context;
  const curve = Array.from({ length: Math.ceil(config.steps / 100) }, (_, i) => {
    const step = Math.min(config.steps, 100 * (i + 1));
    const epoch = (step * config.batchWindows) / windows;
    return {
      step,
      epoch,
      heldOutLossNats: heldOut(epoch),
      trainWindowsLossNats: train(epoch),
      energyAuc,
      memorisedShare: 0.5,
    };
  });
  return { config, configHash: configHash(config), curve, minutes: 8.46 } as unknown as ReplicaRecord;
}
