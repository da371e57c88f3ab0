/** What a notebook computes itself, without a run's record: its values are committed too, so that its answer comes before anything is computed. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { paths } from '../util/paths';

const pathOf = (name: string, folder: string): string => join(folder, `${name}.json`);

/** Values in data/measures/NAME.json. */
export function committedMeasure<T>(name: string, folder: string = paths.measures): T {
  const path = pathOf(name, folder);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch (error) {
    throw new UserError(
      `measure ${path}: expected JSON; ${(error as Error).message}; restore it with "git checkout", or delete it and execute its notebook (of lines: "npm run data -- runs")`,
    );
  }
}

export const isKept = (name: string, folder: string = paths.measures): boolean =>
  existsSync(pathOf(name, folder));

export const keepMeasure = (name: string, values: unknown, folder: string = paths.measures): void =>
  writeAtomically(pathOf(name, folder), `${JSON.stringify(values, null, 1)}\n`);

/** The same; where there is no file the values are computed and written, to be committed. To compute them again, delete the file. */
export async function keptMeasure<T>(
  name: string,
  compute: () => T | Promise<T>,
  folder: string = paths.measures,
): Promise<T> {
  if (!isKept(name, folder)) keepMeasure(name, await compute(), folder);
  return committedMeasure(name, folder);
}
