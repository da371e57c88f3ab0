import assert from 'node:assert/strict';
import test from 'node:test';
import {
  floorRows,
  plateauRows,
  questionFormation,
  questions,
  recordRows,
  runs,
  scaleRows,
} from '../../lib/analysis/04-question-formation-plateau';

const committed = runs([]);

test('tables: published settings first, then committed runs, then the one to be made', () => {
  const rows = scaleRows(questionFormation.tiers.quick);
  assert.equal(rows.length, committed.length + 2);
  assert.equal(rows[0]!.run, 'Murty et al. 2023');
  assert.match(String(rows[1]!.run), /^desk, \d+ layers, seed \d+$/);
  assert.deepEqual([rows.at(-1)!.run, rows.at(-1)!.minutes], ['this run: quick, seed 1', null]);
  const [record] = recordRows(committed[0]!);
  assert.deepEqual([record!.record, String(record!.commit).length], [committed[0]!.id, 9]);
  const [first, second] = ['0123456789'.repeat(4), 'abcdef0123'.repeat(4)];
  const [continued] = recordRows({ ...committed[0]!, commit: `${first}+, ${second}` });
  assert.equal(continued!.commit, '012345678+, abcdef012');
});

test('plateaus are told against the floors, and are the values of the question', () => {
  const floors = { independent: 1, unique: 0.9, memorised: 0.5 };
  assert.deepEqual(
    floorRows(floors).map((row) => row['nats per token']),
    [1, 0.9, 0.5],
  );
  const rows = plateauRows(committed, floors);
  assert.deepEqual(
    rows.map((row) => row['training (nats)']),
    questions(committed)[0]!.ours.map(({ value }) => value),
  );
  for (const row of rows)
    assert.equal(row['training − memorised (nats)'], (row['training (nats)'] as number) - 0.5);
});
