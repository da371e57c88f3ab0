/** Trains the runs that its parent process names, one after the other. */
import type { Tier } from '../../train/config';
import { tick } from '../../report/display';
import { lossText, Throttle } from '../../report/terminal';
import { experimentOf, sweeps } from '../../experiments/index';
import { run } from '../../experiments/run';
import { silent, StoppedError } from '../../train/observer';
import { errorText } from './arguments';

/** A run of a list. */
export interface ListedRun {
  name: string;
  tier: Tier;
  index: number;
  /** Whether to wait for it while another process trains it; else the answer is `busy`. */
  wait: boolean;
}

export type WorkerMessage =
  | { kind: 'progress'; share: number }
  | { kind: 'done'; minutes: number; text: string }
  | { kind: 'failed'; message: string }
  | { kind: 'stopped'; message: string }
  | { kind: 'busy' };

/** A parent that was killed hears nothing, and this process ends too: see below. */
const answer = (message: WorkerMessage) => process.send!(message, undefined, undefined, () => undefined);

class Busy extends Error {}

let stopping = false;
process.on('SIGTERM', () => (stopping = true));

async function train({ name, tier, index, wait }: ListedRun): Promise<void> {
  const pace = new Throttle(0.5);
  const config = sweeps()[name]!(tier)[index]!;
  const record = await run(experimentOf(config), config, {
    ...silent,
    waits(owner) {
      if (!wait) throw new Busy();
      if (stopping) throw new StoppedError(`${owner} trains it`);
    },
    stops: () => stopping,
    progressed({ step, steps }) {
      if (!pace.passes()) return;
      answer({ kind: 'progress', share: step / steps });
      return tick();
    },
  });
  answer({ kind: 'done', minutes: record.minutes, text: lossText(record.curve.at(-1)!) });
}

process.on('message', (listed: ListedRun) => {
  train(listed).catch((error) =>
    answer(
      error instanceof Busy
        ? { kind: 'busy' }
        : error instanceof StoppedError
          ? { kind: 'stopped', message: error.message }
          : { kind: 'failed', message: errorText('sweep', error).replace(/^sweep: /, '') },
    ),
  );
});
process.on('disconnect', () => process.exit());
