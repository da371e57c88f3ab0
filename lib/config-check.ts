/** Refuses a config that cannot run, before any time is spent on it. */
import { TIERS, type ModelConfig, type RunConfig } from './config';
import { sentenceForms } from './data/forms';
import { GRAMMAR, Vocabulary } from './data/question-formation';
import { oneOf, UserError } from './errors';

const refuse = (field: string, expected: string, got: unknown, todo: string): never => {
  throw new UserError(`config.${field}: expected ${expected}; got ${typeof got === 'string' ? `"${got}"` : String(got)}: ${todo}`);
};

function whole(field: string, value: number, min = 1): void {
  if (!Number.isSafeInteger(value) || value < min) refuse(field, `a whole number of at least ${min}`, value, 'set one');
}

/** In [min, max), `open`: in (min, max). */
function number(field: string, value: number, { min = 0, max = Infinity, open = false } = {}): void {
  if (typeof value === 'number' && Number.isFinite(value) && value < max && (open ? value > min : value >= min)) return;
  refuse(field, `a number ${open ? 'above' : 'of at least'} ${min}${max === Infinity ? '' : ` and below ${max}`}`, value, 'set one');
}

/** Throws a UserError that names the field unless a model can have these sizes. */
export function checkModel(model: ModelConfig): void {
  oneOf('config.model.kind', model.kind, ['vanilla', 'gpt2']);
  for (const field of ['layers', 'width', 'heads', 'context', 'vocabulary'] as const) whole(`model.${field}`, model[field]);
  if (model.kind === 'vanilla') whole('model.feedForward', model.feedForward);
  number('model.dropout', model.dropout, { max: 1 });
  if (model.width % model.heads !== 0) refuse('model.heads', `a divisor of the width ${model.width}`, model.heads, 'change one of both');
}

/** Longest line of question formation, tokens with the end token: a sentence, its marker, as many words again, the end. */
const longestLine = (): number => 2 * Math.max(...sentenceForms(GRAMMAR).map(({ classes }) => classes.length)) + 2;

function checkData({ experiment, model }: RunConfig): void {
  oneOf('config.experiment', experiment, ['question-formation']);
  const words = new Vocabulary(GRAMMAR).size;
  if (model.vocabulary < words) refuse('model.vocabulary', `at least ${words}, the token types of ${experiment}`, model.vocabulary, 'enlarge it');
  const tokens = longestLine();
  if (model.context < tokens) refuse('model.context', `at least ${tokens}, the longest line of ${experiment}`, model.context, 'enlarge it');
}

/** Throws a UserError that names the first wrong field, what it should be and what it is. */
export function checkConfig(config: RunConfig): void {
  const { schedule, adamw } = config;
  oneOf('config.tier', config.tier, TIERS);
  oneOf('config.precision', config.precision, ['fp32', 'bf16']);
  for (const field of ['seed', 'trainLines', 'batchLines', 'steps', 'evaluateEverySteps', 'evaluationLines', 'checkpointEverySteps'] as const) whole(field, config[field]);
  checkModel(config.model);
  oneOf('config.schedule.kind', schedule.kind, ['linear']);
  number('schedule.peak', schedule.peak, { open: true });
  whole('schedule.warmupSteps', schedule.warmupSteps, 0);
  whole('schedule.decaySteps', schedule.decaySteps);
  if (schedule.decaySteps <= schedule.warmupSteps) refuse('schedule.decaySteps', `more than the ${schedule.warmupSteps} steps of warm-up`, schedule.decaySteps, 'lengthen the schedule or shorten the warm-up');
  number('adamw.beta1', adamw.beta1, { max: 1 });
  number('adamw.beta2', adamw.beta2, { max: 1 });
  number('adamw.epsilon', adamw.epsilon, { open: true });
  number('adamw.weightDecay', adamw.weightDecay);
  number('clipNorm', config.clipNorm, { open: true });
  checkData(config);
}
