import assert from 'node:assert/strict';
import test from 'node:test';
import { recited, SMOKE_STARTS, STARTS } from '../../../lib/analysis/shared/recited';
import { runId } from '../../../lib/experiments/experiment';
import { replica, runsWithWeights } from '../../../lib/experiments/replica';
import { buildModel } from '../../../lib/model/build';
import { continuations } from '../../../lib/model/generate';
import { committedMeasure } from '../../../lib/report/measure';
import { committedModel } from '../../../lib/train/weights';

const [config] = runsWithWeights('desk');

test('the model that learnt its text by heart gives as many windows of it away as it did next to the books, all of them its text', async () => {
  const model = await committedModel({ id: runId(replica, config!), config: config! });
  const windows = recited(model, config!);
  const [{ sure, verbatim }] = committedMeasure<[{ sure: number; verbatim: number }]>('replica-recited');
  assert.deepEqual([windows.length, windows.length], [sure, verbatim]);
  assert.ok(sure > STARTS / 3);
  const [first] = windows;
  const { context } = config!.model;
  assert.deepEqual(first!.slice(1), continuations(model, [first!.slice(0, 1)], context)[0]);
  model.dispose();
});

test('a model that knows nothing is sure of nothing', () => {
  const model = buildModel(config!.model, 1);
  assert.deepEqual(recited(model, config!, SMOKE_STARTS), []);
  model.dispose();
});
