/** Texts compared word by word, by git, which needs no repository for it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../util/errors';

/** A piece of a text that both versions have, or one alone. */
export interface Piece {
  kind: 'same' | 'old' | 'new';
  text: string;
}

/** Changed lines with some around them, each line as its pieces. */
export type Hunk = Piece[][];

const KINDS = { ' ': 'same', '-': 'old', '+': 'new' } as const;
/** A word, or a single sign. */
const WORD = '[A-Za-z0-9_.]+|[^[:space:]]';

/** What `git diff --word-diff=porcelain` prints: a piece a line, `~` where a line of the text ends, `@@` before a hunk. */
function hunks(porcelain: string): Hunk[] {
  const found: Hunk[] = [];
  let line: Piece[] = [];
  for (const row of porcelain.split('\n').slice(0, -1)) {
    if (row.startsWith('@@')) found.push([]);
    else if (!found.length)
      continue; // Names of the files.
    else if (row === '~') {
      found.at(-1)!.push(line);
      line = [];
    } else if (row[0]! in KINDS) line.push({ kind: KINDS[row[0] as keyof typeof KINDS], text: row.slice(1) });
  }
  return found;
}

/** Where two texts differ; null is a text that is not there. */
export function differences(before: string | null, after: string | null): Hunk[] {
  if (before === after) return [];
  const folder = mkdtempSync(join(tmpdir(), 'differences-'));
  try {
    writeFileSync(join(folder, 'before'), before ?? '');
    writeFileSync(join(folder, 'after'), after ?? '');
    const flags = ['--no-index', '--no-ext-diff', '--no-color', '--unified=2', '--word-diff=porcelain'];
    const { status, stdout, error } = spawnSync(
      'git',
      ['diff', ...flags, `--word-diff-regex=${WORD}`, '--', 'before', 'after'],
      { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 30 },
    );
    if (status !== 0 && status !== 1)
      throw new UserError(
        `expected git to compare two texts; it did not: ${error?.message ?? `it ended with ${status}`}`,
      );
    return hunks(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lines that have something new, and lines that have lost something. */
export const lineCounts = (all: readonly Hunk[]): { added: number; removed: number } => {
  const having = (kind: Piece['kind']) =>
    all.flat().filter((line) => line.some((piece) => piece.kind === kind)).length;
  return { added: having('new'), removed: having('old') };
};
