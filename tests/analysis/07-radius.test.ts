import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import {
  distanceRows,
  PUBLISHED,
  publishedModel,
  radiusQuestion,
  type Distances,
} from '../../lib/analysis/07-radius';
import { radius } from '../../lib/energy/partition';
import { verdict } from '../../lib/report/verdict';
import { paths } from '../../lib/util/paths';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';

test('the median of the raw held-out distances over r*', () => {
  const some = (values: number[]) => ({ training: Float64Array.of(9), heldOut: Float64Array.from(values) });
  const all: Distances = {
    name: PUBLISHED,
    width: 128,
    raw: some([1, 2, radius(128) * 1.2, 80, 90]),
    normed: some([5]),
  };
  const question = radiusQuestion([all, { ...all, name: 'a small model', raw: some([50]) }], 'full', 1);
  assertClose([question.ours[0]!.value], [1.2], { relative: 1e-9, what: 'median over r*' });
  assert.equal(verdict(question).outcome, 'REPRODUCED', 'another model decides nothing');
  assert.equal(verdict({ ...question, ours: question.ours.slice(1) }).outcome, 'INCONCLUSIVE');
  const rows = distanceRows([all]);
  assert.equal(rows.length, 4, 'raw and normed, training and held out');
  assertClose([rows[1]!['median / r*'] as number], [1.2], { relative: 1e-9, what: 'held out, raw' });
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
