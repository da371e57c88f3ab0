import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plateauIntervention, type PlateauConfig } from '../../lib/experiments/plateau-intervention';
import { questionFormation } from '../../lib/experiments/question-formation';
import { FAMILY } from '../../lib/data/grammar/grammar-family';
import { lineTokens } from '../../lib/data/grammar/question-formation';
import { buildModel } from '../../lib/model/build';
import { Lines } from '../../lib/experiments/lines';
import { PlateauTask } from '../../lib/experiments/plateau-intervention';
import { QuestionFormationTask } from '../../lib/experiments/question-formation';
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
