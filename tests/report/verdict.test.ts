import assert from 'node:assert/strict';
import test from 'node:test';
import {
  answerOf,
  expectedText,
  keptVerdict,
  tableOf,
  VERDICT_MIME,
  verdict,
  verdictBundle,
  type OwnValue,
  type Question,
} from '../../lib/report/verdict';
import { refusal } from '../refusal';

const question = (...ours: OwnValue[]): Question => ({
  claim: 'c < d',
  source: 'section 6',
  paper: 1,
  tolerance: 0.05,
  unit: 'nats',
  ours,
});
const desk = (seed: number, value: number): OwnValue => ({ seed, tier: 'desk', value });
const decided = (q: Question) => verdict(q).outcome;

test('the rule: all within, none, some', () => {
  assert.equal(decided(question(desk(1, 1.04), desk(2, 0.96))), 'REPRODUCED');
  assert.equal(
    decided(question(desk(1, 1.06), desk(2, 0.94))),
    'NOT REPRODUCED',
    'the mean 1.00 must not count',
  );
  assert.equal(decided(question(desk(1, 1.04), desk(2, 1.06))), 'INCONCLUSIVE');
  assert.equal(verdict(question(desk(1, 1.04), desk(2, 1.06))).reason, '1 of 2 runs within the tolerance');
});

test('values decide and are kept with six digits, and as 0 what is left of numbers that cancel', () => {
  const run = { ...desk(1, 1.05000004), interval: [0.999999999, 1.1] as const };
  assert.deepEqual(keptVerdict(question(run, desk(2, 3e-16))).ours, [
    { ...run, value: 1.05, interval: [1, 1.1] },
    desk(2, 0),
  ]);
  assert.equal(keptVerdict({ ...question(run), relation: 'at most' }).outcome, 'REPRODUCED');
});

test('a bound is kept on its side and missed beyond the tolerance', () => {
  const most: Question = { ...question(desk(1, -7), desk(2, 1.04)), relation: 'at most' };
  assert.equal(decided(most), 'REPRODUCED');
  assert.equal(decided({ ...most, ours: [desk(1, 1.06)] }), 'NOT REPRODUCED');
  const least: Question = { ...question(desk(1, 7), desk(2, 0.96)), relation: 'at least' };
  assert.equal(decided(least), 'REPRODUCED');
  assert.equal(decided({ ...least, ours: [desk(1, 0.94)] }), 'NOT REPRODUCED');
  assert.deepEqual(
    [expectedText(most), expectedText(least), expectedText({ ...most, paper: 0, tolerance: 1e-6 })],
    ['at most 1.05 nats', 'at least 0.95 nats', 'at most 1.0e-6 nats'],
  );
  assert.deepEqual(
    [
      expectedText({ ...least, tolerance: 0 }),
      expectedText({ ...question(), paper: 0.138, tolerance: 0.03 }),
    ],
    ['at least 1.00 nats', '0.138 ± 0.03 nats'],
  );
  assert.equal(decided({ ...least, tolerance: 0, ours: [desk(1, 1)] }), 'REPRODUCED');
  for (const relation of ['at most', 'at least'] as const)
    assert.equal(decided({ ...question(desk(1, NaN)), relation }), 'NOT REPRODUCED');
});

test('a run that cannot decide is not counted', () => {
  assert.equal(decided(question({ ...desk(1, 1.5), unfit: 'too short' }, desk(2, 1))), 'REPRODUCED');
  assert.deepEqual([decided(question()), verdict(question()).reason], ['INCONCLUSIVE', 'no run']);
  const smoke = verdict(
    question({ seed: 1, tier: 'smoke', value: 1 }, { ...desk(1, 1), unfit: 'too short' }),
  );
  assert.deepEqual(
    [smoke.outcome, smoke.reason],
    ['INCONCLUSIVE', 'no run that can decide: smoke runs are too small to decide; too short'],
  );
});

test('runs below the least tier decide nothing', () => {
  const quick = question({ seed: 1, tier: 'quick', value: 1 });
  assert.deepEqual([quick, { ...quick, leastTier: 'desk' as const }].map(decided), [
    'REPRODUCED',
    'INCONCLUSIVE',
  ]);
  assert.equal(decided({ ...question(desk(1, 1)), leastTier: 'desk' }), 'REPRODUCED');
});

test('one run refutes a claim on every run', () => {
  const mixed = question(desk(1, 1), desk(2, 1.2));
  assert.deepEqual([mixed, { ...mixed, universal: true }].map(decided), ['INCONCLUSIVE', 'NOT REPRODUCED']);
  assert.equal(decided({ ...question(desk(1, 1), desk(2, 1.04)), universal: true }), 'REPRODUCED');
});

test('a diverged run is outside', () => {
  assert.equal(decided(question(desk(1, NaN))), 'NOT REPRODUCED');
  assert.equal(decided(question(desk(1, Infinity), desk(2, 1))), 'INCONCLUSIVE');
});

test('a tolerance of 0 or no number from the paper is refused', () => {
  assert.throws(() => verdict({ ...question(desk(1, 1)), tolerance: 0 }), refusal('tolerance', 0));
  assert.throws(() => verdict({ ...question(desk(1, 1)), paper: NaN }), refusal('paper', 'NaN'));
});

test('the output shows each seed and carries the verdict for reproduce', () => {
  const { data } = verdictBundle(verdict(question(desk(1, 0.97), desk(2, 1.2))));
  const lines = (data['text/plain'] as string).split('\n');
  assert.match(lines[2]!, /INCONCLUSIVE: 1 of 2 runs within the tolerance$/);
  assert.deepEqual(
    lines.slice(-2).map((line) => line.split(/\s{2,}/)),
    [
      ['c < d', 'desk', '1', '0.970', '−0.030', 'within'],
      ['c < d', 'desk', '2', '1.200', '+0.200', 'outside'],
    ],
  );
  assert.ok((data['text/html'] as string).includes('c &lt; d'));
  assert.deepEqual(
    (data[VERDICT_MIME] as { outcome: string }[]).map(({ outcome }) => outcome),
    ['INCONCLUSIVE'],
  );
});

test('a value that is not finite, or was kept as null, is shown as none', () => {
  for (const value of [Infinity, null as unknown as number]) {
    const text = verdictBundle(verdict(question(desk(1, value)))).data['text/plain'] as string;
    assert.deepEqual(
      text
        .split('\n')
        .at(-1)!
        .split(/\s{2,}/),
      ['c < d', 'desk', '1', 'none', '–', 'outside'],
    );
  }
});

test('each kind of claim has its own words and its table', () => {
  const runs = { all: [desk(1, 1)], none: [desk(1, 2)], some: [desk(1, 1), desk(2, 2)] };
  const words = (more: Partial<Question>) =>
    Object.values(runs).map((ours) => decided({ ...question(...ours), ...more }));
  assert.deepEqual(
    (['miniature', 'check', 'reconstruction', 'prediction'] as const).map((kind) => words({ kind })),
    [
      ['REPRODUCED IN MINIATURE', 'NOT REPRODUCED IN MINIATURE', 'INCONCLUSIVE'],
      ['CHECKED', 'REFUTED', 'UNCHECKED'],
      ['FOLLOWS', 'DOES NOT FOLLOW', 'OPEN'],
      ['HELD', 'FAILED', 'OPEN'],
    ],
  );
  assert.deepEqual(words({ blind: 'the control gives the same' }), Array(3).fill('TEST CANNOT TELL'));
  assert.deepEqual(
    (['measurement', 'check', 'prediction'] as const).map((kind) => tableOf({ ...question(), kind })),
    ['observations', 'theory', 'predictions'],
  );
  const answers = Object.values(runs).map((ours) =>
    answerOf(verdict({ ...question(...ours), kind: 'check' })),
  );
  assert.deepEqual(answers, [true, false, null]);
  assert.equal(answerOf(verdict({ ...question(desk(1, 1)), blind: 'x' })), null);
});
