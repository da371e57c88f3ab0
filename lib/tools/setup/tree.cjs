// @ts-check
'use strict';
/**
 * Every process that a command started, whatever started it and whatever became of its parents: all of them inherit a
 * variable with a value of this command's own. They end with the command; a watcher, which is a process of its own, ends
 * them where the command itself was killed. Runs before any package is installed.
 */
const { spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');

const VARIABLE = 'MEMORIZATION_NOTEBOOKS_COMMAND';

/** How long a process may take to end by itself. */
const GRACE_MS = 1500;

const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Ids of the processes that carry a mark, but for those left out.
 * @param {string} mark
 * @param {(number | undefined)[]} except
 */
function marked(mark, except) {
  const entry = `${VARIABLE}=${mark}`;
  return fs
    .readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      if (!pid || except.includes(pid)) return false;
      try {
        return fs.readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(entry);
      } catch {
        return false; // It has ended, or is another user's.
      }
    });
}

/**
 * Ends the processes that carry a mark: they are asked to end, and killed after a while.
 * @param {string} mark
 * @param {(number | undefined)[]} except
 */
async function endMarked(mark, except) {
  const start = Date.now();
  const asked = new Set();
  for (let pids; (pids = marked(mark, except)).length; await pause(50))
    for (const pid of pids) {
      const late = Date.now() - start > GRACE_MS;
      try {
        if (late || !asked.has(pid)) process.kill(pid, late ? 'SIGKILL' : 'SIGTERM');
      } catch {
        // It has ended by itself.
      }
      asked.add(pid);
    }
}

/**
 * Marks this process's future children and starts the watcher. The function that is returned ends all of them.
 * @returns {() => Promise<void>}
 */
function watchTree() {
  const mark = `${process.pid}-${randomBytes(8).toString('hex')}`;
  process.env[VARIABLE] = mark;
  /** @type {import('node:child_process').ChildProcess} */
  let watcher;
  let ending = false;
  const watch = () => {
    // It leads a session of its own, so that Ctrl-C does not reach it, and reads a pipe that closes when this process ends.
    watcher = spawn(process.execPath, [__filename, mark], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    watcher.on('error', () => undefined);
    watcher.on('exit', () => ending || setTimeout(watch, 500).unref()).unref();
    /** @type {any} */ (watcher.stdin).unref();
  };
  watch();
  return async () => {
    ending = true;
    await endMarked(mark, [watcher.pid]);
    watcher.kill('SIGKILL');
  };
}

/** npm that was killed stops its command too. Only npm: a shell that started it may end and leave it running. */
function stopWithNpm(/** @type {string} */ command) {
  if (process.env.npm_lifecycle_event !== command) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM');
  }, 500).unref();
}

if (require.main === module)
  process.stdin.resume().on('end', () => void endMarked(String(process.argv[2]), [process.pid]));

module.exports = { VARIABLE, stopWithNpm, watchTree };
