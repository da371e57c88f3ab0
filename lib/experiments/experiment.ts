/** What an experiment is. */
import { checkTraining, type Tier, type TrainingConfig } from '../train/config';
import type { Task } from '../train/evaluate';
import { configHash, type Measures } from '../train/record';
import { oneOf } from '../util/errors';

export interface Experiment<C extends TrainingConfig = TrainingConfig, M extends Measures = Measures> {
  /** The field `experiment` of its configs. */
  readonly name: string;
  /** Its run in each tier. */
  readonly tiers: Readonly<Record<Tier, C>>;
  /** Throws a UserError for what neither the compiler nor the general check of a config sees. */
  check(config: C): void;
  /** What tells its runs apart in their ids besides tier, layers and seed, e.g. `-900000-tokens`. */
  idPart(config: C): string;
  /** What the model is trained on, and what is measured on the way. */
  task(config: C): Task<M> | Promise<Task<M>>;
  /** What an evaluation measured besides the losses, in a few words. */
  summary(measures: M): string;
  /** Named lists of runs for `npm run sweep`, the most decisive first; each varies one setting. */
  readonly sweeps?: Readonly<Record<string, (tier: Tier) => TrainingConfig[]>>;
  /** Runs whose weights are committed with their records. */
  readonly weights?: (tier: Tier) => TrainingConfig[];
}

/** Throws a UserError that names the first wrong field, what it should be and what it is. */
export function checkConfig<C extends TrainingConfig>(experiment: Experiment<C>, config: C): void {
  oneOf('config.experiment', config.experiment, [experiment.name]);
  checkTraining(config);
  experiment.check(config);
}

/** `scaling-90m-desk-6-layers-900000-tokens-seed-1-` and the first six digits of the config's hash. */
export const runId = <C extends TrainingConfig>(experiment: Experiment<C>, config: C): string =>
  `${config.experiment}-${config.tier}-${config.model.layers}-layers${experiment.idPart(config)}-seed-${config.seed}-${configHash(config).slice(0, 6)}`;

export const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);
