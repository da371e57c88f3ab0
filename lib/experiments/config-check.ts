/** Refuses a config that cannot run, before any time is spent on it. */
import {
  EXPERIMENTS,
  TIERS,
  type AdamWConfig,
  type CapacityConfig,
  type ModelConfig,
  type PlateauConfig,
  type QuestionFormationConfig,
  type RunConfig,
  type ScheduleConfig,
  type TextConfig,
} from './config';
import { sentenceForms } from '../data/grammar/forms';
import type { Grammar } from '../data/grammar/grammar';
import { FAMILY, FAMILY_NAMES } from '../data/grammar/grammar-family';
import { GRAMMAR, Vocabulary } from '../data/grammar/question-formation';
import { oneOf, UserError } from '../util/errors';

const refuse = (field: string, expected: string, got: unknown, todo: string): never => {
  throw new UserError(
    `config.${field}: expected ${expected}; got ${typeof got === 'string' ? `"${got}"` : String(got)}: ${todo}`,
  );
};

function whole(field: string, value: number, min = 1): void {
  if (!Number.isSafeInteger(value) || value < min)
    refuse(field, `a whole number of at least ${min}`, value, 'set one');
}

/** In [min, max), `open`: in (min, max). */
function number(field: string, value: number, { min = 0, max = Infinity, open = false } = {}): void {
  if (
    typeof value === 'number' &&
    Number.isFinite(value) &&
    value < max &&
    (open ? value > min : value >= min)
  )
    return;
  refuse(
    field,
    `a number ${open ? 'above' : 'of at least'} ${min}${max === Infinity ? '' : ` and below ${max}`}`,
    value,
    'set one',
  );
}

/** Throws a UserError that names the field unless a model can have these sizes. */
export function checkModel(model: ModelConfig): void {
  oneOf('config.model.kind', model.kind, ['vanilla', 'gpt2']);
  for (const field of ['layers', 'width', 'heads', 'context', 'vocabulary'] as const)
    whole(`model.${field}`, model[field]);
  if (model.kind === 'vanilla') whole('model.feedForward', model.feedForward);
  number('model.dropout', model.dropout, { max: 1 });
  if (model.width % model.heads !== 0)
    refuse('model.heads', `a divisor of the width ${model.width}`, model.heads, 'change one of both');
}

/** Longest line of a grammar, tokens with the end token: a sentence, its marker, as many words again, the end. */
const longestLine = (grammar: Grammar): number =>
  2 * Math.max(...sentenceForms(grammar).map(({ classes }) => classes.length)) + 2;

function checkSchedule(s: ScheduleConfig): void {
  oneOf('config.schedule.kind', s.kind, ['linear', 'cosine']);
  number('schedule.peak', s.peak, { open: true });
  whole('schedule.warmupSteps', s.warmupSteps, 0);
  whole('schedule.decaySteps', s.decaySteps);
  if (s.decaySteps <= s.warmupSteps)
    refuse(
      'schedule.decaySteps',
      `more than the ${s.warmupSteps} steps of warm-up`,
      s.decaySteps,
      'lengthen the schedule or shorten the warm-up',
    );
  if (s.kind !== 'cosine') return;
  number('schedule.floor', s.floor);
  if (s.floor > s.peak) refuse('schedule.floor', `at most the peak ${s.peak}`, s.floor, 'lower it');
}

function checkAdamW({ beta1, beta2, epsilon, weightDecay }: AdamWConfig): void {
  number('adamw.beta1', beta1, { max: 1 });
  number('adamw.beta2', beta2, { max: 1 });
  number('adamw.epsilon', epsilon, { open: true });
  number('adamw.weightDecay', weightDecay);
}

function checkLines(config: QuestionFormationConfig | PlateauConfig, grammar: Grammar): void {
  const { experiment, model } = config;
  for (const field of ['trainLines', 'batchLines', 'evaluationLines'] as const) whole(field, config[field]);
  const words = new Vocabulary(grammar).size;
  if (model.vocabulary < words)
    refuse(
      'model.vocabulary',
      `at least ${words}, the token types of ${experiment}`,
      model.vocabulary,
      'enlarge it',
    );
  const tokens = longestLine(grammar);
  if (model.context < tokens)
    refuse(
      'model.context',
      `at least ${tokens}, the longest line of ${experiment}`,
      model.context,
      'enlarge it',
    );
}

function checkCapacity({ model, what, ...config }: CapacityConfig): void {
  oneOf('config.model.kind', model.kind, ['gpt2']);
  oneOf('config.what', what, ['sequences', 'associations']);
  for (const field of ['items', 'itemTokens', 'promptTokens', 'batchItems'] as const)
    whole(field, config[field]);
  if (config.itemTokens > model.context)
    refuse('itemTokens', `at most the context ${model.context}`, config.itemTokens, 'shorten the items');
  if (config.promptTokens >= config.itemTokens)
    refuse(
      'promptTokens',
      `fewer than the ${config.itemTokens} tokens of an item`,
      config.promptTokens,
      'lower it',
    );
  if (config.batchItems > config.items)
    refuse('batchItems', `at most the ${config.items} items`, config.batchItems, 'lower it');
  if (model.vocabulary < 3)
    refuse(
      'model.vocabulary',
      'at least 3: two tokens and the one before an item',
      model.vocabulary,
      'enlarge it',
    );
}

/** What a text run says of its data; whether the data set is that large is seen when it is opened. */
function checkText(config: TextConfig): void {
  const { model, memorised, energy } = config;
  oneOf('config.model.kind', model.kind, ['gpt2']);
  oneOf('config.order', config.order, ['shuffled', 'sequential']);
  if (!config.dataset)
    refuse('dataset', 'the name of a data set', config.dataset, 'see "npm run data -- list"');
  for (const field of ['batchWindows', 'accumulate', 'evaluationWindows'] as const)
    whole(field, config[field]);
  whole('trainTokens', config.trainTokens, model.context + 1);
  if (energy !== null) whole('energy.windows', energy.windows);
  if (memorised === null) return;
  for (const field of ['windows', 'prefix', 'continuation'] as const)
    whole(`memorised.${field}`, memorised[field]);
  const { prefix, continuation } = memorised;
  if (prefix + continuation > model.context)
    refuse(
      'memorised.prefix',
      `with the continuation at most the context ${model.context}`,
      prefix + continuation,
      'shorten one of both',
    );
}

/** Throws a UserError that names the first wrong field, what it should be and what it is. */
export function checkConfig(config: RunConfig): void {
  oneOf('config.experiment', config.experiment, Object.keys(EXPERIMENTS) as RunConfig['experiment'][]);
  oneOf('config.tier', config.tier, TIERS);
  oneOf('config.precision', config.precision, ['fp32', 'bf16']);
  for (const field of ['seed', 'steps', 'evaluateEverySteps', 'checkpointEverySteps'] as const)
    whole(field, config[field]);
  checkModel(config.model);
  checkSchedule(config.schedule);
  checkAdamW(config.adamw);
  number('clipNorm', config.clipNorm, { open: true });
  switch (config.experiment) {
    case 'question-formation':
      return checkLines(config, GRAMMAR);
    case 'plateau-intervention':
      return checkLines(config, FAMILY[oneOf('config.grammar', config.grammar, FAMILY_NAMES)]);
    case 'capacity':
      return checkCapacity(config);
    case 'overfitting-9m':
    case 'scaling-90m':
      return checkText(config);
    default:
      config satisfies never;
  }
}
