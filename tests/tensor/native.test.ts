/** Each fused op against the composition of stock ops: values and gradients, float32 and bfloat16, odd sizes, unequal lines. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { DT, engine, runOp, tf, type Tensor } from '../../lib/tensor/engine';
import { fused } from '../../lib/tensor/fused';
import * as K from '../../lib/tensor/kernels';
import type { ActivationKind, Dropout, Layout, Functional } from '../../lib/tensor/functional';
import { Parameter } from '../../lib/tensor/parameters';
import { stock } from '../../lib/tensor/stock';
import { Random } from '../../lib/util/random';
import { assertClose } from '../assert-close';

const skip = engine().fused ? false : 'the fused ops are not compiled here';

const random = new Random(7, 'native');
const normal = (shape: number[], scale = 1): Tensor =>
  tf.tensor(
    random.normals(
      shape.reduce((a, b) => a * b, 1),
      scale,
    ),
    shape,
  );
const ints = (...values: number[]): Tensor => tf.tensor1d(values, 'int32');
const half = (x: Tensor, bf16: boolean): Tensor => (bf16 ? K.bfloat16(x) : x);
const values = (x: Tensor): Float32Array => K.float32(x).dataSync() as Float32Array;

/** Compares what a pass gives as fused and as stock ops; all of a tensor to a part of its largest element. */
function compare(
  what: string,
  bf16: boolean,
  run: (p: Functional) => (Tensor | null)[],
  tolerance = bf16 ? 2e-2 : 3e-6,
): void {
  tf.tidy(() => {
    const [got, expected] = [run(fused), run(stock)];
    assert.equal(got.length, expected.length);
    got.forEach((x, i) => {
      const e = expected[i]!;
      assert.equal(x === null, e === null, `${what} ${i}`);
      if (!x || !e) return;
      assert.deepEqual(x.shape, e.shape, `${what} ${i}`);
      assert.equal(K.isBfloat16(x), K.isBfloat16(e), `${what} ${i}`);
      const largest = values(e).reduce((most, y) => Math.max(most, Math.abs(y)), 0);
      assertClose(values(x), values(e), { absolute: tolerance * largest + 2e-7, what: `${what} ${i}` });
    });
  });
}

const drop = (rate: number): Dropout | null =>
  rate > 0 ? { seed: tf.scalar(1234567, 'int32'), stream: 3, rate } : null;

for (const bf16 of engine().bf16 ? [false, true] : [false]) {
  const name = bf16 ? 'bf16' : 'fp32';

  test(`cross-entropy, ${name}`, { skip }, () => {
    for (const [n, V] of [
      [1, 2],
      [5, 70],
      [37, 1003],
      [8, 16],
    ] as const)
      tf.tidy(() => {
        const logits = half(normal([n, V], 4), bf16);
        const labels = ints(...Array.from({ length: n }, (_, i) => (i * 31) % V));
        compare(`${n} × ${V}`, bf16, (p) => {
          const { perToken, gradient } = p.crossEntropy(logits, labels, tf.scalar(0.25));
          return [perToken, gradient, p.crossEntropy(logits, labels, null).perToken];
        });
      });
  });

  for (const rate of [0, 0.3]) {
    test(`residual norm and its gradient, ${name}, dropout ${rate}`, { skip }, () => {
      for (const [n, C] of [
        [1, 16],
        [3, 5],
        [67, 200],
        [130, 48],
      ] as const) {
        const make = () => ({
          x: normal([n, C]),
          branch: half(normal([n, C]), bf16),
          gain: normal([C]),
          bias: normal([C]),
          dropout: drop(rate),
          bf16,
        });
        tf.tidy(() => {
          const inputs = make();
          const [dsum, dnormalFloat32] = [normal([n, C]), normal([n, C])];
          const dnormal = half(normal([n, C]), bf16);
          for (const [what, gradients, branch] of [
            ['pre-norm', { sum: dsum, normal: dnormal, normalFloat32: null }, inputs.branch],
            ['post-norm', { sum: null, normal: dnormal, normalFloat32: dnormalFloat32 }, inputs.branch],
            ['first', { sum: dsum, normal: dnormal, normalFloat32: null }, null],
            ['last', { sum: null, normal: null, normalFloat32: dnormalFloat32 }, inputs.branch],
          ] as const)
            compare(`${what} ${n} × ${C}`, bf16, (p) => {
              const given = { ...inputs, branch };
              const outputs = p.norm(given, true);
              return [
                outputs.sum,
                outputs.normal,
                outputs.normalFloat32,
                ...p.normGradient(given, outputs, gradients),
              ];
            });
        });
      }
    });

    test(`activations and their gradients, ${name}, dropout ${rate}`, { skip }, () => {
      for (const kind of ['gelu', 'relu', 'none'] as ActivationKind[])
        for (const shape of [
          [1, 1],
          [7, 33],
          [100, 131],
        ])
          tf.tidy(() => {
            const [x, dy] = [half(normal(shape, 3), bf16), half(normal(shape), bf16)];
            compare(`${kind} ${shape}`, bf16, (p) => {
              const y = p.activation(x, kind, drop(rate));
              return [y, p.activationGradient(dy, kind === 'relu' ? y : x, kind, drop(rate))];
            });
          });
    });

    test(`attention and its gradient, ${name}, dropout ${rate}`, { skip }, () => {
      const layouts: [string, number[]][] = [
        ['one token', [1]],
        ['equal lines', [5, 5, 5]],
        ['unequal lines', [3, 1, 17, 2, 16]],
        ['many blocks', [131, 131]],
        ['longer than a block of queries', [300]],
      ];
      for (const [what, lengths] of layouts)
        for (const [heads, d] of [
          [1, 16],
          [3, 5],
          [2, 32],
          [2, 64],
        ] as const)
          tf.tidy(() => {
            const longest = Math.max(...lengths);
            const N = lengths.reduce((a, b) => a + b, 0);
            const starts = lengths.reduce<number[]>((all, n) => [...all, all.at(-1)! + n], [0]);
            const padded = lengths.flatMap((n, b) => Array.from({ length: n }, (_, t) => b * longest + t));
            const equal = N === lengths.length * longest;
            const layout: Layout = {
              lines: lengths.length,
              longest,
              starts: ints(...starts),
              padded: equal ? null : ints(...padded),
            };
            const qkv = half(normal([N, 3 * heads * d]), bf16);
            const dy = half(normal([N, heads * d]), bf16);
            compare(
              `${what}, ${heads} heads of ${d}`,
              bf16,
              (p) => {
                const outputs = p.attention(qkv, layout, heads, drop(rate));
                return [outputs[0], p.attentionGradient(dy, qkv, outputs, layout, heads, drop(rate))];
              },
              bf16 ? 3e-2 : 1e-5,
            );
          });
    });
  }

  test(`sums, ${name}`, { skip }, () => {
    tf.tidy(() => {
      for (const [n, C] of [
        [1, 1],
        [33, 300],
        [1000, 17],
      ] as const) {
        const x = half(normal([n, C]), bf16);
        compare(`rows ${n} × ${C}`, bf16, (p) => [p.sumRows(x)], 1e-5);
        compare(`squares ${n} × ${C}`, bf16, (p) => [p.sumSquares([x, half(normal([0]), bf16)])], 1e-5);
        const index = ints(...Array.from({ length: n }, (_, i) => (i * i) % 13));
        const rows = normal([n, C]);
        const base = half(normal([13, C]), bf16);
        compare(`scatter ${n} × ${C}`, bf16, (p) => [
          p.scatterRows(null, rows, index, 13, bf16),
          p.scatterRows(base, rows, index, 13, bf16),
        ]);
      }
    });
  });
}

test('empty batches', { skip }, () => {
  tf.tidy(() => {
    const none = (...shape: number[]) => tf.zeros(shape);
    const layout: Layout = { lines: 0, longest: 0, starts: ints(0), padded: null };
    const { perToken, gradient } = fused.crossEntropy(none(0, 7), ints(), tf.scalar(1));
    assert.deepEqual([perToken.shape, gradient!.shape], [[0], [0, 7]]);
    const [y, logSum] = fused.attention(none(0, 24), layout, 2, null);
    assert.deepEqual(
      [y.shape, logSum.shape],
      [
        [0, 8],
        [0, 2],
      ],
    );
    assert.deepEqual(
      fused.attentionGradient(none(0, 8), none(0, 24), [y, logSum], layout, 2, null).shape,
      [0, 24],
    );
    assert.deepEqual([...fused.sumRows(none(0, 3)).dataSync()], [0, 0, 0]);
    assert.deepEqual(fused.activation(none(0, 3), 'gelu', null).shape, [0, 3]);
    assert.deepEqual([...fused.scatterRows(null, none(0, 2), ints(), 2, false).dataSync()], [0, 0, 0, 0]);
  });
});

test('labels, rows and lines out of range are errors', { skip }, () => {
  tf.tidy(() => {
    const logits = normal([2, 5]);
    for (const label of [-1, 5])
      assert.throws(
        () => fused.crossEntropy(logits, ints(0, label), tf.scalar(1)),
        /labels from 0 to 4; got/,
      );
    assert.throws(() => fused.crossEntropy(logits, ints(0), tf.scalar(1)), /n labels/);
    for (const row of [-1, 3])
      assert.throws(() => fused.scatterRows(null, logits, ints(0, row), 3, false), /rows from 0 to 2; got/);
    for (const starts of [[0, 3], [1, 2], [0, 2, 1, 2], [0]])
      assert.throws(
        () =>
          fused.attention(
            normal([2, 12]),
            { lines: 1, longest: 2, starts: ints(...starts), padded: null },
            2,
            null,
          ),
        /starts of lines/,
      );
  });
});

test('inputs of another size or dtype are errors', { skip }, () => {
  tf.tidy(() => {
    const [n, C, V] = [40, 24, 7];
    const [x, narrow, vector] = [normal([n, C]), normal([n, C - 1]), normal([C])];
    const seed = (size: number): Dropout => ({ seed: tf.zeros([size], 'int32'), stream: 0, rate: 0.1 });
    const layout: Layout = { lines: 1, longest: n, starts: ints(0, n), padded: null };

    const norm = { x, branch: x, gain: vector, bias: vector, dropout: null, bf16: false };
    const outputs = fused.norm(norm, true);
    const gradients = { sum: x, normal: x, normalFloat32: x };
    const [y, logSum] = fused.attention(normal([n, 3 * C]), layout, 2, null);
    const attentionGradient = (dy: Tensor, qkv: Tensor, y: Tensor, logSum: Tensor, dropout: Dropout | null) =>
      fused.attentionGradient(dy, qkv, [y, logSum], layout, 2, dropout);

    const calls: [what: string, call: () => unknown, message: RegExp][] = [
      ['scale', () => fused.crossEntropy(normal([1, V]), ints(0), normal([2])), /one scale/],
      ['logits', () => fused.crossEntropy(vector, ints(0), tf.scalar(1)), /logits \[n, V\]/],
      ...[{ x: vector }, { branch: narrow }, { gain: normal([C - 1]) }, { dropout: seed(2) }].map(
        (other): [string, () => unknown, RegExp] => [
          `norm: ${Object.keys(other)}`,
          () => fused.norm({ ...norm, ...other }, true),
          /residual norm: expected/,
        ],
      ),
      ...[
        [norm, outputs, { ...gradients, sum: narrow }],
        [norm, outputs, { ...gradients, normal: narrow }],
        [norm, outputs, { ...gradients, normalFloat32: narrow }],
        [norm, { ...outputs, sum: vector }, gradients],
        [norm, { ...outputs, sum: narrow }, gradients],
        [norm, { ...outputs, statistics: normal([n - 1, 2]) }, gradients],
        [{ ...norm, gain: normal([C - 1]) }, outputs, gradients],
        [{ ...norm, dropout: seed(0) }, outputs, gradients],
      ].map(([inputs, forward, arrived], i): [string, () => unknown, RegExp] => [
        `gradient of norm ${i}`,
        () =>
          fused.normGradient(inputs as typeof norm, forward as typeof outputs, arrived as typeof gradients),
        /gradient of residual norm: expected/,
      ]),
      ['seed of activation', () => fused.activation(x, 'gelu', seed(2)), /activation: expected/],
      ['saved', () => fused.activationGradient(x, narrow, 'gelu', null), /gradient of activation: expected/],
      ['seed', () => fused.activationGradient(x, x, 'gelu', seed(2)), /gradient of activation: expected/],
      ['rows', () => fused.sumRows(vector), /sum over rows: expected/],
      ['scattered', () => fused.scatterRows(null, vector, ints(0), 3, false), /scatter: expected/],
      ['qkv', () => fused.attention(vector, layout, 2, null), /attention: expected qkv/],
      ['seed of attention', () => fused.attention(normal([n, 3 * C]), layout, 2, seed(2)), /one seed/],
      ...[
        [narrow, normal([n, 3 * C]), y, logSum, null],
        [x, vector, y, logSum, null],
        [x, normal([n, 3 * C]), narrow, logSum, null],
        [x, normal([n, 3 * C]), y, normal([n, 1]), null],
        [x, normal([n, 3 * C]), y, logSum, seed(2)],
      ].map((inputs, i): [string, () => unknown, RegExp] => [
        `gradient of attention ${i}`,
        () => attentionGradient(...(inputs as Parameters<typeof attentionGradient>)),
        /gradient of attention: expected/,
      ]),
    ];
    for (const [what, call, message] of calls) assert.throws(call, message, what);
  });
});

test('AdamW takes variables of the size of their gradients, and of its dtypes', { skip }, () => {
  const [good, other] = [
    new Parameter('good', [6], new Float32Array(6)),
    new Parameter('other', [5], new Float32Array(5)),
  ];
  const numbers = {
    learningRate: 0.1,
    beta1: 0.9,
    beta2: 0.99,
    epsilon: 1e-8,
    weightDecay: 0,
    clip: 1,
    step: 1,
  };
  tf.tidy(() => {
    good.readBfloat16();
    const variables = good.variables;
    const update = (more: object) => () => fused.adamW([{ ...variables, ...more }], [normal([6])], numbers);
    update({})();
    for (const which of ['value', 'm', 'v'] as const) {
      assert.throws(update({ [which]: other.variables[which] }), /AdamW: expected 5 gradients; got 6/, which);
      assert.throws(
        update({ [which]: variables.bfloat16 }),
        /AdamW: expected a variable of float; got bfloat16/,
      );
    }
    assert.throws(update({ bfloat16: variables.value }), /AdamW: expected a variable of bfloat16; got float/);
    const { value, m, v } = variables;
    const inputs = [...[value, m, v].map(({ resource }) => resource), normal([6]), normal([7])];
    assert.throws(
      () => runOp('FusedAdamW', inputs, { T: { dtype: DT.float32 }, count: 1, copies: 0 }, 0),
      /AdamW: expected 8 numbers/,
    );
  });
  for (const p of [good, other]) p.dispose();
});

/** A NaN with other low bits than the processor's own: what is left in memory may be one. */
const payloadNaN = new Float32Array(Uint32Array.of(0x7fc12345).buffer);

test('a NaN of any bits reaches the loss and the gradients', { skip }, () => {
  tf.tidy(() => {
    const at = (index: number, values: Float32Array, shape: number[]): Tensor => {
      const bits = new Uint32Array(values.buffer);
      bits[index] = new Uint32Array(payloadNaN.buffer)[0]!;
      return tf.tensor(values, shape);
    };
    for (const index of [0, 19]) {
      const logits = at(index, new Float32Array(20), [1, 20]);
      for (const label of [0, 3])
        assert.ok(Number.isNaN(fused.crossEntropy(logits, ints(label), tf.scalar(1)).perToken.dataSync()[0]));
      const [y] = [fused.activation(logits, 'gelu', null)];
      assert.ok(Number.isNaN(y.dataSync()[index]), 'gelu');
      // Where y is 0, relu's gradient is 0, but of what is not a number.
      for (const kind of ['gelu', 'relu', 'none'] as ActivationKind[]) {
        const dx = fused.activationGradient(logits, tf.zeros([1, 20]), kind, null).dataSync();
        assert.ok(
          dx.every((d, i) => (i === index ? Number.isNaN(d) : Object.is(d, 0))),
          `gradient of ${kind}`,
        );
      }
    }
    const qkv = at(24 + 8, new Float32Array(3 * 24), [3, 24]);
    const layout: Layout = { lines: 1, longest: 3, starts: ints(0, 3), padded: null };
    const [y] = fused.attention(qkv, layout, 1, null);
    assert.deepEqual(
      [0, 1, 2].map((row) => Number.isNaN(y.dataSync()[8 * row])),
      [false, true, true],
      'attention to a NaN among the keys',
    );
  });
});

test('what is not a number reaches the loss', { skip }, () => {
  tf.tidy(() => {
    for (const bad of [NaN, Infinity]) {
      for (const at of [0, 19]) {
        const row = Array.from({ length: 20 }, (_, i) => (i === at ? bad : i / 7));
        for (const label of [0, 3]) {
          const [loss] = fused
            .crossEntropy(tf.tensor2d([row]), ints(label), tf.scalar(1))
            .perToken.dataSync();
          assert.ok(!Number.isFinite(loss), `loss ${loss} of ${bad} at ${at}`);
        }
        const x = tf.tensor2d([row]);
        const { normal: y } = fused.norm(
          { x, branch: null, gain: tf.ones([20]), bias: tf.zeros([20]), dropout: null, bf16: false },
          false,
        );
        assert.ok(
          y.dataSync().every((v) => Number.isNaN(v)),
          `norm of ${bad}`,
        );
        for (const kind of ['gelu', 'relu', 'none'] as ActivationKind[])
          assert.ok(!Number.isFinite(fused.activation(x, kind, null).dataSync()[at]), `${kind} of ${bad}`);
      }
      const qkv = Float32Array.from({ length: 3 * 24 }, (_, i) => (i === 24 + 17 ? bad : Math.sin(i)));
      const layout = { lines: 1, longest: 3, starts: ints(0, 3), padded: null };
      const [y] = fused.attention(tf.tensor2d(qkv, [3, 24]), layout, 1, null);
      const rows = Array.from({ length: 3 }, (_, i) => [...y.dataSync().slice(8 * i, 8 * i + 8)]);
      assert.ok(
        rows[2]!.some((v) => !Number.isFinite(v)),
        `attention to ${bad}`,
      );
      assert.ok(
        !Number.isFinite(fused.sumSquares([tf.tensor1d([1, bad])]).dataSync()[0]),
        'norm of gradients',
      );
    }
    assert.ok(Number.isNaN(values(K.bfloat16(tf.scalar(NaN)))[0]));
    const rounded = fused.activation(K.bfloat16(tf.tensor1d([NaN, Infinity, -Infinity])), 'none', null);
    assert.deepEqual([...values(rounded)], [NaN, Infinity, -Infinity]);
  });
});

test('the same bits on one, two and three threads', { skip }, () => {
  const file = join(__dirname, '..', 'fixtures', 'native-bits.ts');
  const [one, ...others] = [1, 2, 3].map((threads) => {
    const env = { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads) };
    const { stdout } = spawnSync(process.execPath, ['--import', 'tsx', file], { encoding: 'utf8', env });
    return stdout.trim();
  });
  assert.match(one!, /^[0-9a-f]{64}$/);
  for (const other of others) assert.equal(other, one);
});
