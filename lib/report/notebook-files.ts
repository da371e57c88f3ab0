/** The notebooks' .ipynb files: their names, their cells with outputs, and the verdicts that they show. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { UserError } from '../util/errors';
import { paths } from '../util/paths';
import { VERDICT_MIME, type Verdict } from './verdict';

export interface Output {
  output_type: string;
  data?: Record<string, unknown>;
  text?: string | string[];
}

export interface Cell {
  cell_type: 'code' | 'markdown' | 'raw';
  source: string | string[];
  id?: string;
  metadata: Record<string, unknown>;
  execution_count?: number | null;
  outputs?: Output[];
}

export interface Notebook {
  cells: Cell[];
  metadata: Record<string, unknown>;
  nbformat: number;
  nbformat_minor: number;
}

export const textOf = (lines: string | string[]): string => (Array.isArray(lines) ? lines.join('') : lines);

/** Names NN-name of all notebooks in a folder, in order. */
export function notebookNames(folder: string = paths.notebooks): string[] {
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => /\.(ipynb|ts)$/.test(file))
        .map((file) => file.replace(/\.(ipynb|ts)$/, ''))
    : [];
  return [...new Set(names)].sort();
}

/** @param path what a message calls it */
export function parseNotebook(text: string, path: string): Notebook {
  let notebook: Notebook;
  try {
    notebook = JSON.parse(text) as Notebook;
  } catch (error) {
    throw new UserError(
      `notebook ${path}: expected JSON; ${(error as Error).message}; restore it with "git checkout"`,
    );
  }
  if (!Array.isArray(notebook?.cells))
    throw new UserError(`notebook ${path}: expected cells; got none; restore it with "git checkout"`);
  return notebook;
}

export const readNotebook = (path: string): Notebook => parseNotebook(readFileSync(path, 'utf8'), path);

/** Verdicts in the outputs of an executed notebook. */
export const verdictsOf = ({ cells }: Notebook): Verdict[] =>
  cells
    .flatMap((cell) => cell.outputs ?? [])
    .flatMap((output) => (output.data?.[VERDICT_MIME] ?? []) as Verdict | Verdict[]);

/** The first heading of a notebook. */
export const titleOf = ({ cells }: Notebook): string =>
  /^# (.*)$/m.exec(cells.map(({ source }) => textOf(source)).join('\n'))?.[1] ?? '';
