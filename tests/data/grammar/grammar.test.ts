import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from '../../refusal';
import { Random } from '../../../lib/util/random';
import { sentenceForms, sentenceMoments } from '../../../lib/data/grammar/forms';
import { sampleSentence, sentenceProbability, startSymbol } from '../../../lib/data/grammar/grammar';
import type { Grammar } from '../../../lib/data/grammar/grammar';
import { derivations, entropy } from './enumerate';

const close = (ours: number, expected: number, tolerance = 1e-12): void =>
  assert.ok(Math.abs(ours - expected) <= tolerance, `expected ${expected} ± ${tolerance}; got ${ours}`);

/** P(a) = P(b) = 3/8; P(a c) = P(b c) = 1/8, marked. */
const tiny: Grammar = {
  start: 'S',
  rules: [
    [3, 'S', 'A'],
    [1, 'S', 'A C', 'long'],
  ],
  words: { A: 'a b', C: 'c' },
};

/** Two derivations for each of "a c", "b c" (1/2 + 1/4), one for "c c" (1/4). */
const twoWays: Grammar = {
  start: 'S',
  rules: [
    [2, 'S', 'X'],
    [1, 'S', 'Y'],
    [1, 'S', 'C C'],
    [1, 'X', 'A C'],
    [1, 'Y', 'A Z'],
    [1, 'Z', 'C'],
  ],
  words: { A: 'a b', C: 'c' },
};

/** "a a a" in two ways within one rule: its parts may meet after the first or the second word. */
const shifting: Grammar = {
  start: 'S',
  rules: [
    [1, 'S', 'L M'],
    [1, 'L', 'A'],
    [2, 'L', 'A A'],
    [1, 'M', 'A A'],
    [4, 'M', 'A'],
  ],
  words: { A: 'a' },
};

/** Shares classes between constituents, branches three deep, marks in two places. */
const mixed: Grammar = {
  start: 'S',
  rules: [
    [2, 'S', 'N V'],
    [1, 'S', 'N V N'],
    [0.5, 'S', 'D D V', 'pair'],
    [1, 'N', 'D'],
    [3, 'N', 'D P'],
    [1, 'P', 'Q D', 'phrase'],
    [4, 'P', 'Q Q'],
  ],
  words: { D: 'x y z', V: 'go stop', Q: 'of' },
};

test('a tiny table: probabilities, entropy and mean length as worked out by hand', () => {
  assert.deepEqual(sentenceProbability(tiny, ['a']), [3 / 8, 0]);
  assert.deepEqual(sentenceProbability(tiny, ['b', 'c']), [0, 1 / 8]);
  for (const outside of [[], ['c'], ['a', 'c', 'c'], ['d'], ['c', 'a']])
    assert.deepEqual(sentenceProbability(tiny, outside), [0, 0]);
  const [short, long] = sentenceMoments(tiny);
  close(short.mass, 3 / 4);
  close(short.surprisalNats, (3 / 4) * Math.log(8 / 3));
  close(short.words, 3 / 4);
  close(long.surprisalNats, (1 / 4) * Math.log(8));
  close(long.words, 2 / 4);
});

test('moments and probabilities equal those of every derivation written out', () => {
  for (const grammar of [tiny, mixed]) {
    const all = derivations(grammar);
    sentenceMoments(grammar).forEach((moments, i) => {
      const those = all.filter((d) => d.marked === (i === 1));
      close(
        moments.mass,
        those.reduce((sum, d) => sum + d.probability, 0),
      );
      close(
        moments.words,
        those.reduce((sum, d) => sum + d.probability * d.words.length, 0),
      );
      close(moments.surprisalNats, entropy(those.map((d) => d.probability)));
    });
    assert.equal(
      sentenceForms(grammar).reduce((sum, form) => sum + form.sentences, 0),
      all.length,
    );
  }
  for (const grammar of [tiny, twoWays, shifting, mixed]) {
    const strings = new Map<string, number>();
    for (const d of derivations(grammar))
      strings.set(d.words.join(' '), (strings.get(d.words.join(' ')) ?? 0) + d.probability);
    for (const [text, probability] of strings)
      close(
        sentenceProbability(grammar, text.split(' ')).reduce((a, b) => a + b),
        probability,
      );
  }
});

test('a grammar with two derivations of a sentence is refused', () => {
  const torn: Grammar = {
    start: 'S',
    rules: [
      [1, 'S', 'A'],
      [1, 'S', 'B'],
      [1, 'B', 'A', 'mark'],
    ],
    words: { A: 'a' },
  };
  for (const grammar of [twoWays, shifting, torn])
    for (const use of [sentenceForms, sentenceMoments])
      assert.throws(() => use(grammar), refusal('grammar: '));
});

test('the sampler draws each sentence as often as its probability says, and the same by seed', () => {
  const draws = 20_000;
  const random = new Random(3);
  const counts = new Map<string, number>();
  for (let i = 0; i < draws; i++) {
    const { words, marked } = sampleSentence(mixed, random);
    assert.ok(sentenceProbability(mixed, words)[marked ? 1 : 0] > 0);
    counts.set(words.join(' '), (counts.get(words.join(' ')) ?? 0) + 1);
  }
  const all = derivations(mixed);
  const chiSquare = all.reduce(
    (sum, d) =>
      sum + ((counts.get(d.words.join(' ')) ?? 0) - draws * d.probability) ** 2 / (draws * d.probability),
    0,
  );
  const freedom = all.length - 1;
  assert.ok(
    Math.abs(chiSquare - freedom) < 4 * Math.sqrt(2 * freedom),
    `χ² ${chiSquare} with ${freedom} degrees of freedom`,
  );
  const ten = (seed: number): string[] => {
    const r = new Random(seed);
    return Array.from({ length: 10 }, () => sampleSentence(mixed, r).words.join(' '));
  };
  assert.deepEqual(ten(5), ten(5));
  assert.notDeepEqual(ten(5), ten(6));
});

test('each bad table gives one clear error', () => {
  const cycle: Grammar['rules'] = [
    [1, 'S', 'A T'],
    [1, 'T', 'C U'],
    [1, 'U', 'T'],
  ];
  const bad: [change: Partial<Grammar>, ...facts: string[]][] = [
    [{ rules: [] }, 'empty'],
    [{ rules: [[1, 'S', 'A B']] }, 'symbol B', 'S → A B', 'A, C, S'],
    [{ rules: [...tiny.rules, [1, 'S', 'S A']] }, 'S → S'],
    [{ rules: cycle }, 'T → U → T'],
    [{ rules: [[0, 'S', 'A C']] }, 'weight', 'S → A C', 'got 0'],
    [{ rules: [[-1, 'S', 'A C']] }, 'weight', 'got -1'],
    [{ rules: [[NaN, 'S', 'A C']] }, 'weight', 'got NaN'],
    [{ rules: [[1, 'S', ' ']] }, 'right of S'],
    [{ start: 'T' }, 'got none for T', 'left sides: S'],
    [{ words: { A: 'a b', C: '' } }, 'class C'],
    [{ words: { A: 'a b', C: 'c a' } }, '"a" is in A and in C'],
    [{ words: { A: 'a a', C: 'c' } }, '"a" is in A and in A'],
    [{ words: { A: 'a', C: 'c', S: 's' } }, 'S is a word class'],
    [{ words: { A: 'a', C: 'c', D: 'd' } }, 'from S', ': D:'],
  ];
  for (const [change, ...facts] of bad)
    assert.throws(() => startSymbol({ ...tiny, ...change }), refusal('grammar: ', ...facts));
});
