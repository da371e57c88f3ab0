import assert from 'node:assert/strict';
import test from 'node:test';
import { recited } from '../../../lib/analysis/shared/recited';
import { runId } from '../../../lib/experiments/experiment';
import { replica, runsWithWeights } from '../../../lib/experiments/replica';
import { buildModel } from '../../../lib/model/build';
import { continuations } from '../../../lib/model/generate';
import { committedMeasure } from '../../../lib/report/measure';
import { committedModel } from '../../../lib/train/weights';

const [config] = runsWithWeights('desk');

test('the model that learnt its text by heart gives windows away, about as many as next to the books, where all were its text', async () => {
  const [{ sure, verbatim }] = committedMeasure<[{ sure: number; verbatim: number }]>('replica-recited');
  assert.equal(verbatim, sure);
  const model = await committedModel({ id: runId(replica, config!), config: config! });
  try {
    const windows = recited(model, config!);
    // Another processor may be surer of one of them, or less sure.
    assert.ok(Math.abs(windows.length - sure) <= 2, `${windows.length} windows`);
    const [first] = windows;
    const { context } = config!.model;
    assert.deepEqual(first!.slice(1), continuations(model, [first!.slice(0, 1)], context)[0]);
  } finally {
    model.dispose();
  }
});

test('a model that knows nothing is sure of nothing', () => {
  const model = buildModel(config!.model, 1);
  assert.deepEqual(recited(model, config!, 'smoke'), []);
  model.dispose();
});
