/** Data sets from the user's own text files. */
import { UserError } from '../../util/errors';
import { checkFile, type Reading } from './bytes';
import { jobsOf } from './documents';
import { described, SHARE, Sources, type TextOptions } from './identity';
import { makeDataset, type Shards } from './make';
import { SPLITS, type DatasetMeta, type Split } from './shards';
import type { InputFile } from './sources';
import { copyIds } from './token-files';
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
  /** While sources are read for their hashes alone: all of them where there is a data set of this name. */
  onHashing(bytes: number, bytesTotal: number): void;
  /** A line on what was left out or odd. */
  onNotice(text: string): void;
}

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

async function tokeniseFiles(
  { column, validationShare }: TextOptions,
  { train, validation }: Sources,
  shards: Shards,
  reading: Reading,
  onTokens: () => void,
): Promise<Filled> {
  const run = (files: InputFile[], rule: SplitRule, splits: Split[], how = reading) =>
    fill(jobsOf(files, column, rule, how), rule, shards, splits, onTokens);
  if (validation.length) {
    const { hashes, withoutText } = await run(validation, { all: 'validation' }, ['validation']);
    const filled = await run(train, { trainExcept: hashes }, ['train']);
    return { ...filled, withoutText: filled.withoutText + withoutText };
  }
  const both = (rule: SplitRule, how = reading) => run(train, rule, ['train', 'validation'], how);
  // A single file of plain text is known to be a single document before it is read.
  const [first] = train;
  if (train.length === 1 && first!.format === 'txt' && first!.bytes >= 4 * SHORTEST_DOCUMENT)
    return both({ lastShare: validationShare ?? LAST_SHARE });
  const filled = await both({ validationShare: validationShare ?? SHARE });
  const rule = ruleForFew(filled, shards, validationShare);
  if (rule === null) return filled;
  for (const split of SPLITS) shards[split].restart();
  // What is odd was said at the first reading.
  return both(rule, { ...reading, onNotice: () => undefined });
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
  const sources = new Sources(options, onHashing, onNotice);
  const { all, train, validation } = sources;
  const binary = all.filter(({ format }) => format === 'bin').length;
  if (train.length === 0)
    throw new UserError(
      `--from: expected training files in addition to those of validation (${described(validation)}); got none: name another folder or file`,
    );
  if (binary && (binary < all.length || !validation.length))
    throw new UserError(
      `--from: expected validation tokens in addition to ${train[0]!.name}, as val.bin or by --validation FILE.bin; got ${validation.length ? described(validation) : 'none'}: documents cannot be split by hash without their text`,
    );
  all.forEach(checkFile);
  return makeDataset(
    options.name,
    () => sources.request(),
    options.limits,
    async (shards) => {
      let bytes = 0;
      const tell = (): void =>
        onProgress({
          bytes,
          bytesTotal: sources.bytes,
          tokens: shards.train.tokens,
          tokensTotal: shards.train.limit,
        });
      const onBytes = (n: number): void => {
        bytes += n;
      };
      const counts = { leftOut: 0, withoutText: 0 };
      if (binary)
        for (const split of ['validation', 'train'] as const)
          for (const file of sources[split])
            copyIds(file, options.gpt2Ids, shards[split], (tokens) => {
              onBytes(2 * tokens);
              tell();
            });
      else {
        const onHash = sources.read.bind(sources);
        const filled = await tokeniseFiles(options, sources, shards, { onBytes, onNotice, onHash }, tell);
        Object.assign(counts, { leftOut: filled.leftOut, withoutText: filled.withoutText });
      }
      const names = (list: InputFile[]): string => list.map(({ name }) => name).join(', ');
      return {
        kind: 'text',
        source: `${names(train)}${validation.length ? `; validation ${names(validation)}` : ''}`,
        revision: null,
        ...counts,
        inputs: await sources.inputs(),
      };
    },
    options.vocabulary,
    (meta, request) => sources.difference(meta, request),
  );
}
