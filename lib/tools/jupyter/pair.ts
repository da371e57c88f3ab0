/** Notebook files: a pair of .ipynb (with outputs) and .ts in jupytext's percent format, which hold the same cells. */
import { basename } from 'node:path';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { textOf, type Notebook } from '../../report/notebook-files';

/**
 * Notebooks that `words` mean: a number (04), a whole name, or a name's part from a hyphen on (question-formation).
 * All of them for no word.
 */
export function selectNotebooks(words: readonly string[], names: readonly string[]): string[] {
  if (!names.length)
    throw new UserError(
      `expected notebooks in ${paths.notebooks}; found none; restore them with "git checkout notebooks"`,
    );
  const chosen = words.flatMap((word) => {
    const wanted = basename(word).replace(/\.(ipynb|ts)$/, '');
    const exact = names.filter((name) => name === wanted || name.split('-')[0] === wanted);
    const found = exact.length ? exact : names.filter((name) => name.replace(/^\d+-/, '').startsWith(wanted));
    if (!wanted || !found.length)
      throw new UserError(
        `notebook: expected one of ${names.join(', ')}, or its number or the start of its name; got "${word}"`,
      );
    return found;
  });
  return words.length ? names.filter((name) => chosen.includes(name)) : [...names];
}

export interface SourceCell {
  kind: 'code' | 'markdown';
  source: string;
}

/** Cells of a notebook without their outputs. */
export const sourceCells = ({ cells }: Notebook): SourceCell[] =>
  cells
    .filter((cell) => cell.cell_type !== 'raw')
    .map((cell) => ({ kind: cell.cell_type as SourceCell['kind'], source: textOf(cell.source).trim() }));

/** Cells of a file in percent format: `// %%` begins a code cell, `// %% [markdown]` text, whose lines are comments. */
export function percentCells(text: string): SourceCell[] {
  const body = text.replace(/^\/\/ ---\n[\s\S]*?\n\/\/ ---\n/, '');
  return body
    .split(/^(?=\/\/ %%)/m)
    .filter((part) => part.trim())
    .map((part) => {
      const [head = '', ...lines] = part.startsWith('// %%')
        ? part.split('\n')
        : ['// %%', ...part.split('\n')];
      const markdown = head.includes('[markdown]');
      return {
        kind: markdown ? 'markdown' : 'code',
        source: lines
          .map((line) => (markdown ? line.replace(/^\/\/ ?/, '') : line))
          .join('\n')
          .trim(),
      };
    });
}
