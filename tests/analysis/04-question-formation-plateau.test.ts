import assert from 'node:assert/strict';
import test from 'node:test';
import {
  answer,
  floorRows,
  lossFigure,
  methodRows,
  plateauRows,
  questionFormation,
  questions,
  runs,
} from '../../lib/analysis/04-question-formation-plateau';
import { unfitness } from '../../lib/report/verdict';

const committed = runs();

test('the method table has a column for the published settings, for the committed runs and for this run', () => {
  const rows = methodRows(questionFormation.tiers.quick);
  assert.deepEqual(Object.keys(rows[0]!), ['', 'Murty et al. 2023', 'committed runs', 'your run (quick)']);
  const steps = rows.find((row) => row[''] === 'steps')!;
  assert.deepEqual(Object.values(steps).slice(1), ['200,000', '20,000', '1,000']);
});

test('plateaus are told against the floors, a row a depth, and are the values of the question', () => {
  const floors = { independent: 1, unique: 0.9, memorised: 0.5 };
  assert.deepEqual(
    floorRows(floors).map((row) => row['nats per token']),
    ['1.000', '0.900', '0.500'],
  );
  const values = questions()[0]!.ours.map(({ value }) => value);
  const [six, ten] = plateauRows(committed, floors);
  assert.match(String(six!.runs), /^6 layers, 3 seeds$/);
  const seeds = values.slice(1).map((value) => value.toFixed(3));
  assert.equal(six!['training (nats)'], `${seeds.at(-1)} to ${seeds[0]}`);
  assert.equal(ten!['training above the entropy'], (values[0]! - 0.9).toFixed(3));
});

test('the run that still falls is shown and not counted', () => {
  const [question] = questions();
  assert.deepEqual(
    question!.ours.map((run) => unfitness(run, question!) === undefined),
    committed.map(({ config }) => config.model.layers === 6),
  );
});

test('the answer and its figure are functions of the records', () => {
  assert.match(
    answer(),
    /at 1\.011 to 1\.013 \(6 layers\) and 1\.022 \(10 layers\) nats per token.*0\.996.*0\.015 to 0\.026.*0\.519/s,
  );
  const half = committed.map((record) => ({
    ...record,
    curve: record.curve.map((point) => ({ ...point, trainLossNats: point.trainLossNats / 2 })),
  }));
  assert.match(answer(half), /at 0\.506 .*and 0\.511 /);
  assert.notDeepEqual(lossFigure(half), lossFigure());
});
