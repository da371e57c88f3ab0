import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from '../../refusal';
import { Epochs, Windows, type TokenSource } from '../../../lib/data/text/windows';

/** The text 0, 1, 2, …: every token says where it stands. */
const counting = (tokens: number): TokenSource => ({
  tokens,
  read: (start, count) => Uint16Array.from({ length: count }, (_, i) => start + i),
});
const all = (windows: Windows): number[][] =>
  Array.from({ length: windows.count }, (_, i) => [...windows.read(i)]);

test('windows overlap in one token, and a text that divides is covered once', () => {
  assert.deepEqual(all(new Windows('text', counting(10), 10, 3)), [
    [0, 1, 2, 3],
    [3, 4, 5, 6],
    [6, 7, 8, 9],
  ]);
});

test('the last window ends with the text, so that no token is lost', () => {
  assert.deepEqual(all(new Windows('text', counting(100), 12, 3)), [
    [0, 1, 2, 3],
    [3, 4, 5, 6],
    [6, 7, 8, 9],
    [8, 9, 10, 11],
  ]);
  for (let tokens = 6; tokens < 40; tokens++) {
    const predicted = all(new Windows('text', counting(40), tokens, 5)).flatMap((window) => window.slice(1));
    assert.deepEqual(
      [...new Set(predicted)].sort((a, b) => a - b),
      Array.from({ length: tokens - 1 }, (_, i) => i + 1),
      `${tokens} tokens`,
    );
    assert.equal(
      predicted.length - (tokens - 1),
      (5 - ((tokens - 1) % 5)) % 5,
      'as many twice as the last window lacks',
    );
  }
});

test('a text that is too short, and more windows than there are, are refused by name', () => {
  assert.throws(
    () => new Windows('training text of books', counting(10), 11, 3),
    refusal('training text of books: ', 11, 10),
  );
  assert.throws(() => new Windows('books', counting(10), 3, 3), refusal('books: ', 4, 'got 3'));
  assert.throws(
    () => new Windows('books', counting(10), 10, 3).spread(4),
    refusal('books: ', 'at most 3', 'got 4'),
  );
});

test('windows for evaluation are evenly spread', () => {
  const windows = new Windows('text', counting(301), 301, 3);
  assert.deepEqual(windows.spread(4), [0, 25, 50, 75]);
  assert.deepEqual(
    windows.readSpread(4).map((window) => Array.from(window)),
    [0, 75, 150, 225].map((start) => [start, start + 1, start + 2, start + 3]),
  );
  assert.deepEqual(
    windows.spread(100),
    Array.from({ length: 100 }, (_, i) => i),
  );
  assert.deepEqual(windows.spread(0), []);
});

test('each epoch is an order of its own over all items, the same from wherever it is read', () => {
  const places = Array.from({ length: 60 }, (_, place) => place);
  const straight = new Epochs(20, 7);
  const order = places.map((place) => straight.at(place));
  const epochs = [0, 1, 2].map((n) => order.slice(20 * n, 20 * n + 20));
  for (const epoch of epochs)
    assert.deepEqual(
      [...epoch].sort((a, b) => a - b),
      places.slice(0, 20),
    );
  assert.equal(new Set(epochs.map(String)).size, 3);
  const backwards = new Epochs(20, 7);
  assert.deepEqual(
    [...places]
      .reverse()
      .map((place) => backwards.at(place))
      .reverse(),
    order,
  );
  assert.notDeepEqual(
    places.map((place, _, __, other = new Epochs(20, 8)) => other.at(place)),
    order,
  );
});
