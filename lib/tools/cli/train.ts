/** `npm run train -- EXPERIMENT`: one run without Jupyter. */
import {
  EXPERIMENTS,
  GPT2_SIZES,
  isText,
  TIERS,
  type RunConfig,
  type TextConfig,
} from '../../experiments/config';
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
function configOf(experiment: string | undefined, values: Values<typeof OPTIONS>): RunConfig {
  const name = oneOf('experiment', experiment, Object.keys(EXPERIMENTS) as RunConfig['experiment'][]);
  const published: RunConfig = EXPERIMENTS[name][oneOf('--tier', values.tier, TIERS)];
  const forTexts = (['tokens', 'size'] as const).find((flag) => values[flag] !== undefined);
  const texts = Object.values(EXPERIMENTS)
    .map(({ desk }) => desk)
    .filter(isText)
    .map(({ experiment }) => experiment);
  if (!isText(published) && forTexts)
    throw new UserError(
      `--${forTexts}: expected for ${texts.join(', ')} only; got it for ${name}: leave it out`,
    );
  const base = isText(published) ? textRun(published, values) : published;
  const layers =
    values.layers === undefined ? base.model.layers : wholeNumber('--layers', values.layers, 1, 96);
  return {
    ...base,
    seed: wholeNumber('--seed', values.seed, 1),
    model: { ...base.model, layers },
    steps: values.steps === undefined ? base.steps : wholeNumber('--steps', values.steps, 1),
  } as RunConfig;
}

main('train', async (argv) => {
  const { values, positionals } = parse(
    {
      command: 'train',
      summary: `Trains one run of ${Object.keys(EXPERIMENTS).join(', ')}; continues by itself where an earlier one was cut off.`,
      positionals: 'EXPERIMENT',
      options: OPTIONS,
    },
    argv,
  );
  if (positionals.length > 1) throw new UserError(`expected one experiment; got ${positionals.join(' ')}`);
  const config = configOf(positionals[0], values);
  // Loaded here, so that help and wrong arguments are answered without TensorFlow, and its errors are ours to print.
  const { banner } = require('../../tensor/engine') as typeof import('../../tensor/engine');
  const { run } = require('../../train/loop') as typeof import('../../train/loop');
  const { recordPath } = require('../../train/record') as typeof import('../../train/record');
  console.log(banner());
  const record = await run(config, terminalObserver());
  console.log(`record: ${recordPath(record.id, config.tier)}`);
});
