import assert from 'node:assert/strict';
import test from 'node:test';
import { energyRows, questions } from '../../lib/analysis/05-overfitting-9m';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { verdict } from '../../lib/report/verdict';
import { RUN, textRecord } from './text-records';

test('the questions take the least training loss, the rise since the turn, the growth of the energy gap without own windows', () => {
  assert.deepEqual(
    questions([RUN]).map(({ ours }) => Number(ours[0]!.value.toFixed(9))),
    [0.05, 0.7, 6],
  );
  assert.deepEqual(
    questions([RUN]).map((q) => verdict(q).outcome),
    Array(3).fill('REPRODUCED'),
  );
  const other = textRecord([
    [3, 4],
    [2, 3],
  ]);
  assert.deepEqual(
    questions([other])
      .slice(0, 2)
      .map((q) => verdict(q).outcome),
    Array(2).fill('NOT REPRODUCED'),
  );
  assert.equal(
    verdict(questions([textRecord([[0.01, 4]], overfitting9m.tiers.quick)])[0]!).outcome,
    'INCONCLUSIVE',
    'a quick run cannot decide',
  );
});

test('the table of energies tells the growth with and without own patterns', () => {
  const [row] = energyRows([RUN]);
  assert.deepEqual([row!['their gap grew by'], row!['with own patterns in it grew by']], [6, 24]);
});
