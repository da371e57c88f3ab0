import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random, uniforms } from '../../lib/util/random';
import { DT, runOp, tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';

const mean = (a: ArrayLike<number>) => Array.from(a).reduce((s, x) => s + x, 0) / a.length;

test('one seed and stream give one sequence; another of either gives another', () => {
  const draw = (seed: number, stream: string) => {
    const r = new Random(seed, stream);
    return [r.uint32(), r.uint32(), r.uint32()];
  };
  assert.deepEqual(draw(1, 'a'), draw(1, 'a'));
  assert.notDeepEqual(draw(1, 'a'), draw(1, 'b'));
  assert.notDeepEqual(draw(1, 'a'), draw(2, 'a'));
  assert.throws(() => new Random(0), /at least 1; got 0/);
});

test('uniform, int and normal have their moments', () => {
  const r = new Random(5, 'moments');
  const n = 200_000;
  const u = Array.from({ length: n }, () => r.uniform());
  assertClose([mean(u), mean(u.map((x) => x * x))], [1 / 2, 1 / 3], { absolute: 0.004, what: 'uniform' });
  const z = r.normals(n, 2);
  assertClose([mean(z), mean(z.map((x) => x * x)), mean(z.map((x) => x ** 4))], [0, 4, 48], {
    relative: 0.02,
    absolute: 0.02,
    what: 'normal',
  });
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < n; i++) counts[r.int(5)]!++;
  assertClose(
    counts,
    [1, 1, 1, 1, 1].map((x) => (x * n) / 5),
    { relative: 0.02, what: 'int' },
  );
});

test('uniforms are evenly spread, and differ by stream', () => {
  const u = uniforms(3, 5, 100_000);
  const tenths = new Float64Array(10);
  u.forEach((x) => tenths[Math.floor(10 * x)]!++);
  assertClose(
    tenths,
    tenths.map(() => 10_000),
    { absolute: 5 * Math.sqrt(9000), what: 'tenth' },
  );
  assert.notDeepEqual(uniforms(3, 6, 8), u.slice(0, 8), 'another stream');
  assert.deepEqual(uniforms(3, 5, 7), u.slice(0, 7), 'the same beginning');
});

test('uniforms equal those of TensorFlow', () => {
  const [shape, seed] = [tf.tensor1d([1003], 'int32'), tf.tensor1d([2 ** 31 - 1, 7], 'int32')];
  const [theirs] = runOp('StatelessRandomUniform', [shape, seed], {
    dtype: { dtype: DT.float32 },
    T: { dtype: DT.int32 },
    Tseed: { dtype: DT.int32 },
  });
  assert.deepEqual(uniforms(2 ** 31 - 1, 7, 1003), theirs!.dataSync());
});

test('a permutation holds every number once and none stays by rule', () => {
  const p = new Random(9, 'permutation').permutation(1000);
  assert.deepEqual(
    [...p].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  );
  assert.ok(p.filter((x, i) => x === i).length < 10);
});
