import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refusal } from '../../refusal';
import {
  GRAMMAR,
  LINE_SPLITS,
  Vocabulary,
  auxiliaries,
  dataHash,
  formatLine,
  hasSubjectClause,
  parseLine,
  lineTokens,
  sampleSplits,
  toLine,
  toQuestion,
} from '../../../lib/data/grammar/question-formation';
import type { Grammar } from '../../../lib/data/grammar/grammar';
import { derivations } from './enumerate';

const read = (path: string) => readFileSync(path, 'utf8').trimEnd().split('\n').map(parseLine);
const committed = read(join(__dirname, 'question-formation-lines.txt'));
const small = { train: 3000, dev: 200, test: 300, generalisation: 500 };
const splits = sampleSplits(GRAMMAR, { seed: 1, ...small });

test('questions front the main auxiliary', () => {
  const question = (sentence: string): string => toQuestion(sentence.split(' ')).join(' ');
  assert.equal(question('the walrus does move .'), 'does the walrus move ?');
  assert.equal(
    question("her yaks that do eat don't amuse my newt ."),
    "don't her yaks that do eat amuse my newt ?",
  );
  assert.equal(
    question("some quail who your zebras do admire doesn't remember her ravens that don't swim ."),
    "doesn't some quail who your zebras do admire remember her ravens that don't swim ?",
  );
  assert.throws(
    () => toQuestion(['the', 'walrus', 'do', 'move', '.']),
    refusal('question formation: ', 'the walrus do move .'),
  );
});

test('the auxiliary that is fronted is the one that opens the verb phrase, in every form of the grammar', () => {
  const oneWordEach: Grammar = {
    ...GRAMMAR,
    words: Object.fromEntries(
      Object.entries(GRAMMAR.words).map(([name, words]) => [name, words.split(' ')[0]!]),
    ),
  };
  const all = derivations(oneWordEach);
  assert.equal(all.length, 272);
  for (const { words, marked, begins } of all) {
    const main = begins.get('VP_M_S') ?? begins.get('VP_M_P')!;
    const first = words.findIndex((word) => word === 'does' || word === 'do');
    assert.deepEqual(auxiliaries(words), { first, main }, words.join(' '));
    assert.equal(hasSubjectClause(words), marked);
    assert.equal(hasSubjectClause(words), words[2] === 'who', words.join(' '));
  }
});

test('committed lines are in the language and transformed alike', () => {
  assert.equal(committed.length, 32);
  for (const line of committed)
    assert.equal(formatLine(toLine(line.input.slice(0, -1), line.marker)), formatLine(line));
});

test(
  'published lines are in the language and transformed alike',
  {
    skip: process.env.QUESTION_FORMATION_DEV
      ? false
      : 'QUESTION_FORMATION_DEV names no file of published lines',
  },
  () => {
    const published = read(process.env.QUESTION_FORMATION_DEV!);
    for (const line of published)
      assert.equal(formatLine(toLine(line.input.slice(0, -1), line.marker)), formatLine(line));
  },
);

test('splits: sizes, unique inputs, the rule on questions, share of questions', () => {
  for (const split of LINE_SPLITS) assert.equal(splits[split].length, small[split]);
  const all = LINE_SPLITS.flatMap((split) => splits[split]);
  assert.equal(new Set(all.map((line) => line.input.join(' '))).size, 4000);
  assert.equal(new Set(all.flatMap((line) => [...line.input, ...line.output])).size, 68);
  for (const split of LINE_SPLITS) {
    for (const line of splits[split]) {
      assert.equal(formatLine(toLine(line.input.slice(0, -1), line.marker)), formatLine(line));
      assert.equal(
        line.marker === 'quest' && hasSubjectClause(line.input.slice(0, -1)),
        split === 'generalisation',
      );
    }
  }
  const share = splits.train.filter((line) => line.marker === 'quest').length / 3000;
  assert.ok(Math.abs(share - 0.4) < 4 * Math.sqrt(0.24 / 3000), `${share} of the lines are questions`);
  assert.ok(splits.train.some((line) => line.marker === 'decl' && hasSubjectClause(line.input.slice(0, -1))));
});

test('train, dev and test follow one law: none is longer than another', () => {
  const { train, dev } = sampleSplits(GRAMMAR, {
    seed: 2,
    train: 20_000,
    dev: 20_000,
    test: 1,
    generalisation: 1,
  });
  const mean = (lines: typeof train): number =>
    lines.reduce((sum, line) => sum + lineTokens(line), 0) / lines.length;
  // Standard deviation of a line: 6.3 tokens. Drawn one split after the other, dev would be 0.65 tokens longer.
  assert.ok(
    Math.abs(mean(train) - mean(dev)) < 4 * 6.3 * Math.sqrt(2 / 20_000),
    `${mean(train)} and ${mean(dev)} tokens`,
  );
});

test('one seed gives the same data for ever, another seed other data', () => {
  assert.equal(dataHash(splits), dataHash(sampleSplits(GRAMMAR, { seed: 1, ...small })));
  assert.notEqual(dataHash(splits), dataHash(sampleSplits(GRAMMAR, { seed: 2, ...small })));
  assert.equal(dataHash(splits), 'b9e67ff18739b184b0ec39cee24f10f1bee6fca45bd2edc750c9d9bbeaa160b2');
  const changed = {
    ...splits,
    test: [toLine(['the', 'walrus', 'does', 'move', '.'], 'decl'), ...splits.test.slice(1)],
  };
  assert.notEqual(dataHash(splits), dataHash(changed));
});

test('a language with too few lines is an error, not an endless loop', () => {
  const few: Grammar = {
    start: 'S',
    rules: [[1, 'S', 'N Aux_S V Stop']],
    words: { N: 'newt yak', Aux_S: 'does', V: 'eat', Stop: '.' },
  };
  assert.equal(sampleSplits(few, { seed: 1, train: 2, dev: 1, test: 1, generalisation: 0 }).train.length, 2);
  assert.throws(
    () => sampleSplits(few, { seed: 1, train: 5, dev: 0, test: 0, generalisation: 0 }),
    refusal('question formation: ', 'expected 5', 'got 4'),
  );
  assert.throws(
    () => sampleSplits(few, { seed: 1, train: 1, dev: 0, test: 0, generalisation: 1 }),
    refusal('question formation: ', 'expected 1', 'got 0'),
  );
});

test('vocabulary: 68 words and the end token; lines come back from their ids', () => {
  const vocabulary = new Vocabulary();
  assert.equal(vocabulary.size, 69);
  assert.equal(vocabulary.words[vocabulary.end], '<end>');
  for (const line of [...committed, ...splits.generalisation]) {
    const ids = vocabulary.encode(line);
    assert.equal(ids.length, lineTokens(line));
    assert.deepEqual(
      Array.from(ids, (id) => vocabulary.words[id]),
      [...line.input, ...line.output, '<end>'],
    );
  }
  assert.deepEqual(
    [...vocabulary.encode(toLine(['the', 'yak', 'does', 'eat', '.'], 'quest'))].map(
      (id) => vocabulary.words[id],
    ),
    ['the', 'yak', 'does', 'eat', '.', 'quest', 'does', 'the', 'yak', 'eat', '?', '<end>'],
  );
  assert.throws(
    () => vocabulary.encode({ input: ['wombat', 'decl'], output: ['wombat'], marker: 'decl' }),
    refusal('question formation: ', '"wombat"'),
  );
  assert.throws(
    () => new Vocabulary({ ...GRAMMAR, words: { ...GRAMMAR.words, Det: 'the decl' } }),
    refusal('question formation: ', 'decl'),
  );
});

test('the probe names the place of the first output word and its two candidates', () => {
  const vocabulary = new Vocabulary();
  const line = toLine("my newts who do sleep don't wait .".split(' '), 'quest');
  const { position, main, first } = vocabulary.probe(line);
  assert.deepEqual([vocabulary.words[main], vocabulary.words[first]], ["don't", 'do']);
  assert.equal(vocabulary.encode(line)[position], main);
});

test('a line that is not SENTENCE MARKER<TAB>OUTPUT is refused', () => {
  assert.throws(() => parseLine('the yak does eat . decl'), refusal('the yak does eat . decl'));
  assert.throws(() => parseLine('the yak does eat .\tthe yak does eat .'), refusal('decl or quest', '"."'));
});
