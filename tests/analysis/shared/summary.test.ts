import assert from 'node:assert/strict';
import test from 'node:test';
import { summaries } from '../../../lib/analysis/shared/summary';
import { tf } from '../../../lib/tensor/engine';
import { assertClose } from '../../assert-close';

test('groups with number, mean, spread and range, in float64, in the order given or sorted; danfojs shares the engine', () => {
  const rows = [
    { model: 'b', n: 20, value: 1e9 + 0.5 },
    { model: 'b', n: 5, value: 4 },
    { model: 'b', n: 20, value: 1e9 + 1.5 },
    { model: 'a', n: 20, value: 0.1 },
  ];
  const groups = summaries(rows, ['model', 'n']);
  assert.deepEqual(
    groups.map(({ model, n, count, mean, least, most }) => [model, n, count, mean, least, most]),
    [
      ['b', 20, 2, 1e9 + 1, 1e9 + 0.5, 1e9 + 1.5],
      ['b', 5, 1, 4, 4, 4],
      ['a', 20, 1, 0.1, 0.1, 0.1],
    ],
  );
  assertClose([groups[0]!.std, groups[1]!.std], [Math.SQRT1_2, 0], { absolute: 1e-6, what: 'std' });
  assert.deepEqual(
    summaries(rows, ['n'], 'n').map(({ n, count }) => [n, count]),
    [
      [5, 1],
      [20, 3],
    ],
  );
  assert.deepEqual(summaries([] as typeof rows, ['n']), []);
  const engine = tf.getBackend();
  assert.equal(tf.getBackend(), engine);
});
