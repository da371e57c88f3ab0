/** What is wrong with the notebooks, figures and records of a tree, one line each. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isListed } from '../../experiments/index';
import {
  parseNotebook,
  textOf,
  verdictsOf,
  type Cell,
  type Notebook,
  type Output,
} from '../../report/notebook-files';
import { readRecord, type RunRecord } from '../../train/record';
import { writeAtomically } from '../../util/files';
import { megabytes } from '../../util/format';
import { paths } from '../../util/paths';
import { percentCells, sourceCells } from '../jupyter/pair';
import { drawn, figurePaths } from './pixels';
import { namesIn, notebookPath, type Tree } from './trees';
import { verdictFaultsApart, type Stored } from './verdicts';

export interface Fault {
  /** Path of the file. */
  where: string;
  what: string;
}

const MOST_BYTES = 1_000_000;
const CONFLICT = /^(<<<<<<<|>>>>>>>) /m;
/** Folders of people's machines; in an address on the web a letter or a colon comes before. */
const MACHINE_PATH =
  /(?<![\w.:/~-])(?:\/(?:home|Users|root|tmp|mnt|scratch)\/[\w.-]+|[A-Z]:\\\\?Users\\\\?[\w.-]+)/;

/** Text of an output, without images and figures. */
const outputText = ({ text, data = {} }: Output): string =>
  [
    text ?? [],
    ...Object.entries(data).flatMap(([type, content]) => (type.startsWith('text/') ? [content] : [])),
  ]
    .map((lines) => textOf(lines as string | string[]))
    .join('\n');

/** A path of a machine in an output, this one's project folder too. */
function machinePath(text: string): string | undefined {
  const own = [paths.root, homedir()].find((folder) => folder.length > 1 && text.includes(`${folder}/`));
  return own ?? MACHINE_PATH.exec(text)?.[0];
}

/** Whether the notebook says (pair.py) that its outputs were made from its code. */
function staleFault({ metadata, cells }: Notebook): string[] {
  const code = cells.filter(({ cell_type }) => cell_type === 'code').map(({ source }) => textOf(source));
  const madeFrom = (metadata.memorization as { code?: string } | undefined)?.code;
  return madeFrom === createHash('sha256').update(code.join('\0')).digest('hex')
    ? []
    : [
        `its outputs ${madeFrom ? 'were made from other code' : 'do not say which code they were made from'}: run "npm run reproduce" with --save`,
      ];
}

/** Of a notebook that can be read. */
function cellFaults(cells: readonly Cell[]): string[] {
  const code = cells.filter(({ cell_type }) => cell_type === 'code');
  const numbers = code.map(({ execution_count }) => execution_count ?? 0);
  const outputs = cells.flatMap(({ outputs = [] }, i) => outputs.map((output) => ({ output, cell: i + 1 })));
  const inOrder = numbers.every((number, i) => number === i + 1);
  const failed = outputs.find(({ output }) => output.output_type === 'error');
  const leak = outputs
    .map(({ output, cell }) => ({ path: machinePath(outputText(output)), cell }))
    .find(({ path }) => path);
  return [
    ...(inOrder
      ? []
      : [
          `its code cells were not executed once from top to bottom: they are numbered ${numbers.join(', ')}`,
        ]),
    ...(failed ? [`the output of cell ${failed.cell} is an error`] : []),
    ...(leak ? [`the output of cell ${leak.cell} names a folder of a machine, ${leak.path}`] : []),
  ];
}

function pairFault(notebook: Notebook, ts: string): string[] {
  const [ours, theirs] = [sourceCells(notebook), percentCells(ts)];
  const at = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, i) => i).find(
    (i) => JSON.stringify(ours[i]) !== JSON.stringify(theirs[i]),
  );
  return at === undefined ? [] : [`its .ts differs from it in cell ${at + 1}`];
}

function notebookFaults(tree: Tree, name: string): { faults: string[]; notebook?: Notebook } {
  const [ipynb, ts] = [notebookPath(name), `notebooks/${name}.ts`];
  if (!tree.files.has(ipynb)) return { faults: ['it has no .ipynb'] };
  const content = tree.read(ipynb);
  const source = tree.files.has(ts) ? tree.read(ts).toString('utf8') : undefined;
  if ([content.toString('utf8'), source ?? ''].some((text) => CONFLICT.test(text)))
    return { faults: ['it has the marks of a merge conflict'] };
  let notebook: Notebook;
  try {
    notebook = parseNotebook(content.toString('utf8'), ipynb);
  } catch (error) {
    return { faults: [(error as Error).message.replace(`notebook ${ipynb}: `, '')] };
  }
  const kernel = (notebook.metadata?.kernelspec as { name?: string } | undefined)?.name;
  const faults = [
    ...(kernel === 'tslab' ? [] : [`expected the kernel tslab; got ${kernel ?? 'none'}`]),
    ...(source === undefined ? ['it has no .ts'] : pairFault(notebook, source)),
    ...cellFaults(notebook.cells),
    ...staleFault(notebook),
    ...(content.length > MOST_BYTES
      ? [`it has ${megabytes(content.length, 2)}; at most ${megabytes(MOST_BYTES, 0)}`]
      : []),
  ];
  return { faults, notebook };
}

/** @param shown PNGs, as base64, in the outputs of the notebooks; null where some notebook cannot be read */
async function figureFaults(
  tree: Tree,
  name: string,
  shown: Set<string> | null,
  base?: Tree,
): Promise<string[]> {
  const [json, png] = figurePaths(name);
  if (!tree.files.has(json)) return ['a PNG without its JSON'];
  if (!tree.files.has(png)) return ['a JSON without its PNG'];
  const committed = tree.read(png);
  const isOld = [json, png].every((path) => base?.files.get(path) === tree.files.get(path));
  try {
    if (!isOld && !(await drawn(tree.read(json), committed)).equals(committed))
      return ['the PNG is not what its JSON draws'];
  } catch (error) {
    return [`expected the JSON of a figure and its PNG; ${(error as Error).message.split('\n')[0]}`];
  }
  return shown === null || shown.has(committed.toString('base64'))
    ? []
    : ['no notebook shows it: it is of another execution than the outputs'];
}

/** @param gone records that the other tree has and this one has not */
function recordFaults({ folder = '', files }: Tree, gone: readonly RunRecord[]): Fault[] {
  const damaged = [...files.keys()]
    .filter((path) => path.startsWith('data/runs/'))
    .flatMap((where) => {
      try {
        readRecord(join(folder, where));
        return [];
      } catch (error) {
        return [{ where, what: (error as Error).message.replace(/^record \S+: /, '') }];
      }
    });
  const missing = gone
    .filter(({ config }) => isListed(config))
    .map(({ id }) => ({
      where: `data/runs/${id}.json`,
      what: 'the record is missing, and a list of its experiment names its run',
    }));
  return [...damaged, ...missing];
}

/** Hash of all that verdicts are computed with, besides what the notebooks show: the code below the tools, measures and records. */
function sourcesHash({ files }: Tree): string {
  const hash = createHash('sha256');
  const lib = join(paths.root, 'lib');
  for (const file of (readdirSync(lib, { recursive: true }) as string[]).sort())
    if (/\.(ts|cjs)$/.test(file) && !/^tools\/(?!review\/verdicts)/.test(file))
      hash.update(file).update(readFileSync(join(lib, file)));
  for (const file of readdirSync(paths.measures).sort())
    hash.update(readFileSync(join(paths.measures, file)));
  for (const [path, id] of files) if (path.startsWith('data/runs/')) hash.update(id);
  return hash.digest('hex');
}

/** `verdictFaults` of all notebooks; kept in .cache as long as code, records and verdicts are the same. */
async function keptVerdictFaults(tree: Tree, stored: Stored): Promise<Record<string, string[]>> {
  const hash = createHash('sha256').update(sourcesHash(tree)).update(JSON.stringify(stored)).digest('hex');
  const kept = join(paths.cache, 'review', `${hash}.json`);
  if (existsSync(kept)) return JSON.parse(readFileSync(kept, 'utf8')) as Record<string, string[]>;
  const lines = await verdictFaultsApart(stored);
  writeAtomically(kept, JSON.stringify(lines));
  return lines;
}

/**
 * All that is wrong with a tree. Records are read, verdicts computed and PNGs drawn in the working tree alone: those of a
 * commit belong to its own code.
 * @param options.gone records that the tree it is compared with has and it has not
 * @param options.base that tree: figures that are the same there are not drawn again, since its own review did that
 */
export async function faultsOf(
  tree: Tree,
  { gone = [], base, verdicts = true }: { gone?: readonly RunRecord[]; base?: Tree; verdicts?: boolean } = {},
): Promise<Fault[]> {
  const names = namesIn(tree, 'notebooks', '.ipynb', '.ts');
  const notebooks = names.map((name) => ({ name, ...notebookFaults(tree, name) }));
  const found: Fault[] = notebooks.flatMap(({ name, faults }) =>
    faults.map((what) => ({ where: notebookPath(name), what })),
  );
  if (tree.folder === undefined) return found;

  const readable = notebooks.flatMap(({ name, notebook }) => (notebook ? [{ name, notebook }] : []));
  const stored = Object.fromEntries(readable.map(({ name, notebook }) => [name, verdictsOf(notebook)]));
  const computing = verdicts ? keptVerdictFaults(tree, stored) : Promise.resolve({});
  const images = readable.flatMap(({ notebook }) =>
    notebook.cells.flatMap(({ outputs = [] }) =>
      outputs.flatMap(({ data }) => (data?.['image/png'] as string | string[] | undefined) ?? []),
    ),
  );
  const shown =
    readable.length === names.length
      ? new Set(images.map((image) => textOf(image).replace(/\s/g, '')))
      : null;
  for (const name of namesIn(tree, 'figures', '.json', '.png'))
    for (const what of await figureFaults(tree, name, shown, base))
      found.push({ where: `figures/${name}.png`, what });
  for (const [name, lines] of Object.entries((await computing) as Record<string, string[]>))
    for (const what of lines) found.push({ where: notebookPath(name), what });
  return [...found, ...recordFaults(tree, gone)];
}
