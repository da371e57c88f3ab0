import assert from 'node:assert/strict';
import test from 'node:test';
import { prediction, predictionRows, showPredictions } from '../../lib/report/predictions';
import { refusal } from '../refusal';

test('a prediction holds, fails or is undecided, and has its id in the table', () => {
  const rows = predictionRows({
    P1: prediction('a', '1', 1, (v) => v === 1),
    P2: prediction('b', '1', 0, (v) => v === 1),
    P10: prediction('c', '1', undefined, () => true),
  });
  assert.deepEqual(
    rows.map((row) => [row.prediction, row.found, row.outcome]),
    [
      ['P1 a', 1, 'holds'],
      ['P2 b', 0, 'FAILED'],
      ['P10 c', null, 'undecided'],
    ],
  );
});

test('a prediction without the commit that registered it is refused', () => {
  const row = { id: 'P1', prediction: 'a', registered: '9e0b8c2', found: null, outcome: 'open' };
  showPredictions([row]);
  assert.throws(() => showPredictions([{ ...row, registered: 'before' }]), refusal('P1', 'before'));
});
