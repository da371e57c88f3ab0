import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VanillaConfig } from '../../lib/config';
import { batchOf, type Batch } from '../../lib/model/model';
import { Vanilla } from '../../lib/model/vanilla';
import type { Parameter } from '../../lib/parameters';
import { Random } from '../../lib/random';
import { Tape } from '../../lib/tape';
import { engine, tf } from '../../lib/tf';
import { assertClose } from '../assert-close';

const SMALL: VanillaConfig = { kind: 'vanilla', layers: 2, width: 8, heads: 2, feedForward: 16, context: 16, vocabulary: 11, dropout: 0.1 };
const START = 10;
const LINES = [[1, 4, 2, 9, 0], [3, 3, 7], [5, 8, 6, 1, 10, 2, 2]];

/** Mean loss as a number. */
function lossOf(model: Vanilla, lines: number[][], options: { dropout?: Random; bf16?: boolean } = {}): number {
  return withPass(model, lines, options, (tape, batch) => model.loss(tape, batch).mean.value.dataSync()[0]!);
}

function perToken(model: Vanilla, lines: number[][]): number[] {
  return withPass(model, lines, {}, (tape, batch) => Array.from(model.loss(tape, batch).perToken.dataSync()));
}

function withPass<R>(model: Vanilla, lines: number[][], options: { dropout?: Random; bf16?: boolean }, body: (tape: Tape, batch: Batch) => R): R {
  let result!: R;
  tf.tidy(() => {
    const tape = new Tape({ bf16: options.bf16 ?? false, record: false, ...options });
    result = body(tape, batchOf(lines, START));
    tape.release();
  });
  return result;
}

function gradients(model: Vanilla, lines: number[][], dropout?: Random): Map<Parameter, Float32Array> {
  const result = new Map<Parameter, Float32Array>();
  tf.tidy(() => {
    const tape = new Tape({ bf16: false, record: true, ...(dropout ? { dropout } : {}) });
    tape.backward(model.loss(tape, batchOf(lines, START)).mean);
    for (const [p, g] of tape.gradients) result.set(p, g.dataSync() as Float32Array);
    tape.release();
  });
  return result;
}

/** Moves every parameter away from its symmetric start, so that no gradient is zero by accident. */
async function shaken(config: VanillaConfig): Promise<Vanilla> {
  const model = new Vanilla(config, 3);
  const random = new Random(4, 'shake');
  for (const p of model.parameters) {
    const { value } = await p.snapshot();
    p.write(value.map((x) => x + 0.2 * random.normal()));
  }
  return model;
}

/** Derivative along a random direction by central differences, against the hand-written gradient, per parameter. */
async function checkGradients(model: Vanilla, dropoutSeed?: number): Promise<void> {
  const dropout = () => (dropoutSeed === undefined ? undefined : new Random(dropoutSeed, 'gradient-check'));
  const analytic = gradients(model, LINES, dropout());
  const random = new Random(5, 'directions');
  assert.equal(analytic.size, model.parameters.length, 'every parameter takes part');
  for (const p of model.parameters) {
    const { value } = await p.snapshot();
    const g = analytic.get(p)!;
    const norm = Math.hypot(...g);
    const direction = value.map((_, i) => g[i]! / norm + (0.3 * random.normal()) / Math.sqrt(p.size));
    const at = (h: number): number => {
      p.write(value.map((x, i) => x + h * direction[i]!));
      const d = dropout();
      return lossOf(model, LINES, d ? { dropout: d } : {});
    };
    const h = 4e-3;
    const numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    p.write(value);
    const expected = g.reduce((sum, x, i) => sum + x * direction[i]!, 0);
    assertClose([numeric], [expected], { relative: 1e-2, absolute: 3e-4, what: p.name });
  }
}

test('gradients of every parameter equal finite differences, without and with dropout', async () => {
  const model = await shaken(SMALL);
  await checkGradients(model);
  await checkGradients(model, 7);
  model.dispose();
});

test('gradients in plain TFJS equal those of the native engine', async (t) => {
  if (engine().name !== 'tensorflow') return t.skip('no native engine here');
  const native = await shaken(SMALL);
  const expected = gradients(native, LINES);
  const values = await Promise.all(native.parameters.map((p) => p.snapshot()));
  tf.setBackend('cpu');
  try {
    const plain = new Vanilla(SMALL, 3);
    plain.parameters.forEach((p, i) => p.write(values[i]!.value));
    const got = gradients(plain, LINES);
    plain.parameters.forEach((p, i) => assertClose(got.get(p)!, expected.get(native.parameters[i]!)!, { relative: 1e-4, absolute: 2e-6, what: p.name }));
  } finally {
    tf.setBackend('tensorflow');
  }
});

test('the first loss is within 2% of ln V', () => {
  const config = { ...SMALL, layers: 6, width: 128, heads: 8, feedForward: 512, vocabulary: 69 };
  const random = new Random(8, 'lines');
  const lines = Array.from({ length: 40 }, () => Array.from({ length: 10 }, () => random.int(69)));
  for (const seed of [1, 2, 3]) assertClose([lossOf(new Vanilla(config, seed), lines)], [Math.log(69)], { relative: 0.02, what: `seed ${seed}` });
});

test('at the first step every word costs about ln V as a target, the last id included', () => {
  const model = new Vanilla({ ...SMALL, width: 64, feedForward: 64 }, 1);
  const costs = perToken(model, Array.from({ length: 11 }, (_, id) => [id]));
  assertClose(costs, costs.map(() => Math.log(11)), { relative: 0.2, what: 'target' });
});

test('a later token never changes an earlier prediction', async () => {
  const model = await shaken(SMALL);
  const before = perToken(model, [[1, 4, 2, 9, 0, 7]]);
  const after = perToken(model, [[1, 4, 2, 9, 5, 7]]);
  assertClose(after.slice(0, 4), before.slice(0, 4), { absolute: 1e-6, what: 'prediction' });
  assert.notEqual(after[5]!.toFixed(4), before[5]!.toFixed(4), 'the token after it does see it');
});

test('a line costs the same alone and beside longer ones', async () => {
  const model = await shaken(SMALL);
  const together = perToken(model, LINES);
  const alone = LINES.flatMap((line) => perToken(model, [line]));
  assertClose(together, alone, { absolute: 2e-5, what: 'token' });
});

test('dropout changes the loss in training, differs by seed, and never runs in evaluation', async () => {
  const model = await shaken(SMALL);
  const dropped = (seed: number) => lossOf(model, LINES, { dropout: new Random(seed, 'd') });
  assert.notEqual(dropped(1), lossOf(model, LINES));
  assert.notEqual(dropped(1), dropped(2));
  assert.equal(dropped(1), dropped(1));
  assert.equal(lossOf(model, LINES), lossOf(model, LINES));
});

test('bf16 products stay near fp32', async (t) => {
  if (!engine().bf16) return t.skip('no bf16 in hardware here');
  const model = await shaken(SMALL);
  assertClose([lossOf(model, LINES, { bf16: true })], [lossOf(model, LINES)], { relative: 0.02, what: 'loss' });
});
