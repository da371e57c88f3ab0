/** `npm run train -- EXPERIMENT`: one run without Jupyter. */
import { questionFormation, TIERS, type RunConfig } from '../config';
import { oneOf, UserError, wholeNumber } from '../errors';
import { main, parse } from './arguments';

const EXPERIMENTS = { 'question-formation': questionFormation } as const;

main('train', async (argv) => {
  const { values, positionals } = parse({
    command: 'train', summary: 'Trains one run; continues by itself where an earlier one was cut off.', positionals: 'EXPERIMENT',
    options: {
      tier: { type: 'string', help: `one of ${TIERS.join(', ')}`, default: 'desk' },
      seed: { type: 'string', help: 'whole number from 1', default: '1' },
      layers: { type: 'string', help: "layers of the model, in place of the tier's" },
      steps: { type: 'string', help: "optimiser updates, in place of the tier's" },
    },
  }, argv);
  if (positionals.length > 1) throw new UserError(`expected one experiment; got ${positionals.join(' ')}`);
  const name = oneOf('experiment', positionals[0], Object.keys(EXPERIMENTS) as (keyof typeof EXPERIMENTS)[]);
  const base = EXPERIMENTS[name][oneOf('--tier', values.tier, TIERS)];
  const config: RunConfig = {
    ...base,
    seed: wholeNumber('--seed', values.seed, 1),
    model: { ...base.model, layers: values.layers === undefined ? base.model.layers : wholeNumber('--layers', values.layers, 1, 96) },
    steps: values.steps === undefined ? base.steps : wholeNumber('--steps', values.steps, 1),
  };
  // Loaded here, so that help and wrong arguments are answered without TensorFlow, and its errors are ours to print.
  const { terminalObserver } = require('../report/progress') as typeof import('../report/progress');
  const { banner } = require('../tf') as typeof import('../tf');
  const { run } = require('../train/loop') as typeof import('../train/loop');
  const { recordPath } = require('../train/record') as typeof import('../train/record');
  console.log(banner());
  const record = await run(config, terminalObserver());
  console.log(`record: ${recordPath(record.id, config.tier)}`);
});
