import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capacity, TIERS } from '../lib/config';
import { checkConfig } from '../lib/config-check';
import { buildModel } from '../lib/model/build';
import { capacityRuns, gpt2Parameters, grammarRuns, modelRuns, sizeRuns, SWEEP_NAMES, SWEEPS } from '../lib/sweeps';
import { runId } from '../lib/train/record';

test('every run of every sweep can run, and no two are one', () => {
  for (const name of SWEEP_NAMES)
    for (const tier of TIERS) {
      const configs = SWEEPS[name](tier);
      configs.forEach(checkConfig);
      assert.equal(new Set(configs.map(runId)).size, configs.length, `${name} ${tier}`);
      assert.ok(configs.every((config) => config.tier === tier));
    }
});

test('the sweeps hold what they promise', () => {
  const grammars = grammarRuns('desk');
  assert.deepEqual([new Set(grammars.map(({ grammar }) => grammar)).size, new Set(grammars.map(({ seed }) => seed)).size, grammars.length], [6, 3, 18]);
  assert.equal(new Set(grammars.map(({ model, steps, schedule, trainLines }) => JSON.stringify([model, steps, schedule, trainLines]))).size, 1, 'one model, one training');
  assert.deepEqual(sizeRuns('desk').map(({ trainLines }) => trainLines), [500, 2000, 10_000, 50_000, 100_000]);
  assert.deepEqual(modelRuns('desk').map(({ model }) => `${model.layers} × ${model.width}`).sort().length, 9);
  const sizes = capacityRuns('desk').map(({ model }) => gpt2Parameters(model).all);
  assert.ok(Math.min(...sizes) < 20_000 && Math.max(...sizes) > 1_700_000, `${Math.min(...sizes)} to ${Math.max(...sizes)}`);
});

test('parameters are counted as the model has them', () => {
  const { model } = capacity.desk;
  const built = buildModel(model, 1);
  assert.equal(gpt2Parameters(model).all, built.parameters.reduce((n, p) => n + p.size, 0));
  assert.equal(gpt2Parameters(model).all - gpt2Parameters(model).withoutEmbeddings, (model.vocabulary + model.context) * model.width);
  built.dispose();
});
