/** Test files that train the same runs of the project's own data/local take turns. */
import { join } from 'node:path';
import { lock } from '../lib/util/lock.cjs';
import { paths } from '../lib/util/paths';

/** Waits for the other file's tests; the lock is free when its holder ends, however it ends. */
export const inTurn = (experiment: string): Promise<{ release(): void }> =>
  lock(join(paths.local, `tests-of-${experiment}`), () => {});
