/** `npm run train -- EXPERIMENT`: one run without Jupyter. */
import { existsSync } from 'node:fs';
import { EXPERIMENTS, experimentNamed } from '../../experiments/index';
import { runId, type Experiment } from '../../experiments/experiment';
import { commitRecord, run } from '../../experiments/run';
import { GPT2_SIZES } from '../../model/config';
import { isText, type TextConfig } from '../../experiments/text-task';
import { TIERS, type TrainingConfig } from '../../train/config';
import { banner } from '../../tensor/engine';
import { committedPath, recordPath } from '../../train/record';
import { takeThreads } from '../../train/trainer';
import { writeRunsTable } from '../../analysis/shared/runs-table';
import { oneOf, UserError, wholeNumber } from '../../util/errors';
import { terminalObserver } from '../../report/terminal';
import { main, numberOfTokens, parse, type Values } from './arguments';

const OPTIONS = {
  tier: { type: 'string', help: `one of ${TIERS.join(', ')}`, default: 'desk' },
  seed: { type: 'string', help: 'whole number from 1', default: '1' },
  layers: { type: 'string', help: "layers of the model, in place of the tier's" },
  steps: { type: 'string', help: "optimiser updates, in place of the tier's" },
  tokens: { type: 'string', help: "of the training text, as 900k or 9M, in place of the tier's; for texts" },
  size: {
    type: 'string',
    help: `layers, width and heads of GPT-2 ${Object.keys(GPT2_SIZES).join(', ')}; for texts`,
  },
  commit: {
    type: 'boolean',
    help: "copy the record of this run, which is finished and one of the experiment's lists, to data/runs, and train none",
  },
  weights: {
    type: 'boolean',
    help: 'train it here for its weights, also where its record came with the repository',
  },
} as const;

/** What the flags change in a text run. */
function textRun(base: TextConfig, { tokens, size }: Values<typeof OPTIONS>): TextConfig {
  const { layers, width, heads } =
    size === undefined
      ? base.model
      : GPT2_SIZES[oneOf('--size', size, Object.keys(GPT2_SIZES) as (keyof typeof GPT2_SIZES)[])];
  return {
    ...base,
    model: { ...base.model, layers, width, heads },
    trainTokens: tokens === undefined ? base.trainTokens : numberOfTokens('--tokens', tokens),
  };
}

/** The config of an experiment with the flags' changes. */
function configOf(experiment: Experiment, values: Values<typeof OPTIONS>): TrainingConfig {
  const published = experiment.tiers[oneOf('--tier', values.tier, TIERS)];
  const forTexts = (['tokens', 'size'] as const).find((flag) => values[flag] !== undefined);
  if (!isText(published) && forTexts) {
    const texts = EXPERIMENTS.filter(({ tiers }) => isText(tiers.desk)).map(({ name }) => name);
    throw new UserError(
      `--${forTexts}: expected for ${texts.join(', ')} only; got it for ${experiment.name}: leave it out`,
    );
  }
  const base = isText(published) ? textRun(published, values) : published;
  const layers =
    values.layers === undefined ? base.model.layers : wholeNumber('--layers', values.layers, 1, 96);
  return {
    ...base,
    seed: wholeNumber('--seed', values.seed, 1),
    model: { ...base.model, layers },
    steps: values.steps === undefined ? base.steps : wholeNumber('--steps', values.steps, 1),
  };
}

main('train', async (argv) => {
  const { values, positionals } = parse(
    {
      command: 'train',
      summary: `Trains one run of ${EXPERIMENTS.map(({ name }) => name).join(', ')}; an interrupted run continues by itself.`,
      positionals: 'EXPERIMENT',
      options: OPTIONS,
    },
    argv,
  );
  if (positionals.length > 1) throw new UserError(`expected one experiment; got ${positionals.join(' ')}`);
  const experiment = experimentNamed(positionals[0]);
  const config = configOf(experiment, values);
  if (values.commit) {
    console.log(`record: ${commitRecord(experiment, config)}`);
    return console.log(`table: ${writeRunsTable()}`);
  }
  takeThreads(runId(experiment, config));
  console.log(banner());
  const { id } = await run(experiment, config, terminalObserver(experiment.summary), {
    weights: values.weights,
  });
  console.log(`record: ${[recordPath(id), committedPath(id)].find((path) => existsSync(path))}`);
});
