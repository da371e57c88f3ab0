/** The committed records and the lists of runs agree. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { runId } from '../lib/experiments/experiment';
import { experimentOf, sweeps } from '../lib/experiments';
import { finishedRecord } from '../lib/experiments/run';
import type { Tier } from '../lib/train/config';
import { allCommitted } from '../lib/train/record';

const listed = (tier: Tier) => Object.values(sweeps()).flatMap((list) => list(tier));
const idOf = (config: ReturnType<typeof listed>[number]): string => runId(experimentOf(config), config);

test('every committed record is of a run that a list names', () => {
  const known = new Set([...listed('desk'), ...listed('full')].map(idOf));
  const orphans = allCommitted().filter(({ id }) => !known.has(id));
  assert.deepEqual(
    orphans.map(({ id }) => id),
    [],
  );
});

// The full tier is for machines that few have; its records are committed as they come.
test('every run of a list has its finished record in the desk tier', () => {
  const missing = listed('desk').filter((config) => !finishedRecord(experimentOf(config), config));
  assert.deepEqual(missing.map(idOf), []);
});
