import assert from 'node:assert/strict';
import { test } from 'node:test';
import { itemsHash, randomItems } from '../../lib/experiments/random-items';
import { UserError } from '../../lib/util/errors';
import { Random } from '../../lib/util/random';

const draw = (seed = 1, items = 2000) =>
  randomItems({ items, tokens: 6, prompt: 3, values: 20 }, new Random(seed, 'items'));

test('prompts are distinct, tokens uniform, and a seed gives the same items', () => {
  const items = draw();
  assert.equal(new Set(items.map((item) => item.subarray(0, 3).join())).size, 2000);
  const counts = new Array<number>(20).fill(0);
  for (const item of items) for (const id of item.subarray(3)) counts[id]!++;
  // 300 of each, standard deviation 17.
  assert.ok(
    counts.every((n) => Math.abs(n - 300) < 85),
    counts.join(),
  );
  assert.deepEqual(draw(), items);
  assert.notEqual(itemsHash(draw(2)), itemsHash(items));
  // SHA-256 of the bytes 1 0 2 1.
  assert.equal(
    itemsHash([Uint16Array.of(1, 258)]),
    'd4744442255e7771a216170e3f705b6c9e519b7f05d6c0ce0eaf402e44a8c6a9',
  );
});

test('more items than prompts are refused', () => {
  assert.throws(
    () => randomItems({ items: 4001, tokens: 6, prompt: 3, values: 20 }, new Random(1, '')),
    (error: Error) =>
      error instanceof UserError &&
      /at least twice as many prompts as the 4001 items; 3 tokens of 20 make 8000/.test(error.message),
  );
});
