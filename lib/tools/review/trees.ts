/** The project's notebooks, figures and records at two times: in the folder, and in a commit, read from git's objects alone. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';

export interface Tree {
  name: string;
  /** Where the files are; a commit has them among git's objects alone. */
  folder?: string;
  /** Paths below FOLDERS, each with git's id of its content. */
  files: ReadonlyMap<string, string>;
  /** Content of one of the files. */
  read(path: string): Buffer;
}

const FOLDERS = ['notebooks', 'figures', 'data/runs'];
const KINDS = /\.(ipynb|ts|json|png)$/;

export const notebookPath = (name: string): string => `notebooks/${name}.ipynb`;

/** Names of the files in one of the folders that end as given. */
export const namesIn = ({ files }: Tree, folder: string, ...endings: string[]): string[] => {
  const start = `${folder}/`;
  const found = [...files.keys()].flatMap((path) => {
    const ending = endings.find((end) => path.startsWith(start) && path.endsWith(end));
    return ending ? [path.slice(start.length, -ending.length)] : [];
  });
  return [...new Set(found)].sort();
};

const textIn = (tree: Tree, path: string): string | null =>
  tree.files.has(path) ? tree.read(path).toString('utf8') : null;

/** The text of a file in two trees; null where it is missing. */
export const texts = (base: Tree, head: Tree, path: string): [string | null, string | null] => [
  textIn(base, path),
  textIn(head, path),
];

/** Git's id of a content. */
const blobId = (content: Buffer): string =>
  createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');

export function workingTree(root = paths.root): Tree {
  const files = new Map<string, string>();
  for (const folder of FOLDERS)
    for (const name of existsSync(join(root, folder)) ? readdirSync(join(root, folder)).sort() : [])
      if (KINDS.test(name)) files.set(`${folder}/${name}`, blobId(readFileSync(join(root, folder, name))));
  return { name: 'the working tree', folder: root, files, read: (path) => readFileSync(join(root, path)) };
}

/** What git prints. A partial clone fetches nothing. Throws where git fails. */
function git(root: string, ...args: string[]): Buffer {
  const env = { ...process.env, GIT_NO_LAZY_FETCH: '1', GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  return execFileSync('git', args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 2 ** 30 });
}

/** What git prints, in one line; null where it fails. */
function answer(root: string, ...args: string[]): string | null {
  try {
    return git(root, ...args)
      .toString('utf8')
      .trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new UserError('expected git on PATH; found none; install it');
    return null;
  }
}

const commitOf = (root: string, name: string): string | null =>
  answer(root, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`);

function commitTree(root: string, commit: string, name: string): Tree {
  const files = new Map<string, string>();
  const listed = git(root, 'ls-tree', '-r', '-z', '--full-tree', commit, '--', ...FOLDERS).toString('utf8');
  for (const entry of listed.split('\0').filter(Boolean)) {
    const [, id, path] = /^\d+ blob (\w+)\t(.*)$/s.exec(entry) ?? [];
    if (id && KINDS.test(path!)) files.set(path!, id);
  }
  const read = (path: string): Buffer => {
    try {
      return git(root, 'cat-file', 'blob', files.get(path)!);
    } catch {
      throw new UserError(
        `${path} of ${name}: expected its content among git's objects; it is not here; run "git fetch --refetch", or clone without --filter`,
      );
    }
  };
  const [short, day] = answer(root, 'show', '-s', '--format=%h %cs', commit)!.split(' ');
  return { name: `${name === short ? '' : `${name}, `}${short} of ${day}`, files, read };
}

/**
 * What is compared: the last commit that `head` and `base` have in common, and `head` itself.
 * @param base a branch, tag or commit; without it `main`, here or on `origin`
 * @param head a commit; without it the working tree
 */
export function twoTrees(base?: string, head?: string, root = paths.root): { base: Tree; head: Tree } {
  const top = answer(root, 'rev-parse', '--show-toplevel');
  if (top === null || realpathSync(top) !== realpathSync(root))
    throw new UserError(
      `expected a clone of the project, with git's history; ${root} is none (a downloaded archive has no history); make one with "git clone"`,
    );
  const isShallow = answer(root, 'rev-parse', '--is-shallow-repository') === 'true';
  const deepen = isShallow ? 'this clone is shallow: run "git fetch --unshallow"' : 'run "git fetch"';
  const found = (names: string[], what: string): [name: string, commit: string] => {
    for (const name of names) {
      const commit = commitOf(root, name);
      if (commit) return [name, commit];
    }
    throw new UserError(
      `${what}: expected a branch, a tag or a commit; git knows no ${names.join(' and no ')}; ${deepen}, or name another`,
    );
  };
  const [baseName, baseCommit] = found(base === undefined ? ['main', 'origin/main'] : [base], 'BASE');
  const [headName, headCommit] = found([head ?? 'HEAD'], 'COMMIT');
  const common = answer(root, 'merge-base', baseCommit, headCommit);
  if (!common)
    throw new UserError(
      `expected a commit that ${baseName} and ${headName} have in common; there is none here; ${deepen}, or name another BASE`,
    );
  return {
    base: commitTree(root, common, common === baseCommit ? baseName : `merge base with ${baseName}`),
    head: head === undefined ? workingTree(root) : commitTree(root, headCommit, headName),
  };
}
