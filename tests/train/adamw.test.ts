import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Parameter } from '../../lib/tensor/parameters';
import { adamW } from '../../lib/train/adamw';
import * as K from '../../lib/tensor/kernels';
import type { AdamWConfig } from '../../lib/tensor/functional';
import { globalNorm } from '../../lib/train/step';
import { engine, tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { withStockOps } from '../stock-ops';

/** AdamW of Loshchilov & Hutter 2019, algorithm 2, of clipped gradients, in float64, with PyTorch's placing of ε. */
function reference(
  start: number[],
  gradients: number[][],
  u: Update,
  decay: boolean,
): Record<'value' | 'm' | 'v', number[]> {
  const [p, m, v] = [[...start], start.map(() => 0), start.map(() => 0)];
  gradients.forEach((g, t) =>
    g
      .map((gi) => CLIPS[t]! * gi)
      .forEach((gi, i) => {
        if (decay) p[i]! -= u.learningRate * u.weightDecay * p[i]!;
        m[i] = u.beta1 * m[i]! + (1 - u.beta1) * gi;
        v[i] = u.beta2 * v[i]! + (1 - u.beta2) * gi * gi;
        const mHat = m[i]! / (1 - u.beta1 ** (t + 1));
        const vHat = v[i]! / (1 - u.beta2 ** (t + 1));
        p[i]! -= (u.learningRate * mHat) / (Math.sqrt(vHat) + u.epsilon);
      }),
  );
  return { value: p, m, v };
}

type Update = AdamWConfig & { learningRate: number };

/** What the gradients of the three updates are clipped by: half, a hundredth (far below its past), none. */
const CLIPS = [0.5, 0.01, 1];
const START = [0.5, -1, 2, 0.001, -0.3, 7];
const GRADIENTS = [
  [0.1, -2, 0, 1e-5, 3, -0.4],
  [0.2, 1, 0.5, -1e-5, 3, 0.4],
  [-0.7, 1, 0.5, 2e-5, -1, 0.1],
];
const UPDATE = { learningRate: 0.01, beta1: 0.9, beta2: 0.95, epsilon: 1e-3, weightDecay: 0.3 };

async function checkUpdates(shape: number[], update: Update): Promise<void> {
  const p = new Parameter('p', shape, Float32Array.from(START));
  GRADIENTS.forEach((g, t) =>
    tf.tidy(() => adamW([p], [tf.tensor(g, shape, 'float32')], { ...update, step: t + 1, clip: CLIPS[t]! })),
  );
  const expected = reference(START, GRADIENTS, update, shape.length > 1);
  const got = p.state();
  for (const part of ['value', 'm', 'v'] as const)
    assertClose(got[part], expected[part], { relative: 1e-5, absolute: 1e-7, what: part });
  tf.tidy(() =>
    assertClose(p.read().dataSync() as Float32Array, expected.value, {
      relative: 1e-5,
      absolute: 1e-7,
      what: 'what is read',
    }),
  );
  p.dispose();
}

test('three AdamW updates: a matrix decays, a vector does not', async () => {
  await checkUpdates([2, 3], UPDATE);
  await checkUpdates([6], UPDATE);
});

test('parameters updated together get what each gets alone; only matrices decay', async () => {
  const shapes = [[2], [2, 3], [3], [1]];
  const sizes = [2, 6, 3, 1];
  const make = () =>
    shapes.map((shape, i) => new Parameter(`p${i}`, shape, Float32Array.from(START.slice(0, sizes[i]))));
  const [alone, together] = [make(), make()];
  GRADIENTS.forEach((g, t) =>
    tf.tidy(() => {
      const numbers = { ...UPDATE, step: t + 1, clip: CLIPS[t]! };
      const gradients = shapes.map((shape, i) => tf.tensor(g.slice(0, sizes[i]), shape, 'float32'));
      alone.forEach((p, i) => adamW([p], [gradients[i]!], numbers));
      adamW(together, gradients, numbers);
    }),
  );
  for (const [i, p] of together.entries()) {
    assert.deepEqual(p.state(), alone[i]!.state(), p.name);
    p.dispose();
    alone[i]!.dispose();
  }
});

test('decay to an eighth of the value in three updates', () =>
  checkUpdates([2, 3], { ...UPDATE, weightDecay: 50 }));

test('the same updates by stock ops', (t) => {
  if (!engine().fused) return t.skip('the fused ops are not compiled here');
  return withStockOps(async () => {
    await checkUpdates([2, 3], UPDATE);
    await checkUpdates([6], UPDATE);
  });
});

/** The bfloat16 copy, as numbers. */
const bfloat16Of = (p: Parameter): Float32Array =>
  tf.tidy(() => K.float32(p.readBfloat16()).dataSync() as never) as unknown as Float32Array;
const roundedOf = (p: Parameter): Float32Array =>
  tf.tidy(() => K.float32(K.bfloat16(p.read())).dataSync() as never) as unknown as Float32Array;

test('the bfloat16 copy follows updates, of gradients in bfloat16 too, writes and restored states', async () => {
  for (const within of [(body: () => Promise<void>) => body(), withStockOps]) {
    const p = new Parameter('p', [2, 3], Float32Array.from(START));
    await within(async () => {
      assert.deepEqual(bfloat16Of(p), roundedOf(p), 'at first');
      const reader = p.read();
      const before = reader.dataSync().slice();
      tf.tidy(() =>
        adamW([p], [K.bfloat16(tf.tensor(GRADIENTS[0]!, [2, 3]))], { ...UPDATE, step: 1, clip: 1 }),
      );
      assert.deepEqual(reader.dataSync(), before, 'a reader keeps what it read');
      reader.dispose();
      const { value, m, v } = p.state();
      assert.notDeepEqual(value, before);
      assert.deepEqual(bfloat16Of(p), roundedOf(p), 'after an update');
      p.write(value.map((x) => 3 * x));
      assert.deepEqual(bfloat16Of(p), roundedOf(p), 'after a write');
      p.restore({ value, m, v });
      assert.deepEqual(bfloat16Of(p), roundedOf(p), 'after a restored state');
    });
    p.dispose();
  }
});

test('the global norm is that of all tensors together', () => {
  tf.tidy(() =>
    assertClose(
      [
        globalNorm([
          tf.tensor2d([
            [3, 0],
            [0, 0],
          ]),
          tf.tensor1d([0, -4]),
        ]),
      ],
      [5],
      { relative: 1e-6, what: 'norm' },
    ),
  );
});

test('a parameter refuses values of another size', () => {
  assert.throws(
    () => new Parameter('w', [2, 2], new Float32Array(3)),
    /w: expected 4 values for \[2,2\]; got 3/,
  );
});
