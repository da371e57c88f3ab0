/** Trains runs of a sweep, one after the other, as its parent names them. */
import type { Tier } from '../config';
import { tick } from '../report/display';
import { SWEEPS, type SweepName } from '../sweeps';
import { run } from '../train/loop';
import { silent } from '../train/observer';
import { errorText } from './arguments';

interface Task { name: SweepName; tier: Tier; index: number }

export type Answer =
  | { kind: 'progress'; share: number }
  | { kind: 'done'; minutes: number; text: string }
  | { kind: 'failed'; message: string };

const answer = (message: Answer) => process.send!(message);

/** Milliseconds between two words on progress. */
const PACE = 500;

async function train({ name, tier, index }: Task): Promise<void> {
  let told = 0;
  const record = await run(SWEEPS[name](tier)[index]!, {
    ...silent,
    progressed({ step, steps }) {
      if (performance.now() - told < PACE) return;
      told = performance.now();
      answer({ kind: 'progress', share: step / steps });
      return tick();
    },
  });
  const last = record.curve.at(-1)!;
  answer({ kind: 'done', minutes: record.minutes, text: `training ${last.trainLossNats.toFixed(4)}, held out ${last.heldOutLossNats.toFixed(4)} nats per token` });
}

process.on('message', (task: Task) => {
  train(task).catch((error) => answer({ kind: 'failed', message: errorText('sweep', error).replace(/^sweep: /, '') }));
});
process.on('disconnect', () => process.exit());
