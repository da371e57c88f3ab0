/**
 * GPT-2's tokenizer (r50k_base) at the speed that whole corpora need. The table of tokens is gpt-tokenizer's; its own
 * encoder makes strings of all pieces and of all pairs that it tries, this one looks numbers up.
 */
// Its type declarations need a newer compiler than the one that the kernel has.
const { default: TOKENS } = require('gpt-tokenizer/cjs/bpeRanks/r50k_base') as {
  default: readonly (string | readonly number[])[];
};

const bytesOf = (id: number): Buffer =>
  typeof TOKENS[id] === 'string'
    ? Buffer.from(TOKENS[id] as string)
    : Buffer.from(TOKENS[id] as readonly number[]);

/** Texts are cut into these, and each is encoded on its own; GPT-2's pattern. */
const PIECE = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/** The first ids are the single bytes. */
const BYTES = 256;
const byteIds = new Uint16Array(BYTES);
for (let id = 0; id < BYTES; id++) byteIds[bytesOf(id)[0]!] = id;

/** Which token two neighbours make: open addressing, `made` 0 where there is none. A token's id is also its rank. */
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

/** A piece while it is encoded: its bytes; its parts; what each part and the next one make. */
let bytes = Buffer.alloc(1 << 12);
let parts = new Uint16Array(bytes.length);
let ranks = new Uint32Array(bytes.length);

/** Byte-pair encoding: of all neighbours those of the lowest rank are joined, the first of them first. Returns the number of parts. */
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

// Each token is made of the two parts that those before it leave of its bytes.
for (let id = BYTES; id < TOKENS.length; id++) {
  const length = bytesOf(id).copy(bytes);
  if (encodePiece(length) !== 2) throw new Error(`token ${id}: expected two parts`);
  const pair = pairOf(parts[0]!, parts[1]!);
  const slot = slotOf(pair);
  pairs[slot] = pair;
  made[slot] = id;
}

/** Writes the UTF-8 of text[from … to) into `bytes`; a lone surrogate becomes U+FFFD. Returns its length. */
function writeBytes(text: string, from: number, to: number): number {
  makeRoom(3 * (to - from));
  for (let i = from; i < to; i++) {
    const c = text.charCodeAt(i);
    if (c > 127) return bytes.write(text.slice(from, to));
    bytes[i - from] = c;
  }
  return to - from;
}

/** A list of ids that grows. */
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
 * Appends the ids of a text, as `encode_ordinary` of tiktoken gives them: "<|endoftext|>" in it is text like any other.
 * Trap: time grows with the square of a piece; a word of 10,000 letters takes a third of a second.
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

/** The text of ids; bytes that are no UTF-8 become U+FFFD, end-of-text nothing. */
export function decode(ids: Iterable<number>): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
    Buffer.concat([...ids].filter((id) => id < TOKENS.length).map(bytesOf)),
  );
}

const isBreak = (c: number): boolean => c === 32 || c === 10;
const SPACE = /\s/;

/**
 * The first place from `from` on where a text can be cut so that both parts together have the ids of the whole: before
 * a single space or line feed between two characters that are none. No piece reaches across it. The text's length where
 * there is no such place.
 */
export function cutPlace(text: string, from: number): number {
  for (let i = Math.max(1, from); i + 1 < text.length; i++)
    if (isBreak(text.charCodeAt(i)) && !SPACE.test(text[i - 1]!) && !SPACE.test(text[i + 1]!)) return i;
  return text.length;
}
