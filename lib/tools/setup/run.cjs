// @ts-check
'use strict';
/** Set-up behind every command, then the command. Only Node's own modules: the packages may not be there yet. */
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { endAll, ended, exitCode, failureLine, logged, onStop } = require('./processes.cjs');
const { allocator, cuda } = require('./native.cjs');
const { lock, shareLock } = require('../../util/lock.cjs');
const state = require('./state.cjs');

const root = path.resolve(__dirname, '..', '..', '..');
const at = state.places(root);

/** An error that the user can mend, as UserError is for TypeScript. */
class Problem extends Error {}

/** @returns {string[]} the commands of package.json */
const commands = () =>
  Object.entries(require('../../../package.json').scripts)
    .filter(([, line]) => line.includes('start.cjs'))
    .map(([name]) => name);

/**
 * Starts a TypeScript command: set-up itself, or one of lib/tools/cli.
 * @param {string} name
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} options
 */
function startTypeScript(name, args, options) {
  const tsx = pathToFileURL(require.resolve('tsx', { paths: [root] })).href;
  const env = {
    ...allocator,
    ...process.env,
    ...cuda(path.join(root, '.venv')),
    TSX_TSCONFIG_PATH: path.join(root, 'tsconfig.json'),
  };
  return spawn(
    process.execPath,
    ['--import', tsx, path.join(__dirname, name === 'setup' ? '.' : '../cli', `${name}.ts`), ...args],
    {
      stdio: 'inherit',
      env,
      ...options,
    },
  );
}

/** npm's program: the one that runs this command, else the one on PATH. */
function npmProgram() {
  const given = process.env.npm_execpath;
  if (given && path.basename(given) === 'npm-cli.js' && fs.existsSync(given)) return given;
  const found = state.onPath('npm');
  if (!found)
    throw new Problem(
      'expected npm on PATH; found none; install it (it comes with Node), then run the same command again',
    );
  return fs.realpathSync(found);
}

/**
 * Installs the packages of package-lock.json, install scripts off, unless they are there.
 * @param {string} npm
 */
async function installPackages(npm) {
  const wanted = state.readJson(path.join(root, 'package-lock.json'));
  if (!wanted)
    throw new Problem(
      'expected package-lock.json in the project folder; found none that can be read; restore it with "git checkout package-lock.json"',
    );
  const modules = path.join(root, 'node_modules');
  if (state.installedMatchesLock(wanted, state.readJson(path.join(modules, '.package-lock.json')))) return;
  const start = Date.now();
  console.error('set-up: npm packages ...');
  const log = path.join(root, '.cache', 'setup', 'npm.log');
  // npm takes a package that was cut off for installed, so it starts from nothing, as "npm ci" does. That itself refuses
  // a lock file without the packages for other platforms, which some registries do not carry.
  fs.rmSync(modules, { recursive: true, force: true });
  const flags = [
    'install',
    '--no-save',
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--logs-max=0',
    '--cache',
    path.join(root, '.cache', 'npm'),
  ];
  const { code, output } = await logged(process.execPath, [npm, ...flags], {
    cwd: root,
    env: process.env,
    log,
  });
  if (code !== 0) throw new Problem(failureLine('npm packages', output, path.relative(root, log)));
  if (!state.installedMatchesLock(wanted, state.readJson(path.join(modules, '.package-lock.json'))))
    throw new Problem(
      'npm packages: expected those of package-lock.json; others came; restore both with "git checkout package.json package-lock.json", then run the same command again',
    );
  console.error(`set-up: npm packages, ${((Date.now() - start) / 1000).toFixed(0)} s`);
}

/** Room that an empty project grows into, GiB: measured, with a margin; with CUDA's libraries where there is a GPU. */
const ROOM_GIB = { cpu: 3, gpu: 12 };

/** Says before the work that it will not fit, or that the folder is read-only. */
function checkFolder() {
  fs.accessSync(root, fs.constants.W_OK);
  if (fs.existsSync(path.join(root, '.venv', '.setup'))) return;
  const { bavail, bsize } = fs.statfsSync(root);
  const freeGiB = (bavail * bsize) / 2 ** 30;
  const neededGiB = state.hasGpu() ? ROOM_GIB.gpu : ROOM_GIB.cpu;
  if (freeGiB < neededGiB)
    throw new Problem(
      `expected ${neededGiB} GiB free on the disk of ${root}; there are ${freeGiB.toFixed(1)}; free some and run the same command again`,
    );
}

/**
 * npm packages here; all else in setup.ts, which needs them.
 * @param {string} reason
 */
async function setUp(reason) {
  const start = Date.now();
  console.error(`set-up (${reason})`);
  // Until set-up ends there is no stamp: one that is cut off is never taken for done.
  fs.rmSync(at.stamp, { force: true });
  const npm = npmProgram();
  const forget = onStop((signal) => {
    endAll();
    fs.rmSync(at.lock, { force: true });
    process.exit(exitCode(null, signal));
  });
  await installPackages(npm);
  forget();
  const child = startTypeScript('setup', [npm], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    cwd: root,
  });
  if (child.pid) shareLock(at.lock, child.pid);
  const code = await ended(child);
  if (code !== 0) return code;
  state.writeJson(at.stamp, state.dependsOn(root));
  console.error(`set-up: done, ${((Date.now() - start) / 1000).toFixed(0)} s`);
  return 0;
}

/**
 * Runs set-up if there is anything to do.
 * @returns {Promise<number>} exit code
 */
async function ensureSetUp() {
  if (!state.reasonToSetUp(root)) return 0;
  checkFolder();
  fs.mkdirSync(path.dirname(at.lock), { recursive: true });
  const release = await lock(at.lock, (pid) =>
    console.error(`set-up: another command (process ${pid}) is at it; waiting`),
  );
  try {
    const reason = state.reasonToSetUp(root);
    return reason ? await setUp(reason) : 0;
  } finally {
    release();
  }
}

/**
 * One line for what set-up could not do.
 * @param {unknown} error
 */
function problemLine(error) {
  if (error instanceof Problem) return error.message;
  const { code, message, stack } = /** @type {NodeJS.ErrnoException} */ (error);
  if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM')
    return `expected to write to ${root}; it is not writable (${message}); make it so, or clone the project where you may write`;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return `expected room on the disk of ${root}; it is full; free about 4 GB and run the same command again`;
  return stack ?? message;
}

/**
 * The folder that relative paths in arguments mean: where the user typed the command. npm itself moves to the project folder.
 * @param {string} command
 */
const userFolder = (command) =>
  (process.env.npm_lifecycle_event === command && process.env.INIT_CWD) || process.cwd();

/**
 * @param {string | undefined} command
 * @param {string[]} args
 */
async function run(command, args) {
  if (!command || !commands().includes(command)) {
    console.error(
      `${command ? `"${command}": no such command` : 'no command'}; known: ${commands()
        .map((name) => (name === 'test' ? 'npm test' : `npm run ${name}`))
        .join(', ')}`,
    );
    process.exit(1);
  }
  let code = 1;
  try {
    code = await ensureSetUp();
  } catch (error) {
    console.error(`set-up: ${problemLine(error)}`);
  }
  // What is missing is doctor's subject: it runs as soon as the packages are there.
  const canStart =
    code === 0 ||
    (code === 1 &&
      command === 'doctor' &&
      fs.existsSync(path.join(root, 'node_modules', 'tsx', 'package.json')));
  if (canStart) code = await ended(startTypeScript(command, args, { cwd: userFolder(command) }));
  process.exit(code);
}

module.exports = { run, problemLine, Problem };
