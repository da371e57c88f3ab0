/** Files: atomic writes, hard links and hashes. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  createReadStream,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from './errors';

/** A file until it is complete, in a folder on the same disk. */
const asideOf = (path: string, folder = dirname(path)): string =>
  join(folder, `${basename(path)}.${process.pid}.part`);

/** The UserError for a full disk, a folder that is not writable, and the like. */
export const cannotWrite = (path: string, error: unknown): UserError =>
  new UserError(
    `${path}: expected to write it; ${(error as Error).message}: free the disk or make the folder writable and start again; ${existsSync(path) ? 'what was there before is intact' : 'there was none before'}`,
  );

/** Throws a UserError unless files can be put into a folder without a mix with others. */
export function checkEmpty(what: string, folder: string): void {
  if (!existsSync(folder)) return;
  const found = statSync(folder).isDirectory() ? readdirSync(folder)[0] : 'a file of that name';
  if (found !== undefined)
    throw new UserError(
      `${what}: expected a new or empty folder; ${folder} holds ${found}: choose another or empty it`,
    );
}

/** Waits until the disk has a file or the entries of a folder, so that they outlast a loss of power. */
function flush(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } catch (error) {
    // Some file systems cannot flush folders.
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    closeSync(file);
  }
}

/** Gives a complete file or folder its name, also on the disk. */
export function renameFlushed(aside: string, path: string): void {
  flush(aside);
  renameSync(aside, path);
  flush(dirname(path));
}

/**
 * Writes to a temporary file and renames it, so that a reader never sees half of it. Throws a UserError on failure.
 * @param folder of the temporary file; without it that of the file
 */
export function writeAtomically(path: string, content: string | Uint8Array, folder?: string): void {
  const aside = asideOf(path, folder);
  try {
    mkdirSync(dirname(path), { recursive: true });
    removeLeftovers(path);
    writeFileSync(aside, content);
    renameFlushed(aside, path);
  } catch (error) {
    if (existsSync(aside)) rmSync(aside);
    throw cannotWrite(path, error);
  }
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Removes temporary files of `path` that killed processes left. */
function removeLeftovers(path: string): void {
  const start = `${basename(path)}.`;
  for (const name of readdirSync(dirname(path))) {
    const pid = name.startsWith(start) ? /^(\d+)\.part$/.exec(name.slice(start.length))?.[1] : undefined;
    if (pid && !isRunning(Number(pid))) rmSync(join(dirname(path), name), { force: true });
  }
}

/**
 * As writeAtomically, a large file part by part: a kill at any moment leaves the old file intact.
 * @param patch called after the last part, for bytes that depend on all of them: what to write, and the offset in the file
 */
export async function writePartsAtomically(
  path: string,
  parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  patch?: () => [bytes: Uint8Array, at: number],
  folder?: string,
): Promise<void> {
  const aside = asideOf(path, folder);
  try {
    mkdirSync(dirname(path), { recursive: true });
    removeLeftovers(path);
    const file = openSync(aside, 'w');
    try {
      for await (const part of parts) for (let at = 0; at < part.length;) at += writeSync(file, part, at);
      if (patch) {
        const [bytes, at] = patch();
        writeSync(file, bytes, 0, bytes.length, at);
      }
    } finally {
      closeSync(file);
    }
    renameFlushed(aside, path);
  } catch (error) {
    if (existsSync(aside)) rmSync(aside);
    throw cannotWrite(path, error);
  }
}

/**
 * Gives a file a second name, replacing what had it; both are one file until the first is written again. A copy where the
 * file system has no hard links. Throws a UserError on failure.
 */
export function linkAtomically(path: string, second: string, folder?: string): void {
  const aside = asideOf(second, folder);
  rmSync(aside, { force: true });
  try {
    try {
      linkSync(path, aside);
    } catch {
      copyFileSync(path, aside);
    }
    renameFlushed(aside, second);
  } catch (error) {
    throw cannotWrite(second, error);
  } finally {
    // If both are already names of one file, renaming does nothing and leaves both.
    rmSync(aside, { force: true });
  }
}

const PIECE = 2 ** 22;

/** A file piece by piece, from an offset on. */
export function* piecesOf(path: string, from = 0): Generator<Buffer> {
  const file = openSync(path, 'r');
  try {
    for (let at = from; ;) {
      const piece = Buffer.allocUnsafe(PIECE);
      const length = readSync(file, piece, 0, PIECE, at);
      if (length === 0) return;
      yield piece.subarray(0, length);
      at += length;
    }
  } finally {
    closeSync(file);
  }
}

/** @param onBytes called with the number of bytes read since the last call */
export async function sha256Of(path: string, onBytes?: (bytes: number) => void): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk);
    onBytes?.(chunk.length);
  }
  return hash.digest('hex');
}
