/** What notebooks 02, 03 and 07 compute. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { join } from 'node:path';
import { layersDemo } from '../../lib/experiments/question-formation';
import { UserError } from '../../lib/util/errors';
import { paths } from '../../lib/util/paths';
import { radius } from '../../lib/energy/partition';
import { buildModel } from '../../lib/model/build';
import { excepted, inequalityQuestion, optimumQuestion, predictorLoss } from '../../lib/analysis/03-bound';
import {
  descentFigure,
  descentQuestions,
  stackOf,
  stackQuestion,
  violations,
} from '../../lib/analysis/02-layers';
import { PUBLISHED, publishedModel, radiusQuestion, type Distances } from '../../lib/analysis/07-radius';
import { verdict } from '../../lib/report/verdict';
import { assertClose } from '../assert-close';

test('03: log Z + 1/Z is never below 1; at Z = 1 the exact cross-entropy is 0 and not 1', () => {
  assert.equal(
    verdict({
      ...inequalityQuestion('smoke', 1),
      ours: [{ seed: 1, tier: 'quick', value: inequalityQuestion('smoke', 1).ours[0]!.value }],
    }).outcome,
    'REPRODUCED',
  );
  assert.ok(inequalityQuestion('smoke', 1).ours[0]!.value <= 0);
  assertClose([optimumQuestion('quick', 1).ours[0]!.value], [0], { absolute: 1e-10, what: 'log Z at r*' });
});

test('03: the energy as a predictor: more exact with β, below 1 nat at last, ln 20 where β is next to nothing', () => {
  const losses = [1e-6, 1, 8].map((beta) => predictorLoss(beta, 1));
  assert.ok(losses[0]! > losses[1]! && losses[1]! > losses[2]! && losses[2]! < 1e-6, losses.join());
  // At β = 0 a token's probability is its share of the contexts: the cross-entropy is theirs, at most ln 20.
  assert.ok(losses[0]! < Math.log(20) && losses[0]! > Math.log(20) - 0.15, String(losses[0]));
});

test("03: a run is excepted from the ratio of parameters to tokens of the paper's own example on", () => {
  assert.equal(excepted(124.4e6, 9.01e6), undefined);
  assert.match(excepted(30e6, 90_000)!, /333\.3 parameters per token; the paper's own example has 13\.8/);
});

test('02: along a descent the energy falls and both majorisers lie above it', () => {
  const [energy, layers, quadratic] = descentFigure(
    [
      [-2, 0],
      [1, 1],
    ],
    [0, 3],
    4,
  ).data as unknown as { y: number[] }[];
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

test('02: the stack of a model: a falling share per pair of blocks, energies that agree with it, cosines', () => {
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
});

test('07: the median of the raw held-out distances over r*', () => {
  const some = (values: number[]) => ({ training: Float64Array.of(9), heldOut: Float64Array.from(values) });
  const all: Distances = {
    name: PUBLISHED,
    width: 128,
    raw: some([1, 2, radius(128) * 1.2, 80, 90]),
    normed: some([5]),
  };
  const question = radiusQuestion([all, { ...all, name: 'a small model', raw: some([50]) }], 'full', 1);
  assertClose([question.ours[0]!.value], [1.2], { relative: 1e-9, what: 'median over r*' });
  assert.equal(verdict(question).outcome, 'REPRODUCED', 'another model decides nothing');
  assert.equal(verdict({ ...question, ours: question.ours.slice(1) }).outcome, 'INCONCLUSIVE');
});

test('07: published weights come from the folder that GPT2_WEIGHTS names', () => {
  assert.equal(publishedModel(), null);
  process.env.GPT2_WEIGHTS = join(paths.root, 'tests', 'fixtures', 'gpt2');
  try {
    const model = publishedModel()!;
    assert.equal(model.config.kind, 'gpt2');
    assert.equal(model.config.layers, 2);
    model.dispose();
    process.env.GPT2_WEIGHTS = '/nowhere';
    assert.throws(publishedModel, UserError);
  } finally {
    delete process.env.GPT2_WEIGHTS;
  }
});
