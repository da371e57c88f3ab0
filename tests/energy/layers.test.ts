import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distanceEnergy, distanceGradient, distanceMemory } from '../../lib/energy/distance';
import { layeredEnergy, layeredMemory, majorisers } from '../../lib/energy/layers';
import { row } from '../../lib/energy/matrix';
import { Random } from '../../lib/util/random';
import { tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { CASES, distance, energy, normals, randomCase, termsOf, weights, type Vectors } from './reference';

/** A random case with its patterns dealt out to one to four layers. */
function layeredCase(random: Random) {
  const { patterns, states, beta } = randomCase(random);
  const count = Math.min(1 + random.int(4), patterns.length);
  const layers: Vectors[] = Array.from({ length: count }, () => []);
  patterns.forEach((p, i) => layers[i < count ? i : random.int(count)]!.push(p));
  const at = states.map((x) => x.map((v, k) => v + (patterns[0]![k]! - v) * random.uniform()));
  const size = (x: ArrayLike<number>) => termsOf(patterns, x, beta);
  return { patterns, states, beta, layers, at, size };
}

test('the global energy is the distance energy of the union, a pattern of two layers counted twice; shares are softmax', (t) => {
  const random = new Random(1, 'union');
  let deviation = 0;
  for (let c = 0; c < CASES; c++) {
    const { patterns, states, beta, layers, size } = layeredCase(random);
    layers.push([patterns[0]!]);
    const { energies, perLayer, shares } = layeredEnergy({ layers, states, beta });
    const union = distanceEnergy({ patterns: [...patterns, patterns[0]!], states, beta });
    states.forEach((x, i) => {
      deviation = Math.max(deviation, Math.abs(energies[i]! - union[i]!) / size(x));
      const weighted = weights([...layers.flat()], x, beta);
      layers.reduce((start, layer, l) => {
        const share = weighted.slice(start, start + layer.length).reduce((a, b) => a + b, 0);
        assert.ok(
          Math.abs(shares[l]![i]! - share) < 1e-5 * (1 + beta * size(x)),
          `share ${shares[l]![i]} for ${share}`,
        );
        assert.ok(
          Math.abs(perLayer[l]![i]! - energy(layer, x, beta)) < 1e-5 * (size(x) + Math.abs(perLayer[l]![i]!)),
        );
        return start + layer.length;
      }, 0);
    });
  }
  t.diagnostic(`${CASES} cases: off by at most ${deviation.toExponential(1)} of the energy's terms`);
  assert.ok(deviation < 1e-6, `off by ${deviation}`);
});

test('both majorisers lie above the energy and touch it at y; the first by KL(π(y) ‖ π(x)) / β', (t) => {
  const random = new Random(2, 'majorisers');
  let [violation, touch, divergence] = [-Infinity, 0, 0];
  for (let c = 0; c < CASES; c++) {
    const { states, beta, layers, at, size } = layeredCase(random);
    const above = majorisers({ layers, at, states, beta });
    const own = majorisers({ layers, at, states: at, beta });
    const [x, y] = [layeredEnergy({ layers, states, beta }), layeredEnergy({ layers, states: at, beta })];
    states.forEach((state, i) => {
      const s = size(state) + size(at[i]!);
      violation = Math.max(
        violation,
        (x.energies[i]! - above.layers[i]!) / s,
        (x.energies[i]! - above.quadratic[i]!) / s,
      );
      touch = Math.max(
        touch,
        Math.abs(own.layers[i]! - y.energies[i]!) / s,
        Math.abs(own.quadratic[i]! - y.energies[i]!) / s,
      );
      const kl = y.shares.reduce(
        (sum, p, l) =>
          sum +
          (p[i]! < 1e-300 ? 0 : p[i]! * (Math.log(p[i]!) - beta * (x.energies[i]! - x.perLayer[l]![i]!))),
        0,
      );
      divergence = Math.max(divergence, Math.abs(above.layers[i]! - x.energies[i]! - kl / beta) / s);
    });
  }
  t.diagnostic(
    `${CASES} cases: below the energy by ${violation.toExponential(1)} of its terms, apart at y by ${touch.toExponential(1)}, from KL by ${divergence.toExponential(1)}`,
  );
  assert.ok(violation < 1e-6 && touch < 1e-6 && divergence < 1e-6, `${violation}, ${touch}, ${divergence}`);
});

test('the update is the minimiser of the quadratic, in closed form, and that of the union', () => {
  const random = new Random(3, 'step');
  const [layers, beta] = [[normals(random, 5, 3), normals(random, 3, 3), normals(random, 1, 3)], 1.5];
  const at = normals(random, 4, 3);
  const next = layeredMemory({ layers, beta }).update(at);
  assertClose(next.values, distanceMemory({ patterns: layers.flat(), beta }).update(at).values, {
    absolute: 1e-6,
    what: 'union',
  });
  const union = layers.flat();
  at.forEach((y, i) => {
    const a = weights(union, y, beta).map((w, j) => w / distance(y, union[j]!));
    const total = a.reduce((s, v) => s + v, 0);
    const closed = Array.from(y, (_, k) => union.reduce((sum, p, j) => sum + a[j]! * p[k]!, 0) / total);
    assertClose(row(next, i), closed, { absolute: 1e-6, what: 'closed form' });
  });
  const least = majorisers({ layers, at, states: next, beta }).quadratic;
  for (let c = 0; c < 50; c++) {
    const moved = at.map((_, i) => row(next, i).map((v) => v + 0.05 * random.normal()));
    majorisers({ layers, at, states: moved, beta }).quadratic.forEach((q, i) => assert.ok(q > least[i]!));
  }
});

test('an update lowers the energy by at least ‖∇E‖²/2A, the drop of the quadratic', (t) => {
  const random = new Random(4, 'descent');
  let [rise, short] = [-Infinity, -Infinity];
  for (let c = 0; c < CASES; c++) {
    const { states, beta, layers, size } = layeredCase(random);
    const memory = layeredMemory({ layers, beta });
    const next = memory.update(states);
    const [before, after] = [memory.energy(states), memory.energy(next)];
    const bound = majorisers({ layers, at: states, states: next, beta }).quadratic;
    states.forEach((x, i) => {
      rise = Math.max(rise, (after[i]! - before[i]!) / size(x));
      short = Math.max(short, (after[i]! - bound[i]!) / size(x));
    });
  }
  t.diagnostic(
    `${CASES} cases: largest rise ${rise.toExponential(1)} of the energy's terms, above the quadratic by ${short.toExponential(1)}`,
  );
  assert.ok(rise < 1e-6 && short < 1e-6, `rise ${rise}, above the quadratic ${short}`);
});

test('in the shapes of GPT-2 small the energy never rises: 3 layers of 3,072 patterns, width 768', () => {
  const random = new Random(5, 'shapes');
  const drawn = (rows: number) => ({ values: random.normals(rows * 768, 0.15), rows, width: 768 });
  const layers = [drawn(3072), drawn(3072), drawn(3072)];
  const { energies } = layeredMemory({ layers, beta: 20 }).retrieve(drawn(4), { maxSteps: 4, tolerance: 0 });
  energies
    .slice(1)
    .forEach((e, s) =>
      e.forEach((v, i) => assert.ok(v <= energies[s]![i]! + 1e-6, `step ${s}: ${energies[s]![i]} → ${v}`)),
    );
  assert.ok(energies.at(-1)![0]! < energies[0]![0]! - 0.1);
});

test('on a pattern the quadratic holds the state: E there, infinite elsewhere, and the gradient is that of the others', () => {
  const layers = [
    [[0, 0]],
    [
      [1, 0],
      [0, 2],
    ],
  ];
  const { quadratic, layers: shared } = majorisers({
    layers,
    at: [
      [0, 0],
      [0, 0],
    ],
    states: [
      [0, 0],
      [0.5, 0],
    ],
    beta: 1,
  });
  const [there] = layeredEnergy({ layers, states: [[0, 0]], beta: 1 }).energies;
  assert.deepEqual([quadratic[0], quadratic[1]], [there, Infinity]);
  assert.ok(Number.isFinite(shared[1]!) && Math.abs(shared[0]! - there!) < 1e-12);
  const total = 1 + Math.exp(-1) + Math.exp(-2);
  assertClose(
    distanceGradient({ patterns: layers.flat(), states: [[0, 0]], beta: 1 }).values,
    [-Math.exp(-1) / total, -Math.exp(-2) / total],
    { absolute: 1e-7, what: 'gradient' },
  );
});

test('no tensor is left behind; bad input is one clear line', () => {
  const { layers, states, at, beta } = layeredCase(new Random(6, 'memory'));
  const all = () => majorisers({ layers, at, states, beta });
  all();
  const before = tf.memory().numTensors;
  all();
  assert.equal(tf.memory().numTensors, before);

  const good = { layers: [[[1, 2]], [[3, 4]]], states: [[0, 0]], beta: 1 };
  const bad: [call: () => unknown, field: string, ...facts: (string | number)[]][] = [
    [() => layeredEnergy({ ...good, layers: [] }), 'layers', 'none'],
    [() => layeredEnergy({ ...good, layers: [[[1, 2]], []] }), 'layer 1', 'none'],
    [() => layeredMemory({ ...good, layers: [[[1, 2]], [[1]]] }), 'layer 1', 'width 2', 'got 1'],
    [() => layeredEnergy({ ...good, layers: [[[1, NaN]]] }), 'layer 0', 'row 0, column 1', NaN],
    [() => layeredEnergy({ ...good, beta: -2 }), 'beta', 'got -2'],
    [() => layeredEnergy({ ...good, states: [[1]] }), 'states', 'width 2'],
    [() => majorisers({ ...good, at: [[1]] }), 'at', 'width 2'],
    [
      () =>
        majorisers({
          ...good,
          at: [
            [1, 1],
            [2, 2],
          ],
        }),
      'states',
      2,
      'got 1',
    ],
  ];
  for (const [call, field, ...facts] of bad) assert.throws(call, refusal(`${field}: `, ...facts));
});
