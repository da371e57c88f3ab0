/** The part of set-up that needs the npm packages; run.cjs calls it under the lock. */
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

export async function setUp(): Promise<void> {
  await Promise.all([
    timed("Python packages and TensorFlow's library", () => ensureVenv(hasGpu())),
    timed('figures for Jupyter', minifyPlotly),
  ]);
  installJupyterFiles(paths.venv);
  quietLab();
  await timed('native binding', ensureBinding);
  await timed('fused operations', ensureOps);
}
