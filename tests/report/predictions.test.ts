import assert from 'node:assert/strict';
import test from 'node:test';
import { prediction, showPredictions } from '../../lib/report/predictions';
import { refusal } from '../refusal';

test('a prediction holds, fails or is open', () => {
  const all = [
    prediction('a', '1', 1, (v) => v === 1),
    prediction('b', '1', 0, (v) => v === 1),
    prediction('c', '1', undefined, () => true),
  ];
  assert.deepEqual(
    all.map(({ value, holds }) => [value, holds]),
    [
      [1, true],
      [0, false],
      [null, null],
    ],
  );
});

test('a prediction without the commit that registered it is refused', () => {
  const row = { id: 'P1', prediction: 'a', registered: '9e0b8c2', found: null, outcome: 'open' };
  showPredictions([row]);
  assert.throws(() => showPredictions([{ ...row, registered: 'before' }]), refusal('P1', 'before'));
});
