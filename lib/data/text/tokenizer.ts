/**
 * GPT-2's tokenizer, fast enough for whole corpora: a text is cut into pieces, which byte-pair encoding turns into ids. Classes
 * of characters are those of one version of Unicode, so that ids are the same under every version of Node.
 */
import { BYTES, bytesOf, encodePiece, Ids, merged, TOKENS } from './byte-pair';
import { LETTER, NUMBER, WHITE_SPACE } from './character-classes';

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

/** Longer texts have a buffer of their own. */
const LONG = 1 << 16;
const shared = new Uint8Array(3 * LONG);
/** The text that is being cut, in UTF-8, and its length. */
let bytes = shared;
let end = 0;
/** Where the character after the one of `classAt` begins. */
let next = 0;

/** Class of the character that begins at a byte. */
function classAt(at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) {
    next = at + 1;
    return classes[lead]!;
  }
  next = at + (lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);
  let c = lead & (0x7f >> (next - at));
  for (let i = at + 1; i < next; i++) c = (c << 6) | (bytes[i]! & 0x3f);
  return classes[c]!;
}

const code = (c: string): number => c.charCodeAt(0);
const [SPACE, APOSTROPHE, E, L] = [' ', "'", 'e', 'l'].map(code) as [number, number, number, number];
const [STMD, RV] = ['stmd', 'rv'].map((letters) => new Set([...letters].map(code))) as [
  Set<number>,
  Set<number>,
];

/** Length of `'(?:[stmd]|re|ve|ll)` from an apostrophe on, 0 if it is none. */
function contractionAt(at: number): number {
  const letter = at + 1 < end ? bytes[at + 1]! : 0;
  const second = at + 2 < end ? bytes[at + 2]! : 0;
  if (STMD.has(letter)) return 2;
  return (RV.has(letter) && second === E) || (letter === L && second === L) ? 3 : 0;
}

/**
 * End of the piece that begins at a byte; pieces are encoded separately. GPT-2's pattern, with `\s` as in Unicode:
 * `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
 */
function pieceEnd(from: number): number {
  const first = bytes[from]!;
  const contraction = first === APOSTROPHE ? contractionAt(from) : 0;
  if (contraction) return from + contraction;
  let kind = classAt(from);
  let [at, last] = [next, from];
  if (first === SPACE && at < end) {
    const following = classAt(at);
    if (following !== WHITE) [kind, last, at] = [following, at, next];
  }
  for (; at < end && classAt(at) === kind; at = next) last = at;
  // The last of several white spaces belongs to the word that follows, or is a piece of its own.
  return kind === WHITE && at < end && last > from ? last : at;
}

const utf8 = new TextEncoder();

/**
 * Appends the ids of a text, the same as tiktoken's `encode_ordinary`: "<|endoftext|>" in a text is not special, and a lone
 * surrogate is U+FFFD.
 */
export function encodeInto(ids: Ids, text: string): void {
  bytes = text.length > LONG ? utf8.encode(text) : shared;
  end = bytes === shared ? utf8.encodeInto(text, shared).written! : bytes.length;
  for (let from = 0, to; from < end; from = to) {
    to = pieceEnd(from);
    encodePiece(ids, bytes, from, to);
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
