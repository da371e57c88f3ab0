import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grouped, inGroups } from '../../lib/util/groups';

test('groups come as their keys do, and so do their items; the key of each is asked once', () => {
  const asked: string[] = [];
  assert.deepEqual(
    grouped(['b1', 'a1', 'b2'], (text) => {
      asked.push(text);
      return text[0]!;
    }),
    [
      ['b', ['b1', 'b2']],
      ['a', ['a1']],
    ],
  );
  assert.deepEqual(asked, ['b1', 'a1', 'b2']);
});

test('groups of at most so many items', () => {
  assert.deepEqual(inGroups([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
  assert.deepEqual(inGroups([], 2), []);
});
