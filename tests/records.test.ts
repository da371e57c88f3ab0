/** The committed records and the lists of runs agree. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { idOf, isListed, sweeps } from '../lib/experiments';
import type { Tier } from '../lib/train/config';
import { allCommitted } from '../lib/train/record';

const listed = (tier: Tier) => Object.values(sweeps()).flatMap((list) => list(tier));

test('every committed record is of a run that a list names', () => {
  const orphans = allCommitted().filter(({ id, config }) => !isListed(config) || id !== idOf(config));
  assert.deepEqual(
    orphans.map(({ id }) => id),
    [],
  );
});

// The full tier is for machines that few have; its records are committed as they come.
test('every run of a list has its committed record in the desk tier', () => {
  const committed = new Map(allCommitted().map(({ id, config }) => [id, config.steps]));
  const missing = listed('desk').filter((config) => !(committed.get(idOf(config))! >= config.steps));
  assert.deepEqual(missing.map(idOf), []);
});
