/** Makes data sets: shards are written to a temporary folder that is renamed when it is complete. */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { takeLease } from '../../util/lease';
import { UserError } from '../../util/errors';
import { count } from '../../util/format';
import { cannotWrite, renameFlushed } from '../../util/files';
import {
  datasetFolder,
  readMeta,
  SHARD_FILES,
  SPLITS,
  VOCABULARY,
  type DatasetMeta,
  type ShardMeta,
  type Split,
} from './shards';
import type { Tokens } from './tokenise';
import { cutVocabulary } from './tokenizer';

/** Turns errors of the file system into a UserError. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw error instanceof UserError ? error : cannotWrite(path, error);
  }
}

/**
 * Runs `work` alone: waits, and says so once, while another process has the lease of `place`.
 * @param work is given a folder for what is not complete yet, which goes with the lease
 */
export async function locked<T>(
  place: string,
  what: string,
  work: (aside: string) => Promise<T>,
): Promise<T> {
  let told = false;
  const lease = await takeLease(join(`${place}.part`, 'meta.json'), (owner) => {
    if (!told) console.warn(`${what}: ${owner} is working on it; waiting until it ends`);
    told = true;
  });
  try {
    return await lease.writing(work);
  } finally {
    await lease.release();
  }
}

/** Writes a shard of at most `limit` tokens of a vocabulary; what is added has GPT-2's ids. */
export class TokenWriter {
  tokens = 0;
  private whole = 0;
  private begun = false;
  private file: number;
  private hash = createHash('sha256');
  private readonly cut: ((ids: Uint16Array) => Uint16Array) | null;

  constructor(
    private readonly path: string,
    readonly limit: number,
    private readonly vocabulary: number,
  ) {
    this.cut = vocabulary === VOCABULARY ? null : cutVocabulary(vocabulary);
    this.file = writing(path, () => openSync(path, 'w'));
  }

  /** Drops all that was added. */
  restart(): void {
    this.close();
    this.file = writing(this.path, () => openSync(this.path, 'w'));
    [this.hash, this.tokens, this.whole, this.begun] = [createHash('sha256'), 0, 0, false];
  }

  get full(): boolean {
    return this.tokens >= this.limit;
  }

  add(tokens: Tokens): void {
    const ids = this.cut ? this.cut(tokens.ids) : tokens.ids;
    const ends = this.cut ? endsIn(ids, this.vocabulary - 1) : tokens.ends;
    const taken = ids.subarray(0, this.limit - this.tokens);
    const bytes = new Uint8Array(taken.buffer, taken.byteOffset, taken.byteLength);
    writing(this.path, () => {
      for (let at = 0; at < bytes.length;) at += writeSync(this.file, bytes, at);
    });
    this.hash.update(bytes);
    this.tokens += taken.length;
    const ended = ends.filter((end) => end <= taken.length);
    this.whole += ended.length;
    if (taken.length) this.begun = ended.at(-1) !== taken.length;
  }

  finish(): ShardMeta {
    writing(this.path, () => fsyncSync(this.file));
    return {
      documents: this.whole + Number(this.begun),
      tokens: this.tokens,
      sha256: this.hash.digest('hex'),
    };
  }

  close(): void {
    closeSync(this.file);
  }
}

/** Offsets at which documents end. */
export function endsIn(ids: Uint16Array, endOfText: number): number[] {
  const ends: number[] = [];
  for (let i = ids.indexOf(endOfText); i >= 0; i = ids.indexOf(endOfText, i + 1)) ends.push(i + 1);
  return ends;
}

export type Shards = Record<Split, TokenWriter>;
/** Tokens per split, Infinity for all: a maximum for validation, an exact number for training. */
export type Limits = Record<Split, number>;
type Description = Omit<DatasetMeta, 'request' | 'vocabulary' | Split>;

function checkName(name: string): void {
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/i.test(name) || name === 'downloads')
    throw new UserError(
      `--name: expected up to 64 letters, digits, "-" and "_", other than "downloads"; got "${name}"`,
    );
}

function checkShards(name: string, shards: Shards, source: string): void {
  const { train, validation } = shards;
  if (train.tokens + validation.tokens === 0)
    throw new UserError(`data set ${name}: expected documents; ${source} holds none: give files with text`);
  if (Number.isFinite(train.limit) && !train.full)
    throw new UserError(
      `data set ${name}: expected ${count(train.limit)} training tokens; ${source} holds ${count(train.tokens)}: ask for fewer or give more text`,
    );
  for (const split of SPLITS)
    if (shards[split].tokens === 0)
      throw new UserError(
        `data set ${name}: expected at least one ${split} document; got none among ${count(train.tokens + validation.tokens)} tokens: give more text, or name it with --validation FILE`,
      );
}

/** Fills `folder` with both shards and meta.json. */
async function build(
  folder: string,
  name: string,
  request: () => Promise<DatasetMeta['request']>,
  limits: Limits,
  vocabulary: number,
  fill: (shards: Shards) => Promise<Description>,
): Promise<DatasetMeta> {
  const shards = Object.fromEntries(
    SPLITS.map((split) => [
      split,
      new TokenWriter(join(folder, SHARD_FILES[split]), limits[split], vocabulary),
    ]),
  ) as Shards;
  try {
    const description = await fill(shards);
    checkShards(name, shards, description.source);
    const meta: DatasetMeta = {
      ...description,
      request: await request(),
      ...(vocabulary !== VOCABULARY && { vocabulary }),
      train: shards.train.finish(),
      validation: shards.validation.finish(),
    };
    const path = join(folder, 'meta.json');
    // Trap: what makes the folder where it is gone would bring back one that another process has taken over and removed.
    writing(path, () => writeFileSync(path, `${JSON.stringify(meta, null, 2)}\n`, { flush: true }));
    return meta;
  } finally {
    for (const split of SPLITS) shards[split].close();
  }
}

/**
 * Makes a data set unless it was made from the same request before. An incomplete one is in another folder. `fill` adds GPT-2's ids; limits count those of the vocabulary.
 * @param requestOf what it is made from; asked for before `fill` only if there is a data set of this name
 * @param difference what a data set of this name was made from instead; null if it was made from the same
 */
export async function makeDataset(
  name: string,
  requestOf: () => DatasetMeta['request'] | Promise<DatasetMeta['request']>,
  limits: Limits,
  fill: (shards: Shards) => Promise<Description>,
  vocabulary = VOCABULARY,
  difference: (
    meta: DatasetMeta,
    request: DatasetMeta['request'],
  ) => string | null | Promise<string | null> = requestDifference,
): Promise<{ meta: DatasetMeta; made: boolean }> {
  checkName(name);
  const request = async () => ({ ...(await requestOf()), ...(vocabulary !== VOCABULARY && { vocabulary }) });
  const folder = datasetFolder(name);
  return locked(folder, `data set ${name}`, async (parts) => {
    if (existsSync(folder)) {
      const meta = readMeta(name);
      const other = await difference(meta, await request());
      if (other === null) return { meta, made: false };
      throw new UserError(
        `data set ${name}: expected no other of this name; ${other}: give another --name, or remove it with "npm run data -- remove ${name}" and make it again`,
      );
    }
    const aside = join(parts, name);
    writing(aside, () => mkdirSync(aside));
    const meta = await build(aside, name, request, limits, vocabulary, fill);
    writing(folder, () => renameFlushed(aside, folder));
    return { meta, made: true };
  });
}

/** The first setting in which two requests differ. */
export function requestDifference(
  { request: made }: DatasetMeta,
  request: DatasetMeta['request'],
): string | null {
  const names = [...new Set([...Object.keys(made), ...Object.keys(request)])];
  const field = names.find((name) => made[name] !== request[name]);
  if (field === undefined) return null;
  const value = (of: DatasetMeta['request']) => JSON.stringify(of[field] ?? 'none');
  return `there is one made with ${field} ${value(made)}, not ${value(request)}`;
}
