import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attention } from '../../lib/tensor/ops';
import {
  classicalHopfield,
  denseHopfield,
  exponentialHopfield,
  modernHopfield,
  type AssociativeMemory,
} from '../../lib/energy/hopfield';
import { distanceEnergy, distanceMemory, nearestNeighbours } from '../../lib/energy/distance';
import { layeredMemory } from '../../lib/energy/layers';
import { row } from '../../lib/energy/matrix';
import { logPartition } from '../../lib/energy/partition';
import { Random } from '../../lib/util/random';
import { Node, Tape } from '../../lib/tensor/tape';
import { tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { CASES, logSumExp, normals, signs, type Vectors } from './reference';

const dot = (x: ArrayLike<number>, y: ArrayLike<number>): number =>
  Array.from(x).reduce((sum, v, k) => sum + v * y[k]!, 0);

/** Each ±1 memory with its energy as the papers write it. */
const SPIN_MODELS: Record<
  string,
  [(patterns: Vectors) => AssociativeMemory, (patterns: Vectors, x: ArrayLike<number>) => number]
> = {
  classical: [
    (patterns) => classicalHopfield({ patterns }),
    (patterns, x) => {
      const n = x.length;
      let sum = 0;
      for (let k = 0; k < n; k++)
        for (let l = 0; l < n; l++)
          if (k !== l) for (const p of patterns) sum += (p[k]! * p[l]! * x[k]! * x[l]!) / n;
      return -sum / 2;
    },
  ],
  'dense, z^3': [
    (patterns) => denseHopfield({ patterns, degree: 3, rectified: false }),
    (patterns, x) => -patterns.reduce((sum, p) => sum + dot(p, x) ** 3, 0),
  ],
  'dense, max(z, 0)^4': [
    (patterns) => denseHopfield({ patterns, degree: 4, rectified: true }),
    (patterns, x) => -patterns.reduce((sum, p) => sum + Math.max(dot(p, x), 0) ** 4, 0),
  ],
  exponential: [
    (patterns) => exponentialHopfield({ patterns }),
    (patterns, x) => -logSumExp(patterns.map((p) => dot(p, x))),
  ],
};

/** One unit after the other to the lower energy, ties to 2e-12. */
function sweep(energy: (x: ArrayLike<number>) => number, start: Float32Array): Float32Array {
  const x = start.slice();
  for (let k = 0; k < x.length; k++) {
    const [old, now] = [energy(x), x.map((v, l) => (l === k ? -v : v))];
    if (energy(now) < old - 2e-12) x.set(now);
  }
  return x;
}

for (const [name, [build, energy]] of Object.entries(SPIN_MODELS)) {
  test(`${name}: energy and update as written out; the energy never rises`, (t) => {
    const random = new Random(1, name);
    let [deviation, rise] = [0, -Infinity];
    for (let c = 0; c < CASES; c++) {
      const [d, n] = [1 + random.int(12), 1 + random.int(24)];
      const [patterns, states] = [signs(random, d, n), signs(random, 3, n)];
      const memory = build(patterns);
      const energies = memory.energy(states);
      const next = memory.update(states);
      states.forEach((x, i) => {
        deviation = Math.max(
          deviation,
          Math.abs(energies[i]! - energy(patterns, x)) / (1 + Math.abs(energies[i]!)),
        );
        assert.deepEqual(
          row(next, i),
          sweep((y) => energy(patterns, y), x),
        );
      });
      memory.energy(next).forEach((e, i) => {
        rise = Math.max(rise, (e - energies[i]!) / (1 + Math.abs(e)));
      });
    }
    t.diagnostic(
      `${CASES} cases: energy off by ${deviation.toExponential(1)}, largest rise ${rise.toExponential(1)}`,
    );
    assert.ok(deviation < 1e-12 && rise < 1e-12, `energy off by ${deviation}, rises by ${rise}`);
  });

  test(`${name}: few patterns are found again from a tenth of wrong signs`, () => {
    const random = new Random(2, name);
    const patterns = signs(random, 4, 100);
    const noisy = patterns.map((p) => p.map((v) => (random.uniform() < 0.1 ? -v : v)));
    const { states, converged, energies, updates } = build(patterns).retrieve(noisy, {
      maxSteps: 20,
      tolerance: 0,
    });
    assertClose(
      states.values,
      patterns.flatMap((p) => Array.from(p)),
      { what: 'state' },
    );
    assert.ok(converged.every(Boolean) && updates < 5 && energies.length === updates + 1);
    assertClose(
      energies.at(-1)!,
      patterns.map((p) => energy(patterns, p)),
      { relative: 1e-12, what: 'energy' },
    );
  });
}

test('the exponential energy stays finite at width 2,000, where exp overflows, and still finds its patterns', () => {
  const random = new Random(3, 'wide');
  const patterns = signs(random, 30, 2000);
  const noisy = patterns.map((p) => p.map((v) => (random.uniform() < 0.3 ? -v : v)));
  const { states, energies } = exponentialHopfield({ patterns }).retrieve(noisy, {
    maxSteps: 5,
    tolerance: 0,
  });
  assertClose(
    states.values,
    patterns.flatMap((p) => Array.from(p)),
    { what: 'state' },
  );
  assertClose(energies.at(-1)!, new Float64Array(30).fill(-2000), { relative: 1e-12, what: 'energy' });
});

test('modern: energies as written out; equal to the squared-distance energy for one norm; the energy never rises', (t) => {
  const random = new Random(4, 'modern');
  let [deviation, gap, rise] = [0, 0, -Infinity];
  for (let c = 0; c < CASES; c++) {
    const [n, d, beta, scale] = [
      1 + random.int(50),
      1 + random.int(60),
      10 ** (4 * random.uniform() - 2),
      10 ** (2 * random.uniform() - 1),
    ];
    const drawn = normals(random, d, n, scale);
    const patterns = c % 2 ? drawn : drawn.map((p) => p.map((v) => (scale * v) / Math.sqrt(dot(p, p))));
    const states = normals(random, 3, n, scale);
    const memory = modernHopfield({ patterns, beta });
    const halves = patterns.map((p) => dot(p, p) / 2);
    const [most, least] = [Math.max(...halves), Math.min(...halves)];
    const energies = memory.energy(states);
    const after = memory.energy(memory.update(states));
    states.forEach((x, i) => {
      const size = 1e-30 + dot(x, x) + most + Math.log(d) / beta;
      const expected =
        -logSumExp(patterns.map((p) => beta * dot(p, x))) / beta + dot(x, x) / 2 + Math.log(d) / beta + most;
      const byDistance =
        -logSumExp(
          patterns.map(
            (p) =>
              (-beta / 2) *
              dot(
                x.map((v, k) => v - p[k]!),
                x.map((v, k) => v - p[k]!),
              ),
          ),
        ) / beta;
      deviation = Math.max(deviation, Math.abs(energies[i]! - expected) / size);
      const below = energies[i]! - Math.log(d) / beta - byDistance;
      gap = Math.max(gap, -below / size, (below - (most - least)) / size);
      rise = Math.max(rise, (after[i]! - energies[i]!) / size);
    });
  }
  t.diagnostic(
    `${CASES} cases: energy off by ${deviation.toExponential(1)} of its terms, bounds violated by ${gap.toExponential(1)}, largest rise ${rise.toExponential(1)}`,
  );
  assert.ok(
    deviation < 1e-6 && gap < 1e-6 && rise < 1e-6,
    `energy ${deviation}, bounds ${gap}, rise ${rise}`,
  );
});

test('the modern update is attention: queries x, keys and values the patterns, β for 1/√n', () => {
  const random = new Random(5, 'attention');
  const [n, d, beta] = [16, 40, 0.7];
  const [patterns, states] = [normals(random, d, n), normals(random, 5, n)];
  const next = modernHopfield({ patterns, beta }).update(states);
  states.forEach((x, i) => {
    // The last token of a causal line sees all tokens. Attention divides by √n, so the query carries β √n.
    const query = x.map((v) => v * beta * Math.sqrt(n));
    const line = patterns.map((p) => [...query, ...p, ...p]);
    const seen = tf.tidy(() => {
      const tape = new Tape([], { bf16: false, record: false });
      const starts = tf.tensor1d([0, d], 'int32');
      const layout = { lines: 1, longest: d, starts, padded: null };
      const out = attention(tape, new Node(tf.tensor2d(line)), layout, 1);
      return out.value.dataSync() as Float32Array as never;
    }) as Float32Array;
    assertClose(row(next, i), seen.subarray((d - 1) * n), { absolute: 1e-6, what: 'attention' });
  });
});

test('the modern memory finds its patterns again; a state has the same update in any block of scores', () => {
  const random = new Random(6, 'retrieval');
  const patterns = normals(random, 200, 48);
  const { states: found, converged } = modernHopfield({ patterns, beta: 3 }).retrieve(
    patterns.map((p) => p.map((v) => v + 0.2 * random.normal())),
    { maxSteps: 10, tolerance: 1e-6 },
  );
  assertClose(
    found.values,
    patterns.flatMap((p) => Array.from(p)),
    { absolute: 1e-4, what: 'retrieved' },
  );
  assert.ok(converged.every(Boolean));

  const [many, states] = [normals(random, 2 ** 14 + 1, 3), normals(random, 1030, 3)];
  const memory = modernHopfield({ patterns: many, beta: 1 });
  assertClose(row(memory.update(states), 1029), memory.update([states[1029]!]).values, {
    absolute: 1e-5,
    what: 'update',
  });
  assertClose([memory.energy(states)[1029]!], memory.energy([states[1029]!]), {
    absolute: 1e-5,
    what: 'energy',
  });
});

test('retrieval ends at maxSteps, and says what has not settled', () => {
  const patterns = [
    [1, 0],
    [-1, 0],
  ];
  const { updates, converged, energies } = modernHopfield({ patterns, beta: 0.5 }).retrieve(
    [
      [0.9, 0.1],
      [0, 0],
    ],
    { maxSteps: 3, tolerance: 1e-3 },
  );
  assert.deepEqual([updates, converged, energies.length], [3, [false, true], 4]);
});

test('no tensor is left behind', () => {
  const random = new Random(7, 'memory');
  const [patterns, states] = [normals(random, 9, 4), normals(random, 3, 4)];
  const all = () => {
    const memory = modernHopfield({ patterns, beta: 1 });
    memory.energy(states);
    memory.retrieve(states, { maxSteps: 2, tolerance: 0 });
  };
  all();
  const before = tf.memory().numTensors;
  all();
  assert.equal(tf.memory().numTensors, before);
});

test('bad input is one clear line', () => {
  const patterns = [[1, -1]];
  const positional = (energy: unknown, ...args: unknown[]) =>
    (energy as (...args: unknown[]) => unknown)(...args);
  const bad: [call: () => unknown, field: string, ...facts: (string | number)[]][] = [
    [() => classicalHopfield({ patterns: [[1, 0.5]] }), 'patterns', 'row 0, column 1', 0.5],
    [() => denseHopfield({ patterns: [[1, 0]], degree: 3, rectified: true }), 'patterns', 'row 0, column 1'],
    [() => exponentialHopfield({ patterns }).energy([[1, 2]]), 'states', 'row 0, column 1'],
    [() => exponentialHopfield({ patterns: [] }), 'patterns', 'none'],
    [() => classicalHopfield({ patterns: [[1, -1], [1]] }), 'patterns', 'row 0 has 2', 'row 1 has 1'],
    [() => classicalHopfield({ patterns }).update([[1]]), 'states', 'width 2', 'got 1'],
    [() => denseHopfield({ patterns, degree: 2.5, rectified: true }), 'degree', 2.5],
    [() => denseHopfield({ patterns, degree: 2000, rectified: true }), 'degree', 2000],
    [() => modernHopfield({ patterns: [[1, 2]], beta: 0 }), 'beta', 'got 0'],
    [() => modernHopfield({ patterns: [[1, NaN]], beta: 1 }), 'patterns', 'row 0, column 1', NaN],
    [() => modernHopfield({ patterns: [[1, 2]], beta: 1 }).energy([[1]]), 'states', 'width 2'],
    [() => positional(modernHopfield, patterns, 4), 'patterns', '{ patterns'],
    [() => positional(classicalHopfield, patterns), 'patterns', '{ patterns'],
    [() => positional(modernHopfield, { patterns: [1, -1], beta: 1 }), 'patterns'],
    [() => positional(modernHopfield, { patterns: null, beta: 1 }), 'patterns'],
    [() => positional(modernHopfield, { patterns }), 'beta', 'undefined'],
  ];
  for (const [call, field, ...facts] of bad) assert.throws(call, refusal(`${field}: `, ...facts));
});

test('arguments that do not come by name or are missing are refused in one line that says how to call', () => {
  const call = (make: unknown, ...args: unknown[]) => (make as (...all: unknown[]) => unknown)(...args);
  const patterns = [[1, -1]];
  const cases: [unknown, unknown[], ...string[]][] = [
    [modernHopfield, [patterns, 4], 'modernHopfield({ patterns, beta })', 'got a list'],
    [modernHopfield, [], 'modernHopfield({ patterns, beta })', 'got undefined'],
    [modernHopfield, [{ patterns }], 'beta: ', 'undefined in { patterns }'],
    [modernHopfield, [{ patterns, betta: 4 }], 'beta: ', '{ patterns, betta }'],
    [classicalHopfield, [patterns], 'classicalHopfield({ patterns })'],
    [denseHopfield, [patterns, 3], 'denseHopfield({ patterns, degree, rectified })'],
    [exponentialHopfield, [new Float32Array(2)], 'exponentialHopfield({ patterns })', 'got object'],
    [distanceEnergy, [patterns, patterns, 1], 'distanceEnergy({ patterns, states, beta })'],
    [distanceMemory, [patterns, 1], 'distanceMemory({ patterns, beta })'],
    [nearestNeighbours, [patterns], 'nearestNeighbours({ patterns })'],
    [layeredMemory, [[patterns], 1], 'layeredMemory({ layers, beta })'],
    [logPartition, [2, 1, 1], 'logPartition({ n, r, d })', 'got number'],
  ];
  for (const [make, args, ...parts] of cases) assert.throws(() => call(make, ...args), refusal(...parts));
  const memory = modernHopfield({ patterns, beta: 4 });
  assert.throws(() => call(memory.retrieve, patterns), refusal('retrieve({ maxSteps, tolerance })'));
});
