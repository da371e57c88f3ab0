import assert from 'node:assert/strict';
import test from 'node:test';
import {
  equalNormQuestion,
  riseQuestion,
  riseRows,
  rises,
  softMinQuestion,
} from '../../lib/analysis/01-inequalities';
import { MEMORIES } from '../../lib/analysis/shared/memories';
import { verdict, type Question } from '../../lib/report/verdict';

const value = ({ ours }: Question): number => ours[0]!.value;

test('the inequalities hold over a few random cases, and are not tight everywhere', () => {
  assert.ok(value(softMinQuestion('smoke', 1)) <= 1e-4, 'soft-min');
  assert.ok(value(softMinQuestion('smoke', 1)) > -1, 'the bounds are near the energy somewhere');
  const equal = value(equalNormQuestion('smoke', 1));
  assert.ok(equal > 0 && equal < 1e-4, String(equal));
  const found = rises('smoke', 1);
  assert.deepEqual(
    found.map(({ model }) => model),
    MEMORIES.map(({ name }) => name),
  );
  assert.ok(
    found.every(({ rise }) => rise < 1e-5),
    JSON.stringify(found),
  );
  assert.equal(riseRows(found, 'smoke')[0]!.cases, 200);
});

test('the largest rise of all memories decides, and one that is not a number is no success', () => {
  const outcome = (...all: number[]) =>
    verdict(
      riseQuestion(
        all.map((rise, i) => ({ model: String(i), rise })),
        'quick',
        1,
      ),
    ).outcome;
  assert.equal(outcome(0, 1e-6), 'CHECKED');
  assert.equal(outcome(1e-3, 0), 'REFUTED');
  assert.equal(outcome(NaN, 0), 'REFUTED');
});
