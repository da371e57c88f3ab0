/** The registry: every experiment. */
import type { TrainingConfig } from '../train/config';
import { oneOf } from '../util/errors';
import { capacity } from './capacity';
import type { Experiment } from './experiment';
import { overfitting9m } from './overfitting-9m';
import { plateauIntervention } from './plateau-intervention';
import { questionFormation } from './question-formation';
import { scaling90m } from './scaling-90m';

export const EXPERIMENTS: Experiment[] = [
  questionFormation,
  overfitting9m,
  scaling90m,
  plateauIntervention,
  capacity,
];

/** Throws a UserError that names the known ones unless there is an experiment of this name. */
export function experimentNamed(name: string | undefined, what = 'experiment'): Experiment {
  const names = EXPERIMENTS.map((experiment) => experiment.name);
  return EXPERIMENTS[names.indexOf(oneOf(what, name, names))]!;
}

export const experimentOf = ({ experiment }: TrainingConfig): Experiment =>
  experimentNamed(experiment, 'config.experiment');

/** All lists of runs by name. */
export const sweeps = (): NonNullable<Experiment['sweeps']> =>
  Object.assign({}, ...EXPERIMENTS.map((experiment) => experiment.sweeps));
