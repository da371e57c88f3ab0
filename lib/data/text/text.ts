/** Data sets from the user's own text files. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../util/errors';
import { inputFiles, jobsOf, type InputFile } from './documents';
import { endsIn, makeDataset, type Limits, type Shards, type TokenWriter } from './make';
import { END_OF_TEXT, TokenFile, VOCABULARY, type DatasetMeta, type Split } from './shards';
import { tokenise, type TokeniseJob, type SplitRule } from './tokenise';

/** Progress of making a data set. Bytes are those of the files on the disk. */
export interface Progress {
  bytes: number;
  bytesTotal: number;
  tokens: number;
  tokensTotal: number;
}
export type OnProgress = (progress: Progress) => void;

export interface TextOptions {
  name: string;
  /** Folder or file. */
  from: string;
  /** Folder or file of validation documents. Default: files of `from` whose names begin with "val"; if none, `validationShare`. */
  validation?: string;
  /** Column of the text in Parquet and JSON Lines. */
  column: string;
  limits: Limits;
  validationShare: number;
  /** Number of ids; see `cutVocabulary`. */
  vocabulary?: number;
}

interface Filled {
  /** Of the validation documents. */
  hashes: Set<string>;
  leftOut: number;
}

/** Tokenises documents into the named splits until those are full. */
export async function fill(
  jobs: AsyncIterable<TokeniseJob | null>,
  rule: SplitRule,
  shards: Shards,
  splits: readonly Split[],
  onTokens: () => void,
): Promise<Filled> {
  const filled: Filled = { hashes: new Set(), leftOut: 0 };
  const wants = (split: Split): boolean => splits.includes(split) && !shards[split].full;
  for await (const result of tokenise(jobs, rule, () => ({
    train: wants('train'),
    validation: wants('validation'),
  }))) {
    for (const split of splits) shards[split].add(result[split]);
    for (const hash of result.hashes) filled.hashes.add(hash);
    filled.leftOut += result.leftOut;
    onTokens();
    if (!splits.some(wants)) break;
  }
  return filled;
}

const BLOCK = 1 << 19;

/** Copies the ids of a file of tokens. */
function copyIds({ path, name }: InputFile, writer: TokenWriter, onBlock: (tokens: number) => void): void {
  const meta = join(dirname(path), 'meta.json');
  const [, smaller] = (existsSync(meta) && /"vocabulary": (\d+)/.exec(readFileSync(meta, 'utf8'))) || [];
  if (smaller)
    throw new UserError(
      `${name}: expected GPT-2 ids; its meta.json says a vocabulary of ${smaller}: name the data set that it was made from`,
    );
  const file = TokenFile.open(path);
  try {
    for (let at = 0; at < file.tokens && !writer.full; at += BLOCK) {
      const ids = file.read(at, Math.min(BLOCK, file.tokens - at));
      const bad = ids.findIndex((id) => id >= VOCABULARY);
      if (bad >= 0)
        throw new UserError(
          `${name}: expected GPT-2 ids below ${VOCABULARY}; token ${at + bad} is ${ids[bad]}: it was made with another tokenizer or is no file of tokens`,
        );
      writer.add({ ids, ends: endsIn(ids, END_OF_TEXT) });
      onBlock(ids.length);
    }
  } finally {
    file.close();
  }
}

type Sources = Record<Split, InputFile[]>;

function sources({ from, validation }: TextOptions): Sources {
  const files = inputFiles('--from', from);
  if (validation === undefined) {
    const named = files.filter(({ name }) => /^val/i.test(basename(name)));
    return { train: files.filter((file) => !named.includes(file)), validation: named };
  }
  const given = inputFiles('--validation', validation);
  const paths = new Set(given.map(({ path }) => path));
  return { train: files.filter(({ path }) => !paths.has(path)), validation: given };
}

const described = (files: InputFile[]): string =>
  files.map(({ name, bytes }) => `${name} ${bytes}`).join(', ');

function requestOf(
  { column, limits, validationShare }: TextOptions,
  { train, validation }: Sources,
): DatasetMeta['request'] {
  const most = (n: number): number | null => (Number.isFinite(n) ? n : null);
  return {
    from: described(train),
    column,
    tokens: most(limits.train),
    validationTokens: most(limits.validation),
    ...(validation.length ? { validation: described(validation) } : { validationShare }),
  };
}

async function tokeniseFiles(
  { column, validationShare }: TextOptions,
  { train, validation }: Sources,
  shards: Shards,
  onBytes: (n: number) => void,
  onTokens: () => void,
): Promise<Filled> {
  const run = (files: InputFile[], rule: SplitRule, splits: Split[]) =>
    fill(jobsOf(files, column, rule, onBytes), rule, shards, splits, onTokens);
  if (!validation.length) return run(train, { validationShare }, ['train', 'validation']);
  const { hashes } = await run(validation, { all: 'validation' }, ['validation']);
  return run(train, { trainExcept: hashes }, ['train']);
}

/** Makes a data set from text files, or from nanoGPT's files of tokens. */
export async function makeText(
  options: TextOptions,
  onProgress: OnProgress,
): Promise<{ meta: DatasetMeta; made: boolean }> {
  const files = sources(options);
  const { train, validation } = files;
  const binary = [...train, ...validation].filter(({ format }) => format === 'bin').length;
  if (train.length === 0)
    throw new UserError(
      `--from: expected training files in addition to those of validation (${described(validation)}); got none: name another folder or file`,
    );
  if (binary && (binary < train.length + validation.length || !validation.length))
    throw new UserError(
      `--from: expected validation tokens in addition to ${train[0]!.name}, as val.bin or by --validation FILE.bin; got ${validation.length ? described(validation) : 'none'}: documents cannot be split by hash without their text`,
    );
  return makeDataset(
    options.name,
    requestOf(options, files),
    options.limits,
    async (shards) => {
      const bytesTotal = [...train, ...validation].reduce((sum, file) => sum + file.bytes, 0);
      let bytes = 0;
      const tell = (): void =>
        onProgress({ bytes, bytesTotal, tokens: shards.train.tokens, tokensTotal: shards.train.limit });
      const onBytes = (n: number): void => {
        bytes += n;
      };
      let leftOut = 0;
      if (binary)
        for (const split of ['validation', 'train'] as const)
          for (const file of files[split])
            copyIds(file, shards[split], (tokens) => {
              onBytes(2 * tokens);
              tell();
            });
      else ({ leftOut } = await tokeniseFiles(options, files, shards, onBytes, tell));
      const names = (list: InputFile[]): string => list.map(({ name }) => name).join(', ');
      return {
        kind: 'text',
        source: `${names(train)}${validation.length ? `; validation ${names(validation)}` : ''}`,
        revision: null,
        leftOut,
      };
    },
    options.vocabulary,
  );
}
