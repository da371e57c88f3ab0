// @ts-check
'use strict';
/** Set-up before every command, then the command. Only Node's own modules: the packages may not be there yet. */
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { allocator, cache, cuda, roomGiB, root } = require('./environment.cjs');
const {
  crashLine,
  diskProblem,
  endAll,
  ended,
  exitCode,
  inherited,
  onStop,
  Problem,
  step,
} = require('./processes.cjs');
const { stopWithNpm, watchTree } = require('./tree.cjs');
const { lock } = require('../../util/lock.cjs');
const {
  clearStamp,
  installedLock,
  installedMatchesLock,
  missingPackages,
  onPath,
  readJson,
  reasonToSetUp,
  writeStamp,
} = require('./state.cjs');

process.env.TSX_TSCONFIG_PATH = path.join(root, 'tsconfig.json');

/** The commands of package.json. @returns {string[]} */
const commands = () =>
  Object.entries(require('../../../package.json').scripts)
    .filter(([, line]) => line.includes('start.cjs'))
    .map(([name]) => name);

/** npm's program: the one that runs this command, else the one on PATH. */
function npmProgram() {
  const given = process.env.npm_execpath;
  if (given && path.basename(given) === 'npm-cli.js' && fs.existsSync(given)) return given;
  const found = onPath('npm');
  if (found) return fs.realpathSync(found);
  throw new Problem(
    'expected npm on PATH; found none; install it (it comes with Node), then run the same command again',
  );
}

/**
 * Installs the packages of package-lock.json, without install scripts, unless they are there.
 * Trap: npm takes a package that was cut off for installed, so it starts from nothing, as "npm ci" does. That itself
 * refuses a lock file without the packages for other platforms, which some registries do not carry.
 */
async function installPackages() {
  const wanted = readJson(path.join(root, 'package-lock.json'));
  if (!wanted)
    throw new Problem(
      'package-lock.json: expected JSON; found none that can be read; run: git checkout package-lock.json',
    );
  const modules = path.join(root, 'node_modules');
  if (installedMatchesLock(wanted, installedLock()) && !missingPackages(installedLock()).length) return;
  const start = Date.now();
  console.error('set-up: npm packages ...');
  fs.rmSync(modules, { recursive: true, force: true });
  const flags =
    '--no-save --ignore-scripts --include=dev --include=optional --no-audit --no-fund --logs-max=0 --loglevel=warn';
  const args = [npmProgram(), 'install', ...flags.split(' '), '--cache', cache('npm')];
  await step('npm packages', process.execPath, args, process.env);
  if (!installedMatchesLock(wanted, installedLock()))
    throw new Problem(
      'npm packages: installed packages differ from package-lock.json; run: git checkout package.json package-lock.json',
    );
  console.error(`set-up: npm packages, ${((Date.now() - start) / 1000).toFixed(0)} s`);
}

/**
 * One line where the project's path has characters that programs of Jupyter, the compiler or the shell read as syntax.
 * @param {string} folder
 */
function pathProblem(folder) {
  const found = /["$`\\\n\r]/.exec(folder)?.[0];
  return found
    ? `the project folder: expected a path without ", $, \`, \\ and line breaks; ${JSON.stringify(folder)} has ${JSON.stringify(found)}; move it, then run the same command again`
    : null;
}

/** Least address space, GiB: Node and TensorFlow reserve far more of it than they use. */
const ADDRESS_GIB = 32;

/**
 * One line where less address space is allowed than a command needs: WebAssembly would end it with pages of its source.
 * @param {string} limits text of /proc/self/limits
 */
function memoryProblem(limits) {
  const bytes = Number(/^Max address space +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  return bytes < ADDRESS_GIB * 2 ** 30
    ? `expected at least ${ADDRESS_GIB} GiB of address space; "ulimit -v" allows ${(bytes / 2 ** 30).toFixed(1)}; run "ulimit -v unlimited", or give the job more virtual memory`
    : null;
}

/** Says before the work that it will not fit, or that the folder is read-only. */
function checkFolder() {
  fs.accessSync(root, fs.constants.W_OK);
  if (fs.existsSync(path.join(root, '.venv'))) return;
  const { bavail, bsize } = fs.statfsSync(root);
  const freeGiB = (bavail * bsize) / 2 ** 30;
  if (freeGiB < roomGiB())
    throw new Problem(
      `expected ${roomGiB()} GiB free on the disk of ${root}; there are ${freeGiB.toFixed(1)}; free some and run the same command again`,
    );
}

/**
 * What a command has to do with a queue: it is a task there, perhaps one of many that start at once on several nodes that
 * share this folder; or it fills the queue and shows it, perhaps on a node that is of another kind than those that train.
 * @param {string} command
 * @param {string[]} args
 * @returns {'task' | 'front' | null}
 */
function queueRole(command, args) {
  const has = (/** @type {string} */ flag) => args.some((arg) => arg.split('=')[0] === flag);
  if (command !== 'sweep') return null;
  return has('--run') ? 'task' : ['--slurm', '--print', '--plan', '--list'].some(has) ? 'front' : null;
}

/**
 * Runs set-up if there is anything to do, one at a time in a project folder.
 * @param {string | null} wish why to look at each step even if nothing has changed
 * @param {'task' | 'front' | null} role
 */
async function ensureSetUp(wish, role) {
  const lacks = reasonToSetUp() ?? wish;
  if (!lacks || (role === 'front' && /^changed: (GPU|CPU|, )+$/.test(lacks))) return;
  if (role === 'task')
    throw new Problem(
      `expected the project to be set up for ${os.hostname()}; ${lacks}; tasks of a queue do not set up, since many would at once; run "npm run doctor" on a node of this kind, then queue the run again`,
    );
  checkFolder();
  const held = await lock(cache('setup'), () =>
    console.error('set-up: another command is setting up; waiting for it'),
  );
  // What set-up starts holds the lock too: should this process be killed, the next one waits until they have ended.
  inherited.push(held.descriptor);
  const forget = onStop((signal) => {
    endAll();
    process.exit(exitCode(null, signal));
  });
  try {
    const reason = reasonToSetUp() ?? wish;
    if (!reason) return;
    const start = Date.now();
    console.error(`set-up (${reason})`);
    clearStamp();
    await installPackages();
    require(require.resolve('tsx/cjs'));
    await require('./setup').setUp();
    writeStamp();
    console.error(`set-up: done, ${((Date.now() - start) / 1000).toFixed(0)} s`);
  } finally {
    endAll();
    forget();
    inherited.pop();
    held.release();
  }
}

/**
 * One line for what set-up could not do.
 * @param {unknown} error
 */
function problemLine(error) {
  const { code, message, name, stack } = /** @type {NodeJS.ErrnoException} */ (error);
  if (error instanceof Problem || name === 'UserError') return message;
  const disk = diskProblem(code ?? '');
  return disk ? `${disk} (${message})` : (stack ?? message);
}

/**
 * Flags of Node for every command. V8's own limit of the heap would end a process with pages of its state; without it the
 * kernel ends one that wants more memory than there is, of which one line tells.
 */
const nodeFlags = () => [
  `--max-old-space-size=${Math.floor(os.totalmem() / 2 ** 20)}`,
  '--require',
  require.resolve('tsx/cjs'),
];

/**
 * Starts a command of lib/tools/cli in the folder where the user typed it, which relative paths in arguments are relative
 * to; npm itself moves to the project folder.
 * Trap: the allocator and CUDA's folders are read when a process starts, so the command is a process of its own.
 * @param {string} command
 * @param {string[]} args
 */
const start = (command, args) =>
  spawn(process.execPath, [...nodeFlags(), path.join(__dirname, '..', 'cli', `${command}.ts`), ...args], {
    cwd: (process.env.npm_lifecycle_event === command && process.env.INIT_CWD) || process.cwd(),
    stdio: 'inherit',
    env: { ...allocator, ...process.env, ...cuda() },
  });

/** Longest time that a command may take to end when it is told to; what it started has ended within two seconds more. */
const STOP_MS = 3000;

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
  const problem = pathProblem(root) ?? memoryProblem(fs.readFileSync('/proc/self/limits', 'utf8'));
  if (problem) {
    console.error(problem);
    process.exit(1);
  }
  const role = queueRole(command, args);
  const endTree = watchTree();
  stopWithNpm(command);
  try {
    await ensureSetUp(command === 'doctor' ? 'doctor checks each step' : null, role);
  } catch (error) {
    console.error(`set-up: ${problemLine(error)}`);
    // What is missing is doctor's subject: it runs as soon as the packages are there.
    if (command !== 'doctor' || !fs.existsSync(path.join(root, 'node_modules/tsx/package.json')))
      process.exit(1);
  }
  const child = start(command, args);
  onStop((signal) => {
    // JupyterLab asks whether Ctrl-C is meant, and a task saves a checkpoint first.
    const mayTakeLong = command === 'lab' ? signal === 'SIGINT' : role === 'task' && signal === 'SIGTERM';
    if (!mayTakeLong) setTimeout(() => child.kill('SIGKILL'), STOP_MS).unref();
  });
  const code = await ended(child);
  await endTree();
  const line = crashLine(command, child.signalCode);
  if (line) console.error(line);
  process.exit(code);
}

module.exports = { run, memoryProblem, nodeFlags, pathProblem };
