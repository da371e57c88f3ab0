/** The part of set-up that needs the npm packages; run.cjs calls it under the lock. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import { installJupyterFiles } from '../jupyter/install';
import { cache, hasGpu } from './environment.cjs';
import { ensureBinding, ensureOps } from './native';
import { ensureVenv } from './python';
import { readJson } from './state.cjs';

/** Prints a step's name when it begins, and its seconds when it has done something. */
async function timed(name: string, work: () => Promise<boolean>): Promise<void> {
  const start = Date.now();
  console.error(`set-up: ${name} ...`);
  const done = (await work()) ? `${((Date.now() - start) / 1000).toFixed(0)} s` : 'already there';
  console.error(`set-up: ${name}, ${done}`);
}

type Minify = (
  code: string,
  options: { minify: boolean; legalComments: string; charset: string },
) => Promise<{ code: string }>;

/** .cache/plotly.min.js: plotly.js as one minified file. tsx brings the minifier. */
async function minifyPlotly(): Promise<boolean> {
  const source = require.resolve('plotly.js-dist/plotly.js');
  const mark = cache('setup', 'plotly.json');
  const version: string = readJson(join(dirname(source), 'package.json')).version;
  if (existsSync(paths.plotly) && readJson(mark) === version) return false;
  const esbuild = require.resolve('esbuild', { paths: [dirname(require.resolve('tsx/package.json'))] });
  const { transform } = require(esbuild) as { transform: Minify };
  const options = { minify: true, legalComments: 'inline', charset: 'utf8' };
  writeAtomically(paths.plotly, (await transform(readFileSync(source, 'utf8'), options)).code);
  writeAtomically(mark, JSON.stringify(version));
  return true;
}

/** Answers JupyterLab's questions about news and updates with no: nothing leaves the machine. */
function quietLab(): void {
  const quiet = {
    '@jupyterlab/apputils-extension:notification': { fetchNews: 'false', checkForUpdates: false },
  };
  const file = join(paths.venv, 'share', 'jupyter', 'lab', 'settings', 'overrides.json');
  writeAtomically(file, JSON.stringify(quiet, null, 1));
}

const DRIVER = 'diff.jupyternotebook.command';
const SOURCES_ALONE = '--ignore-outputs --ignore-metadata --ignore-details';

/**
 * In a clone, `git diff` shows the cells of a notebook by nbdime, without outputs, whose changes `npm run review` shows.
 * What the user has configured is kept; before .venv is there, files are compared as text.
 */
export function configureDiffs(root = paths.root): void {
  if (!existsSync(join(root, '.git'))) return;
  const git = (...args: string[]) => spawnSync('git', ['config', ...args], { cwd: root }).status;
  const nbdime = '.venv/bin/git-nbdiffdriver';
  if (git('--get', DRIVER) === 1)
    git(
      '--local',
      DRIVER,
      `f() { if [ -x ${nbdime} ]; then ${nbdime} diff ${SOURCES_ALONE} "$@"; else diff -u "$2" "$5" || :; fi; }; f`,
    );
}

export async function setUp(): Promise<void> {
  await Promise.all([
    timed("Python packages and TensorFlow's library", () => ensureVenv(hasGpu())),
    timed('figures for Jupyter', minifyPlotly),
  ]);
  installJupyterFiles(paths.venv);
  quietLab();
  configureDiffs();
  await timed('native binding', ensureBinding);
  await timed('fused operations', ensureOps);
}
