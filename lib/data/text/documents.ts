/** Documents of text files in all supported formats, as jobs for the tokenising threads. */
import { createHash } from 'node:crypto';
import { UserError } from '../../util/errors';
import { checkFile, notUtf8, utf8Of, withoutMarks, type Reading } from './bytes';
import { pageJobs } from './parquet';
import type { InputFile } from './sources';
import {
  DOCUMENT_HASH_DIGITS,
  ignoresOuterSpace,
  splitOf,
  type SplitRule,
  type TokeniseJob,
} from './tokenise';
import type { Split } from './shards';
import { cutNear, cutPosition } from './tokenizer';

/** Text per job, bytes. */
const JOB = 1 << 20;
/** About half the longest string that V8 allows. */
const LONGEST_LINE = 1 << 28;

/** A copy in a buffer of its own, which can be transferred to a thread. */
const joined = (parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

/** Blocks of whole lines. */
async function* lineBlocks(
  name: string,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let [parts, bytes]: [Uint8Array[], number] = [[], 0];
  for await (const chunk of chunks) {
    const cut = bytes + chunk.length >= JOB ? chunk.lastIndexOf(10) + 1 : 0;
    if (cut > 0) {
      yield joined([...parts, chunk.subarray(0, cut)]);
      [parts, bytes] = [[], 0];
    }
    parts.push(chunk.slice(cut));
    bytes += chunk.length - cut;
    if (bytes > LONGEST_LINE)
      throw new UserError(
        `${name}: expected lines of at most ${LONGEST_LINE / 2 ** 20} MB; got a longer one: is it JSON Lines?`,
      );
  }
  if (bytes) yield joined(parts);
}

/** The text of a file in parts that can be tokenised separately. */
async function* textParts(file: InputFile, reading: Reading): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  let searched = JOB;
  try {
    for await (const chunk of utf8Of(file, reading)) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > LONGEST_LINE)
        throw new UserError(
          `${file.name}: expected text with spaces or line ends; got ${LONGEST_LINE / 2 ** 20} million characters without: is it text?`,
        );
      if (text.length < JOB) continue;
      const cut = cutPosition(text, searched);
      searched = cut === text.length ? cut - 1 : JOB;
      if (cut === text.length) continue;
      yield withoutMarks(text.slice(0, cut));
      text = text.slice(cut);
    }
    yield withoutMarks(text + decoder.decode());
  } catch (error) {
    throw error instanceof TypeError ? notUtf8(file.name) : error;
  }
}

/** Hash and number of characters of a text that comes in parts. */
class TextHash {
  characters = 0;
  private readonly hash = createHash('sha256');
  private begun = false;
  /** White space that may be that at the end. */
  private pending = '';

  /** @param trims whether white space at both ends does not count */
  constructor(private readonly trims: boolean) {}

  add(part: string): void {
    this.characters += part.length;
    const text = this.trims && !this.begun ? part.trimStart() : part;
    const end = this.trims ? text.trimEnd().length : text.length;
    this.begun ||= end > 0;
    if (end > 0) this.hash.update(this.pending + text.slice(0, end));
    this.pending = (end > 0 || !this.begun ? '' : this.pending) + text.slice(end);
  }

  digest(): string {
    return this.hash.digest('hex').slice(0, DOCUMENT_HASH_DIGITS);
  }
}

/** A file of plain text is one document; a long one is read twice, for its hash and in parts. */
async function* txtJobs(
  file: InputFile,
  rule: SplitRule,
  reading: Reading,
): AsyncGenerator<TokeniseJob, void, undefined> {
  const isLong = file.bytes >= JOB;
  const whole = new TextHash(ignoresOuterSpace(rule));
  const kept: string[] = [];
  for await (const part of textParts(file, isLong ? { ...reading, onBytes: () => undefined } : reading)) {
    whole.add(part);
    if (!isLong) kept.push(part);
  }
  if (whole.characters === 0) return reading.onNotice(`${file.name}: no text besides its byte order mark`);
  const document = whole.digest();
  const job = (text: string, split: Split | null, ends: boolean): TokeniseJob => ({
    kind: 'part',
    file: file.name,
    text,
    split,
    document,
    ends,
  });
  const split = splitOf(document, rule);
  if (split === null) return yield job('', null, true);
  const end = 'lastShare' in rule ? Math.floor(whole.characters * (1 - rule.lastShare)) : Infinity;
  let [before, at]: [TokeniseJob | undefined, number] = [undefined, 0];
  for await (const part of isLong ? textParts(file, { ...reading, onNotice: () => undefined }) : kept) {
    const cut = at < end && at + part.length > end ? cutNear(part, end - at) : 0;
    const pieces = cut ? [part.slice(0, cut), part.slice(cut)] : [part];
    for (const [i, text] of pieces.entries()) {
      if (before) yield before;
      const isLast = cut ? i === 1 : at >= end;
      before = job(text, isLast ? 'validation' : split, false);
    }
    at += part.length;
  }
  if (before) yield { ...before, ends: true } as TokeniseJob;
}

/** All documents of text files, in order. */
export async function* jobsOf(
  files: InputFile[],
  column: string,
  rule: SplitRule,
  reading: Reading,
): AsyncGenerator<TokeniseJob, void, undefined> {
  for (const file of files) {
    if (file.format === 'txt') yield* txtJobs(file, rule, reading);
    else if (file.format === 'parquet') {
      checkFile(file);
      for await (const { job, share } of pageJobs(file, column)) {
        yield job;
        reading.onBytes(share * file.bytes);
      }
    } else
      for await (const bytes of lineBlocks(file.name, utf8Of(file, reading)))
        yield { kind: 'lines', file: file.name, column, bytes };
  }
}
