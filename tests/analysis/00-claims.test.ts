import assert from 'node:assert/strict';
import test from 'node:test';
import { answer, claimsFigure, deviationRows, runRows } from '../../lib/analysis/00-claims';
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

test('the figure has every run of the claims in README, in the order of their tables, with whole sentences', () => {
  const long = 'a claim of many words that is longer than one line of the label can be, told whole';
  const found = claim([run(1, 1.1), run(2, 9), run(3, 0.9, { tier: 'quick', unfit: 'short' })], long);
  const other = { ...found, verdict: verdict({ ...found.verdict, claim: 'b', kind: 'prediction' as const }) };
  const bound = {
    ...found,
    verdict: verdict({ ...found.verdict, claim: 'c', relation: 'at most', ours: [run(1, -7), run(2, 1.1)] }),
  };
  const check = { ...found, verdict: verdict({ ...found.verdict, claim: 'd', kind: 'check' as const }) };
  const { data, layout } = claimsFigure([other, check, found, bound]);
  const [{ x, y, marker }] = data as unknown as [{ x: number[]; y: number[]; marker: { symbol: string[] } }];
  assert.deepEqual(
    x.map((v) => Number(v.toFixed(6))),
    [2, 3, -2, -3, 1, 2, 3, -2],
    'in tolerances from the number, or from the edge of a bound; at most 3',
  );
  assert.deepEqual(y, [1, 1, 1, 2, 2, 4, 4, 4], 'row 0 and 3 are headings');
  assert.deepEqual(marker.symbol.slice(0, 4), ['circle', 'triangle-right', 'circle-open', 'triangle-left']);
  const texts = (layout!.annotations as { text: string }[]).map(({ text }) => text.replaceAll('<br>', ' '));
  assert.ok(texts.some((text) => text.endsWith(long)));
  assert.equal(layout!.shapes!.length, 3);
  const none = claimsFigure([claim([run(1, null as unknown as number)])]).data as unknown as [
    { x: number[] },
  ];
  assert.deepEqual(none[0].x, [], 'a value that is none has no place');
});

test('the answer counts verdicts table by table', () => {
  const list = [claim([run(1, 1)]), claim([run(1, 2)]), claim([])];
  assert.match(answer(list), /observations on trained models: of 3, 1 holds, 1 does not, 1 is open/);
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
