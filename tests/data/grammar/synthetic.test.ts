import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sentenceForms } from '../../../lib/data/grammar/forms';
import { TOPICS } from '../../../lib/data/grammar/lexicon';
import { makeGenerated } from '../../../lib/data/text/generated';
import { openDataset } from '../../../lib/data/text/shards';
import {
  castProbabilities,
  drawStory,
  GRAMMARS,
  hasChoice,
  LEXICON,
  storyLogProb,
  PEOPLE,
  TOWNS,
  wordProbabilities,
  type LexicalClass,
} from '../../../lib/data/grammar/synthetic';
import { STORIES as GENERATOR, syntheticEntropy } from '../../../lib/data/grammar/synthetic-entropy';
import { storyText } from '../../../lib/data/grammar/synthetic-text';
import { decode, encode } from '../../../lib/data/text/tokenizer';
import { Random } from '../../../lib/util/random';
import { scratch } from '../text/made';
import { parseStory } from './parse-story';
import { assertOneLine } from '../../refusal';

const made = scratch('synthetic');
const STORIES = Array.from(
  { length: 1500 },
  (
    (random) => () =>
      drawStory(random)
  )(new Random(3, 'stories')),
);
const TEXTS = STORIES.map(storyText);

function meanAndError(values: number[]): [mean: number, error: number] {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return [
    mean,
    Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1) / values.length),
  ];
}

test('the closed form is the mean of −ln P, and of the tokens, over documents drawn', () => {
  const { natsPerDocument, tokensPerDocument, natsPerToken } = syntheticEntropy(
    (text) => encode(text).length,
  );
  const nats = STORIES.map((story) => -storyLogProb(story));
  const tokens = TEXTS.map((text) => encode(text).length + 1);
  const checks: [string, number, number[]][] = [
    ['nats', natsPerDocument, nats],
    ['tokens', tokensPerDocument, tokens],
    ['difference', 0, nats.map((x, i) => x - natsPerToken * tokens[i]!)],
  ];
  for (const [what, exact, drawn] of checks) {
    const [mean, error] = meanAndError(drawn);
    assert.ok(Math.abs(mean - exact) < 3 * error, `${what}: ${mean} ± ${error}, closed form ${exact}`);
  }
  // Documents differ most in length; apart from that, three errors are this much of a token's entropy.
  assert.ok((3 * meanAndError(checks[2]![2])[1]) / natsPerDocument < 0.004);
  assert.equal(natsPerToken.toFixed(4), '2.1753');
});

test('a text is parsed into the story that it was made from', () => {
  for (let i = 0; i < 150; i++) {
    const { paragraphs, ...hidden } = STORIES[i]!;
    const parsed = parseStory(TEXTS[i]!)!;
    assert.deepEqual(parsed, { ...hidden, paragraphs }, TEXTS[i]);
    assert.equal(storyLogProb(parsed), storyLogProb(STORIES[i]!));
  }
});

test('each word has one class and each sentence one derivation, so that a text has one story', () => {
  const words = [
    ...Object.values(LEXICON).flat(),
    ...PEOPLE.map(({ name }) => name),
    ...TOWNS,
    'a',
    'an',
    'the',
    'at',
    'and',
    'that',
    'was',
    'he',
    'she',
    'his',
    'her',
  ];
  assert.deepEqual(
    words.filter((word, i) => words.indexOf(word) !== i),
    [],
  );
  for (const grammar of Object.values(GRAMMARS)) assert.doesNotThrow(() => sentenceForms(grammar));
  const titles = TOPICS.map(({ title }) => title);
  assert.equal(new Set(titles).size, titles.length);
});

test('words that stand for one class have one number of tokens, as the closed form takes them to have', () => {
  for (const word of ['A', 'An', 'He', 'She', 'His', 'Her', 'a', 'an', 'he', 'she', 'his', 'her'])
    assert.equal(encode(` ${word}`).length, 1, word);
});

test('what the grammar does not say has no probability', () => {
  const text = TEXTS[0]!;
  const [title, first] = text.split('\n\n');
  assert.ok(first!.length > 20);
  for (const other of [
    title!,
    text.replace('of a', 'of an'),
    text.replace('This is', 'That is'),
    `${text} `,
    text.replace('. ', '.  '),
    text.replace(/(\w+) (\w+)\./, '$2 $1.'),
    text.replace(/ the /, ' teh '),
    `${text}\n\nNobody slept.`,
  ]) {
    assert.notEqual(other, text);
    const story = parseStory(other);
    assert.ok(story === null || storyLogProb(story) === -Infinity, other.slice(0, 200));
  }
  // "she" where the last subject with a name is a man.
  const swapped = TEXTS.map((one) =>
    one.replace(/\. (She|He) /, (_, word) => `. ${word === 'She' ? 'He' : 'She'} `),
  );
  assert.ok(swapped.slice(0, 20).every((one, i) => one === TEXTS[i] || parseStory(one) === null));
});

test('words come as often as their probabilities say, those of the topic more often', () => {
  for (const name of ['NOUN', 'VT', 'ADJ', 'ADV'] as LexicalClass[]) {
    const all = wordProbabilities(name, 3);
    assert.ok(Math.abs(all.reduce((a, b) => a + b) - 1) < 1e-12);
  }
  const verbs = new Set(TOPICS[3]!.verbs.split(' ').map((word) => LEXICON.VT.indexOf(word)));
  const p = wordProbabilities('VT', 3).reduce((sum, q, i) => sum + (verbs.has(i) ? q : 0), 0);
  let [own, all] = [0, 0];
  for (const { topic, paragraphs } of STORIES)
    if (topic === 3)
      for (const { classes, choices } of paragraphs.flat()) {
        classes.filter(hasChoice).forEach((name, i) => {
          if (name === 'VT') {
            all++;
            own += Number(verbs.has(choices[i]!));
          }
        });
      }
  assert.ok(
    p > 0.1 && Math.abs(own / all - p) < 3 * Math.sqrt((p * (1 - p)) / all),
    `${own} of ${all}, expected ${p}`,
  );
  assert.deepEqual(castProbabilities(3, 0), [0, 2 / 3, 1 / 3]);
});

test('two who make one data set at once: one makes it, the other waits and finds it made', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const request = { name: made.name(), limits: { train: 2000, validation: 1000 }, seed: 1 };
  const both = await Promise.all([makeGenerated(GENERATOR, request), makeGenerated(GENERATOR, request)]);
  assert.deepEqual(both.map((one) => one.made).sort(), [false, true]);
  assert.deepEqual(both[0].meta, both[1].meta);
  assert.equal(warn.mock.callCount(), 1);
  assertOneLine(String(warn.mock.calls[0]!.arguments[0]), request.name, 'waiting');
});

test('one seed gives one data set; validation is the same for every size and its own entropy is what its stories have', async () => {
  const make = async (tokens: number, seed: number) => {
    const name = made.name();
    const { meta } = await makeGenerated(GENERATOR, {
      name,
      limits: { train: tokens, validation: 3000 },
      seed,
    });
    const { train, validation } = openDataset(name);
    const [a, b] = [train, validation].map((file) => {
      const ids = file.read(0, file.tokens);
      file.close();
      return ids;
    });
    return { meta, train: a!, validation: b! };
  };
  const [one, longer, again, other] = [
    await make(2000, 1),
    await make(2500, 1),
    await make(2000, 1),
    await make(2000, 2),
  ];
  assert.deepEqual(
    [again.meta, longer.meta.validation, [...longer.train.slice(0, 2000)]],
    [one.meta, one.meta.validation, [...one.train]],
  );
  assert.notEqual(other.meta.train.sha256, one.meta.train.sha256);
  assert.notDeepEqual([...one.train.slice(0, 100)], [...one.validation.slice(0, 100)]);
  assert.equal(one.train.length, 2000);
  assert.equal(one.validation.at(-1), 50256);
  const stories: string[] = [];
  for (
    let from = 0, to = one.validation.indexOf(50256);
    to >= 0;
    from = to + 1, to = one.validation.indexOf(50256, from)
  )
    stories.push(decode(one.validation.subarray(from, to)));
  assert.equal(stories.length, one.meta.validation.documents);
  const nats = -stories.reduce((sum, text) => sum + storyLogProb(parseStory(text)!), 0);
  assert.ok(Math.abs(nats / one.validation.length - one.meta.entropy!.validationNatsPerToken) < 1e-9);
});
