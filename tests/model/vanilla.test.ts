import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { VanillaConfig } from '../../lib/model/config';
import { batchOf } from '../../lib/model/model';
import { Vanilla } from '../../lib/model/vanilla';
import { Random } from '../../lib/util/random';
import { engine } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { checkGradients, checkStockOps, lossOf, perToken, shaken, type MakeBatch } from './passes';

const SMALL: VanillaConfig = {
  kind: 'vanilla',
  layers: 2,
  width: 8,
  heads: 2,
  feedForward: 16,
  context: 16,
  vocabulary: 11,
  dropout: 0.1,
};
const START = 10;
const LINES = [
  [1, 4, 2, 9, 0],
  [3, 3, 7],
  [5, 8, 6, 1, 10, 2, 2],
];

const of =
  (lines: number[][], config = SMALL): MakeBatch =>
  () =>
    batchOf(lines, START, config);
const build = () => new Vanilla(SMALL, 3);

test('lines that the model cannot read are refused, each in one line', () => {
  const refused = (lines: number[][], start: number, ...parts: (string | number)[]) =>
    assert.throws(() => batchOf(lines, start, SMALL), refusal(...parts));
  refused([], START, 'one or more', 'nothing');
  refused([[1], []], START, 'one or more', '1, 0');
  refused([Array<number>(SMALL.context + 1).fill(1)], START, SMALL.context, SMALL.context + 1);
  refused([[1, SMALL.vocabulary]], START, `got ${SMALL.vocabulary}`);
  refused([[1]], -1, 'got -1');
});

test('gradients of every parameter equal finite differences, without and with dropout', async () => {
  const model = await shaken(build());
  await checkGradients(model, of(LINES));
  await checkGradients(model, of(LINES), 7);
  model.dispose();
});

test('gradients by stock ops equal those of the fused ops', async (t) => {
  if (!engine().fused) return t.skip('the fused ops are not compiled here');
  await checkStockOps(build, of(LINES));
});

test('the first loss is within 2% of ln V', () => {
  const config = { ...SMALL, layers: 6, width: 128, heads: 8, feedForward: 512, vocabulary: 69 };
  const random = new Random(8, 'lines');
  const lines = Array.from({ length: 40 }, () => Array.from({ length: 10 }, () => random.int(69)));
  for (const seed of [1, 2, 3])
    assertClose([lossOf(new Vanilla(config, seed), of(lines, config))], [Math.log(69)], {
      relative: 0.02,
      what: `seed ${seed}`,
    });
});

test('at the first step every word costs about ln V as a target, the last id included', () => {
  const model = new Vanilla({ ...SMALL, width: 64, feedForward: 64 }, 1);
  const costs = perToken(model, of(Array.from({ length: 11 }, (_, id) => [id])));
  assertClose(
    costs,
    costs.map(() => Math.log(11)),
    { relative: 0.2, what: 'target' },
  );
});

test('a later token never changes an earlier prediction', async () => {
  const model = await shaken(build());
  const before = perToken(model, of([[1, 4, 2, 9, 0, 7]]));
  const after = perToken(model, of([[1, 4, 2, 9, 5, 7]]));
  assertClose(after.slice(0, 4), before.slice(0, 4), { absolute: 1e-6, what: 'prediction' });
  assert.notEqual(after[5]!.toFixed(4), before[5]!.toFixed(4), 'the token after it does see it');
});

test('a line costs the same alone and beside longer ones', async () => {
  const model = await shaken(build());
  const together = perToken(model, of(LINES));
  const alone = LINES.flatMap((line) => perToken(model, of([line])));
  assertClose(together, alone, { absolute: 2e-5, what: 'token' });
});

test('dropout changes the loss in training, differs by seed, and never runs in evaluation', async () => {
  const model = await shaken(build());
  const dropped = (seed: number) => lossOf(model, of(LINES), { dropoutSeed: seed });
  assert.notEqual(dropped(1), lossOf(model, of(LINES)));
  assert.notEqual(dropped(1), dropped(2));
  assert.equal(dropped(1), dropped(1));
  assert.equal(lossOf(model, of(LINES)), lossOf(model, of(LINES)));
});

test('bf16 products stay near fp32', async (t) => {
  if (!engine().bf16) return t.skip('no bf16 in hardware here');
  const model = await shaken(build());
  assertClose([lossOf(model, of(LINES), { bf16: true })], [lossOf(model, of(LINES))], {
    relative: 0.02,
    what: 'loss',
  });
});
