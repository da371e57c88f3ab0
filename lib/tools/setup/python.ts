/** Python's half of set-up: a .venv with JupyterLab and the wheel that holds TensorFlow's C library. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { childEnvironment, sitePackages } from './environment';
import { failureLine, logged } from './processes.cjs';
import { readJson, writeJson } from './state.cjs';

const OLDEST = [3, 10] as const;
/** TensorFlow 2.21 has wheels up to this Python. */
const NEWEST_WITH_WHEEL = 13;

export interface Python {
  program: string;
  version: string;
  hasVenv: boolean;
}

const minor = (version: string): number => Number(version.split('.')[1]);
const isNewEnough = ({ version }: Python): boolean =>
  Number(version.split('.')[0]) === OLDEST[0] && minor(version) >= OLDEST[1];

function inspect(program: string): Python | null {
  const script =
    'import sys\ntry:\n import venv, ensurepip; ok = 1\nexcept ImportError: ok = 0\nprint("%d.%d.%d" % sys.version_info[:3], ok)';
  try {
    const [version, ok] = execFileSync(program, ['-c', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
      .trim()
      .split(' ');
    return { program, version: version!, hasVenv: ok === '1' };
  } catch {
    return null;
  }
}

/** The best of the Pythons found: one that TensorFlow has a wheel for, else one that Jupyter runs on; or a UserError. `lookedFor` names what came where none was found. */
export function choosePython(found: Python[], lookedFor = 'none on PATH'): Python {
  const usable = found.filter((python) => isNewEnough(python) && python.hasVenv);
  const best = usable.find(({ version }) => minor(version) <= NEWEST_WITH_WHEEL) ?? usable[0];
  if (best) return best;
  const wanted = `Python: expected ${OLDEST.join('.')} or newer with its venv module`;
  const todo =
    'install Python 3.12 (Debian, Ubuntu: apt install python3 python3-venv), then run the same command again';
  const withoutVenv = found.find(isNewEnough);
  if (withoutVenv)
    throw new UserError(`${wanted}; ${withoutVenv.program} ${withoutVenv.version} lacks venv; ${todo}`);
  if (found[0]) throw new UserError(`${wanted}; ${found[0].program} is ${found[0].version}; ${todo}`);
  throw new UserError(`${wanted}; found ${lookedFor}; ${todo}`);
}

/** Python to make .venv with: the variable PYTHON names one, else those on PATH. */
export function findPython(): Python {
  const given = process.env.PYTHON;
  const programs = given
    ? [given]
    : ['python3', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
  const found: Python[] = [];
  for (const program of programs) {
    const python = inspect(program);
    if (python) found.push(python);
    if (python && isNewEnough(python) && python.hasVenv && minor(python.version) <= NEWEST_WITH_WHEEL) break;
  }
  return choosePython(found, given ? `none that runs as PYTHON="${given}"` : undefined);
}

const marks = join(paths.venv, '.setup');
const inVenv = (name: string): string => join(paths.venv, 'bin', name);

/** Runs a step of set-up that prints into a log; a failure becomes one line. */
export async function must(step: string, program: string, args: string[]): Promise<string> {
  const log = join(paths.cache, 'setup', `${step.replace(/\W+/g, '-')}.log`);
  const { code, output } = await logged(program, args, { cwd: paths.root, env: childEnvironment(), log });
  if (code !== 0) throw new UserError(failureLine(step, output, relative(paths.root, log)));
  return output;
}

/**
 * Whether .venv can be kept: made in this folder (its scripts hold the path), no step of it cut off, its pip answers.
 * Trap: pip takes a package that was cut off at its end for installed, so half a .venv is made anew rather than completed.
 */
async function isVenvWhole(): Promise<boolean> {
  if (!existsSync(inVenv('python')) || !existsSync(inVenv('pip'))) return false;
  if (!readFileSync(inVenv('pip'), 'utf8').slice(0, 1000).includes(`${paths.venv}/bin/`)) return false;
  const cutOff =
    existsSync(marks) && readdirSync(marks).some((name) => readJson(join(marks, name))?.done !== true);
  if (cutOff) return false;
  const log = join(paths.cache, 'setup', 'pip-answers.log');
  return (
    (
      await logged(inVenv('python'), ['-m', 'pip', '--version'], {
        cwd: paths.root,
        env: childEnvironment(),
        log,
      })
    ).code === 0
  );
}

/** Makes .venv unless it is there and whole. Gives back whether it was made. */
export async function ensureVenv(): Promise<boolean> {
  if (await isVenvWhole()) return false;
  const python = findPython();
  rmSync(paths.venv, { recursive: true, force: true });
  await must('Python environment', python.program, ['-m', 'venv', paths.venv]);
  return true;
}

/**
 * Does a step inside .venv once per `key`. The mark "not done" lies there while the step works, so that a step that was cut off is known.
 * Gives back whether there was anything to do.
 */
async function once(name: string, key: string, work: () => Promise<void>): Promise<boolean> {
  const mark = join(marks, `${name}.json`);
  const last = readJson(mark);
  if (last?.done === true && last.key === key) return false;
  mkdirSync(marks, { recursive: true });
  writeJson(mark, { key, done: false });
  await work();
  writeJson(mark, { key, done: true });
  return true;
}

const pip = (step: string, args: string[]): Promise<string> =>
  must(step, inVenv('python'), ['-m', 'pip', 'install', '--no-warn-script-location', ...args]);

/** requirements.txt in its two halves: Jupyter's packages, and TensorFlow's wheel, of which only the library is used. */
export function requirements(text: string): { jupyter: string[]; tensorflowVersion: string } {
  const lines = text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(Boolean);
  const tensorflow = lines.filter((line) => line.startsWith('tensorflow'));
  const version =
    tensorflow.length === 1 ? /^tensorflow-cpu==([0-9.]+)/.exec(tensorflow[0]!)?.[1] : undefined;
  if (!version)
    throw new UserError(
      `requirements.txt: expected one line "tensorflow-cpu==VERSION"; got ${tensorflow.length ? tensorflow.join(' and ') : 'none'}; restore it with "git checkout requirements.txt"`,
    );
  return { jupyter: lines.filter((line) => !line.startsWith('tensorflow')), tensorflowVersion: version };
}

const required = () => requirements(readFileSync(join(paths.root, 'requirements.txt'), 'utf8'));

/** JupyterLab, nbconvert, jupytext and nbdime. */
export function ensureJupyter(): Promise<boolean> {
  const { jupyter } = required();
  return once('jupyter', jupyter.join(' '), async () => void (await pip('JupyterLab', jupyter)));
}

/** The wheel to use: with CUDA where an NVIDIA driver is here. */
export const wheelName = (gpu: boolean): string =>
  `${gpu ? 'tensorflow' : 'tensorflow-cpu'}==${required().tensorflowVersion}`;

/** What the wheel's metadata lists under its extra `and-cuda`: NVIDIA's libraries. */
export const cudaRequirements = (metadata: string): string[] =>
  [...metadata.matchAll(/^Requires-Dist: (nvidia-[^;]+); extra == "and-cuda"/gm)].map((match) =>
    match[1]!.trim(),
  );

/** Whether pip's output says that this Python and platform have no such wheel, rather than that the network failed. */
export const isWithoutWheel = (output: string): boolean =>
  /No matching distribution found|is not a supported wheel/.test(output) &&
  !/Retrying|Max retries|Connection|Temporary failure/i.test(output);

async function installWheel(wheel: string): Promise<void> {
  const other = wheel.startsWith('tensorflow-cpu') ? 'tensorflow' : 'tensorflow-cpu';
  const site = sitePackages(paths.venv)!;
  // Both fill the same folder: the one that is there must go before the other comes.
  if (readdirSync(site).some((name) => name.startsWith(`${other.replace('-', '_')}-`)))
    await must('the other TensorFlow', inVenv('python'), ['-m', 'pip', 'uninstall', '--yes', other]);
  // Only the library is used: no Python packages that it would need, and no compiled Python.
  await pip('TensorFlow', ['--no-deps', '--no-compile', wheel]);
  if (wheel.startsWith('tensorflow-cpu')) return;
  const info = readdirSync(site).find((name) => /^tensorflow-[0-9.]+\.dist-info$/.test(name));
  await pip('CUDA libraries', [
    '--no-compile',
    ...cudaRequirements(readFileSync(join(site, info!, 'METADATA'), 'utf8')),
  ]);
}

/** Installs TensorFlow's wheel; `lacking` says why there is none for this Python and platform. */
export async function ensureTensorFlow(
  gpu: boolean,
): Promise<{ installed: boolean; lacking: string | null }> {
  if (process.platform !== 'linux')
    return { installed: false, lacking: `TensorFlow's wheel has no library for Node on ${process.platform}` };
  const wheel = wheelName(gpu);
  const installed = await once('tensorflow', wheel, async () => {
    try {
      await installWheel(wheel);
    } catch (error) {
      const log = join(paths.cache, 'setup', 'TensorFlow.log');
      if (!existsSync(log) || !isWithoutWheel(readFileSync(log, 'utf8'))) throw error;
    }
  });
  const isThere = existsSync(join(sitePackages(paths.venv)!, 'tensorflow', 'libtensorflow_cc.so.2'));
  return { installed, lacking: isThere ? null : `no wheel ${wheel} for this Python and platform` };
}
