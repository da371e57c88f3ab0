import assert from 'node:assert/strict';
import test from 'node:test';
import {
  answer,
  blindness,
  orderRows,
  rankOf,
  stackQuestion,
  stackRows,
} from '../../lib/analysis/02-layers-and-global-energy';
import { blockOrders, ownStacks, stackOf, type Stacks } from '../../lib/analysis/02-stacks';
import { descentQuestions, stepFigure, violations, type Violations } from '../../lib/analysis/02-steps';
import { committedMeasure } from '../../lib/report/measure';
import { arm } from '../../lib/experiments/replica';
import { buildModel } from '../../lib/model/build';
import { verdict } from '../../lib/report/verdict';
import { Random } from '../../lib/util/random';
import { mean } from '../../lib/util/statistics';
import { assertClose } from '../assert-close';

test('along a descent the energy falls and both majorisers lie above it', () => {
  const found = violations('smoke', 1);
  assert.ok(Math.max(found.rise, found.below, found.apart) < 1e-4, JSON.stringify(found));
  assert.equal(
    descentQuestions({ ...found, rise: 1 }, 'quick', 1)
      .map((q) => verdict(q).outcome)
      .join(),
    'REFUTED,CHECKED,CHECKED',
  );
});

test('what is kept of the quick tier is as large as what its first stacks, those of the smoke tier, give', () => {
  const [kept, first] = [committedMeasure<Violations>('layers-violations'), violations('smoke', 1)];
  for (const what of ['cases', 'rise', 'below', 'apart'] as const)
    assert.ok(kept[what] >= first[what], `${what}: ${kept[what]} and ${first[what]}`);
});

test('the drawn step: the bowl lies above the energy, touches it, and its lowest point is lower', () => {
  const [energy, bowl, step] = stepFigure().data as unknown as { x: number[]; y: number[] }[];
  energy!.y.forEach((e, i) => assert.ok(bowl!.y[i]! >= e - 1e-5));
  const nearest = energy!.x.reduce(
    (a, x, i) => (Math.abs(x - step!.x[0]!) < Math.abs(energy!.x[a]! - step!.x[0]!) ? i : a),
    0,
  );
  assert.ok(bowl!.y[nearest]! - energy!.y[nearest]! < 1e-3);
  assert.ok(step!.y[1]! < step!.y[0]! - 0.05);
  const least = bowl!.y.indexOf(Math.min(...bowl!.y));
  assert.ok(Math.abs(bowl!.x[least]! - step!.x[1]!) < 0.06);
});

test('the stack of a model: a falling share per pair of blocks, energies that agree with it', () => {
  const smoke = arm('smoke', 'B', 1);
  const config = { ...smoke, model: { ...smoke.model, layers: 3 } };
  const model = buildModel(config.model, 1);
  const random = new Random(1, 'windows');
  const windows = Array.from({ length: 6 }, () => Array.from({ length: 33 }, () => random.int(2048)));
  const stack = stackOf(model, config, {
    patterns: windows.slice(2),
    states: windows.slice(0, 2),
  });
  model.dispose();
  assert.deepEqual([stack.energies.length, stack.falling.length], [3, 2]);
  assert.ok(stack.falling.every((v) => v >= 0 && v <= 1));
  stack.falling.forEach((share, t) => {
    if (share === 1) assert.ok(stack.energies[t + 1]! < stack.energies[t]!);
  });
});

test('committed weights are measured on what they recite; the true order of their blocks gives the stack itself', async () => {
  const { trained, untrained, steps, orders } = await ownStacks('smoke');
  assert.equal(orders.length, 24);
  assertClose([orders[0]!], [mean(trained.falling)], { absolute: 1e-12, what: 'the true order' });
  assert.equal(new Set(orders.map((share) => share.toFixed(6))).size > 12, true, 'orders differ');
  assert.notDeepEqual(trained.falling, untrained.falling);
  assert.ok(
    steps.energies.every((e, t) => t === 0 || e <= steps.energies[t - 1]! + 1e-4),
    'steps descend',
  );
});

const stack = (...falling: number[]) => ({ energies: [], falling });
const stacks = (trained: number[], untrained: number[], orders: number[]): Stacks => ({
  seed: 1,
  trained: stack(...trained),
  untrained: stack(...untrained),
  trainedNormed: stack(0, 0),
  untrainedNormed: stack(0, 0),
  tied: stack(0, 1),
  energyBlock: stack(0, 1),
  steps: stack(1, 1),
  orders,
});

test('the test can tell if training beats the first weights and the true order is among the best twentieth', () => {
  const orders = [0.9, ...Array(23).fill(0.5)];
  const seen = stacks([0.8, 1], [0.4, 0.5], orders);
  assert.equal(blindness([seen]), undefined);
  assert.equal(verdict(stackQuestion([seen])).outcome, 'REPRODUCED');
  assert.equal(stackQuestion([seen]).ours[0]!.value, 0.9);
  const same = stacks([0.8, 1], [0.9, 0.95], orders);
  const anyOrder = stacks([0.8, 1], [0.4, 0.5], [0.9, 0.95, ...Array(22).fill(0.5)]);
  for (const blind of [same, anyOrder]) {
    const { outcome, reason } = verdict(stackQuestion([seen, blind]));
    assert.equal(outcome, 'TEST CANNOT TELL');
    assert.match(reason, /untrained stack scores .*24 orders/);
    assert.match(answer([seen, blind]), /^\*\*The test cannot tell/);
  }
  assert.equal(rankOf(anyOrder), 2);
  assert.equal(orderRows([anyOrder])[0]!['rank of the true one'], '2 of 24');
  assert.deepEqual(
    stackRows([seen, same]).map((row) => row.mean),
    ['100%', '50%', '90%', '0%', '45% to 93%', '0%', '50%'],
  );
});

test('all orders of few blocks, the true one first; of many blocks some', () => {
  assert.deepEqual(blockOrders(3, 1), [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ]);
  const some = blockOrders(6, 1);
  assert.deepEqual([some.length, some[0]], [24, [0, 1, 2, 3, 4, 5]]);
  for (const order of some) assert.deepEqual([...order].sort(), [0, 1, 2, 3, 4, 5]);
});
