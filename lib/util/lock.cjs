// @ts-check
'use strict';
/**
 * A lock that the kernel frees when its last holder ends, however it ends: a socket in Linux's abstract namespace, named
 * after the file or folder that it protects. It holds between processes of one machine and one network namespace: two
 * containers or two machines that share a folder do not see each other's. Runs before any package is installed.
 */
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { createServer } = require('node:net');
const path = require('node:path');

/**
 * A child process that inherits `descriptor` holds the lock too: it stays taken until that child has ended.
 * @typedef {{ descriptor: number, release: () => void }} Lock
 */

/**
 * A path without symbolic links, as far as it exists.
 * @param {string} place
 * @returns {string}
 */
function realPath(place) {
  try {
    return fs.realpathSync(place);
  } catch {
    return path.join(realPath(path.dirname(place)), path.basename(place));
  }
}

/**
 * Takes the lock on `place`, which need not exist; returns null where another process has it.
 * @param {string} place
 * @returns {Promise<Lock | null>}
 */
function tryLock(place) {
  const name = createHash('sha256')
    .update(realPath(path.resolve(place)))
    .digest('hex')
    .slice(0, 32);
  return new Promise((resolve, reject) => {
    const server = /** @type {import('node:net').Server & { _handle: { fd: number } }} */ (createServer());
    server.on('error', (/** @type {NodeJS.ErrnoException} */ error) =>
      error.code === 'EADDRINUSE' ? resolve(null) : reject(error),
    );
    server.listen(`\0memorization-notebooks-${name}`, () =>
      resolve({ descriptor: server._handle.fd, release: () => void server.close() }),
    );
  });
}

/**
 * Waits for the lock; `onWait` is called once where another process has it.
 * @param {string} place
 * @param {() => void} onWait
 * @returns {Promise<Lock>}
 */
async function lock(place, onWait) {
  let held = await tryLock(place);
  if (!held) onWait();
  while (!held) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    held = await tryLock(place);
  }
  return held;
}

module.exports = { lock, tryLock };
