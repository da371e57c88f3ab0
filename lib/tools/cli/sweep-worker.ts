/** Trains runs of a sweep, one after the other, as its parent names them. */
import type { Tier } from '../../train/config';
import { tick } from '../../report/display';
import { lossText, Throttle } from '../../report/terminal';
import { experimentOf, sweeps } from '../../experiments';
import { run } from '../../experiments/run';
import { silent } from '../../train/observer';
import { errorText } from './arguments';

interface Task {
  name: string;
  tier: Tier;
  index: number;
}

export type Answer =
  | { kind: 'progress'; share: number }
  | { kind: 'done'; minutes: number; text: string }
  | { kind: 'failed'; message: string };

const answer = (message: Answer) => process.send!(message);

async function train({ name, tier, index }: Task): Promise<void> {
  const pace = new Throttle(0.5);
  const config = sweeps()[name]!(tier)[index]!;
  const record = await run(experimentOf(config), config, {
    ...silent,
    progressed({ step, steps }) {
      if (!pace.passes()) return;
      answer({ kind: 'progress', share: step / steps });
      return tick();
    },
  });
  answer({ kind: 'done', minutes: record.minutes, text: lossText(record.curve.at(-1)!) });
}

process.on('message', (task: Task) => {
  train(task).catch((error) =>
    answer({ kind: 'failed', message: errorText('sweep', error).replace(/^sweep: /, '') }),
  );
});
process.on('disconnect', () => process.exit());
