/** How a model is trained, whatever it reads: fields and their units. */
import { checkModel, type ModelConfig } from '../model/config';
import type { AdamWConfig } from '../tensor/functional';
import { checkNumber, checkWhole, refuse } from '../util/check';
import { oneOf } from '../util/errors';

/** smoke: seconds, tests. quick: minutes, default of `reproduce`. desk: hours on 2 cores. full: the paper's sizes. */
export const TIERS = ['smoke', 'quick', 'desk', 'full'] as const;
export type Tier = (typeof TIERS)[number];

/** Tiers whose runs decide a claim and whose records can be committed; the others are for a first look and for tests. */
export const decides = (tier: Tier): boolean => tier === 'desk' || tier === 'full';

/** Linear warm-up from 0 to `peak` over `warmupSteps`, then linear decay to 0 at `decaySteps`. A step is one optimiser update. */
export interface LinearSchedule {
  kind: 'linear';
  peak: number;
  warmupSteps: number;
  decaySteps: number;
}

/** The same warm-up, then half a cosine from `peak` down to `floor` at `decaySteps`, and `floor` from there on. */
export interface CosineSchedule {
  kind: 'cosine';
  peak: number;
  /** Learning rate. */
  floor: number;
  warmupSteps: number;
  decaySteps: number;
}

export type ScheduleConfig = LinearSchedule | CosineSchedule;

export interface TrainingConfig<M extends ModelConfig = ModelConfig> {
  experiment: string;
  tier: Tier;
  seed: number;
  model: M;
  steps: number;
  schedule: ScheduleConfig;
  adamw: AdamWConfig;
  /** Largest global norm of the gradient. */
  clipNorm: number;
  precision: 'fp32' | 'bf16';
  /** Steps between two points of the curve; each point's training loss is the mean since the last. */
  evaluateEverySteps: number;
  checkpointEverySteps: number;
}

/** So many steps, at the last of which the learning rate has fallen as far as it does; the warm-up stays. */
export const withSteps = <C extends TrainingConfig>(config: C, steps: number): C => ({
  ...config,
  steps,
  schedule: { ...config.schedule, decaySteps: steps },
});

/** More steps, over which the learning rate falls; the warm-up stays. */
export function longer<C extends TrainingConfig>(config: C, factor: number): C {
  const { schedule } = config;
  return {
    ...config,
    steps: factor * config.steps,
    schedule: { ...schedule, decaySteps: factor * schedule.decaySteps },
  };
}

/** A schedule whose learning rate is divided throughout: wide models learn at a smaller one. */
export function slower(schedule: ScheduleConfig, factor: number): ScheduleConfig {
  const peak = schedule.peak / factor;
  return schedule.kind === 'cosine'
    ? { ...schedule, peak, floor: schedule.floor / factor }
    : { ...schedule, peak };
}

/** Fields in which a config departs from another, tier and seed apart, `dotted.name: theirs → ours`; what one of them does not have is "none". */
export function deviations<C extends TrainingConfig>(ours: C, reference: C): string[] {
  const flat = (value: unknown, name = ''): [string, unknown][] => {
    if (value === null) return [];
    return typeof value === 'object'
      ? Object.entries(value!).flatMap(([k, v]) => flat(v, name ? `${name}.${k}` : k))
      : [[name, value]];
  };
  const [own, theirs] = [new Map(flat(ours)), new Map(flat(reference))];
  const names = [...new Set([...theirs.keys(), ...own.keys()])].filter(
    (name) => name !== 'tier' && name !== 'seed' && own.get(name) !== theirs.get(name),
  );
  return names.map(
    (name) => `${name}: ${String(theirs.get(name) ?? 'none')} → ${String(own.get(name) ?? 'none')}`,
  );
}

function checkSchedule(s: ScheduleConfig): void {
  oneOf('config.schedule.kind', s.kind, ['linear', 'cosine']);
  checkNumber('schedule.peak', s.peak, { open: true });
  checkWhole('schedule.warmupSteps', s.warmupSteps, 0);
  checkWhole('schedule.decaySteps', s.decaySteps);
  if (s.decaySteps <= s.warmupSteps)
    refuse(
      'schedule.decaySteps',
      `more than the ${s.warmupSteps} steps of warm-up`,
      s.decaySteps,
      'lengthen the schedule or shorten the warm-up',
    );
  if (s.kind !== 'cosine') return;
  checkNumber('schedule.floor', s.floor);
  if (s.floor > s.peak) refuse('schedule.floor', `at most the peak ${s.peak}`, s.floor, 'lower it');
}

function checkAdamW({ beta1, beta2, epsilon, weightDecay }: AdamWConfig): void {
  checkNumber('adamw.beta1', beta1, { max: 1 });
  checkNumber('adamw.beta2', beta2, { max: 1 });
  checkNumber('adamw.epsilon', epsilon, { open: true });
  checkNumber('adamw.weightDecay', weightDecay);
}

/** Throws a UserError that names the first wrong field, what it should be and what it is. */
export function checkTraining(config: TrainingConfig): void {
  oneOf('config.tier', config.tier, TIERS);
  oneOf('config.precision', config.precision, ['fp32', 'bf16']);
  for (const field of ['seed', 'steps', 'evaluateEverySteps', 'checkpointEverySteps'] as const)
    checkWhole(field, config[field]);
  checkModel(config.model);
  checkSchedule(config.schedule);
  checkAdamW(config.adamw);
  checkNumber('clipNorm', config.clipNorm, { open: true });
}
