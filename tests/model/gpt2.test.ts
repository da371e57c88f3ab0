import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GPT2_SIZES, type Gpt2Config } from '../../lib/model/config';
import { Gpt2, gpt2Initial, gpt2Shapes } from '../../lib/model/gpt2';
import { batchOf, checkTokens, windowBatch } from '../../lib/model/model';
import { activation, add, attention, crossEntropy } from '../../lib/tensor/ops';
import * as K from '../../lib/tensor/kernels';
import { Parameter } from '../../lib/tensor/parameters';
import { Random } from '../../lib/util/random';
import { Node, Tape } from '../../lib/tensor/tape';
import { engine, tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { withStockOps } from '../stock-ops';
import { checkGradients, checkStockOps, largest, lossOf, perToken, shaken } from './passes';

const SMALL: Gpt2Config = {
  kind: 'gpt2',
  layers: 2,
  width: 8,
  heads: 2,
  context: 16,
  vocabulary: 11,
  dropout: 0.1,
};
const WINDOWS = [
  [1, 4, 2, 9, 0, 10],
  [3, 3, 7, 5, 5, 8],
];
const build = (config = SMALL, seed = 3) => new Gpt2(config, gpt2Initial(config, seed));
const batch = () => windowBatch(WINDOWS, SMALL);

test('gradients of every parameter equal finite differences, without and with dropout', async () => {
  // Context as long as the windows: every position takes part.
  const model = await shaken(build({ ...SMALL, context: 6 }));
  await checkGradients(model, batch);
  await checkGradients(model, batch, 7);
  await checkGradients(model, () => windowBatch(WINDOWS, SMALL, 2));
  model.dispose();
});

test('gradients by stock ops equal those of the fused ops', async (t) => {
  if (!engine().fused) return t.skip('the fused ops are not compiled here');
  await checkStockOps(build, batch);
});

test('the first loss is near ln V, for every target, the last id included', () => {
  const config = { ...SMALL, layers: 4, width: 64, vocabulary: 97 };
  const model = build(config, 1);
  const costs = perToken(model, () =>
    windowBatch(
      Array.from({ length: 97 }, (_, id) => [(id + 1) % 97, id]),
      config,
    ),
  );
  assertClose(
    costs,
    costs.map(() => Math.log(97)),
    { relative: 0.15, what: 'target' },
  );
  assertClose([costs.reduce((a, b) => a + b) / 97], [Math.log(97)], { relative: 0.02, what: 'mean' });
});

test('the published sizes have their number of parameters', () => {
  const count = (config: Gpt2Config) =>
    gpt2Shapes(config).reduce((n, [, shape]) => n + shape.reduce((a, b) => a * b, 1), 0);
  assert.deepEqual(
    Object.values(GPT2_SIZES).map(count),
    [124_439_808, 354_823_168, 774_030_080, 1_557_611_200],
  );
});

test('initialisation is as published: 0.02, and 0.02 / √(2L) into the residual stream', () => {
  const values = gpt2Initial({ ...SMALL, layers: 8 }, 1);
  const std = (name: string) => Math.sqrt(values(name, [100, 200]).reduce((s, x) => s + x * x, 0) / 20_000);
  assertClose(
    [
      'wte.weight',
      'wpe.weight',
      'h.0.attn.c_attn.weight',
      'h.0.mlp.c_fc.weight',
      'h.0.attn.c_proj.weight',
      'h.0.mlp.c_proj.weight',
    ].map(std),
    [0.02, 0.02, 0.02, 0.02, 0.005, 0.005],
    { relative: 0.03, what: 'std' },
  );
  assert.deepEqual([...values('h.0.ln_1.weight', [2]), ...values('h.0.ln_1.bias', [2])], [1, 1, 0, 0]);
});

test('a later token never changes an earlier prediction', async () => {
  const model = await shaken(build());
  const before = perToken(model, () => windowBatch([[1, 4, 2, 9, 0, 7, 3]], SMALL));
  const after = perToken(model, () => windowBatch([[1, 4, 2, 9, 5, 7, 3]], SMALL));
  assertClose(after.slice(0, 3), before.slice(0, 3), { absolute: 1e-6, what: 'prediction' });
  assert.notEqual(after[5]!.toFixed(4), before[5]!.toFixed(4), 'a token after it does see it');
});

test('lines of unequal length cost what they cost alone', async () => {
  const model = await shaken(build());
  const lines = [[1, 4, 2], [3, 3, 7, 8, 9, 0], [5]];
  assertClose(
    perToken(model, () => batchOf(lines, 10, SMALL)),
    lines.flatMap((line) => perToken(model, () => batchOf([line], 10, SMALL))),
    { absolute: 2e-5, what: 'token' },
  );
});

test('dropout changes the loss in training, differs by seed, and never runs in evaluation', async () => {
  const model = await shaken(build());
  const dropped = (seed: number) => lossOf(model, batch, { dropoutSeed: seed });
  assert.notEqual(dropped(1), lossOf(model, batch));
  assert.notEqual(dropped(1), dropped(2));
  assert.equal(dropped(1), dropped(1));
  assert.equal(lossOf(model, batch), lossOf(model, batch));
});

test('GELU and its slope have the values of the formula, far from 0 too', () => {
  const xs = [-30, -4, -1, -0.1, 0, 0.3, 2, 5, 40];
  const tanhGelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  tf.tidy(() => {
    const tape = new Tape([], { bf16: false, record: true });
    const x = new Node(tf.tensor1d(xs));
    const y = activation(tape, x, 'gelu');
    assertClose(y.value.dataSync(), xs.map(tanhGelu), { relative: 1e-5, absolute: 1e-6, what: 'value' });
    tape.accumulate(y, tf.onesLike(y.value));
    tape.backward();
    assertClose(
      x.gradient!.dataSync(),
      xs.map((v) => (tanhGelu(v + 1e-5) - tanhGelu(v - 1e-5)) / 2e-5),
      { absolute: 1e-5, what: 'slope' },
    );
  });
});

/** Attention's output and its gradient under a fixed weighting of the outputs. */
function attended(qkv: Float32Array, seed?: number): [Float32Array, Float32Array] {
  const [B, T, C, heads] = [2, 60, 8, 2];
  let result!: [Float32Array, Float32Array];
  tf.tidy(() => {
    const tape = new Tape([], {
      bf16: false,
      record: true,
      dropout: seed ? tf.scalar(seed, 'int32') : undefined,
    });
    const x = new Node(tf.tensor2d(qkv, [B * T, 3 * C]));
    const starts = tf.tensor1d([0, T, 2 * T], 'int32');
    const layout = { lines: B, longest: T, starts, padded: null };
    const y = attention(tape, x, layout, heads, seed ? 0.3 : 0);
    const weighting = tf.tensor2d(new Random(2, 'weighting').normals(B * T * C), [B * T, C]);
    tape.accumulate(y, weighting);
    tape.backward();
    result = [y.value.dataSync() as Float32Array, x.gradient!.dataSync() as Float32Array];
  });
  return result;
}

test('what takes one value twice gets both of its gradients', () => {
  const gradient = tf.tidy(() => {
    const tape = new Tape([], { bf16: false, record: true });
    const x = new Node(tf.tensor1d([1, 2]));
    const double = add(tape, x, x);
    tape.accumulate(double, tf.tensor1d([1, 3]));
    tape.backward();
    return x.gradient!.dataSync() as never;
  }) as unknown as Float32Array;
  assert.deepEqual([...gradient], [2, 6]);
});

test('attention has the gradient of what it computes, without and with dropout', () => {
  const qkv = new Random(1, 'qkv').normals(2 * 60 * 24);
  const direction = new Random(3, 'direction').normals(qkv.length, 0.1);
  const weighting = new Random(2, 'weighting').normals(2 * 60 * 8);
  for (const seed of [undefined, 9]) {
    const at = (h: number) =>
      attended(
        qkv.map((x, i) => x + h * direction[i]!),
        seed,
      )[0].reduce((s, y, i) => s + y * weighting[i]!, 0);
    const slope = attended(qkv, seed)[1].reduce((s, g, i) => s + g * direction[i]!, 0);
    assertClose([(at(0.01) - at(-0.01)) / 0.02], [slope], { relative: 1e-2, what: `derivative, ${seed}` });
  }
});

/** Cross-entropy by its definition, in float64: loss per token, gradients of x, W and b. */
function reference(x: number[][], w: number[][], b: number[], targets: number[]) {
  const n = x.length;
  const dx = x.map((row) => row.map(() => 0));
  const dw = w.map((row) => row.map(() => 0));
  const db = b.map(() => 0);
  const nats = x.map((row, i) => {
    const z = w.map((wr, j) => wr.reduce((s, v, c) => s + v * row[c]!, b[j]!));
    const max = Math.max(...z);
    const sum = z.reduce((s, v) => s + Math.exp(v - max), 0);
    z.forEach((v, j) => {
      const others = z.reduce((s, u, k) => (k === targets[i] ? s : s + Math.exp(u - max)), 0) / sum;
      const d = (j === targets[i] ? -others : Math.exp(v - max) / sum) / n;
      db[j] += d;
      row.forEach((xc, c) => {
        dx[i]![c]! += d * w[j]![c]!;
        dw[j]![c]! += d * xc;
      });
    });
    return max - z[targets[i]!]! + Math.log(sum);
  });
  return { nats, dx: dx.flat(), dw: dw.flat(), db };
}

function computed(
  x: number[][],
  w: number[][],
  b: number[],
  targets: number[],
  chunk: number | undefined,
  bf16 = false,
) {
  const W = new Parameter('w', [w.length, w[0]!.length], Float32Array.from(w.flat()));
  const bias = new Parameter('b', [b.length], Float32Array.from(b));
  let result!: Record<'nats' | 'dx' | 'dw' | 'db', ArrayLike<number>> & { mean: number };
  tf.tidy(() => {
    const tape = new Tape([W, bias], { bf16, record: true });
    const h = new Node(tf.tensor2d(x));
    const { mean, perToken } = crossEntropy(
      tape,
      h,
      W,
      bias,
      tf.tensor1d(targets, 'int32'),
      tf.scalar(1 / targets.length),
      chunk,
    );
    tape.backward();
    const [dw, db] = [W, bias].map((p) => K.float32(tape.parameter(p).gradient!).dataSync());
    result = {
      nats: perToken.dataSync(),
      mean: mean.dataSync()[0]!,
      dx: h.gradient!.dataSync(),
      dw: dw!,
      db: db!,
    };
  });
  for (const p of [W, bias]) p.dispose();
  return result;
}

const V = 300;
const random = new Random(6, 'cross-entropy');
const matrix = (rows: number, columns: number, std: number) =>
  Array.from({ length: rows }, () => Array.from(random.normals(columns, std)));

for (const { name, std, targets } of [
  { name: 'ordinary logits', std: 1, targets: [0, 299, 64, 63, 128, 299, 17] },
  {
    name: 'logits of about ±200, probabilities that underflow',
    std: 40,
    targets: [0, 299, 64, 63, 128, 299, 17],
  },
]) {
  const check = () => {
    const [x, w, b] = [matrix(7, 5, std / 2), matrix(V, 5, 1), Array.from(random.normals(V))] as const;
    const [xf, wf, bf] = [
      x.map((r) => r.map(Math.fround)),
      w.map((r) => r.map(Math.fround)),
      b.map(Math.fround),
    ];
    const expected = reference(xf, wf, bf, targets);
    if (std > 1) assert.ok(largest(expected.nats) > 150, 'a float32 probability would be 0');
    for (const chunk of [undefined, 1, 3]) {
      const got = computed(xf, wf, bf, targets, chunk);
      const what = `${chunk ?? 'all'} in a chunk`;
      assertClose(got.nats, expected.nats, { relative: 1e-6, absolute: 3e-5, what: `nats, ${what}` });
      assertClose([got.mean], [expected.nats.reduce((a, c) => a + c) / 7], {
        relative: 1e-6,
        absolute: 1e-5,
        what: `mean, ${what}`,
      });
      for (const key of ['dx', 'dw', 'db'] as const)
        assertClose(got[key], expected[key], {
          absolute: 5e-5 * largest(expected[key]),
          what: `${key}, ${what}`,
        });
    }
  };
  test(`cross-entropy over ranges of ids equals its definition: ${name}`, check);
  test(`the same by stock ops: ${name}`, async (t) => {
    if (!engine().fused) return t.skip('the fused ops are not compiled here');
    await withStockOps(check);
  });
}

test('a token that is all but certain keeps its small loss and gradient, in bf16 too', (t) => {
  // Two ids, z = (12, 0): loss and gradient are about e⁻¹², far below the 2⁻⁸ that bf16 resolves near 1.
  const [x, w, b] = [[[12]], [[1], [0]], [0, 0]];
  const tiny = Math.log1p(Math.exp(-12));
  for (const bf16 of engine().bf16 ? [false, true] : [false]) {
    const { nats, dx } = computed(x, w, b, [0], undefined, bf16);
    assertClose(nats, [tiny], { absolute: 2e-7, what: 'loss' });
    assertClose(dx, [-tiny], { relative: 0.03, what: 'gradient' });
  }
  t.diagnostic(`loss ${tiny.toExponential(2)}`);
});

test('ids outside the vocabulary and wrong lengths are refused in one line', () => {
  const bad: [windows: number[][], ...parts: (string | number)[]][] = [
    [[[1, 2, 11]], 'tokens: ', 'from 0 to 10', 'got 11', 'position 1'],
    [[[1, -1, 2]], 'tokens: ', 'got -1', 'position 1'],
    [[new Array<number>(18).fill(1)], 'tokens: ', 'at most 16', 17],
    [
      [
        [1, 2],
        [1, 2, 3],
      ],
      'windows: ',
      '2, 3',
    ],
    [[], 'windows: ', 'nothing'],
  ];
  for (const [windows, ...parts] of bad) assert.throws(() => windowBatch(windows, SMALL), refusal(...parts));
  assert.throws(() => checkTokens([[0.5]], SMALL), refusal('tokens: ', 'got 0.5'));
});
