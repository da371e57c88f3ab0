import assert from 'node:assert/strict';
import test from 'node:test';
import { isSettled } from '../../../lib/analysis/shared/settled';
import { capacity } from '../../../lib/experiments/capacity';
import type { RunRecord } from '../../../lib/train/record';

const run = (config: object, values: object[]): RunRecord =>
  ({
    config: { ...config, steps: 400 },
    curve: values.map((value, i) => ({ step: 100 * (i + 1), ...value })),
  }) as unknown as RunRecord;

test('a loss has settled when it changes by at most 0.01 nats from the third quarter to the last, up or down', () => {
  const ending = (...losses: number[]) =>
    isSettled(
      run(
        {},
        [3, 2, ...losses].map((trainLossNats) => ({ trainLossNats, heldOutLossNats: 1 })),
      ),
      'loss',
    );
  const settled = [ending(1.009, 1), ending(1.02, 1), ending(1, 1.009), ending(1, 1.5)];
  assert.deepEqual(settled, [true, false, true, false]);
});

test('bits have settled when at most 5% of them came in the last quarter, or when nothing is left to know', () => {
  const config = { ...capacity.tiers.desk, what: 'associations', itemTokens: 5, promptTokens: 4, items: 100 };
  const ending = (...bits: number[]) =>
    isSettled(
      run(
        config,
        bits.map((memorisedBits) => ({ memorisedBits, recalledShare: memorisedBits / 600 })),
      ),
      'bits',
    );
  assert.deepEqual(
    [ending(1, 2, 380, 400), ending(1, 2, 379, 400), ending(1, 2, 3, 600)],
    [true, false, true],
    'the last one recalls all of 100 items of 6 bits',
  );
});
