/** OpenWebText (Gokaslan and Cohen 2019), as published in Parquet on Hugging Face. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../util/errors';
import { sha256Of } from '../../util/files';
import { paths } from '../../util/paths';
import { jobsOf } from './documents';
import { download, type DownloadOptions } from './download';
import { locked, makeDataset, type Limits } from './make';
import type { DatasetMeta } from './shards';
import { fill, type OnProgress } from './text';
import type { TokeniseJob } from './tokenise';

const REVISION = '79d93d786212f7344586290adb811d4ae6a1762c';

/** The published files; the first alone has about 113M tokens in 100,173 documents. */
export const OPENWEBTEXT = {
  repository: 'Skylion007/openwebtext',
  revision: REVISION,
  baseUrl: `https://huggingface.co/datasets/Skylion007/openwebtext/resolve/${REVISION}/plain_text`,
  files: 80,
  /** Size and hash of the first file; the server reports those of the others. */
  first: {
    bytes: 302_848_326,
    sha256: 'caed9f4b7053d7cd4d1a13ce9ec9224d84a3bba1f11579193562a7e31ebe656e',
  } as { bytes?: number; sha256?: string },
};
export type Published = typeof OPENWEBTEXT;

/** One document in 200: half a million tokens of the first file, which suffices for 90M training tokens. */
const VALIDATION_SHARE = 0.005;

export interface OpenWebTextOptions {
  name: string;
  limits: Limits;
  baseUrl?: string;
  /** Folder with files that were downloaded before. */
  from?: string;
}

interface Callbacks {
  onProgress: OnProgress;
  onDownload(file: string, bytes: number, bytesTotal: number | null): void;
  onRetry: DownloadOptions['onRetry'];
}

export const DOWNLOADS = join(paths.local, 'downloads');
/** Runs `work` while no other process downloads. */
export const downloading = <T>(work: () => Promise<T>): Promise<T> => locked(DOWNLOADS, 'downloads', work);

interface Shard {
  name: string;
  path: string;
  bytes: number;
  sha256: string;
}

const shardName = (i: number, files: number): string =>
  `train-${String(i).padStart(5, '0')}-of-${String(files).padStart(5, '0')}.parquet`;

async function localShard(from: string, i: number, published: Published): Promise<Shard> {
  const name = shardName(i, published.files);
  const path = join(from, name);
  if (!existsSync(path))
    throw new UserError(
      `--from: expected ${name} in ${from}; it is not there: ${i ? `the ${i} before it hold too few tokens; ask for fewer or ` : ''}download it from ${published.baseUrl}`,
    );
  const sha256 = await sha256Of(path);
  const expected = i === 0 ? published.first.sha256 : undefined;
  if (expected && sha256 !== expected)
    throw new UserError(
      `${path}: expected SHA-256 ${expected}; got ${sha256}: it was cut off or damaged; download it again`,
    );
  return { name, path, bytes: statSync(path).size, sha256 };
}

async function remoteShard(
  baseUrl: string,
  i: number,
  published: Published,
  { onDownload, onRetry }: Callbacks,
  waitSeconds?: readonly number[],
): Promise<Shard> {
  const name = shardName(i, published.files);
  const path = join(DOWNLOADS, published.repository.replace('/', '-'), published.revision, name);
  const source = {
    url: `${baseUrl.replace(/\/+$/, '')}/${name}`,
    path,
    magic: 'PAR1',
    ...(i === 0 && published.first),
  };
  const sha256 = await download(source, {
    onProgress: (bytes, total) => onDownload(name, bytes, total),
    onRetry,
    waitSeconds,
  });
  return { name, path, bytes: statSync(path).size, sha256 };
}

/**
 * Makes a data set of the first training tokens in document order. Validation is chosen by document hash (`splitOf`), so
 * that data sets of all sizes share it and none trains on it.
 */
export function makeOpenWebText(
  { name, limits, baseUrl, from }: OpenWebTextOptions,
  callbacks: Callbacks,
  published: Published = OPENWEBTEXT,
  waitSeconds?: readonly number[],
): Promise<{ meta: DatasetMeta; made: boolean }> {
  const rule = { validationShare: VALIDATION_SHARE };
  const request = {
    ...rule,
    revision: published.revision,
    tokens: Number.isFinite(limits.train) ? limits.train : null,
    validationTokens: limits.validation,
  };
  return makeDataset(
    name,
    () => request,
    limits,
    async (shards) => {
      const used: Shard[] = [];
      let bytes = 0;
      const tell = (): void =>
        callbacks.onProgress({
          bytes,
          bytesTotal: published.files * used[0]!.bytes,
          tokens: shards.train.tokens,
          tokensTotal: limits.train,
        });
      async function* jobs(): AsyncGenerator<TokeniseJob | null, void, undefined> {
        for (let i = 0; i < published.files; i++) {
          const shard = await (from === undefined
            ? downloading(() =>
                remoteShard(baseUrl ?? published.baseUrl, i, published, callbacks, waitSeconds),
              )
            : localShard(from, i, published));
          used.push(shard);
          const onBytes = (n: number) => {
            bytes += n;
          };
          const reading = { onBytes, onNotice: () => undefined };
          for await (const job of jobsOf([{ ...shard, format: 'parquet' }], 'text', rule, reading))
            yield job.kind === 'rows' ? { ...job, isPublished: true } : job;
          // Waits for the tokens of this file: the next one is fetched only if they are too few.
          yield null;
        }
      }
      await fill(jobs(), rule, shards, ['train', 'validation'], tell);
      return {
        kind: 'openwebtext',
        source: published.repository,
        revision: published.revision,
        leftOut: 0,
        inputs: used.map((shard) => ({ name: shard.name, bytes: shard.bytes, sha256: shard.sha256 })),
      };
    },
  );
}
