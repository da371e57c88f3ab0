import { test } from 'node:test';
import assert from 'node:assert/strict';
import type { AdamWConfig } from '../../lib/tensor/adamw';
import { AdamWUpdate } from '../../lib/tensor/adamw';
import { banksOf, disposeParameters, Parameter } from '../../lib/tensor/parameters';
import { globalNorm } from '../../lib/train/step';
import { engine, tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';

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
    tf.tidy(() =>
      p.bank.update(
        tf.tensor(g, shape, 'float32'),
        new AdamWUpdate(update, t + 1, update.learningRate, CLIPS[t]),
      ),
    ),
  );
  const expected = reference(START, GRADIENTS, update, shape.length > 1);
  const got = await p.snapshot();
  for (const part of ['value', 'm', 'v'] as const)
    assertClose(got[part], expected[part], { relative: 1e-5, absolute: 1e-7, what: part });
  tf.tidy(() =>
    assertClose(p.read().dataSync() as Float32Array, expected.value, {
      relative: 1e-5,
      absolute: 1e-7,
      what: 'what is read',
    }),
  );
  assert.ok(p.scales.value > 0.2, `the value's factor ${p.scales.value} does not go to 0`);
  disposeParameters([p]);
}

test('three AdamW updates: a matrix decays, a vector does not', async () => {
  await checkUpdates([2, 3], UPDATE);
  await checkUpdates([6], UPDATE);
});

test('vectors that are joined read, write, restore and update as they do alone; matrices stay alone', async () => {
  const make = () =>
    [
      ['a', [2]],
      ['w', [2, 3]],
      ['b', [3]],
      ['c', [1]],
    ].map(
      ([name, shape], i) =>
        new Parameter(name as string, shape as number[], Float32Array.from(START.slice(0, [2, 6, 3, 1][i]))),
    );
  const [alone, joined] = [make(), make()];
  Parameter.joinVectors(joined);
  assert.deepEqual(
    banksOf(joined).map(({ parameters }) => parameters.map(({ name }) => name).join()),
    ['a,b,c', 'w'],
  );
  const gradient = (p: Parameter, t: number) => tf.tensor(GRADIENTS[t]!.slice(0, p.size), p.shape, 'float32');
  const step = (t: number) =>
    tf.tidy(() => {
      const update = new AdamWUpdate(UPDATE, t + 1, UPDATE.learningRate, CLIPS[t]);
      for (const p of alone) p.bank.update(gradient(p, t), update);
      for (const bank of banksOf(joined))
        bank.update(bank.joined(bank.parameters.map((p) => gradient(p, t))), update);
    });
  const compare = async (what: string) => {
    for (const [i, p] of joined.entries())
      assert.deepEqual(await p.snapshot(), await alone[i]!.snapshot(), `${what}: ${p.name}`);
    tf.tidy(() =>
      joined.forEach((p, i) => {
        assert.deepEqual(
          [p.read().shape, p.read().dataSync()],
          [p.shape, alone[i]!.read().dataSync()],
          p.name,
        );
      }),
    );
  };
  await compare('at first');
  step(0);
  await compare('after an update');
  for (const p of [joined[2]!, alone[2]!]) p.write(Float32Array.of(7, 8, 9));
  step(1);
  await compare('after writing one');
  const states = await Promise.all(alone.map((p) => p.state()));
  step(2);
  for (const [i, state] of states.entries()) {
    alone[i]!.restore(state);
    joined[i]!.restore(state);
  }
  await compare('after restoring');
  disposeParameters([...alone, ...joined]);
});

test('decay to an eighth of the value in three updates', () =>
  checkUpdates([2, 3], { ...UPDATE, weightDecay: 50 }));

test('the same updates in plain TFJS', async (t) => {
  if (engine().name !== 'tensorflow') return t.skip('no native engine here');
  tf.setBackend('cpu');
  try {
    await checkUpdates([2, 3], UPDATE);
  } finally {
    tf.setBackend('tensorflow');
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
