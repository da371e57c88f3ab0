/** Executes a notebook with Jupyter and turns it into a report; files are put in place only once all of them are made. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { childEnvironment } from '../setup/environment.cjs';
import { endAll, logged } from '../setup/processes.cjs';
import type { Tier } from '../../train/config';
import { UserError } from '../../util/errors';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import { METADATA, normalised, pairState, type PairState } from './pair';
import { readNotebook, verdictsOf, type Notebook } from '../../report/notebook-files';
import type { TrainingProgress } from '../../train/observer';
import type { Verdict } from '../../report/verdict';

/** Where results go: what git does not track to `reports`; to `notebooks` and `figures` only what is saved. */
export interface Places {
  notebooks: string;
  reports: string;
  figures: string;
  venv: string;
}

export interface Job {
  name: string;
  tier: Tier;
  seed: number;
  /** Whether the executed notebook and its figures replace those in `notebooks` and `figures`. */
  save: boolean;
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

/** Runs a program of the Python environment; its output is in the work folder too. */
function runPython(
  { venv }: Places,
  program: string,
  args: string[],
  folder: string,
  env = childEnvironment(),
): Promise<{ code: number; output: string }> {
  const path = join(venv, 'bin', program);
  if (!existsSync(path))
    throw new UserError(`expected ${path}, which set-up installs; found none; run "npm run doctor"`);
  return logged(path, args, { cwd: paths.root, env, log: join(folder, `${program}.log`) });
}

const withoutColours = (text: string): string => text.replace(/\u001b\[[0-9;]*m/g, '');

/** The failing cell in what nbconvert prints: 70 lines of Python, then source and message. */
export function cellError(name: string, errors: string): Error {
  const match =
    /An error occurred while executing the following cell:\n-{10,}\n([\s\S]*?)\n-{10,}\n([\s\S]*)/.exec(
      withoutColours(errors),
    );
  if (match) return new CellError(name, match[1]!, match[2]!.trim());
  if (/DeadKernelError/.test(errors))
    return new UserError(
      `${name}: expected the kernel to live; it died, perhaps of too little memory; run it with --tier smoke to see whether it works at all`,
    );
  const last = errors.trim().split('\n').slice(-3).join(' ');
  return new UserError(`${name}: expected Jupyter to execute it; it printed "${last}"; run "npm run doctor"`);
}

async function jupytext(
  places: Places,
  to: 'ipynb' | 'ts:percent',
  from: string,
  target: string,
): Promise<void> {
  const { code, output } = await runPython(
    places,
    'jupytext',
    ['--quiet', '--to', to, '--output', target, from],
    dirname(target),
  );
  if (code !== 0)
    throw new UserError(
      `${from}: expected a notebook that jupytext can turn into ${to}; it printed "${output.trim().split('\n').pop()}"`,
    );
}

/** Whether the .ts file of a pair is the one to execute. */
const tsCounts = (state: PairState): boolean => state === 'ts only' || state === 'ts newer';

/** The notebook to execute, made from the file that counts. */
async function prepare({ name, places }: Job, state: PairState, target: string): Promise<void> {
  const from = join(places.notebooks, name);
  if (tsCounts(state)) await jupytext(places, 'ipynb', `${from}.ts`, target);
  writeAtomically(
    target,
    JSON.stringify({ ...readNotebook(tsCounts(state) ? target : `${from}.ipynb`), metadata: METADATA }),
  );
}

/** The executed notebook and, if it is the older one, its pair, as they will be in `notebooks`: files in `folder`. */
async function cleaned(
  { name, places }: Job,
  notebook: Notebook,
  state: PairState,
  folder: string,
): Promise<string[]> {
  const clean = join(folder, 'clean');
  mkdirSync(clean);
  const ipynb = join(clean, `${name}.ipynb`);
  writeAtomically(ipynb, `${JSON.stringify(normalised(notebook), null, 1)}\n`);
  if (state === 'same' || tsCounts(state)) return [ipynb];
  const ts = join(clean, `${name}.ts`);
  await jupytext(places, 'ts:percent', ipynb, ts);
  return [ts, ipynb];
}

function progressIn(file: string): TrainingProgress | null {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as TrainingProgress;
  } catch {
    return null;
  }
}

async function executed(
  job: Job,
  folder: string,
  tell: (at: TrainingProgress | null) => void,
): Promise<string> {
  const [progress, target] = [join(folder, 'progress.json'), join(folder, 'executed.ipynb')];
  const environment = {
    ...childEnvironment(),
    TIER: job.tier,
    SEED: String(job.seed),
    FIGURES: join(folder, 'figures'),
    PROGRESS: progress,
  };
  const polling = setInterval(() => tell(progressIn(progress)), 500);
  try {
    const args = [
      '--to',
      'notebook',
      '--execute',
      '--ExecutePreprocessor.record_timing=False',
      '--ExecutePreprocessor.startup_timeout=300',
      '--output',
      target,
      join(folder, `${job.name}.ipynb`),
    ];
    const { code, output } = await runPython(job.places, 'jupyter-nbconvert', args, folder, environment);
    if (code !== 0) throw cellError(job.name, output);
  } finally {
    clearInterval(polling);
  }
  return target;
}

/** Executes one notebook: report and figures and, if asked for, the notebook itself are put in place at the end. */
export async function execute(
  job: Job,
  tell: (at: TrainingProgress | null) => void = () => {},
): Promise<Result> {
  const { name, places } = job;
  const startedAt = performance.now();
  const state = pairState(name, places.notebooks);
  mkdirSync(join(paths.cache, 'reproduce'), { recursive: true });
  const folder = mkdtempSync(join(paths.cache, 'reproduce', `${name}-`));
  workFolders.add(folder);
  try {
    await prepare(job, state, join(folder, `${name}.ipynb`));
    const target = await executed(job, folder, tell);
    const args = ['--to', 'html', '--template', 'report', '--output', `${name}.html`, target];
    const { code, output } = await runPython(places, 'jupyter-nbconvert', args, folder);
    if (code !== 0) throw cellError(name, output);
    const report = join(places.reports, `${name}.html`);
    const notebook = readNotebook(target);
    const pair = job.save ? await cleaned(job, notebook, state, folder) : [];
    mkdirSync(places.reports, { recursive: true });
    renameSync(join(folder, `${name}.html`), report);
    const figures = join(folder, 'figures');
    const targets = [join(places.reports, 'figures'), ...(job.save ? [places.figures] : [])];
    for (const file of existsSync(figures) ? readdirSync(figures) : [])
      for (const target of targets) writeAtomically(join(target, file), readFileSync(join(figures, file)));
    for (const file of pair) renameSync(file, join(places.notebooks, basename(file)));
    return {
      name,
      minutes: (performance.now() - startedAt) / 60_000,
      verdicts: verdictsOf(notebook),
      report,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    workFolders.delete(folder);
  }
}
