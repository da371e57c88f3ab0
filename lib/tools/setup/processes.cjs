// @ts-check
'use strict';
/** Child processes: output into a log file, whole process trees ended together. Runs before any package is installed. */
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { cache, childEnvironment, roomGiB, root } = require('./environment.cjs');

/**
 * Children of `logged` that run now; each leads a process group, so that a compiler's own children end with it.
 * @type {Set<import('node:child_process').ChildProcess>}
 */
const running = new Set();

/**
 * Descriptors that every child of `logged` inherits: set-up's lock.
 * @type {number[]}
 */
const inherited = [];

/**
 * Ends every process that `logged` started, with all their children.
 * @param {NodeJS.Signals} signal
 */
function endAll(signal = 'SIGTERM') {
  for (const child of running) {
    try {
      if (child.pid) process.kill(-child.pid, signal);
    } catch {
      // It has ended by itself.
    }
  }
}

/**
 * Runs a program, writes what it prints into `log`, and returns its exit code (127: not found) with the end of its output;
 * of one that passes the time limit the output says only that.
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd: string, env: NodeJS.ProcessEnv, log: string, limitSeconds?: number }} options
 * @returns {Promise<{ code: number, output: string }>}
 */
function logged(program, args, { cwd, env, log, limitSeconds }) {
  fs.mkdirSync(path.dirname(log), { recursive: true });
  const file = fs.openSync(log, 'w');
  fs.writeSync(file, `$ ${[program, ...args].join(' ')}\n`);
  return new Promise((resolve) => {
    let output = '';
    const stdio = /** @type {const} */ (['ignore', 'pipe', 'pipe']);
    const child = spawn(program, args, { cwd, env, detached: true, stdio: [...stdio, ...inherited] });
    running.add(child);
    let stopped = '';
    const timer =
      limitSeconds &&
      setTimeout(() => {
        stopped = `stopped after ${limitSeconds} s`;
        if (child.pid) process.kill(-child.pid, 'SIGTERM');
      }, limitSeconds * 1000);
    /** @param {string} text */
    const take = (text) => {
      output = (output + text).slice(-100_000);
      try {
        fs.writeSync(file, text);
      } catch {
        // A full disk must not hide the program's own message about it.
      }
    };
    /** @param {number} code */
    const finish = (code) => {
      if (!running.delete(child)) return;
      clearTimeout(timer);
      fs.closeSync(file);
      resolve({ code, output: stopped || output });
    };
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', take);
    child.on('error', (error) => {
      output += error.message;
      finish(127);
    });
    child.on('close', (code, signal) => finish(exitCode(code, signal)));
  });
}

/** An error that the user can fix, in one line, as UserError is for TypeScript. */
class Problem extends Error {}

/**
 * Runs a program as a step of set-up, in the project folder and with a log of the step's name; a failure becomes one line.
 * @param {string} name
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
async function step(name, program, args, env = childEnvironment()) {
  const log = cache('setup', `${name.replace(/\W+/g, '-')}.log`);
  const { code, output } = await logged(program, args, { cwd: root, env, log });
  if (code !== 0) throw new Problem(failureLine(name, output, path.relative(root, log)));
  return output;
}

/**
 * Calls `handler` when this process is told to stop. Returns a function that ends that.
 * @param {(signal: NodeJS.Signals) => void} handler
 */
function onStop(handler) {
  const signals = /** @type {NodeJS.Signals[]} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);
  for (const signal of signals) process.on(signal, handler);
  return () => {
    for (const signal of signals) process.removeListener(signal, handler);
  };
}

/**
 * Waits for a child; signals to this process reach it.
 * Trap: a terminal sends Ctrl-C to the child as well; sent twice, it would mean "at once" to many programs.
 * @param {import('node:child_process').ChildProcess} child
 * @returns {Promise<number>}
 */
function ended(child) {
  const forget = onStop((signal) => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      forget();
      resolve(exitCode(code, signal));
    });
  });
}

/**
 * The exit code that a shell would report.
 * @param {number | null} code
 * @param {NodeJS.Signals | null} signal
 */
const exitCode = (code, signal) => code ?? 128 + (signal ? os.constants.signals[signal] : 0);

/**
 * What to do about a process that a signal ended; null where it ended by itself or was told to stop.
 * @param {string} name
 * @param {NodeJS.Signals | null} signal
 */
function crashLine(name, signal) {
  if (!signal || ['SIGINT', 'SIGTERM', 'SIGHUP'].includes(signal)) return null;
  // C++ that gets no memory aborts.
  const advice = ['SIGKILL', 'SIGABRT'].includes(signal)
    ? 'if memory ran out, ask for smaller batches or fewer jobs'
    : 'run "npm run doctor", which builds damaged native files again';
  return `${name}: expected it to end by itself; ${signal} ended it; ${advice}, then run the same command again`;
}

const FULL = /ENOSPC|No space left on device|disk quota exceeded|EDQUOT/i;
const READ_ONLY = /EACCES|EROFS|EPERM|Permission denied|Read-only file system/i;
const NETWORK =
  /ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|Max retries exceeded|NewConnectionError|ConnectTimeout|ReadTimeout|Temporary failure in name|Name or service not known|ProxyError|Connection (broken|refused|reset)|error sending request|dns error|operation timed out/i;

/**
 * Expected and got of a full or read-only disk, and what to do; null where a text tells of neither.
 * @param {string} text an error's code, or what a program printed
 */
function diskProblem(text) {
  if (FULL.test(text))
    return `expected room on the disk of ${root}; it is full; free ${roomGiB()} GiB, then run the same command again`;
  if (READ_ONLY.test(text))
    return `expected to write to ${root}; it is not writable; make it so, or clone the project where you may write`;
  return null;
}

/**
 * One line on why a step failed: what was expected, what came, what to do.
 * @param {string} name
 * @param {string} output what the program printed
 * @param {string} log the file that has all of it
 */
function failureLine(name, output, log) {
  const end = `then run the same command again (details: ${log})`;
  const disk = diskProblem(output);
  if (disk) return `${name}: ${disk} (details: ${log})`;
  if (NETWORK.test(output))
    return `${name}: expected the package registry to answer; it does not; check the network and the proxy, ${end}`;
  const lines = output
    .split('\n')
    .filter((line) => line.trim() && !/Log files were not written|complete log of this run/.test(line));
  const reason = lines.filter((line) => /error/i.test(line)).pop() ?? lines.pop() ?? 'nothing';
  return `${name}: expected it to succeed; it printed "${reason.trim().slice(0, 200)}"; fix that, ${end}`;
}

module.exports = {
  inherited,
  logged,
  step,
  Problem,
  endAll,
  onStop,
  ended,
  exitCode,
  crashLine,
  diskProblem,
  failureLine,
};
