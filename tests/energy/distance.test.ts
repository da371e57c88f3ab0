import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  distanceEnergy,
  distanceGradient,
  distanceMemory,
  nearestNeighbours,
  softMinBounds,
} from '../../lib/energy/distance';
import { row } from '../../lib/energy/matrix';
import { matrix } from '../../lib/energy/matrix';
import { Random } from '../../lib/util/random';
import { tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { CASES, distance, energy, gradient, nearest, normals, randomCase, termsOf } from './reference';

test('energies equal float64 and keep within the soft-min bounds; so do gradients, no longer than 1', (t) => {
  const random = new Random(1, 'energies');
  let [deviation, violation, slope, long] = [0, 0, 0, 0];
  for (let c = 0; c < CASES; c++) {
    const { patterns, states, beta } = randomCase(random);
    const energies = distanceEnergy({ patterns, states, beta });
    const gradients = distanceGradient({ patterns, states, beta });
    states.forEach((x, i) => {
      const size = termsOf(patterns, x, beta);
      const { lower, upper } = softMinBounds({ g: nearest(patterns, x), d: patterns.length, beta });
      deviation = Math.max(deviation, Math.abs(energies[i]! - energy(patterns, x, beta)) / size);
      violation = Math.max(violation, (lower - energies[i]!) / size, (energies[i]! - upper) / size);
      slope = Math.max(slope, distance(row(gradients, i), gradient(patterns, x, beta)) / (1 + beta * size));
      long = Math.max(long, distance(row(gradients, i), new Float32Array(x.length)) - 1);
    });
  }
  t.diagnostic(
    `${CASES} cases: energy off by at most ${deviation.toExponential(1)} of its terms, bounds violated by ${violation.toExponential(1)}, gradient off by ${slope.toExponential(1)} (1 + β terms), longer than 1 by ${long.toExponential(1)}`,
  );
  assert.ok(deviation < 1e-5 && violation < 1e-5, `energy ${deviation}, bounds ${violation}`);
  assert.ok(slope < 1e-5 && long < 1e-6, `gradient ${slope}, length ${long}`);
});

test('the gradient is that of the energy: central differences', () => {
  const random = new Random(2, 'differences');
  const [patterns, states] = [normals(random, 6, 3), normals(random, 5, 3)];
  const gradients = distanceGradient({ patterns, states, beta: 2 });
  states.forEach((x, i) =>
    x.forEach((_, k) => {
      const at = (h: number) =>
        energy(
          patterns,
          Array.from(x, (v, l) => (l === k ? v + h : v)),
          2,
        );
      assertClose([row(gradients, i)[k]!], [(at(1e-5) - at(-1e-5)) / 2e-5], {
        absolute: 1e-6,
        what: 'slope',
      });
    }),
  );
});

test('several blocks of patterns and batches of states: as one by one', () => {
  const random = new Random(3, 'blocks');
  const [patterns, states] = [normals(random, 2100, 5), normals(random, 1030, 5)];
  const energies = distanceEnergy({ patterns, states, beta: 3 });
  assertClose(
    energies,
    states.map((x) => energy(patterns, x, 3)),
    { absolute: 1e-5, what: 'energy' },
  );
  const { indices, distances } = nearestNeighbours({ patterns, states });
  assertClose(
    distances,
    states.map((x) => nearest(patterns, x)),
    { relative: 1e-12, what: 'nearest' },
  );
  assertClose(
    distances,
    states.map((x, i) => distance(x, patterns[indices[i]!]!)),
    { relative: 1e-12, what: 'index' },
  );
});

test('distances of 10⁴ with β of 10³, and patterns far from the origin, neither overflow nor cancel', () => {
  const random = new Random(4, 'far');
  const patterns = normals(random, 50, 768, 400);
  const states = [
    ...normals(random, 5, 768, 400),
    ...normals(random, 5, 768, 1e-3).map((x, i) => x.map((v, k) => v + patterns[i]![k]!)),
  ];
  const shifted = (rows: Float32Array[]) => rows.map((x) => x.map((v) => v + 4096));
  for (const [p, x] of [
    [patterns, states],
    [shifted(patterns), shifted(states)],
  ] as const) {
    assertClose(
      distanceEnergy({ patterns: p, states: x, beta: 1e3 }),
      x.map((v) => energy(p, v, 1e3)),
      { relative: 1e-6, what: 'energy' },
    );
  }
  assertClose(
    distanceEnergy({ patterns, states, beta: 1e3 }),
    states.map((x) => nearest(patterns, x)),
    { relative: 1e-6, what: 'large β: g' },
  );
  assert.ok(nearest(patterns, states[0]!) > 1e4 && nearest(patterns, states[5]!) < 0.1);
});

test('nearest neighbours are exact: clusters, repeated patterns, states on patterns, and each pattern among the others', () => {
  const random = new Random(5, 'nearest');
  for (let c = 0; c < CASES; c++) {
    const { patterns, states } = randomCase(random);
    patterns.push(patterns[0]!, ...normals(random, random.int(100), patterns[0]!.length, 1e-3));
    const queries = [...states, patterns[random.int(patterns.length)]!];
    const { indices, distances } = nearestNeighbours({ patterns, states: queries });
    queries.forEach((x, i) => {
      const all = patterns.map((p) => distance(x, p));
      assertClose([distances[i]!], [nearest(patterns, x)], { relative: 1e-12, what: 'distance' });
      assert.equal(
        indices[i],
        all.findIndex((v) => v <= nearest(patterns, x) * (1 + 1e-14)),
      );
    });
    const among = nearestNeighbours({ patterns });
    assertClose(
      among.distances,
      patterns.map((p, i) =>
        nearest(
          patterns.filter((_, j) => j !== i),
          p,
        ),
      ),
      { relative: 1e-12, what: 'among the others' },
    );
    among.indices.forEach((j, i) => assert.notEqual(j, i));
  }
});

test('nearest among themselves over several blocks, with repeated patterns far apart in the list; energies of patterns beside themselves', () => {
  const patterns = normals(new Random(8, 'blocks'), 2100, 4);
  for (const [i, j] of [
    [3, 2050],
    [1030, 2060],
  ] as const)
    patterns[j] = patterns[i]!;
  const { indices, distances } = nearestNeighbours({ patterns });
  patterns.forEach((p, i) => {
    let [best, least] = [-1, Infinity];
    patterns.forEach((other, j) => {
      const to = j === i ? Infinity : distance(p, other);
      if (to < least) [best, least] = [j, to];
    });
    assert.equal(indices[i], best);
    assertClose([distances[i]!], [least], { absolute: 1e-12, what: 'distance' });
  });
  const all = matrix('patterns', patterns);
  assertClose(
    distanceEnergy({ patterns: all, states: all, beta: 2 }).slice(2044, 2054),
    patterns.slice(2044, 2054).map((x) => energy(patterns, x, 2)),
    { absolute: 1e-6, what: 'energy' },
  );
});

test('retrieval: the energy never rises, down to a pattern; a state on a pattern stays', (t) => {
  const random = new Random(6, 'retrieval');
  let rise = -Infinity;
  for (let c = 0; c < CASES; c++) {
    const { patterns, states, beta } = randomCase(random);
    const memory = distanceMemory({ patterns, beta });
    const { energies } = memory.retrieve(states, { maxSteps: 5, tolerance: 0 });
    states.forEach((x, i) =>
      energies.slice(1).forEach((e, s) => {
        // The state itself is rounded to float32.
        rise = Math.max(
          rise,
          (e[i]! - energies[s]![i]!) / (termsOf(patterns, x, beta) + distance(x, new Float32Array(x.length))),
        );
      }),
    );
  }
  t.diagnostic(`${CASES} cases: largest rise ${rise.toExponential(1)} of the energy's terms`);
  assert.ok(rise < 1e-6, `energy rose by ${rise}`);

  const patterns = normals(random, 30, 20);
  const noisy = patterns.map((p) => p.map((v) => v + 0.2 * random.normal()));
  const found = distanceMemory({ patterns, beta: 8 }).retrieve(noisy, { maxSteps: 200, tolerance: 1e-6 });
  assertClose(
    found.states.values,
    patterns.flatMap((p) => Array.from(p)),
    { absolute: 1e-4, what: 'retrieved' },
  );
  assert.ok(found.converged.every(Boolean) && found.energies.length === found.updates + 1);
  assertClose(
    distanceMemory({ patterns, beta: 0.1 }).update(patterns).values,
    patterns.flatMap((p) => Array.from(p)),
    { what: 'on a pattern' },
  );
});

test('no tensor is left behind', () => {
  const { patterns, states, beta } = randomCase(new Random(7, 'memory'));
  const all = () => {
    distanceGradient({ patterns, states, beta });
    nearestNeighbours({ patterns });
    distanceMemory({ patterns, beta }).retrieve(states, { maxSteps: 2, tolerance: 0 });
  };
  all();
  const before = tf.memory().numTensors;
  all();
  assert.equal(tf.memory().numTensors, before);
});

test('bad input is one clear line', () => {
  const [patterns, states, beta] = [
    [
      [1, 2],
      [3, 4],
    ],
    [[0, 0]],
    1,
  ];
  const bad: [change: object, field: string, ...facts: (string | number)[]][] = [
    [{ patterns: [[1, 2], [3]] }, 'patterns', 'row 0 has 2', 'row 1 has 1'],
    [{ patterns: [] }, 'patterns', 'none'],
    [{ patterns: undefined }, 'patterns', 'undefined'],
    [{ patterns: [[1, NaN]] }, 'patterns', 'row 0, column 1', NaN],
    [
      {
        states: [
          [0, 0],
          [Infinity, 0],
        ],
      },
      'states',
      'row 1, column 0',
      Infinity,
    ],
    [{ states: [[0, 1e20]] }, 'vectors', '1e38'],
    [{ states: [[0, 1e39]] }, 'states', 'row 0, column 1', Infinity, 'float32'],
    [{ states: [[0]] }, 'states', 'width 2', 'got 1'],
    [{ beta: 0 }, 'beta', 'got 0'],
    [{ beta: -1 }, 'beta', 'got -1'],
    [{ beta: NaN }, 'beta', NaN],
    [{ patterns: { values: new Float32Array(5), rows: 2, width: 2 } }, 'patterns', '2 × 2', 5],
  ];
  for (const [change, field, ...facts] of bad) {
    const args = { patterns, states, beta, ...change };
    for (const call of [
      () => distanceEnergy(args),
      () => distanceGradient(args),
      () => distanceMemory(args).energy(args.states),
    ])
      assert.throws(call, refusal(`${field}: `, ...facts));
  }
  assert.throws(() => nearestNeighbours({ patterns: [[1, 2]] }), refusal('nearest neighbours: '));
});
