import assert from 'node:assert/strict';
import test from 'node:test';
import { endOf, endRows, subtitle, textScaleRows } from '../../../lib/analysis/shared/text-runs';
import { overfitting9m, overfittingSmall } from '../../../lib/experiments/overfitting-9m';
import { RUN, textRecord } from '../text-records';

test('runs are told apart by their tier and their tokens a step', () => {
  assert.equal(
    subtitle([RUN, textRecord([[1, 2]], overfitting9m.tiers.quick), RUN]),
    'desk: 1,024 tokens a step, 3.0 + 3.0 min on 2 CPU cores · quick: 256 tokens a step, 3.0 min on 2 CPU cores',
  );
  assert.equal(
    subtitle([RUN, textRecord([[1, 2]], { ...overfittingSmall, batchWindows: 2 })]),
    'desk: 1,024 tokens a step, 3.0 min on 2 CPU cores · desk: 512 tokens a step, 3.0 min on 2 CPU cores',
  );
});

test('where a run ends and where it turns', () => {
  const { last, lowest, gapNats, riseNats } = endOf(RUN);
  assert.deepEqual([last.epoch, lowest.epoch], [4, 2]);
  assert.deepEqual(
    [gapNats, riseNats].map((x) => Number(x.toFixed(9))),
    [4.12, 0.7],
  );
});

test('tables: the paper first, then committed runs, then the one to be made; where each ends', () => {
  const { tiers } = overfitting9m;
  const rows = textScaleRows([tiers.quick], [RUN], tiers.full);
  assert.deepEqual(
    rows.map((row) => [row.run, row['layers × width'], row.minutes, row.hardware]),
    [
      ['the paper (recipe of nanoGPT)', '12 × 768', null, 'not stated'],
      ['desk, 6 × 384, D = 90k, seed 1', '6 × 384', 3, '2 × c'],
      ['this run: quick, D = 3k, seed 1', '4 × 128', null, 'this machine'],
    ],
  );
  const [end] = endRows([RUN]);
  assert.deepEqual([end!.epochs, end!['at epoch'], end!['memorised windows']], [4, 2, null]);
});
