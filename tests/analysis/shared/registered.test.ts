import assert from 'node:assert/strict';
import test from 'node:test';
import { registeredQuestion, registeredRow } from '../../../lib/analysis/shared/registered';
import type { SeededPrediction } from '../../../lib/experiments/prediction';
import { verdict } from '../../../lib/report/verdict';

/** Decided by numbers, which are the records here: the seed's own is at its place. */
const prediction = (
  change: Partial<SeededPrediction<number | null>> = {},
): SeededPrediction<number | null> => ({
  id: 'X1',
  claim: 'The loss vanishes',
  by: 'the article',
  rule: { quantity: 'loss at the end', atMost: 0.1, unit: 'nats' },
  seeds: [1, 2],
  value: (records, seed) => records[seed - 1]!,
  ...change,
});

test('a prediction as a question has the verdict of its rule, on its border too', () => {
  const outcome = (values: (number | null)[], change = {}) =>
    verdict(registeredQuestion(prediction(change), values, 'section 6')).outcome;
  assert.equal(outcome([0.1, 0.05]), 'REPRODUCED IN MINIATURE');
  assert.equal(outcome([0.2, 0.05]), 'INCONCLUSIVE');
  assert.equal(outcome([0.2, 0.11]), 'NOT REPRODUCED IN MINIATURE');
  const ours = { by: 'ours', rule: { quantity: 'pass', atLeast: 12, atMost: 18, unit: 'passes' } };
  assert.equal(outcome([12, 18], ours), 'HELD');
  assert.equal(outcome([11.9, 18.1], ours), 'FAILED');
  const atLeast = { rule: { quantity: 'rise', atLeast: 0.5, unit: 'nats' } };
  assert.equal(outcome([0.5, 9], atLeast), 'REPRODUCED IN MINIATURE');
  assert.equal(outcome([0.49, 0], atLeast), 'NOT REPRODUCED IN MINIATURE');
});

test('while the runs of a seed are missing, the others are shown and decide nothing', () => {
  const question = registeredQuestion(prediction(), [0.05, null], 'section 6');
  assert.deepEqual(
    question.ours.map(({ seed, value, unfit }) => [seed, value, unfit]),
    [[1, 0.05, 'runs of seed 2 are missing']],
  );
  assert.equal(verdict(question).outcome, 'INCONCLUSIVE');
  assert.deepEqual(registeredQuestion(prediction(), [null, null], 'section 6').ours, []);
});

test('a row of the table says the rule, the commit, the values and the outcome', () => {
  assert.deepEqual(registeredRow(prediction(), [0.0123, 0.5], 'abcdef0'), {
    id: 'X1',
    prediction: 'The loss vanishes (loss at the end: at most 0.1 nats)',
    registered: 'abcdef0',
    found: '0.0123, 0.5',
    outcome: 'INCONCLUSIVE',
  });
  const { found, outcome } = registeredRow(prediction(), [null, null], 'abcdef0');
  assert.deepEqual([found, outcome], [null, 'open']);
  assert.equal(registeredRow(prediction(), [Infinity, 0.5], 'abcdef0').found, 'none, 0.5');
});
