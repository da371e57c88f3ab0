/** `npm run train -- EXPERIMENT`: one run without Jupyter. */
import { existsSync, readFileSync } from 'node:fs';
import { EXPERIMENTS, experimentNamed } from '../../experiments/index';
import { runId, type Experiment } from '../../experiments/experiment';
import { commitRecord, run } from '../../experiments/run';
import {
  ownTextExperiment,
  ownTextRun,
  vocabularyFor,
  type OwnTextSettings,
} from '../../experiments/own-text';
import { datasetNames, readMeta, VOCABULARY, vocabularyOf } from '../../data/text/shards';
import { GPT2_SIZES, gpt2Parameters } from '../../model/config';
import { isText, tokensPerStep, type TextConfig } from '../../experiments/text-task';
import { TIERS, type TrainingConfig } from '../../train/config';
import { banner } from '../../tensor/engine';
import { bestStep, committedPath, recordPath } from '../../train/record';
import { learningRate } from '../../train/schedule';
import { takeThreads } from '../../train/trainer';
import { writeRunsTable } from '../../analysis/shared/runs-table';
import { oneOf, UserError, wholeNumber } from '../../util/errors';
import { terminalObserver } from '../../report/terminal';
import { count, layersByWidth, short } from '../../util/format';
import { main, numberOfTokens, parse, type Values } from './arguments';
import { makeCut, vocabularyFrom } from './datasets';

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
  dataset: { type: 'string', help: 'name of a data set, for the experiment text' },
  width: { type: 'string', help: 'width of the model, for the experiment text' },
  heads: { type: 'string', help: 'attention heads, for the experiment text' },
  context: { type: 'string', help: 'tokens that the model sees, for the experiment text' },
  batch: { type: 'string', help: 'windows per step, for the experiment text' },
  rate: { type: 'string', help: 'learning rate after the warm-up, for the experiment text' },
  dropout: { type: 'string', help: 'share of activations dropped in training, for the experiment text' },
  vocabulary: {
    type: 'string',
    help: 'number of ids, for the experiment text; one smaller than that of the data set makes another data set first (default: 2048 for a text below 1M tokens, else that of the data set)',
  },
  commit: {
    type: 'boolean',
    help: "copy the record of this run, which is finished and one of the experiment's lists, to data/runs, and train none",
  },
  json: { type: 'boolean', help: 'print the record as JSON, and all else as messages' },
  weights: {
    type: 'boolean',
    help: 'train it here for its weights, also where its record came with the repository',
  },
} as const;

/** Flags that only a run on a text of the user's own has. */
const OWN_TEXT = ['dataset', 'width', 'heads', 'context', 'batch', 'rate', 'dropout', 'vocabulary'] as const;

/** The name of a data set in a vocabulary, which is made from another one if need be. */
async function inVocabulary(dataset: string, vocabulary: string | undefined): Promise<string> {
  const meta = readMeta(dataset);
  const own = vocabularyOf(meta);
  const wanted = vocabulary === undefined ? vocabularyFor(meta) : vocabularyFrom(vocabulary);
  if (wanted === own) return dataset;
  if (vocabulary === undefined)
    console.log(
      `${count(wanted)} ids, which fit ${short(meta.train.tokens)} training tokens; --vocabulary ${own} keeps all`,
    );
  const name = `${dataset}-${wanted}`;
  if (own !== VOCABULARY)
    throw new UserError(
      `--vocabulary: expected ${own}, that of data set ${dataset}; got ${wanted}: name the data set that it was made from`,
    );
  await makeCut(dataset, name, wanted);
  return name;
}

/** A run on a text of the user's own. */
async function ownTextConfig(values: Values<typeof OPTIONS>): Promise<TextConfig> {
  if (values.dataset === undefined)
    throw new UserError(
      `--dataset: expected the name of a data set; got nothing: ${datasetNames().length ? `there are ${datasetNames().join(', ')}` : 'make one with "npm run data -- text --from FOLDER --name mine"'}`,
    );
  const whole = (flag: (typeof OWN_TEXT)[number] | 'layers' | 'steps', max?: number) =>
    values[flag] === undefined ? undefined : wholeNumber(`--${flag}`, values[flag], 1, max);
  const number = (flag: 'rate' | 'dropout', below: number) => {
    const text = values[flag];
    if (text === undefined) return undefined;
    if (Number(text) >= 0 && Number(text) < below) return Number(text);
    throw new UserError(`--${flag}: expected a number from 0 to below ${below}; got "${text}"`);
  };
  const size = values.size === undefined ? {} : sizeNamed(values.size);
  const dataset = await inVocabulary(values.dataset, values.vocabulary);
  const settings = {
    seed: wholeNumber('--seed', values.seed, 1),
    tokens: values.tokens === undefined ? undefined : numberOfTokens('--tokens', values.tokens),
    layers: whole('layers', 96),
    width: whole('width'),
    heads: whole('heads'),
    context: whole('context'),
    batch: whole('batch'),
    steps: whole('steps'),
    rate: number('rate', 1),
    dropout: number('dropout', 1),
  };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  return ownTextRun(dataset, readMeta(dataset), { ...size, ...given } as OwnTextSettings);
}

/** What a run on a text is, in a line. */
function sizeText({ model, trainTokens, batchWindows, steps, ...config }: TextConfig): string {
  const passes = (steps * tokensPerStep({ model, batchWindows, ...config } as TextConfig)) / trainTokens;
  return `${layersByWidth(model)}, ${model.heads} heads, context ${model.context}, ${count(model.vocabulary)} ids: ${short(gpt2Parameters(model).all)} parameters; ${count(trainTokens)} training tokens of ${config.dataset}, ${count(steps)} steps of ${batchWindows} windows: ${passes.toFixed(1)} passes`;
}

const sizeNamed = (size: string) => {
  const { layers, width, heads } =
    GPT2_SIZES[oneOf('--size', size, Object.keys(GPT2_SIZES) as (keyof typeof GPT2_SIZES)[])];
  return { layers, width, heads };
};

/** What the flags change in a text run. */
function textRun(base: TextConfig, { tokens, size }: Values<typeof OPTIONS>): TextConfig {
  return {
    ...base,
    model: { ...base.model, ...(size === undefined ? {} : sizeNamed(size)) },
    trainTokens: tokens === undefined ? base.trainTokens : numberOfTokens('--tokens', tokens),
  };
}

/** The config of an experiment with the flags' changes. */
async function configOf(experiment: Experiment, values: Values<typeof OPTIONS>): Promise<TrainingConfig> {
  if (experiment.name === ownTextExperiment.name) return ownTextConfig(values);
  const forOwn = OWN_TEXT.find((flag) => values[flag] !== undefined);
  if (forOwn)
    throw new UserError(
      `--${forOwn}: expected for the experiment ${ownTextExperiment.name} only; got it for ${experiment.name}: leave it out`,
    );
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

/** What is to be said of steps beyond the schedule; null where there are none. */
function restText({ steps, schedule }: TrainingConfig): string | null {
  if (steps <= schedule.decaySteps) return null;
  const rate = learningRate(schedule, steps);
  return `--steps: the learning rate is ${rate} from step ${schedule.decaySteps} to ${steps}, where the schedule has ended${rate === 0 ? ': these steps change nothing' : ''}`;
}

main('train', async (argv) => {
  const { values, positionals } = parse(
    {
      command: 'train',
      summary: `Trains one run of ${EXPERIMENTS.map(({ name }) => name).join(', ')}, or of text, your own; an interrupted run continues by itself.`,
      positionals: 'EXPERIMENT',
      options: OPTIONS,
    },
    argv,
  );
  if (positionals.length > 1) throw new UserError(`expected one experiment; got ${positionals.join(' ')}`);
  const experiment = experimentNamed(positionals[0]);
  const print = console.log;
  if (values.json) console.log = console.error;
  const config = await configOf(experiment, values);
  if (values.commit) {
    console.log(`record: ${commitRecord(experiment, config)}`);
    return console.log(`table: ${writeRunsTable()}`);
  }
  const beyond = restText(config);
  if (beyond) console.error(beyond);
  takeThreads(runId(experiment, config));
  console.log(banner());
  if (experiment.name === ownTextExperiment.name) console.log(sizeText(config as TextConfig));
  const { id, curve } = await run(experiment, config, terminalObserver(experiment.summary), {
    weights: values.weights,
  });
  const path = [recordPath(id), committedPath(id)].find((path) => existsSync(path))!;
  if (values.json) print(readFileSync(path, 'utf8').trim());
  console.log(`record: ${path}`);
  if (experiment.name !== ownTextExperiment.name) return;
  const lowest = curve.find(({ step }) => step === bestStep(curve));
  if (lowest && lowest !== curve.at(-1))
    console.log(
      `lowest held-out loss: ${lowest.heldOutLossNats.toFixed(4)} nats per token at step ${count(lowest.step)}, which --checkpoint best samples from`,
    );
  console.log(`next: npm run sample -- ${id} --prompt "TEXT", or --memorised: what it knows of its text`);
});
