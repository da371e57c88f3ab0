/**
 * GPT-2's tokenizer (r50k_base), fast enough for whole corpora. The table of tokens is gpt-tokenizer's; its encoder makes
 * a string of every piece and of every pair that it tries, this one looks up numbers.
 */
// Its type declarations need a newer compiler than TypeScript 5.0.
const { default: TOKENS } = require('gpt-tokenizer/cjs/bpeRanks/r50k_base') as {
  default: readonly (string | readonly number[])[];
};

const bytesOf = (id: number): Buffer =>
  typeof TOKENS[id] === 'string'
    ? Buffer.from(TOKENS[id] as string)
    : Buffer.from(TOKENS[id] as readonly number[]);

/** GPT-2's pattern of pieces, which are encoded separately. */
const PIECE = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The first ids are the single bytes. */
const BYTES = 256;
const byteIds = new Uint16Array(BYTES);
for (let id = 0; id < BYTES; id++) byteIds[bytesOf(id)[0]!] = id;

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

/** The piece that is being encoded: its bytes; its parts; the token that each part makes with the next one. */
let bytes = Buffer.alloc(1 << 12);
let parts = new Uint16Array(bytes.length);
let ranks = new Uint32Array(bytes.length);

/** Byte-pair encoding: merges the pair of lowest rank, the leftmost first, until there is none. @returns the number of parts */
function encodePiece(length: number): number {
  for (let i = 0; i < length; i++) parts[i] = byteIds[bytes[i]!]!;
  for (let i = 0; i + 1 < length; i++) ranks[i] = join(parts[i]!, parts[i + 1]!);
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

function makeRoom(length: number): void {
  if (length <= bytes.length) return;
  bytes = Buffer.alloc(2 * length);
  parts = new Uint16Array(bytes.length);
  ranks = new Uint32Array(bytes.length);
}

/** The pair that each token merges. */
const merged = new Uint32Array(TOKENS.length);

// A token merges the two parts into which the tokens before it encode its bytes.
for (let id = BYTES; id < TOKENS.length; id++) {
  const length = bytesOf(id).copy(bytes);
  if (encodePiece(length) !== 2) throw new Error(`token ${id}: expected two parts`);
  const pair = pairOf(parts[0]!, parts[1]!);
  const slot = slotOf(pair);
  pairs[slot] = pair;
  made[slot] = id;
  merged[id] = pair;
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

/**
 * Appends the ids of a text, the same as tiktoken's `encode_ordinary`: "<|endoftext|>" in a text is not special.
 * Trap: the time is quadratic in the length of a piece; a word of 10,000 letters takes a third of a second.
 */
export function encodeInto(ids: Ids, text: string): void {
  PIECE.lastIndex = 0;
  for (let from = 0; PIECE.test(text); from = PIECE.lastIndex) {
    const n = encodePiece(writeBytes(text, from, PIECE.lastIndex));
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
  for (let id = 0; id < TOKENS.length; id++) {
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

/** The text of ids of a vocabulary; invalid UTF-8 becomes U+FFFD, end-of-text the empty string. */
export function decode(ids: Iterable<number>, vocabulary = TOKENS.length + 1): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Buffer.concat([...ids].filter((id) => id < vocabulary - 1).map(bytesOf)),
  );
}

const SPACE = /\s/;

/**
 * The first position from `from` on where a text can be cut without changing its ids: before a single space or line feed
 * between two characters that are not white space, which no piece spans. The text's length if there is none.
 */
export function cutPosition(text: string, from: number): number {
  for (let i = Math.max(1, from); i + 1 < text.length; i++)
    if ((text[i] === ' ' || text[i] === '\n') && !SPACE.test(text[i - 1]!) && !SPACE.test(text[i + 1]!))
      return i;
  return text.length;
}
