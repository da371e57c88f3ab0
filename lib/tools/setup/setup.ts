/** The part of set-up that needs the npm packages; start.cjs calls it under the lock, with npm's program as the argument. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { installJupyterFiles } from '../jupyter/install';
import { main } from '../cli/arguments';
import { ensureEngine } from './binding';
import { endAll, exitCode, onStop } from './processes.cjs';
import { ensureJupyter, ensureTensorFlow, ensureVenv, wheelName } from './python';
import { hasGpu, readJson, writeJson } from './state.cjs';

/** Prints a step's name when it begins and its seconds when it ended with something done. */
async function timed<T>(name: string, work: () => Promise<T>, done: (result: T) => boolean): Promise<T> {
  const start = Date.now();
  console.error(`set-up: ${name} ...`);
  const result = await work();
  console.error(
    `set-up: ${name}, ${done(result) ? `${((Date.now() - start) / 1000).toFixed(0)} s` : 'already there'}`,
  );
  return result;
}

/** .cache/plotly.min.js: plotly.js as one minified file. tsx brings the minifier. */
async function minifyPlotly(): Promise<boolean> {
  const source = require.resolve('plotly.js-dist/plotly.js');
  const target = paths.plotly;
  const mark = join(paths.cache, 'setup', 'plotly.json');
  const version: string = readJson(join(dirname(source), 'package.json')).version;
  if (existsSync(target) && readJson(mark)?.version === version) return false;
  const esbuild = require(
    require.resolve('esbuild', { paths: [dirname(require.resolve('tsx/package.json'))] }),
  ) as {
    transform(
      code: string,
      options: { minify: boolean; legalComments: string; charset: string },
    ): Promise<{ code: string }>;
  };
  const { code } = await esbuild.transform(readFileSync(source, 'utf8'), {
    minify: true,
    legalComments: 'inline',
    charset: 'utf8',
  });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(`${target}.part`, code);
  renameSync(`${target}.part`, target);
  writeJson(mark, { version });
  return true;
}

/** Answers JupyterLab's questions about news and updates with no: nothing leaves the machine. */
function quietLab(): void {
  const file = join(paths.venv, 'share', 'jupyter', 'lab', 'settings', 'overrides.json');
  const quiet = {
    '@jupyterlab/apputils-extension:notification': { fetchNews: 'false', checkForUpdates: false },
  };
  writeJson(file, { ...readJson(file), ...quiet });
}

async function jupyter(): Promise<boolean> {
  const [installed] = await Promise.all([ensureJupyter(), minifyPlotly()]);
  installJupyterFiles(paths.venv);
  quietLab();
  return installed;
}

async function setUp(npm: string): Promise<void> {
  const gpu = hasGpu();
  const did = (work: boolean) => work;
  await timed('Python environment', ensureVenv, did);
  const wheel = wheelName(gpu);
  const { lacking } = await timed(
    `TensorFlow's library (${wheel})`,
    () => ensureTensorFlow(gpu),
    ({ installed }) => installed,
  );
  // From here on nothing changes TensorFlow's files: the compiler and pip may work side by side.
  const rest = [
    timed('JupyterLab', jupyter, did),
    timed('native binding', () => ensureEngine(npm, gpu, wheel, lacking), did),
  ];
  await Promise.all(rest);
}

/** Ends all children when this process is told to end, or when the one that called it is gone. */
function endWithCaller(): void {
  const end = (signal: NodeJS.Signals) => {
    endAll();
    process.exit(exitCode(null, signal));
  };
  onStop(end);
  if (process.channel) process.on('disconnect', () => end('SIGTERM'));
}

main('set-up', async ([npm]) => {
  if (!npm)
    throw new UserError(
      'expected the path of npm; got nothing; use "npm run doctor", which sets up what is missing',
    );
  endWithCaller();
  try {
    await setUp(npm);
  } catch (error) {
    endAll();
    throw error;
  }
  // With an open channel to start.cjs the process would not end by itself.
  process.exit(0);
});
