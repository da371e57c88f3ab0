import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import {
  answer,
  distanceRows,
  ownDistances,
  runRows,
  publishedModel,
  radiusQuestion,
  runs,
  scaleRows,
  type Distances,
} from '../../lib/analysis/07-radius';
import { radius } from '../../lib/energy/partition';
import { verdict } from '../../lib/report/verdict';
import { paths } from '../../lib/util/paths';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';

test('distances over r*, and half of them, before and after the final layer norm', () => {
  const some = (values: number[]) => ({ training: Float64Array.of(9), heldOut: Float64Array.from(values) });
  const all: Distances = {
    name: 'a model',
    width: 128,
    raw: some([1, 2, radius(128) * 1.2, 80, 90]),
    normed: some([5]),
  };
  const rows = distanceRows([all]);
  assert.equal(rows.length, 4, 'raw and normed, training and held out');
  assertClose([rows[1]!['median / r*'] as number, rows[1]!['half the median / r*'] as number], [1.2, 0.6], {
    relative: 1e-9,
    what: 'held out, raw',
  });
});

test('of the committed weights distances are measured on what the first of them recites; there is no other text', async () => {
  const all = await ownDistances('smoke');
  assert.equal(all.length, 3);
  for (const { raw, normed } of all) {
    assert.deepEqual([raw.heldOut.length, normed.heldOut.length], [0, 0]);
    assert.ok(raw.training.length >= 2 * 128 && raw.training.every((distance) => distance > 0));
  }
  assert.deepEqual(
    distanceRows(all).map(({ tokens }) => tokens),
    Array(6).fill('training'),
  );
});

test('every run passes r* on its way, and a scale that the model does not see changes the answer', () => {
  const found = verdict(radiusQuestion());
  assert.equal(found.outcome, 'TEST CANNOT TELL');
  const rows = runRows();
  assert.equal(rows.length, runs().length);
  for (const row of rows) {
    assert.match(String(row['beyond r* by']), /^pass /);
    assert.ok(Math.abs(Number(row['over r*']) - 2 * Number(row['half of it over r*'])) < 0.2);
  }
  const [small, own, large] = scaleRows().map((row) => Number(String(row['distance over r*']).split(' ')[0]));
  assertClose([small!, large!], [own! / 10, own! * 10], { relative: 0.05, what: 'scales' });
  assert.match(answer(), /passes r\* on its way/);
});

test('published weights come from the folder that GPT2_WEIGHTS names', () => {
  assert.equal(publishedModel(), null);
  process.env.GPT2_WEIGHTS = join(paths.root, 'tests', 'fixtures', 'gpt2');
  try {
    const model = publishedModel()!;
    assert.equal(model.config.kind, 'gpt2');
    assert.equal(model.config.layers, 2);
    model.dispose();
    process.env.GPT2_WEIGHTS = '/nowhere';
    assert.throws(publishedModel, refusal('/nowhere'));
  } finally {
    delete process.env.GPT2_WEIGHTS;
  }
});
