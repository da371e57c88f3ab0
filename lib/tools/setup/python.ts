/** Python's part of set-up: .venv with JupyterLab and the wheel that holds TensorFlow's C library, installed by uv. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { cache, childEnvironment } from './environment.cjs';
import { step } from './processes.cjs';

const UV = '0.13.9';
/** Minor versions of Python 3 that TensorFlow has wheels for. */
const [OLDEST, NEWEST] = [10, 13];

export interface Python {
  program: string;
  version: string;
  hasVenv: boolean;
}

function inspect(program: string): Python | null {
  const script =
    'import sys\ntry:\n import venv, ensurepip; ok = 1\nexcept ImportError: ok = 0\nprint("%d.%d.%d" % sys.version_info[:3], ok)';
  const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
  try {
    const [version, ok] = execFileSync(program, ['-c', script], { encoding: 'utf8', stdio })
      .trim()
      .split(' ');
    return { program, version: version!, hasVenv: ok === '1' };
  } catch {
    return null;
  }
}

const isSupported = ({ version }: Python): boolean => {
  const [major, minor] = version.split('.').map(Number) as [number, number];
  return major === 3 && minor >= OLDEST && minor <= NEWEST;
};

/** The first Python that can be used, or a UserError on what came. @param given the variable PYTHON */
export function choosePython(found: Python[], given?: string): Python {
  const best = found.find((python) => isSupported(python) && python.hasVenv);
  if (best) return best;
  const came = found.map((p) => `${p.program} ${p.version}${p.hasVenv ? '' : ' without venv'}`).join(', ');
  throw new UserError(
    `Python: expected 3.${OLDEST} to 3.${NEWEST} with its venv module; found ${came || (given ? `none that runs as PYTHON="${given}"` : 'none on PATH')}; install Python 3.12 (Debian, Ubuntu: apt install python3 python3-venv) or name one in the variable PYTHON, then run the same command again`,
  );
}

/** The Python to make .venv with: the variable PYTHON names one, else those on PATH. */
export function findPython(): Python {
  const given = process.env.PYTHON;
  const versions = Array.from({ length: NEWEST - OLDEST + 1 }, (_, i) => `python3.${NEWEST - i}`);
  const found: Python[] = [];
  for (const program of given ? [given] : ['python3', ...versions]) {
    const python = inspect(program);
    if (python) found.push(python);
    if (python && isSupported(python) && python.hasVenv) break;
  }
  return choosePython(found, given);
}

/** What uv calls pip's settings. */
const UV_NAMES: Record<string, string> = {
  'index-url': 'UV_DEFAULT_INDEX',
  'extra-index-url': 'UV_INDEX',
  'find-links': 'UV_FIND_LINKS',
  'no-index': 'UV_NO_INDEX',
  'trusted-host': 'UV_INSECURE_HOST',
  'default-timeout': 'UV_HTTP_TIMEOUT',
  timeout: 'UV_HTTP_TIMEOUT',
  cert: 'SSL_CERT_FILE',
  'client-cert': 'SSL_CLIENT_CERT',
  proxy: 'ALL_PROXY',
};

/**
 * Environment variables that give uv the user's pip configuration (index, certificates, proxy), from `pip config list`.
 * Variables of uv that are set already are kept. As pip does, uv then takes a package from whichever index has its version.
 */
export function uvSettings(pipConfig: string, env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const settings: Record<string, string> = { UV_INDEX_STRATEGY: 'unsafe-best-match' };
  // Later sections override earlier ones: pip takes environment variables before a file's [install] section, and that before [global].
  for (const section of ['global', 'install', ':env:'])
    for (const [, from, name, value] of pipConfig.matchAll(/^([^.\n]+)\.([a-z-]+)='(.*)'$/gm)) {
      const uvName = UV_NAMES[name!];
      const values = value!.split(/(?:\\n|\s)+/).filter(Boolean);
      // pip ignores a folder of links that is not there; uv ends with an error.
      const usable = name === 'find-links' ? values.filter((v) => /^\w+:/.test(v) || existsSync(v)) : values;
      if (from === section && uvName && usable.length && env[uvName] === undefined)
        settings[uvName] = usable.join(uvName === 'UV_FIND_LINKS' ? ',' : ' ');
    }
  return settings;
}

/** uv in an environment of its own, by the pip that came with Python. Returns what runs it. */
async function ensureUv(python: Python): Promise<(name: string, args: string[]) => Promise<string>> {
  const folder = cache('uv-environment');
  const program = join(folder, 'bin', 'uv');
  const pip = ['-m', 'pip'];
  const isThere = (() => {
    try {
      return execFileSync(program, ['--version'], { encoding: 'utf8' }).startsWith(`uv ${UV} `);
    } catch {
      return false;
    }
  })();
  if (!isThere) {
    await step('Python environment of uv', python.program, ['-m', 'venv', '--clear', folder]);
    await step('uv', join(folder, 'bin', 'python'), [...pip, 'install', '--no-deps', `uv==${UV}`]);
  }
  const config = await step('configuration of pip', join(folder, 'bin', 'python'), [
    ...pip,
    'config',
    'list',
  ]);
  const env = { ...childEnvironment(), ...uvSettings(config) };
  return (name, args) => step(name, program, args, env);
}

/** The files that list what .venv holds. */
const requirements = (gpu: boolean): string[] => [
  join(paths.root, 'requirements.txt'),
  join(__dirname, `tensorflow-${gpu ? 'cuda' : 'cpu'}.txt`),
];

/**
 * Makes .venv, unless it was made in this folder (its scripts hold the path) from the same lists. It is always made from
 * nothing, in seconds from uv's cache: an installer takes a package that was cut off for installed.
 * Returns whether there was anything to do.
 */
export async function ensureVenv(gpu: boolean): Promise<boolean> {
  const mark = join(paths.venv, 'made-of.txt');
  const wanted = [paths.venv, ...requirements(gpu).map((file) => readFileSync(file, 'utf8'))].join('\n');
  const interpreter = join(paths.venv, 'bin', 'python');
  if (existsSync(interpreter) && existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return false;
  const python = findPython();
  const uv = await ensureUv(python);
  rmSync(paths.venv, { recursive: true, force: true });
  await uv('Python environment', ['venv', '--python', python.program, paths.venv]);
  await uv('Python packages', ['pip', 'sync', '--python', interpreter, ...requirements(gpu)]);
  writeFileSync(mark, wanted);
  return true;
}

/** Puts a package of PyPI into a folder of its own; nothing of it stays in a cache. */
export async function installAside(requirement: string, folder: string): Promise<void> {
  const uv = await ensureUv(findPython());
  await uv(requirement, ['pip', 'install', '--no-cache', '--no-deps', '--target', folder, requirement]);
}
