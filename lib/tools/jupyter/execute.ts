/** Executes notebooks with Jupyter and turns them into reports; files are put in place only once all of them are made. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { childEnvironment } from '../setup/environment.cjs';
import { endAll, logged } from '../setup/processes.cjs';
import type { Tier } from '../../train/config';
import { UserError } from '../../util/errors';
import { isRunning, writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import { notebookNames, readNotebook, verdictsOf } from '../../report/notebook-files';
import type { TrainingProgress } from '../../train/observer';
import type { Verdict } from '../../report/verdict';
import { linkedReport, writeIndex } from './collection';

/** Where results go: what git does not track to `reports`; to `notebooks` and `figures` only what is saved. */
export interface Places {
  notebooks: string;
  reports: string;
  figures: string;
  venv: string;
  /** What cells read and no notebook holds: where one of these changes, outputs have to be made again. */
  inputs?: readonly string[];
}

/** The files of a pair, by their ends: which one counts where their cells differ. */
export const PAIR_FILES = ['ts', 'ipynb'] as const;
type PairFile = (typeof PAIR_FILES)[number];

export interface Job {
  name: string;
  tier: Tier;
  seed: number;
  /** Whether the executed notebook and its figures replace those in `notebooks` and `figures`. */
  save: boolean;
  /** Decided by the caller; without it content and git decide. */
  from?: PairFile | null;
  /** Whether the outputs stay as they are, and nothing is executed. */
  keep?: boolean;
  places: Places;
}

export interface Result {
  name: string;
  minutes: number;
  verdicts: Verdict[];
  report: string;
}

/** A cell failed: its source and its error. */
export class CellError extends Error {
  constructor(
    readonly notebook: string,
    readonly source: string,
    readonly output: string,
  ) {
    super(`${notebook}: a cell failed\n\n${source.replace(/^/gm, '  | ')}\n\n${output}`);
    this.name = 'CellError';
  }
}

const workFolders = new Set<string>();

/** Ends Jupyter's processes (their kernels end with them) and removes what is half done. */
export function abandon(): void {
  endAll('SIGKILL');
  for (const folder of workFolders) rmSync(folder, { recursive: true, force: true });
}

/** A folder for files that are not complete yet, removed when `work` ends. */
async function inWorkFolder<T>(name: string, work: (folder: string) => Promise<T>): Promise<T> {
  const all = join(paths.cache, 'reproduce');
  mkdirSync(all, { recursive: true });
  // Of commands that were killed.
  for (const left of readdirSync(all)) {
    const pid = Number(/-(\d+)-\w+$/.exec(left)?.[1]);
    if (pid && !isRunning(pid)) rmSync(join(all, left), { recursive: true, force: true });
  }
  const folder = mkdtempSync(join(all, `${name}-${process.pid}-`));
  workFolders.add(folder);
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    workFolders.delete(folder);
  }
}

const withoutColours = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, '');

/** What execute.py answers about a notebook that it could not execute. */
interface Failure {
  cell?: string;
  output?: string;
  error?: string;
}

export function failureOf(name: string, { cell, output, error }: Failure): Error | undefined {
  if (cell !== undefined) return new CellError(name, cell, withoutColours(output ?? '').trim());
  return error === undefined ? undefined : new UserError(error);
}

const INPUTS = ['lib', join('data', 'runs'), 'package-lock.json'].map((name) => join(paths.root, name));

/** Gives a job to execute.py. */
async function python<T>(job: object, places: Places, folder: string, env = childEnvironment()): Promise<T> {
  const { venv, notebooks, reports, inputs = INPUTS } = places;
  const program = join(venv, 'bin', 'python');
  if (!existsSync(program))
    throw new UserError(`expected ${program}, which set-up installs; found none; run "npm run doctor"`);
  const [file, answer] = [join(folder, 'job.json'), join(folder, 'answer.json')];
  const shared = { folder, root: paths.root, notebooks, inputs, stamps: join(reports, '.saved') };
  writeFileSync(file, JSON.stringify({ ...shared, ...job }));
  const args = [join(__dirname, 'execute.py'), file];
  const { output } = await logged(program, args, { cwd: paths.root, env, log: join(folder, 'python.log') });
  if (existsSync(answer)) return JSON.parse(readFileSync(answer, 'utf8')) as T;
  const last = output.trim().split('\n').slice(-3).join(' ');
  throw new UserError(`expected Jupyter to work; it printed "${last}"; run "npm run doctor"`);
}

/** What is done with a notebook: what counts of its pair, and why; or why nothing can be done. */
export interface Plan {
  name: string;
  counts?: PairFile | null;
  note?: string | null;
  keep?: boolean;
  error?: string;
}

/** Compares the pairs of notebooks. @param options.execute even where only Markdown has changed */
export const planned = (
  names: readonly string[],
  options: Omit<Job, 'name' | 'keep'> & { execute: boolean },
): Promise<Plan[]> =>
  inWorkFolder('plan', (folder) => {
    const { places, from = null, ...rest } = options;
    return python<Plan[]>({ ...rest, names, from }, places, folder);
  });

function progressIn(file: string): TrainingProgress | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TrainingProgress;
  } catch {
    return null;
  }
}

/** The last front page: one after the other, so that none is written over by an older one. */
let indexed: Promise<unknown> = Promise.resolve();

/** Executes one notebook: report and figures and, if asked for, the notebook itself are put in place at the end. */
export const execute = (job: Job, tell: (at: TrainingProgress | null) => void = () => {}): Promise<Result> =>
  inWorkFolder(job.name, async (folder) => {
    const { name, tier, seed, save, from = null, keep = false, places } = job;
    const startedAt = performance.now();
    const pair = PAIR_FILES.map((end) => join(places.notebooks, `${name}.${end}`));
    const contents = () => pair.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
    const before = contents();
    const [progress, figures] = [join(folder, 'progress.json'), join(folder, 'figures')];
    const env = {
      ...childEnvironment(),
      TIER: tier,
      SEED: String(seed),
      FIGURES: figures,
      PROGRESS: progress,
    };
    const polling = setInterval(() => tell(progressIn(progress)), 500);
    try {
      const request = { name, tier, seed, save, from, keep };
      const failure = failureOf(name, await python<Failure>(request, places, folder, env));
      if (failure) throw failure;
    } finally {
      clearInterval(polling);
    }
    for (const [i, content] of contents().entries())
      if (save && content !== before[i])
        throw new UserError(
          `${pair[i]}: expected it as it was when the execution began; it has been edited since and is left as it is; run it again`,
        );
    const made = (file: string) => readFileSync(join(folder, file));
    const report = join(places.reports, `${name}.html`);
    const notebook = readNotebook(join(folder, `${name}.ipynb`));
    const minutes = (performance.now() - startedAt) / 60_000;
    const html = made(`${name}.html`).toString('utf8');
    const names = notebookNames(places.notebooks);
    writeAtomically(report, await linkedReport(html, name, notebook, { tier, seed, minutes }, names));
    const targets = [join(places.reports, 'figures'), ...(save ? [places.figures] : [])];
    for (const file of existsSync(figures) ? readdirSync(figures) : [])
      for (const target of targets) writeAtomically(join(target, file), made(join('figures', file)));
    if (save) for (const file of pair) writeAtomically(file, made(basename(file)));
    await (indexed = indexed.then(() => writeIndex(places.reports, places.notebooks)));
    return { name, minutes, verdicts: verdictsOf(notebook), report };
  });
