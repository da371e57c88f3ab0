// @ts-check
'use strict';
/** Thread that counts on in a file that is there, as long as the process runs, whatever its main thread does. */
const { writeFileSync } = require('node:fs');
const { workerData } = require('node:worker_threads');

const { file, milliseconds } = workerData;
let beats = 0;
setInterval(() => {
  try {
    writeFileSync(file, String(++beats), { flag: 'r+' });
  } catch {
    // Taken over, or the file system is out of reach: the owner looks before it writes anything.
  }
}, milliseconds);
