import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runId } from '../../lib/experiments/experiment';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { questionFormation } from '../../lib/experiments/question-formation';
import { committedRecords } from '../../lib/experiments/run';
import { scaling90m } from '../../lib/experiments/scaling-90m';
import { deviations } from '../../lib/train/config';
import { configHash } from '../../lib/train/record';

test('the hash of the published question-formation run is that of its records and checkpoints', () => {
  assert.match(configHash(questionFormation.tiers.desk), /^718830/);
  assert.equal(
    runId(questionFormation, questionFormation.tiers.desk),
    'question-formation-desk-6-layers-seed-1-718830',
  );
  for (const { config, curve } of committedRecords(questionFormation)) {
    assert.equal(config.experiment, 'question-formation');
    assert.ok(
      curve.length > 0 && curve.every(({ generalisation }) => generalisation >= 0 && generalisation <= 1),
    );
  }
});

test('steps, checkpoints and tier leave the hash as it is; everything else changes it', () => {
  const { full } = overfitting9m.tiers;
  assert.equal(configHash({ ...full, steps: 5, checkpointEverySteps: 7, tier: 'desk' }), configHash(full));
  for (const change of [
    { seed: 2 },
    { accumulate: 39 },
    { trainTokens: 1e6 },
    { dataset: 'books' },
    { memorised: null },
    { schedule: { ...full.schedule, floor: 0 } },
  ])
    assert.notEqual(configHash({ ...full, ...change }), configHash(full), Object.keys(change)[0]);
});

test('the id of a text run says how much text it is', () => {
  assert.match(
    runId(scaling90m, scaling90m.tiers.full),
    /^scaling-90m-full-12-layers-90000000-tokens-seed-1-[0-9a-f]{6}$/,
  );
});

test('deviations name what one of two configs lacks, and neither tier nor seed', () => {
  const { full } = overfitting9m.tiers;
  assert.deepEqual(deviations({ ...full, tier: 'desk', seed: 7 }, full), []);
  assert.deepEqual(deviations({ ...full, steps: 5, energy: null }, full), [
    'steps: 4000 → 5',
    'energy.windows: 8 → none',
  ]);
  assert.deepEqual(
    deviations(
      { ...full, schedule: { kind: 'linear', peak: 6e-4, warmupSteps: 2000, decaySteps: 4000 } },
      full,
    ),
    ['schedule.kind: cosine → linear', 'schedule.floor: 0.00006 → none'],
  );
});
