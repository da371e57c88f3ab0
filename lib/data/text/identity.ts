/** The files that a data set of text is made from, and its identity: their content, in their order, and the settings. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { UserError } from '../../util/errors';
import { sha256Of } from '../../util/files';
import { requestDifference, type Limits } from './make';
import { SPLITS, type DatasetMeta, type Split } from './shards';
import { few, inputFiles, isNamedValidation, type InputFile } from './sources';

export interface TextOptions {
  name: string;
  /** Folder or file. */
  from: string;
  /** Folder or file of validation documents. Default: the files of `from` that are named so; if none, `validationShare`. */
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
export const SHARE = 0.005;

export const described = (files: InputFile[]): string =>
  files.map(({ name, bytes }) => `${name} ${bytes}`).join(', ');

const orNull = (n: number): number | null => (Number.isFinite(n) ? n : null);

type Inputs = NonNullable<DatasetMeta['inputs']>;

/** Hashes are those of the bytes that were read; a file that was not read to its end is read for its hash. */
export class Sources {
  readonly train: InputFile[];
  readonly validation: InputFile[];
  private readonly hashes = new Map<InputFile, string>();

  constructor(
    private readonly options: TextOptions,
    private readonly onHashing: (bytes: number, bytesTotal: number) => void,
    private readonly onNotice: (text: string) => void,
  ) {
    const { from, validation } = options;
    const files = inputFiles('--from', from, onNotice);
    if (validation === undefined) {
      this.validation = files.filter(isNamedValidation);
      this.train = files.filter((file) => !isNamedValidation(file));
      if (this.validation.length)
        onNotice(`validation by name: ${few(this.validation.map(({ name }) => name))}`);
    } else {
      this.validation = inputFiles('--validation', validation, onNotice);
      const paths = new Set(this.validation.map(({ path }) => realpathSync(path)));
      this.train = files.filter(({ path }) => !paths.has(realpathSync(path)));
    }
    const forTests = this.train
      .map(({ name }) => name)
      .filter((name) => /^(test|dev|eval)(?![a-z])/i.test(basename(name)));
    if (forTests.length && forTests.length < this.train.length)
      onNotice(
        `training text too, though the name says otherwise: ${few(forTests)}; to keep it out, give a folder without it`,
      );
  }

  get all(): InputFile[] {
    return [...this.train, ...this.validation];
  }

  get bytes(): number {
    return this.all.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Notes the hash of a file that was read. */
  read(file: InputFile, sha256: string): void {
    if ((this.hashes.get(file) ?? sha256) !== sha256)
      throw new UserError(
        `${file.name}: expected it to stay as it is; it changed while it was read: run it again`,
      );
    this.hashes.set(file, sha256);
  }

  /** All files with their hashes. */
  async inputs(): Promise<Inputs> {
    const missing = this.all.filter((file) => !this.hashes.has(file));
    const bytesTotal = missing.reduce((sum, { bytes }) => sum + bytes, 0);
    let bytes = 0;
    for (const file of missing)
      this.read(file, await sha256Of(file.path, (read) => this.onHashing((bytes += read), bytesTotal)));
    return this.all.map((file) => ({ name: file.name, bytes: file.bytes, sha256: this.hashes.get(file)! }));
  }

  private contentHash(split: Split): string {
    const hash = createHash('sha256');
    for (const file of this[split]) hash.update(`${this.hashes.get(file)!}\n`);
    return hash.digest('hex');
  }

  /** What decides the ids. */
  async request(): Promise<DatasetMeta['request']> {
    await this.inputs();
    const { column, limits, validationShare } = this.options;
    return {
      train: this.contentHash('train'),
      column,
      tokens: orNull(limits.train),
      validationTokens: orNull(limits.validation),
      ...(this.validation.length
        ? { validation: this.contentHash('validation') }
        : { validationShare: validationShare ?? SHARE }),
    };
  }

  /** What a data set was made from instead of these; null if it was made from them. */
  async difference(meta: DatasetMeta, request: DatasetMeta['request']): Promise<string | null> {
    if ('train' in meta.request) {
      const sameContent = SPLITS.every((split) => meta.request[split] === request[split]);
      return (sameContent ? null : await this.changedSource(meta)) ?? requestDifference(meta, request);
    }
    const other = requestDifference(meta, this.byName(request));
    const { name } = this.options;
    if (other === null)
      this.onNotice(
        `data set ${name} was made before content was compared: names and sizes of its sources are the same, so it is used as it is; to be sure, remove it with "npm run data -- remove ${name}" and make it again`,
      );
    return other;
  }

  private async changedSource({ inputs = [] }: DatasetMeta): Promise<string | null> {
    const now = await this.inputs();
    const before = new Map(inputs.map(({ name, sha256 }) => [name, sha256]));
    for (const { name, sha256 } of now)
      if (before.get(name) !== sha256)
        return before.has(name) ? `${name} has changed since it was made` : `it was made without ${name}`;
    const gone = inputs.find(({ name }) => !now.some((file) => file.name === name));
    return gone ? `it was made with ${gone.name} too` : null;
  }

  /** A request as data sets have it that say names and sizes of their sources, not their hashes. */
  private byName({ train: _, validation: __, ...settings }: DatasetMeta['request']): DatasetMeta['request'] {
    const { column, tokens, validationTokens, ...rest } = settings;
    return {
      from: described(this.train),
      column: column!,
      tokens: tokens!,
      validationTokens: validationTokens!,
      ...(this.validation.length && { validation: described(this.validation) }),
      ...rest,
    };
  }
}
