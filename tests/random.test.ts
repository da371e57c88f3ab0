import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../lib/random';
import { assertClose } from './assert-close';

const mean = (a: ArrayLike<number>) => Array.from(a).reduce((s, x) => s + x, 0) / a.length;

test('one seed and stream give one sequence; another of either gives another', () => {
  const draw = (seed: number, stream: string) => { const r = new Random(seed, stream); return [r.uint32(), r.uint32(), r.uint32()]; };
  assert.deepEqual(draw(1, 'a'), draw(1, 'a'));
  assert.notDeepEqual(draw(1, 'a'), draw(1, 'b'));
  assert.notDeepEqual(draw(1, 'a'), draw(2, 'a'));
  assert.throws(() => new Random(0), /at least 1; got 0/);
});

test('a restored state continues the stream, the spare normal included', () => {
  const r = new Random(3, 'state');
  r.normal();
  const state = r.state();
  const expected = [r.normal(), r.uniform(), r.uint32()];
  r.uint32();
  r.restore(state);
  assert.deepEqual([r.normal(), r.uniform(), r.uint32()], expected);
});

test('uniform, int and normal have their moments', () => {
  const r = new Random(5, 'moments');
  const n = 200_000;
  const u = Array.from({ length: n }, () => r.uniform());
  assertClose([mean(u), mean(u.map((x) => x * x))], [1 / 2, 1 / 3], { absolute: 0.004, what: 'uniform' });
  const z = r.normals(n, 2);
  assertClose([mean(z), mean(z.map((x) => x * x)), mean(z.map((x) => x ** 4))], [0, 4, 48], { relative: 0.02, absolute: 0.02, what: 'normal' });
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) counts[r.int(5)]!++;
  assertClose(counts, [1, 1, 1, 1, 1].map((x) => (x * n) / 5), { relative: 0.02, what: 'int' });
});

test('sparse takes every position with the same probability, independently of its neighbour', () => {
  const r = new Random(7, 'sparse');
  const [n, rounds, rate] = [50, 40_000, 0.1];
  const taken = new Float64Array(n);
  let neighbours = 0;
  for (let round = 0; round < rounds; round++) {
    const positions = r.sparse(n, rate);
    positions.forEach((p, i) => {
      taken[p]!++;
      if (i > 0 && positions[i - 1] === p - 1) neighbours++;
    });
  }
  assertClose(taken, taken.map(() => rate * rounds), { absolute: 5 * Math.sqrt(rate * rounds), what: 'position' });
  assertClose([neighbours / (rounds * (n - 1))], [rate * rate], { relative: 0.03, what: 'pairs of neighbours' });
  assert.throws(() => r.sparse(5, 1), /between 0 and 1/);
});

test('a permutation holds every number once and none stays by rule', () => {
  const p = new Random(9, 'permutation').permutation(1000);
  assert.deepEqual([...p].sort((a, b) => a - b), Array.from({ length: 1000 }, (_, i) => i));
  assert.ok(p.filter((x, i) => x === i).length < 10);
});
