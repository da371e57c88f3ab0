import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
