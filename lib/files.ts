import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from './errors';

/** Writes beside the file and renames, so that a reader never sees half of it. Throws a UserError where it cannot. */
export function writeAtomically(path: string, content: string | Uint8Array): void {
  const aside = `${path}.${process.pid}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(aside, content);
    renameSync(aside, path);
  } catch (error) {
    if (existsSync(aside)) rmSync(aside);
    throw new UserError(`expected to write ${path}; ${(error as Error).message}: free the disk or make the folder writable and start again; what was there before is whole`);
  }
}

/**
 * Writes a large file part by part beside `path`, syncs it and renames: a kill at any moment leaves what was there whole.
 * Throws the system's own error, so that the caller can say what it was that could not be written.
 */
export async function writePartsAtomically(path: string, parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
  const aside = `${path}.${process.pid}.part`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(aside, 'w');
    try {
      for await (const part of parts) for (let at = 0; at < part.length; ) at += writeSync(file, part, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (error) {
    if (existsSync(aside)) rmSync(aside);
    throw error;
  }
}
