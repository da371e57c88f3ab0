import assert from 'node:assert/strict';
import test from 'node:test';
import { endOf } from '../../../lib/analysis/shared/text-runs';
import { RUN } from '../text-records';

test('where a run ends and where its held-out loss is lowest', () => {
  const { last, lowest } = endOf(RUN);
  assert.deepEqual([last.epoch, lowest.epoch, lowest.heldOutLossNats], [4, 2, 3.5]);
});
