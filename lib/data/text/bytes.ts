/**
 * Bytes of files, decompressed, in UTF-8 and checked: that a file is what its name says, that it is whole, and its checksums
 * where the format has them. What is damaged is refused, never read as far as it goes.
 */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { UserError } from '../../util/errors';
import { gunzipped, Unsupported, unzstd } from './archives';
import { asUtf8 } from './encodings';
import type { Format, InputFile } from './sources';

/** What reading tells: the bytes read from the disk, and a line about what was odd but harmless. */
export interface Reading {
  onBytes(bytes: number): void;
  onNotice(text: string): void;
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
];
const EXPECTED: Partial<Record<Format, string>> = {
  'jsonl.gz': 'gzip',
  'jsonl.zst': 'Zstandard',
  parquet: 'Parquet',
};
/** Bytes that are looked at. */
const HEAD = 512;

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
  const file = openSync(path, 'r');
  const length = readSync(file, head, 0, HEAD, 0);
  closeSync(file);
  const expected = EXPECTED[format];
  const what = expected ?? (isText(format) ? 'text' : 'ids of tokens');
  checkKind(name, expected, what, head.subarray(0, length));
}

async function* rawBytes(
  path: string,
  onBytes: Reading['onBytes'],
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of createReadStream(path, { highWaterMark: READ })) {
    onBytes(chunk.length);
    yield chunk as Uint8Array;
  }
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
  { onBytes, onNotice }: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { path, name, format } = file;
  checkFile(file);
  const raw = rawBytes(path, onBytes);
  const notice = (text: string) => onNotice(`${name}: ${text}`);
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
