/** A small text run as a process of its own, to be killed: the config as its argument, one line per step on stdout. */
import type { TextConfig } from '../../lib/experiments/config';
import { buildModel } from '../../lib/model/build';
import { silent } from '../../lib/train/observer';
import { Text } from '../../lib/experiments/text';
import { Training } from '../../lib/train/trainer';
import { fakeDataset, textLike } from './fake-dataset';

/** Trains to the end, from where an earlier process got. */
export async function trainText(config: TextConfig, told: (line: string) => void = () => {}): Promise<void> {
  const { vocabulary } = config.model;
  const model = buildModel(config.model, config.seed);
  const task = new Text(
    config,
    fakeDataset(textLike(2 * config.trainTokens, vocabulary, 1), textLike(1000, vocabulary, 2)),
  );
  await new Training(config, model, task, {
    ...silent,
    started: ({ fromStep }) => told(`from ${fromStep}`),
    progressed: ({ step }) => told(`step ${step}`),
  }).toTheEnd();
  model.dispose();
}

if (require.main === module)
  void trainText(JSON.parse(process.argv[2]!) as TextConfig, (line) => process.stdout.write(`${line}\n`));
