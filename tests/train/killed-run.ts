/** A small text run as a process of its own, to be killed: the config as its argument, one line per step on stdout. */

import { runId } from '../../lib/experiments/experiment';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { silent } from '../../lib/train/observer';
import { TextTask, type TextConfig } from '../../lib/experiments/text-task';
import { takeThreads, train } from '../../lib/train/trainer';
import { fakeDataset, textLike } from './fake-dataset';

/** Trains to the end, from where an earlier process got. */
export async function trainText(config: TextConfig, told: (line: string) => void = () => {}): Promise<void> {
  const { vocabulary } = config.model;
  const task = new TextTask(
    config,
    fakeDataset(textLike(2 * config.trainTokens, vocabulary, 1), textLike(1000, vocabulary, 2)),
  );
  await train(runId(overfitting9m, config), config, task, {
    ...silent,
    started: ({ fromStep }) => told(`from ${fromStep}`),
    progressed: ({ step }) => told(`step ${step}`),
  });
}

if (require.main === module) {
  const config = JSON.parse(process.argv[2]!) as TextConfig;
  takeThreads(runId(overfitting9m, config));
  void trainText(config, (line) => process.stdout.write(`${line}\n`));
}
