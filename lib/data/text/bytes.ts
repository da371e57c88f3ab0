/**
 * Bytes of files, decompressed, in UTF-8 and checked: that a file is what its name says, that it is whole, and its checksums
 * where the format has them. What is damaged is refused, never read as far as it goes.
 */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { UserError } from '../../util/errors';
import { gunzipped, Unsupported, unzstd } from './archives';
import { asUtf8 } from './encodings';
import type { Format, InputFile } from './sources';

/** What reading tells. */
export interface Reading {
  /** Called with the number of bytes read from the disk since the last call. */
  onBytes(bytes: number): void;
  /** A line about what was odd but harmless. */
  onNotice(text: string): void;
  /** Called with the SHA-256 of a file that was read to its end. */
  onHash?(file: InputFile, sha256: string): void;
}

const READ = 1 << 20;

/** Kinds of content by how they begin, and what to do where another is expected. */
const KINDS: [kind: string, begins: RegExp, advice: string][] = [
  ['a Git LFS pointer', /^version https:\/\/git-lfs/, 'run "git lfs pull" in the repository that it is from'],
  ['a git-annex pointer', /^\/annex\/objects\//, 'run "git annex get" in the repository that it is from'],
  [
    'an HTML page',
    /^\s*<(!doctype\s+html|html|head|body)\b/i,
    'a download may have failed: fetch it again; text with HTML on purpose goes into JSON Lines',
  ],
  ['an XML error message', /^\s*(<\?xml[^>]*>\s*)?<Error>/, 'a download failed: fetch it again'],
  ['gzip', /^\x1f\x8b\x08/, 'name JSON Lines in gzip .jsonl.gz, decompress other files'],
  ['Zstandard', /^(\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)/, 'name JSON Lines in Zstandard .jsonl.zst'],
  ['Parquet', /^PAR1/, 'name it .parquet'],
  ['encrypted Parquet', /^PARE/, 'decrypt it'],
  ['a zip archive', /^PK\x03\x04/, 'extract it'],
  ['a bzip2 archive', /^BZh[1-9]1AY&SY/, 'decompress it'],
  ['an xz archive', /^\xfd7zXZ\x00/, 'decompress it'],
  ['a tar archive', /^[^]{257}ustar/, 'extract it'],
  ['a PDF', /^%PDF-/, 'extract its text'],
  ['a NumPy array', /^\x93NUMPY/, 'write its ids with tofile, as uint16'],
  ['tokens of llm.c', /^\x88\xd8\x34\x01/, 'cut off its header, the first 1,024 bytes'],
];
const EXPECTED: Partial<Record<Format, string>> = {
  'jsonl.gz': 'gzip',
  'jsonl.zst': 'Zstandard',
  parquet: 'Parquet',
};
/** Bytes that are looked at. */
const HEAD = 512;

export const notUtf8 = (name: string): UserError =>
  new UserError(`${name}: expected UTF-8; got other bytes: convert the file`);

/** Without the byte order marks at the beginnings of lines, as files have that were put one after the other. */
export const withoutMarks = (text: string): string => text.replace(/\n\ufeff+/g, '\n');

const isText = (format: Format): boolean => format === 'txt' || format.startsWith('jsonl');

/** Throws a UserError if content begins like that of another kind. */
function checkKind(name: string, expected: string | undefined, what: string, head: Uint8Array): void {
  const mark = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0;
  const begin = Buffer.from(head.subarray(mark, HEAD)).toString('latin1');
  const [kind, , advice] = KINDS.find(([, begins]) => begins.test(begin)) ?? [];
  if (kind === expected) return;
  throw new UserError(
    kind
      ? `${name}: expected ${what}; got ${kind}: ${advice}`
      : `${name}: expected ${what}; got ${JSON.stringify(begin.slice(0, 20))} (incorrect header check): it was decompressed before, or it is damaged: name it as what it is, or fetch it again`,
  );
}

/** Throws a UserError unless a file begins as its name says. */
export function checkFile({ path, name, format }: InputFile): void {
  const head = Buffer.alloc(HEAD);
  let length: number;
  try {
    const file = openSync(path, 'r');
    length = readSync(file, head, 0, HEAD, 0);
    closeSync(file);
  } catch (error) {
    throw new UserError(
      `${name}: expected a readable file; got ${path}: ${(error as NodeJS.ErrnoException).code}`,
    );
  }
  const expected = EXPECTED[format];
  const what = expected ?? (isText(format) ? 'text' : 'ids of tokens');
  checkKind(name, expected, what, head.subarray(0, length));
}

async function* rawBytes(
  file: InputFile,
  { onBytes, onHash }: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file.path, { highWaterMark: READ })) {
    hash.update(chunk as Uint8Array);
    onBytes(chunk.length);
    yield chunk as Uint8Array;
  }
  onHash?.(file, hash.digest('hex'));
}

/** Checks what was decompressed as a file's own beginning is. */
async function* checkedKind(name: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let isFirst = true;
  for await (const chunk of chunks) {
    if (isFirst) checkKind(name, undefined, 'JSON Lines', chunk);
    isFirst = false;
    yield chunk;
  }
}

/** The text of a file in UTF-8, decompressed and checked. */
export async function* utf8Of(
  file: InputFile,
  reading: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { name, format } = file;
  checkFile(file);
  const raw = rawBytes(file, reading);
  const notice = (text: string) => reading.onNotice(`${name}: ${text}`);
  async function* whole(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* format === 'jsonl.gz'
        ? gunzipped(raw, notice)
        : format === 'jsonl.zst'
          ? unzstd(raw, notice)
          : raw;
    } catch (error) {
      if (error instanceof Unsupported) throw new UserError(`${name}: ${error.message}`);
      throw new UserError(
        `${name}: expected a whole file; reading it failed (${(error as Error).message}): it was cut off or damaged; fetch it again`,
      );
    }
  }
  try {
    yield* asUtf8(checkedKind(name, whole()));
  } catch (error) {
    throw error instanceof UserError ? error : new UserError(`${name}: ${(error as Error).message}`);
  }
}

/** All of a text file in UTF-8, checked. */
export async function wholeText(path: string, name: string): Promise<string> {
  const parts: Uint8Array[] = [];
  const file: InputFile = { path, name, bytes: 0, format: 'txt' };
  for await (const part of utf8Of(file, { onBytes: () => undefined, onNotice: () => undefined }))
    parts.push(part);
  try {
    return withoutMarks(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts)));
  } catch {
    throw notUtf8(name);
  }
}
