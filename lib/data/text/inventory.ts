/** Lists, verifies and removes data sets. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../util/errors';
import { sha256Of } from '../../util/files';
import { locked } from './make';
import { DOWNLOADS, downloading } from './openwebtext';
import {
  datasetFolder,
  datasetHash,
  datasetNames,
  openDataset,
  readMeta,
  SHARD_FILES,
  SPLITS,
  vocabularyOf,
  type DatasetMeta,
  type TokenFile,
} from './shards';

interface Entry {
  name: string;
  bytes: number;
  meta: DatasetMeta;
  sha256: string;
}
/** A data set whose `meta.json` cannot be read, and why. */
interface Damaged {
  name: string;
  bytes: number;
  fault: string;
}

function bytesBelow(folder: string): number {
  if (!existsSync(folder)) return 0;
  return (readdirSync(folder, { recursive: true }) as string[]).reduce(
    (sum, name) => sum + statSync(join(folder, name)).size,
    0,
  );
}

export const listDatasets = (): (Entry | Damaged)[] =>
  datasetNames().map((name) => {
    const bytes = bytesBelow(datasetFolder(name));
    try {
      const meta = readMeta(name);
      return { name, bytes, meta, sha256: datasetHash(meta) };
    } catch (error) {
      if (error instanceof UserError) return { name, bytes, fault: error.message };
      throw error;
    }
  });

export const downloadedBytes = (): number => bytesBelow(DOWNLOADS);

const BLOCK = 1 << 20;

function largestId(file: TokenFile): number {
  let largest = 0;
  for (let at = 0; at < file.tokens; at += BLOCK)
    for (const id of file.read(at, Math.min(BLOCK, file.tokens - at))) if (id > largest) largest = id;
  return largest;
}

/** Throws a UserError unless the files of a data set have the lengths and hashes of `meta.json` and valid ids. */
export async function verifyDataset(name: string): Promise<void> {
  const dataset = openDataset(name);
  try {
    for (const split of SPLITS) {
      const [file, expected] = [SHARD_FILES[split], dataset.meta[split].sha256];
      const found = await sha256Of(join(datasetFolder(name), file));
      const remedy = `it has changed; remove it with "npm run data -- remove ${name}" and make it again`;
      if (found !== expected)
        throw new UserError(
          `data set ${name}: expected SHA-256 ${expected} of ${file}; got ${found}: ${remedy}`,
        );
      const largest = largestId(dataset[split]);
      const vocabulary = vocabularyOf(dataset.meta);
      if (largest >= vocabulary)
        throw new UserError(
          `data set ${name}: expected ids below ${vocabulary} in ${file}; got ${largest}: ${remedy}`,
        );
    }
  } finally {
    for (const split of SPLITS) dataset[split].close();
  }
}

/** Removes a data set, or with "downloads" the downloaded files. @returns bytes freed */
export async function removeDataset(name: string): Promise<number> {
  const folder = name === 'downloads' ? DOWNLOADS : datasetFolder(name);
  if (name !== 'downloads') checkKnown(name);
  const work = async (): Promise<number> => {
    const bytes = bytesBelow(folder);
    rmSync(folder, { recursive: true, force: true });
    return bytes;
  };
  return name === 'downloads' ? downloading(work) : locked(folder, `data set ${name}`, work);
}

/** Throws a UserError unless there is a data set of this name. */
export function checkKnown(name: string): void {
  const known = datasetNames();
  if (!known.includes(name))
    throw new UserError(
      `data set: expected one of ${known.join(', ') || 'none, since none is made'}; got "${name}"`,
    );
}
