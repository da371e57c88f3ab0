import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { capacity, type CapacityConfig } from '../../lib/experiments/capacity';
import { run } from '../../lib/experiments/run';
import { buildModel } from '../../lib/model/build';
import { windowBatch } from '../../lib/model/model';
import { tf } from '../../lib/tensor/engine';
import { CapacityTask, isComplete, mostBits } from '../../lib/experiments/capacity';
import { disposeGraphs } from '../../lib/train/gradients';
import { runFolder } from '../../lib/train/record';
import { trainStep } from '../../lib/train/step';
import { meanLoss, scored } from '../../lib/train/evaluate';
import { assertClose } from '../assert-close';

const SEQUENCES: CapacityConfig = {
  ...capacity.tiers.smoke,
  itemTokens: 6,
  promptTokens: 3,
  schedule: { kind: 'linear', peak: 2e-2, warmupSteps: 10, decaySteps: 400 },
};
const ASSOCIATIONS: CapacityConfig = { ...SEQUENCES, what: 'associations', itemTokens: 4 };

function trained(config: CapacityConfig, steps: number) {
  const [task, model] = [new CapacityTask(config), buildModel(config.model, 1)];
  for (let step = 1; step <= steps; step++) trainStep(model, config, step, ...task.batches(step));
  const measures = task.evaluate(model);
  disposeGraphs(model);
  model.dispose();
  return measures;
}

test('nothing is memorised before training; 16 items are after it, and fresh ones only cost more', () => {
  for (const [config, bits] of [
    [SEQUENCES, 16 * 6 * 6],
    [ASSOCIATIONS, 16 * 6],
  ] as const) {
    const before = trained(config, 0);
    assert.ok(before.memorisedBits < 0.05 * bits && before.recalledShare === 0, JSON.stringify(before));
    assertClose([before.heldOutLossNats], [Math.log(64)], { relative: 0.03, what: 'an untrained model' });
    const after = trained(config, 300);
    // Which of 16 items it is, 4 bits each, cannot be known of a sequence; of an association nothing is left open.
    const most = config.what === 'sequences' ? bits - 16 * 4 : bits;
    assert.equal(mostBits(config), most);
    assert.ok(
      after.memorisedBits > 0.9 * most && after.memorisedBits <= most + 1,
      `${after.memorisedBits} of ${most}`,
    );
    assert.equal(after.recalledShare, 1);
    assert.ok(after.heldOutLossNats > Math.log(64));
  }
});

test('a run ends at the first point of its curve where nothing is left to memorise, and stays ended', async () => {
  const config: CapacityConfig = {
    ...ASSOCIATIONS,
    steps: 400,
    evaluateEverySteps: 50,
    checkpointEverySteps: 400,
  };
  const record = await run(capacity, config);
  try {
    const { step } = record.curve.at(-1)!;
    assert.ok(step < 400, `ended at step ${step}`);
    assert.deepEqual(
      record.curve.map((point) => isComplete(config, point)),
      record.curve.map((point) => point.step === step),
    );
    assert.notEqual(record.finishedAt, null);
    // Asked for more steps, it goes on from its checkpoint, which is of the last step, and trains none.
    assert.deepEqual((await run(capacity, { ...config, steps: 800 })).curve, record.curve);
  } finally {
    rmSync(runFolder(record.id), { recursive: true });
  }
});

test('an association predicts its last token alone, from all before it', () => {
  const model = buildModel(SEQUENCES.model, 2);
  const windows = [
    [64, 1, 2, 3, 4],
    [64, 9, 8, 7, 6],
  ];
  const all = scored(model, SEQUENCES, () => windowBatch(windows, model.config));
  const last = scored(model, SEQUENCES, () => windowBatch(windows, model.config, 1));
  assertClose(last.nats, [all.nats[3]!, all.nats[7]!], { absolute: 1e-6, what: 'last tokens' });
  assertClose(
    [meanLoss(model, SEQUENCES, [() => windowBatch(windows, model.config, 1)])],
    [(all.nats[3]! + all.nats[7]!) / 2],
    { absolute: 1e-6, what: 'loss' },
  );
  tf.tidy(() => {
    const { tokens, targets, predicted } = windowBatch(windows, model.config, 2);
    assert.deepEqual(
      [tokens, [...targets.dataSync()], [...predicted!.dataSync()]],
      [4, [3, 4, 7, 6], [2, 3, 6, 7]],
    );
  });
  model.dispose();
});

test('runs of one seed and size share their items', () => {
  const hash = (change: Partial<CapacityConfig>) => new CapacityTask({ ...SEQUENCES, ...change }).dataHash;
  assert.equal(hash({ precision: 'bf16' }), hash({}));
  assert.notEqual(hash({ seed: 2 }), hash({}));
});
