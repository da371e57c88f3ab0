/** The registry: every experiment that a notebook shows, and that on a text of the user's own. */
import { decides, type TrainingConfig } from '../train/config';
import { oneOf } from '../util/errors';
import { capacity } from './capacity';
import { runId, type Experiment } from './experiment';
import { overfitting9m } from './overfitting-9m';
import { ownTextExperiment } from './own-text';
import { plateauIntervention } from './plateau-intervention';
import { questionFormation } from './question-formation';
import { replica } from './replica';
import { scaling90m } from './scaling-90m';

export const EXPERIMENTS: Experiment[] = [
  questionFormation,
  overfitting9m,
  scaling90m,
  plateauIntervention,
  capacity,
  replica,
];

/** Throws a UserError that names the known ones unless there is an experiment of this name. */
export function experimentNamed(name: string | undefined, what = 'experiment'): Experiment {
  const known = [...EXPERIMENTS, ownTextExperiment];
  const names = known.map((experiment) => experiment.name);
  return known[names.indexOf(oneOf(what, name, names))]!;
}

export const experimentOf = ({ experiment }: TrainingConfig): Experiment =>
  experimentNamed(experiment, 'config.experiment');

/** All lists of runs by name. */
export const sweeps = (): NonNullable<Experiment['sweeps']> =>
  Object.assign({}, ...EXPERIMENTS.map((experiment) => experiment.sweeps));

export const idOf = (config: TrainingConfig): string => runId(experimentOf(config), config);

/** Whether a list names this run, in a tier that decides: only such runs are evidence. */
export const isListed = (config: TrainingConfig): boolean =>
  decides(config.tier) &&
  Object.values(sweeps()).some((list) => list(config.tier).some((run) => idOf(run) === idOf(config)));
