import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  pilotRuns,
  plateauIntervention,
  settledRuns,
  type PlateauConfig,
} from '../../lib/experiments/plateau-intervention';
import { questionFormation } from '../../lib/experiments/question-formation';
import { FAMILY } from '../../lib/data/grammar/grammar-family';
import { lineTokens } from '../../lib/data/grammar/question-formation';
import { buildModel } from '../../lib/model/build';
import { Lines } from '../../lib/experiments/lines';
import { PlateauTask } from '../../lib/experiments/plateau-intervention';
import { QuestionFormationTask } from '../../lib/experiments/question-formation';
import { tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';

const SMOKE = plateauIntervention.tiers.smoke;

test('the losses by position add up to the held-out loss; an untrained model knows no line', () => {
  const [task, model] = [new PlateauTask(SMOKE), buildModel(SMOKE.model, 1)];
  const { heldOutLossNats, trainLinesLossNats, positionNats, memorised } = task.evaluate(model);
  model.dispose();
  const lines = new Lines(FAMILY['1.0'], SMOKE).heldOut.slice(0, SMOKE.evaluationLines);
  const tokens = lines.reduce((sum, line) => sum + lineTokens(line), 0);
  assertClose([positionNats.reduce((a, b) => a + b, 0)], [(heldOutLossNats * tokens) / lines.length], {
    relative: 1e-6,
    what: 'sum over positions',
  });
  assert.equal(positionNats.length, Math.max(...lines.map(lineTokens)));
  assertClose([heldOutLossNats, trainLinesLossNats], [Math.log(304), Math.log(304)], {
    relative: 0.05,
    what: 'an untrained model',
  });
  assert.deepEqual(memorised, { train: 0, heldOut: 0 });
});

test('a data seed draws other lines; without one all seeds of a run see the same, as records say', () => {
  const hash = (change: Partial<PlateauConfig>) => new PlateauTask({ ...SMOKE, ...change }).dataHash;
  assert.equal(hash({ seed: 2 }), hash({}));
  assert.equal(hash({ dataSeed: 1 }), hash({}));
  assert.notEqual(hash({ dataSeed: 2 }), hash({}));
  assert.throws(() => plateauIntervention.check({ ...SMOKE, dataSeed: 0 }), /config\.dataSeed/);
});

test('a run that begins on few lines reads these alone in its first steps, and then what others read', () => {
  const fewFirst = { lines: 8, steps: 3 };
  const ids = (lines: Lines, step: number) =>
    tf.tidy(() => [...lines.step(step)[0]!().targets.dataSync()]).join();
  const [all, few] = [new Lines(FAMILY['1.0'], SMOKE), new Lines(FAMILY['1.0'], { ...SMOKE, fewFirst })];
  // A step reads eight lines, so that each of the first reads all of the few.
  const known = few.train.slice(0, 8).flatMap((line) => [...few.vocabulary.encode(line)]);
  for (const step of [1, 3])
    assert.deepEqual(ids(few, step).split(',').map(Number).sort(), [...known].sort(), `step ${step}`);
  assert.notEqual(ids(few, 3), ids(all, 3));
  assert.equal(ids(few, 4), ids(all, 4));
  assert.throws(
    () => plateauIntervention.check({ ...SMOKE, fewFirst: { lines: 301, steps: 1 } }),
    /config\.fewFirst\.lines: expected at most the 300 training lines; got 301/,
  );
});

test('runs that decide draw their data with their seed and have one model and one training', () => {
  const runs = settledRuns('desk');
  assert.equal(runs.length, 25);
  assert.ok(runs.every(({ seed, dataSeed, model }) => dataSeed === seed && model.dropout === 0));
  const rest = runs.map(({ seed: _, dataSeed: __, grammar: ___, ...same }) => JSON.stringify(same));
  assert.equal(new Set(rest).size, 1);
  const piloted = pilotRuns('desk').map(({ seed }) => seed);
  assert.ok(
    runs.every(({ seed }) => !piloted.includes(seed)),
    'no seed that was looked at before',
  );
});

test('the original grammar has the data of question formation, every other one its own', () => {
  const { trainLines, batchLines } = questionFormation.tiers.smoke;
  const hash = (grammar: PlateauConfig['grammar']) =>
    new PlateauTask({ ...SMOKE, trainLines, batchLines, grammar }).dataHash;
  assert.equal(hash('1.0'), new QuestionFormationTask(questionFormation.tiers.smoke).dataHash);
  assert.equal(
    new Set((Object.keys(FAMILY) as PlateauConfig['grammar'][]).map(hash)).size,
    Object.keys(FAMILY).length,
  );
});
