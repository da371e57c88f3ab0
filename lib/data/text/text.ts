/** Data sets from the user's own text files. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../util/errors';
import { count } from '../../util/format';
import { sha256Of } from '../../util/files';
import { checkFile, type Reading } from './bytes';
import { jobsOf } from './documents';
import { endsIn, makeDataset, requestDifference, type Limits, type Shards, type TokenWriter } from './make';
import { inputFiles, type InputFile } from './sources';
import { END_OF_TEXT, SPLITS, TokenFile, VOCABULARY, type DatasetMeta, type Split } from './shards';
import { tokenise, type TokeniseJob, type SplitRule } from './tokenise';

/** Progress of making a data set. Bytes are those of the files on the disk. */
export interface Progress {
  bytes: number;
  bytesTotal: number;
  tokens: number;
  tokensTotal: number;
}
export type OnProgress = (progress: Progress) => void;

export interface TextCallbacks {
  onProgress: OnProgress;
  /** Before anything is read for its text, sources are hashed. */
  onHashing(bytes: number, bytesTotal: number): void;
  /** A line on what was left out or odd. */
  onNotice(text: string): void;
}

export interface TextOptions {
  name: string;
  /** Folder or file. */
  from: string;
  /** Folder or file of validation documents. Default: files of `from` whose names begin with "val"; if none, `validationShare`. */
  validation?: string;
  /** Column of the text in Parquet and JSON Lines. */
  column: string;
  limits: Limits;
  /** Share of documents; of a single one, the share at its end. Default: `SHARE` and `LAST_SHARE`. */
  validationShare?: number;
  /** Files of tokens have GPT-2's ids even if they do not look so. */
  gpt2Ids?: boolean;
  /** Number of ids; see `cutVocabulary`. */
  vocabulary?: number;
}

/** One document in 200. */
const SHARE = 0.005;
/** Of a single document. */
const LAST_SHARE = 0.1;
/** Tokens of a single document, so that its end is long enough to measure a loss on. */
const SHORTEST_DOCUMENT = 2000;

interface Filled {
  /** Of the validation documents. */
  hashes: Set<string>;
  leftOut: number;
  withoutText: number;
  /** Lowest and highest hash of all documents. */
  range: [lowest: string, highest: string] | null;
}

/** Tokenises documents into the named splits until those are full. */
export async function fill(
  jobs: AsyncIterable<TokeniseJob | null>,
  rule: SplitRule,
  shards: Shards,
  splits: readonly Split[],
  onTokens: () => void,
): Promise<Filled> {
  const filled: Filled = { hashes: new Set(), leftOut: 0, withoutText: 0, range: null };
  const wants = (split: Split): boolean => splits.includes(split) && !shards[split].full;
  for await (const result of tokenise(jobs, rule, () => ({
    train: wants('train'),
    validation: wants('validation'),
  }))) {
    for (const split of splits) shards[split].add(result[split]);
    for (const hash of result.hashes) filled.hashes.add(hash);
    filled.leftOut += result.leftOut;
    filled.withoutText += result.withoutText;
    const all = [filled.range ?? [], result.range ?? []].flat().sort();
    if (all.length) filled.range = [all[0]!, all.at(-1)!];
    onTokens();
    if (!splits.some(wants)) break;
  }
  return filled;
}

const BLOCK = 1 << 19;

/** Without an id so large, so many tokens are hardly GPT-2's. */
const USUAL = { tokens: 100_000, id: 40_000 };

/** Throws a UserError if ids look like those of another tokenizer. */
function checkIds({ path, name }: InputFile, tokens: number, largest: number): void {
  const pickled = existsSync(join(dirname(path), 'meta.pkl'));
  const isUsual = largest === END_OF_TEXT || (tokens < USUAL.tokens ? largest > 255 : largest >= USUAL.id);
  if (isUsual && !pickled) return;
  const why = pickled
    ? 'meta.pkl beside it names other tokens'
    : `the largest of ${count(tokens)} ids is ${largest}`;
  throw new UserError(
    `${name}: expected GPT-2 ids; ${why}, as of another tokenizer: prepare the text itself with "npm run data -- text", or say with --gpt2-ids that they are GPT-2's`,
  );
}

/** Copies the ids of a file of tokens. */
function copyIds(
  input: InputFile,
  gpt2Ids: boolean | undefined,
  writer: TokenWriter,
  onBlock: (tokens: number) => void,
): void {
  const { path, name } = input;
  const meta = join(dirname(path), 'meta.json');
  const [, smaller] = (existsSync(meta) && /"vocabulary": (\d+)/.exec(readFileSync(meta, 'utf8'))) || [];
  if (smaller)
    throw new UserError(
      `${name}: expected GPT-2 ids; its meta.json says a vocabulary of ${smaller}: name the data set that it was made from`,
    );
  const file = TokenFile.open(path);
  let [largest, at] = [0, 0];
  try {
    for (; at < file.tokens && !writer.full; at += BLOCK) {
      const ids = file.read(at, Math.min(BLOCK, file.tokens - at));
      const bad = ids.findIndex((id) => id >= VOCABULARY);
      if (bad >= 0)
        throw new UserError(
          `${name}: expected GPT-2 ids below ${VOCABULARY}; token ${at + bad} is ${ids[bad]}: it was made with another tokenizer or is no file of tokens`,
        );
      largest = ids.reduce((a, b) => (b > a ? b : a), largest);
      writer.add({ ids, ends: endsIn(ids, END_OF_TEXT) });
      onBlock(ids.length);
    }
    if (!gpt2Ids && !existsSync(meta)) checkIds(input, Math.min(at, file.tokens), largest);
  } finally {
    file.close();
  }
}

type Sources = Record<Split, InputFile[]>;
type Hashed = InputFile & { sha256: string };

function sources({ from, validation }: TextOptions, onNotice: Reading['onNotice']): Sources {
  const files = inputFiles('--from', from, onNotice);
  if (validation === undefined) {
    const named = files.filter(({ name }) => /^val/i.test(basename(name)));
    return { train: files.filter((file) => !named.includes(file)), validation: named };
  }
  const given = inputFiles('--validation', validation, onNotice);
  const paths = new Set(given.map(({ path }) => realpathSync(path)));
  return { train: files.filter(({ path }) => !paths.has(realpathSync(path))), validation: given };
}

const described = (files: InputFile[]): string =>
  files.map(({ name, bytes }) => `${name} ${bytes}`).join(', ');

/** Splits of a source with the hashes of its files, which are its identity. */
async function hashed(
  { train, validation }: Sources,
  onHashing: TextCallbacks['onHashing'],
): Promise<Record<Split, Hashed[]>> {
  const bytesTotal = [...train, ...validation].reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  const all = async (files: InputFile[]): Promise<Hashed[]> => {
    const out: Hashed[] = [];
    for (const file of files) {
      checkFile(file);
      out.push({
        ...file,
        sha256: await sha256Of(file.path, (read) => onHashing((bytes += read), bytesTotal)),
      });
    }
    return out;
  };
  return { train: await all(train), validation: await all(validation) };
}

const contentHash = (files: Hashed[]): string =>
  createHash('sha256')
    .update(files.map(({ sha256 }) => `${sha256}\n`).join(''))
    .digest('hex');

const orNull = (n: number): number | null => (Number.isFinite(n) ? n : null);

/** What decides the ids: the content of the sources, in their order, and the settings. */
const requestOf = (
  { column, limits, validationShare }: TextOptions,
  { train, validation }: Record<Split, Hashed[]>,
): DatasetMeta['request'] => ({
  train: contentHash(train),
  column,
  tokens: orNull(limits.train),
  validationTokens: orNull(limits.validation),
  ...(validation.length
    ? { validation: contentHash(validation) }
    : { validationShare: validationShare ?? SHARE }),
});

/** A request as data sets have it that say names and sizes of their sources, not their hashes. */
function requestByName(
  { train, validation: _, ...settings }: DatasetMeta['request'],
  files: Sources,
): DatasetMeta['request'] {
  const { column, tokens, validationTokens, ...rest } = settings;
  const { validation } = files;
  return {
    from: described(files.train),
    column: column!,
    tokens: tokens!,
    validationTokens: validationTokens!,
    ...(validation.length && { validation: described(validation) }),
    ...rest,
  };
}

/** In what the sources of a data set differ from those that are there. */
function changedSource({ inputs = [] }: DatasetMeta, now: Hashed[]): string | null {
  const before = new Map(inputs.map(({ name, sha256 }) => [name, sha256]));
  for (const { name, sha256 } of now)
    if (before.get(name) !== sha256)
      return before.has(name) ? `${name} has changed since it was made` : `it was made without ${name}`;
  const gone = inputs.find(({ name }) => !now.some((file) => file.name === name));
  return gone ? `it was made with ${gone.name} too` : null;
}

async function tokeniseFiles(
  { column, validationShare }: TextOptions,
  { train, validation }: Sources,
  shards: Shards,
  reading: Reading,
  onTokens: () => void,
): Promise<Filled> {
  const run = (files: InputFile[], rule: SplitRule, splits: Split[]) =>
    fill(jobsOf(files, column, rule, reading), rule, shards, splits, onTokens);
  if (validation.length) {
    const { hashes, withoutText } = await run(validation, { all: 'validation' }, ['validation']);
    const filled = await run(train, { trainExcept: hashes }, ['train']);
    return { ...filled, withoutText: filled.withoutText + withoutText };
  }
  const both = (rule: SplitRule) => run(train, rule, ['train', 'validation']);
  // A single file of plain text is known to be a single document before it is read.
  const [first] = train;
  if (train.length === 1 && first!.format === 'txt' && first!.bytes >= 4 * SHORTEST_DOCUMENT)
    return both({ lastShare: validationShare ?? LAST_SHARE });
  const filled = await both({ validationShare: validationShare ?? SHARE });
  const rule = ruleForFew(filled, shards, validationShare);
  if (rule === null) return filled;
  for (const split of SPLITS) shards[split].restart();
  return both(rule);
}

/** How few documents are divided, if their share has left one split without any: at least one is in each. */
function ruleForFew({ range }: Filled, { train, validation }: Shards, share = LAST_SHARE): SplitRule | null {
  if (range === null || (train.tokens > 0 && validation.tokens > 0)) return null;
  const [lowest, highest] = range;
  if (lowest === highest)
    return train.tokens + validation.tokens < SHORTEST_DOCUMENT ? null : { lastShare: share };
  // Below a hash with a digit more there is it alone.
  return { validationBelow: train.tokens > 0 ? `${lowest}0` : highest };
}

/** Makes a data set from text files, or from nanoGPT's files of tokens. */
export async function makeText(
  options: TextOptions,
  { onProgress, onHashing, onNotice }: TextCallbacks,
): Promise<{ meta: DatasetMeta; made: boolean }> {
  const found = sources(options, onNotice);
  const all = [...found.train, ...found.validation];
  const binary = all.filter(({ format }) => format === 'bin').length;
  if (found.train.length === 0)
    throw new UserError(
      `--from: expected training files in addition to those of validation (${described(found.validation)}); got none: name another folder or file`,
    );
  if (binary && (binary < all.length || !found.validation.length))
    throw new UserError(
      `--from: expected validation tokens in addition to ${found.train[0]!.name}, as val.bin or by --validation FILE.bin; got ${found.validation.length ? described(found.validation) : 'none'}: documents cannot be split by hash without their text`,
    );
  const files = await hashed(found, onHashing);
  const inputs = [...files.train, ...files.validation];
  const difference = (meta: DatasetMeta, request: DatasetMeta['request']): string | null => {
    if ('train' in meta.request) {
      const sameContent = SPLITS.every((split) => meta.request[split] === request[split]);
      return (sameContent ? null : changedSource(meta, inputs)) ?? requestDifference(meta, request);
    }
    const other = requestDifference(meta, requestByName(request, found));
    if (other === null)
      onNotice(
        `data set ${options.name} was made before content was compared: names and sizes of its sources are the same, so it is used as it is; to be sure, remove it with "npm run data -- remove ${options.name}" and make it again`,
      );
    return other;
  };
  return makeDataset(
    options.name,
    requestOf(options, files),
    options.limits,
    async (shards) => {
      const bytesTotal = all.reduce((sum, file) => sum + file.bytes, 0);
      let bytes = 0;
      const tell = (): void =>
        onProgress({ bytes, bytesTotal, tokens: shards.train.tokens, tokensTotal: shards.train.limit });
      const onBytes = (n: number): void => {
        bytes += n;
      };
      const counts = { leftOut: 0, withoutText: 0 };
      if (binary)
        for (const split of ['validation', 'train'] as const)
          for (const file of files[split])
            copyIds(file, options.gpt2Ids, shards[split], (tokens) => {
              onBytes(2 * tokens);
              tell();
            });
      else {
        const { leftOut, withoutText } = await tokeniseFiles(
          options,
          files,
          shards,
          { onBytes, onNotice },
          tell,
        );
        Object.assign(counts, { leftOut, withoutText });
      }
      const names = (list: InputFile[]): string => list.map(({ name }) => name).join(', ');
      const { train, validation } = files;
      return {
        kind: 'text',
        source: `${names(train)}${validation.length ? `; validation ${names(validation)}` : ''}`,
        revision: null,
        ...counts,
        inputs: inputs.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
      };
    },
    options.vocabulary,
    difference,
  );
}
