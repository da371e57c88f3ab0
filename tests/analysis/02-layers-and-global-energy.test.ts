import assert from 'node:assert/strict';
import test from 'node:test';
import {
  descentFigure,
  descentQuestions,
  stackOf,
  stackQuestion,
  stackRows,
  violations,
} from '../../lib/analysis/02-layers-and-global-energy';
import { layersDemo } from '../../lib/experiments/question-formation';
import { buildModel } from '../../lib/model/build';
import { verdict } from '../../lib/report/verdict';

test('along a descent the energy falls and both majorisers lie above it', () => {
  const patterns = [
    [-2, 0],
    [1, 1],
  ];
  const [energy, layers, quadratic] = descentFigure([0, 3], patterns, 4).data as unknown as { y: number[] }[];
  for (let i = 1; i < energy!.y.length; i++) {
    assert.ok(energy!.y[i]! <= energy!.y[i - 1]! + 1e-6);
    assert.ok(layers!.y[i - 1]! >= energy!.y[i]! - 1e-6 && quadratic!.y[i - 1]! >= energy!.y[i]! - 1e-6);
  }
  assert.ok(energy!.y.at(-1)! < energy!.y[0]! - 0.5);
  const found = violations('smoke', 1);
  assert.ok(Math.max(found.rise, found.below, found.apart) < 1e-4, JSON.stringify(found));
  assert.equal(
    descentQuestions({ ...found, rise: 1 }, 'quick', 1)
      .map((q) => verdict(q).outcome)
      .join(),
    'NOT REPRODUCED,REPRODUCED,REPRODUCED',
  );
});

test('the stack of a model: a falling share per pair of blocks, energies that agree with it, cosines', () => {
  const config = layersDemo.smoke;
  const model = buildModel(config.model, 1);
  const stack = stackOf('untrained', model, config);
  model.dispose();
  assert.deepEqual([stack.energies.length, stack.falling.length, stack.alignment.length], [3, 2, 2]);
  assert.ok([...stack.falling, ...stack.alignment.map(Math.abs)].every((v) => v >= 0 && v <= 1));
  stack.falling.forEach((share, t) => {
    if (share === 1) assert.ok(stack.energies[t + 1]! < stack.energies[t]!);
  });
  assert.equal(stackQuestion({ ...stack, falling: [0.8, 1] }, 'desk', 1).ours[0]!.value, 0.9);
  assert.deepEqual(
    stackRows([{ ...stack, falling: [0.8, 1] }]).map((row) => [
      row.from,
      row.to,
      row['tokens whose energy falls'],
    ]),
    [
      [1, 2, '80.0%'],
      [2, 3, '100.0%'],
    ],
  );
});
