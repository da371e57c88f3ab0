import { readFileSync } from 'node:fs';

/** Weights and moments in a checkpoint: everything behind its two lines of text. */
export function weightsIn(path: string): Buffer {
  const file = readFileSync(path);
  return file.subarray(file.indexOf(10, file.indexOf(10) + 1) + 1);
}
