// @ts-check
'use strict';
/** One set-up at a time in one project folder, also after a holder was killed. Runs before any package is there. */
const fs = require('node:fs');

/**
 * A process and when it started (clock ticks since boot): a number that was given to another process is not the same one.
 * @typedef {{ pid: number, started: string }} Holder
 */

/**
 * When a process started, or null where it is not running. Where there is no /proc, only whether it runs is known.
 * @param {number} pid
 * @returns {string | null}
 */
function startOf(pid) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPERM') return null;
  }
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : (fields[19] ?? '');
  } catch {
    return fs.existsSync('/proc/self/stat') ? null : '';
  }
}

/**
 * @param {number} pid
 * @returns {Holder}
 */
const holder = (pid) => ({ pid, started: startOf(pid) ?? '' });

/**
 * The processes that hold the lock and still run.
 * @param {string} file
 * @returns {Holder[]}
 */
function holders(file) {
  try {
    const list = JSON.parse(fs.readFileSync(file, 'utf8'));
    return Array.isArray(list)
      ? list.filter((h) => Number.isInteger(h?.pid) && startOf(h.pid) === h.started)
      : [];
  } catch {
    return [];
  }
}

/**
 * Writes beside the lock, then makes it the lock in one step, so that nobody reads half of it.
 * @param {string} file
 * @param {Holder[]} list
 */
function place(file, list) {
  const draft = `${file}.${process.pid}`;
  fs.writeFileSync(draft, JSON.stringify(list));
  return draft;
}

/**
 * @param {string} file
 * @returns {boolean} whether this process holds the lock now
 */
function create(file) {
  const draft = place(file, [holder(process.pid)]);
  try {
    fs.linkSync(draft, file);
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false;
    throw error;
  } finally {
    fs.rmSync(draft, { force: true });
  }
}

/**
 * Takes the lock if it is free or its holders are dead.
 * Trap: two waiters may find the same dead holder; a second lock makes sure that only one of them removes it.
 * @param {string} file
 */
function tryLock(file) {
  if (create(file)) return true;
  if (holders(file).length) return false;
  const guard = `${file}.takeover`;
  if (!create(guard)) {
    if (!holders(guard).length) fs.rmSync(guard, { force: true });
    return false;
  }
  try {
    if (holders(file).length) return false;
    fs.rmSync(file, { force: true });
    return create(file);
  } finally {
    fs.rmSync(guard, { force: true });
  }
}

/**
 * Names a child that works under the lock: while it runs the lock holds, even when this process is killed.
 * @param {string} file
 * @param {number} pid
 */
function shareLock(file, pid) {
  fs.renameSync(place(file, [holder(process.pid), holder(pid)]), file);
}

/**
 * Waits for the lock; `onWait` is told once who holds it.
 * @param {string} file
 * @param {(pid: number) => void} onWait
 * @returns {Promise<() => void>} gives the lock back
 */
async function lock(file, onWait) {
  let told = false;
  while (!tryLock(file)) {
    const [other] = holders(file);
    if (other && !told) {
      told = true;
      onWait(other.pid);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return () => fs.rmSync(file, { force: true });
}

module.exports = { lock, tryLock, shareLock, holders, holder };
