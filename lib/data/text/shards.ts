/**
 * Tokenised data sets: folders with `train.bin` and `val.bin` (nanoGPT's format: GPT-2 ids as little-endian uint16,
 * end-of-text after each document) and `meta.json`. A smaller vocabulary has the ids of `cutVocabulary`.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../util/errors';
import { piecesOf } from '../../util/files';
import { paths } from '../../util/paths';
import { mismatch, type Schema } from '../../util/schema';

export const VOCABULARY = 50257;
export const END_OF_TEXT = 50256;
const BYTES_PER_TOKEN = 2;

const FOLDER = join(paths.local, 'datasets');

export const SHARD_FILES = { train: 'train.bin', validation: 'val.bin' } as const;
export type Split = keyof typeof SHARD_FILES;
export const SPLITS = Object.keys(SHARD_FILES) as Split[];

export interface ShardMeta {
  /** The last one may be cut off at the number of tokens. */
  documents: number;
  tokens: number;
  sha256: string;
}

/** Exact entropy of a synthetic corpus; see `syntheticEntropy` for what a model can reach. */
export interface EntropyMeta {
  natsPerToken: number;
  natsPerDocument: number;
  tokensPerDocument: number;
  /** −ln P of this validation text, per token. */
  validationNatsPerToken: number;
}

export interface DatasetMeta {
  kind: 'openwebtext' | 'text' | 'synthetic';
  /** What the data set was made from; an equal request finds it made. */
  request: Record<string, string | number | null>;
  source: string;
  /** Of the source: a commit or the hash of a grammar; null if there is none. */
  revision: string | null;
  /** Number of ids, the last of them end-of-text; without it GPT-2's. */
  vocabulary?: number;
  train: ShardMeta;
  validation: ShardMeta;
  /** Number of training documents left out because they are in the validation text. */
  leftOut: number;
  /** Number of rows without a text, which are left out too. */
  withoutText?: number;
  /** Source files whose hashes were checked. */
  inputs?: { name: string; bytes: number; sha256: string }[];
  entropy?: EntropyMeta;
}

export interface Dataset {
  name: string;
  meta: DatasetMeta;
  train: TokenFile;
  validation: TokenFile;
  /** `datasetHash` */
  sha256: string;
}

/** A file of ids that is read by range; opening it reads nothing. */
export class TokenFile {
  private constructor(
    private readonly path: string,
    private readonly file: number,
    readonly tokens: number,
  ) {}

  static open(path: string): TokenFile {
    let file: number;
    try {
      file = openSync(path, 'r');
    } catch (error) {
      throw new UserError(
        `${path}: expected a file of tokens; got ${(error as NodeJS.ErrnoException).code}: make the data set again`,
      );
    }
    const { size } = fstatSync(file);
    if (size > 0 && size % BYTES_PER_TOKEN === 0) return new TokenFile(path, file, size / BYTES_PER_TOKEN);
    closeSync(file);
    throw new UserError(
      `${path}: expected ids of ${BYTES_PER_TOKEN} bytes each; got ${size === 0 ? 'an empty file' : `${size} bytes, an odd number`}: it was cut off or is no file of tokens; make it again`,
    );
  }

  /** @returns `[count]` */
  read(start: number, count: number): Uint16Array {
    if (!(start >= 0 && count >= 0 && start + count <= this.tokens))
      throw new RangeError(
        `${this.path}: expected tokens within 0 … ${this.tokens}; got ${start} … ${start + count}`,
      );
    const ids = new Uint16Array(count);
    const bytes = new Uint8Array(ids.buffer);
    for (let at = 0; at < bytes.length;) {
      const got = readSync(this.file, bytes, at, bytes.length - at, start * BYTES_PER_TOKEN + at);
      if (got === 0)
        throw new UserError(
          `${this.path}: expected ${this.tokens} tokens, as when it was opened; it has become shorter: make the data set again`,
        );
      at += got;
    }
    return ids;
  }

  close(): void {
    closeSync(this.file);
  }
}

export const datasetFolder = (name: string): string => join(FOLDER, name);

/** Names of all data sets. */
export function datasetNames(): string[] {
  try {
    return readdirSync(FOLDER, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.includes('.'))
      .map(({ name }) => name)
      .sort();
  } catch {
    return [];
  }
}

/** The command that makes a data set of this name. */
function commandFor(name: string): string {
  const [, tokens] = /^openwebtext-(all|[\d.]+[kmb])$/.exec(name) ?? [];
  if (tokens)
    return `openwebtext --tokens ${tokens === 'all' ? tokens : tokens.toUpperCase().replace('K', 'k')}`;
  // As the experiments name a data set of a smaller vocabulary.
  const vocabulary = Number(/-(\d+)$/.exec(name)?.[1]);
  return name === 'synthetic'
    ? 'synthetic --tokens 2M --seed 1'
    : `text --from FOLDER_OR_FILE${vocabulary >= 257 ? ` --vocabulary ${vocabulary}` : ''} --name ${name}`;
}

const SHARD: Schema = { documents: 'count', tokens: 'count', sha256: 'hash' };
const META: Schema = {
  kind: 'text',
  request: {},
  source: 'text',
  'revision?': 'text',
  'vocabulary?': 'count',
  train: SHARD,
  validation: SHARD,
  leftOut: 'count',
  'entropy?': {
    natsPerToken: 'number',
    natsPerDocument: 'number',
    tokensPerDocument: 'number',
    validationNatsPerToken: 'number',
  },
};

export function readMeta(name: string): DatasetMeta {
  const path = join(datasetFolder(name), 'meta.json');
  const refuse = (why: string): never => {
    throw new UserError(
      `${path}: ${why}: remove the data set with "npm run data -- remove ${name}" and make it again`,
    );
  };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') return refuse(`expected a file; got ${code}`);
    const made = datasetNames();
    throw new UserError(
      `data set ${name}: expected it under data/local/datasets; ${made.length ? `there are ${made.join(', ')}` : 'there is none'}: make it with "npm run data -- ${commandFor(name)}"`,
    );
  }
  let meta: unknown;
  try {
    meta = JSON.parse(text);
  } catch {
    return refuse('expected JSON; got something else');
  }
  const wrong = mismatch(meta, META);
  return wrong ? refuse(wrong) : (meta as DatasetMeta);
}

export const vocabularyOf = ({ vocabulary = VOCABULARY }: DatasetMeta): number => vocabulary;

/** SHA-256 over the hashes of both shards and, if it is not GPT-2's, the vocabulary. */
export function datasetHash(meta: DatasetMeta): string {
  return createHash('sha256')
    .update(SPLITS.map((split) => `${SHARD_FILES[split]} ${meta[split].sha256}\n`).join(''))
    .update(meta.vocabulary === undefined ? '' : `vocabulary ${meta.vocabulary}\n`)
    .digest('hex');
}

/** Hashes, sizes and times of the shards when the hashes were last found to be right. */
const seenFile = (name: string): string => join(datasetFolder(name), 'seen.json');

function sizesAndTimes(name: string, meta: DatasetMeta): string {
  return JSON.stringify(
    SPLITS.map((split) => {
      const { size, mtimeMs, ctimeMs } = statSync(join(datasetFolder(name), SHARD_FILES[split]));
      return [SHARD_FILES[split], meta[split].sha256, size, mtimeMs, ctimeMs];
    }),
  );
}

/** Throws a UserError unless both shards are what `meta.json` says. Reads them only if their sizes or times have changed. */
function checkShardHashes(name: string, meta: DatasetMeta): void {
  const now = sizesAndTimes(name, meta);
  try {
    if (readFileSync(seenFile(name), 'utf8') === now) return;
  } catch {
    // Not seen before.
  }
  for (const split of SPLITS) {
    const hash = createHash('sha256');
    for (const piece of piecesOf(join(datasetFolder(name), SHARD_FILES[split]))) hash.update(piece);
    const found = hash.digest('hex');
    if (found !== meta[split].sha256)
      throw new UserError(
        `data set ${name}: expected SHA-256 ${meta[split].sha256.slice(0, 12)} of ${SHARD_FILES[split]}, as meta.json says; got ${found.slice(0, 12)}: it has changed since it was made; remove it with "npm run data -- remove ${name}" and make it again`,
      );
  }
  try {
    writeFileSync(seenFile(name), now);
  } catch {
    // A folder that cannot be written: they are read again next time.
  }
}

/** Opens a data set and checks its lengths, and its hashes where a file has changed. The caller closes both files. */
export function openDataset(name: string): Dataset {
  const meta = readMeta(name);
  const files: TokenFile[] = [];
  try {
    for (const split of SPLITS) {
      const file = TokenFile.open(join(datasetFolder(name), SHARD_FILES[split]));
      files.push(file);
      if (file.tokens !== meta[split].tokens)
        throw new UserError(
          `data set ${name}: expected ${meta[split].tokens} tokens in ${SHARD_FILES[split]}, as meta.json says; got ${file.tokens}: remove it with "npm run data -- remove ${name}" and make it again`,
        );
    }
    checkShardHashes(name, meta);
  } catch (error) {
    for (const file of files) file.close();
    throw error;
  }
  return { name, meta, train: files[0]!, validation: files[1]!, sha256: datasetHash(meta) };
}
