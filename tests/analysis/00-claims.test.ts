import assert from 'node:assert/strict';
import test from 'node:test';
import { claimsFigure, deviationRows, runRows } from '../../lib/analysis/00-claims';
import type { Claim } from '../../lib/report/claims';
import { verdict, type OwnValue } from '../../lib/report/verdict';
import { allCommitted } from '../../lib/train/record';

const run = (seed: number, value: number, more: Partial<OwnValue> = {}): OwnValue => ({
  seed,
  tier: 'desk',
  value,
  ...more,
});
const claim = (ours: OwnValue[], text = 'a | b'): Claim => ({
  notebook: '04-x',
  verdict: verdict({ claim: text, source: 's', paper: 1, tolerance: 0.05, unit: 'nats', ours }),
});

test('the figure counts in tolerances, ends at ±5, and hollows what cannot decide', () => {
  const found = claim([run(1, 1.1), run(2, 9), run(3, 0.9, { tier: 'quick', unfit: 'short' })]);
  const { data } = claimsFigure([
    found,
    {
      ...found,
      verdict: verdict({ ...found.verdict, relation: 'at most', ours: [run(1, -7), run(2, 1.1)] }),
    },
  ]);
  const [{ x, marker }] = data as unknown as [{ x: number[]; marker: { symbol: string[] } }];
  assert.deepEqual(
    x.map((v) => Number(v.toFixed(6))),
    [2, 5, -2, -1, 2],
    'what keeps a bound with room to spare stands in the band',
  );
  assert.deepEqual(marker.symbol.slice(0, 3), ['circle', 'circle', 'circle-open']);
});

test('every committed run is in a row, and each group of runs has its deviations', () => {
  const rows = runRows();
  assert.equal(
    rows.reduce((total, { runs }) => total + Number(runs), 0),
    allCommitted().length,
  );
  const found = deviationRows('full');
  assert.ok(found.length >= rows.length);
  assert.ok(found.some((row) => row['departs from the published run in'] === 'nothing'));
});
