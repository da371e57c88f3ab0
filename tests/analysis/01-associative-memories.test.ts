import assert from 'node:assert/strict';
import test from 'node:test';
import { Random } from '../../lib/util/random';
import {
  capacityQuestions,
  capacityRows,
  landscapes,
  promised,
} from '../../lib/analysis/01-associative-memories';
import {
  FIGURE_1,
  MEMORIES,
  memoryCapacity,
  signErrors,
  spinPatterns,
  type MemoryKind,
} from '../../lib/analysis/shared/memories';
import { line } from '../../lib/util/statistics';
import { verdict } from '../../lib/report/verdict';
import { assertClose } from '../assert-close';

test('the landscapes are the four formulas, and MCHN their sum', () => {
  const { ticks, surfaces } = landscapes(FIGURE_1, 5, 2);
  const [lse, reg, sum, distance] = Object.values(surfaces);
  const [x, y] = [ticks[3]!, ticks[1]!];
  const dot = FIGURE_1.map(([a, b]) => a! * x + b! * y);
  const half = FIGURE_1.map(([a, b]) => (a! ** 2 + b! ** 2) / 2);
  const expected = {
    lse: -Math.log(dot.reduce((total, v) => total + Math.exp(v), 0)),
    reg: (x * x + y * y) / 2 + Math.log(3) + Math.max(...half),
    distance: -Math.log(FIGURE_1.reduce((total, [a, b]) => total + Math.exp(-Math.hypot(a! - x, b! - y)), 0)),
  };
  assertClose(
    [lse![1]![3]!, reg![1]![3]!, sum![1]![3]!, distance![1]![3]!],
    [expected.lse, expected.reg, expected.lse + expected.reg, expected.distance],
    { absolute: 1e-5, what: 'energies' },
  );
});

test('one pattern is found by every memory, and half of the signs are wrong where none is stored', () => {
  for (const model of MEMORIES) {
    const random = new Random(1, 'one');
    assert.equal(signErrors(model, spinPatterns(1, 30, random), 3, 0.1, random), 0, model.name);
  }
  const forgetful: MemoryKind = {
    name: 'f',
    real: false,
    make: () =>
      ({
        retrieve: (states: Float32Array[]) => ({
          states: {
            values: Float32Array.from(states.flatMap((s) => [...s].map((v, i) => (i % 2 ? v : -v)))),
          },
        }),
      }) as never,
  };
  const random = new Random(1, 'none');
  assert.equal(signErrors(forgetful, spinPatterns(5, 30, random), 5, 0, random), 0.5);
});

test('a capacity is the largest number of patterns that is held, to its fineness', () => {
  // Wrong signs in half of the places from 137 patterns on.
  const limited: MemoryKind = {
    name: 'l',
    real: false,
    make: ({ rows }) =>
      ({
        retrieve: (states: Float32Array[]) => ({
          states: {
            values: Float32Array.from(
              states.flatMap((s) => [...s].map((v, i) => (rows > 137 && i % 2 ? -v : v))),
            ),
          },
        }),
      }) as never,
  };
  const held = memoryCapacity(limited, 10, 1)!;
  assert.ok(held <= 137 && held > 137 / 1.07, String(held));
});

test('the slope of a line with noise, and the values of the questions', () => {
  assertClose(
    [
      line([
        [0, 1],
        [1, 3.1],
        [2, 4.9],
      ]).slope.value,
    ],
    [1.95],
    { absolute: 1e-12, what: 'slope' },
  );
  const cases = MEMORIES.flatMap(({ name }) =>
    [10, 20].map((n) => ({ model: name, n, seed: 1, patterns: name === 'classical' ? 0.14 * n : n ** 2 })),
  );
  const flipped = [18].map((n) => ({ model: 'exponential', n, seed: 1, patterns: 2 * promised(n, 2) }));
  const [classical, dense, stored, found] = capacityQuestions({ capacities: cases, flipped });
  assertClose(
    [classical, dense, stored, found].map((question) => question!.ours[0]!.value),
    [0.14, 2, 400 / 2 ** 10, 2],
    { absolute: 1e-9, what: 'values' },
  );
  assert.deepEqual(
    [classical, stored, found].map((question) => verdict(question!).outcome),
    ['REPRODUCED', 'NOT REPRODUCED', 'REPRODUCED'],
  );
});

test('what is promised from flipped signs: 2^(n/2) from none, one pattern from half of them', () => {
  assertClose([promised(10, 0), promised(10, 5)], [32, 1], { absolute: 1e-9, what: 'patterns' });
  assert.ok(promised(20, 2) > 30 && promised(20, 2) < 50, String(promised(20, 2)));
});

test('so many signs are flipped at the start, no more and no fewer', () => {
  let starts: Float32Array[] = [];
  const still: MemoryKind = {
    name: 's',
    real: false,
    make: () =>
      ({
        retrieve: (states: Float32Array[]) => (
          (starts = states),
          { states: { values: Float32Array.from(states.flatMap((s) => [...s])) } }
        ),
      }) as never,
  };
  const random = new Random(1, 'exactly');
  assert.equal(signErrors(still, spinPatterns(3, 20, random), 7, 0, random, 4), 0.2);
  assert.equal(starts.length, 3);
});

test('the table gives the range over seeds of each memory and width', () => {
  const seeds = [5, 7, 6].map((patterns, i) => ({ model: 'classical', n: 40, seed: i + 1, patterns }));
  const [row, ...rest] = capacityRows(seeds);
  assert.deepEqual(
    [row!['patterns held'], row!['by the law'], row!.law, rest.length],
    ['5 to 7', '6', '0.138 n', 0],
  );
});
