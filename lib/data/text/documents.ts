/** Documents of text files in all supported formats, as jobs for the tokenising threads. */
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { UserError } from '../../util/errors';
import { sha256Of } from '../../util/files';
import { rowGroups } from './parquet';
import { DOCUMENT_HASH_DIGITS, splitOf, type TokeniseJob, type SplitRule } from './tokenise';
import { cutPosition } from './tokenizer';

const FORMATS = ['parquet', 'jsonl', 'jsonl.gz', 'jsonl.zst', 'txt', 'bin'] as const;
export type Format = (typeof FORMATS)[number];

export interface InputFile {
  path: string;
  name: string;
  bytes: number;
  format: Format;
}

/** Text per job, bytes. */
const JOB = 1 << 20;
const READ = 1 << 20;
/** About half the longest string that V8 allows. */
const LONGEST_LINE = 1 << 28;

const formatOf = (name: string): Format | undefined => FORMATS.find((format) => name.endsWith(`.${format}`));

/** Files of a folder and its subfolders in the order of their names, or a single file; all must have the same supported format. */
export function inputFiles(flag: string, from: string): InputFile[] {
  let names: string[];
  try {
    names = statSync(from).isDirectory()
      ? (readdirSync(from, { recursive: true }) as string[]).sort().map((name) => join(from, name))
      : [from];
  } catch (error) {
    throw new UserError(
      `${flag}: expected a folder or file that can be read; got ${from}: ${(error as NodeJS.ErrnoException).code}`,
    );
  }
  const files = names.flatMap((path) => {
    const format = formatOf(path);
    const stat = statSync(path);
    return format && stat.isFile()
      ? [{ path, name: path === from ? basename(path) : relative(from, path), bytes: stat.size, format }]
      : [];
  });
  if (files.length === 0)
    throw new UserError(
      `${flag}: expected files of ${FORMATS.map((format) => `.${format}`).join(', ')}; got none in ${from}`,
    );
  const other = files.find(({ format }) => format !== files[0]!.format);
  if (other)
    throw new UserError(
      `${flag}: expected files of one format; got ${files[0]!.name} and ${other.name}: name one file, or give a folder with one kind`,
    );
  return files;
}

/** Called with the number of bytes read from a file. */
type Count = (bytes: number) => void;

async function* rawBytes(path: string, onBytes: Count): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of createReadStream(path, { highWaterMark: READ })) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function* gunzipped(path: string, onBytes: Count): AsyncGenerator<Uint8Array, void, undefined> {
  const gunzip = createGunzip({ chunkSize: READ });
  // An error of either stream reaches the reader through `gunzip`.
  yield* pipeline(rawBytes(path, onBytes), gunzip, () => undefined);
}

async function* unzstd(path: string, onBytes: Count): AsyncGenerator<Uint8Array, void, undefined> {
  let out: Uint8Array[] = [];
  const stream = new Decompress((chunk) => out.push(chunk));
  for await (const chunk of rawBytes(path, onBytes)) {
    stream.push(chunk);
    yield* out;
    out = [];
  }
  stream.push(new Uint8Array(), true);
  yield* out;
}

/** Decompressed bytes of a file. */
async function* bytesOf(
  { path, name, format }: InputFile,
  onBytes: Count,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* format === 'jsonl.gz'
      ? gunzipped(path, onBytes)
      : format === 'jsonl.zst'
        ? unzstd(path, onBytes)
        : rawBytes(path, onBytes);
  } catch (error) {
    throw new UserError(
      `${name}: expected a whole file; reading it failed (${(error as Error).message}): it was cut off or damaged; fetch it again`,
    );
  }
}

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
async function* textParts(file: InputFile, onBytes: Count): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let text = '';
  try {
    for await (const chunk of bytesOf(file, onBytes)) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > LONGEST_LINE)
        throw new UserError(
          `${file.name}: expected text with spaces or line ends; got ${LONGEST_LINE / 2 ** 20} million characters without: is it text?`,
        );
      const cut = text.length < JOB ? text.length : cutPosition(text, JOB);
      if (cut === text.length) continue;
      yield text.slice(0, cut);
      text = text.slice(cut);
    }
    yield text + decoder.decode();
  } catch (error) {
    throw error instanceof TypeError
      ? new UserError(`${file.name}: expected UTF-8; got other bytes: convert the file`)
      : error;
  }
}

/** A file of plain text is one document; a long one is sent in parts. */
async function* txtJobs(
  file: InputFile,
  rule: SplitRule,
  onBytes: Count,
): AsyncGenerator<TokeniseJob, void, undefined> {
  if (file.bytes < JOB) {
    for await (const text of textParts(file, onBytes))
      yield { kind: 'texts', file: file.name, texts: [text] };
    return;
  }
  const split = splitOf((await sha256Of(file.path)).slice(0, DOCUMENT_HASH_DIGITS), rule);
  if (split === null) return;
  let before: string | undefined;
  for await (const text of textParts(file, onBytes)) {
    if (before !== undefined) yield { kind: 'part', file: file.name, text: before, split, ends: false };
    before = text;
  }
  yield { kind: 'part', file: file.name, text: before!, split, ends: true };
}

/** All documents of text files, in order. */
export async function* jobsOf(
  files: InputFile[],
  column: string,
  rule: SplitRule,
  onBytes: Count,
): AsyncGenerator<TokeniseJob, void, undefined> {
  for (const file of files) {
    if (file.format === 'txt') yield* txtJobs(file, rule, onBytes);
    else if (file.format === 'parquet') {
      const groups = await rowGroups(file.path, column);
      for (const { from, to } of groups) {
        yield { kind: 'rows', file: file.name, path: file.path, column, from, to };
        onBytes((file.bytes * (to - from)) / groups.at(-1)!.to);
      }
    } else
      for await (const bytes of lineBlocks(file.name, bytesOf(file, onBytes)))
        yield { kind: 'lines', file: file.name, column, bytes };
  }
}
