/** What was predicted before the runs of notebook 08, and what came of it. */
import {
  deeperRuns,
  modelRuns,
  settledRuns,
  SETTLING_SEEDS,
  type PlateauConfig,
  type PlateauRecord,
} from '../experiments/plateau-intervention';
import { SETTLED_PREDICTIONS } from '../experiments/plateau-predictions';
import { prediction, predictionRows, type PredictionRow, type Predictions } from '../report/predictions';
import { line, type Point } from '../util/statistics';
import {
  excessAtFree,
  excessPerToken,
  hasLearnt,
  isCopying,
  isOnThreeGrammars,
  lastOf,
  memorisedNats,
  positionsOf,
  settles,
  slopeOf,
  type Interventions,
} from './08-runs';
import { dataFloor, memoryFloor } from './shared/floors';
import { plateau } from './shared/plateau';
import { MOST_DRIFT } from './shared/settled';
import { valueRow, type Decided } from './shared/registered-value';

/** The value of each prediction that was registered for the runs without dropout, or what is missing. */
export function decidedBy(all: Interventions): Record<string, Decided> {
  const planned = settledRuns('desk').length;
  const settled = all.settled.filter(settles);
  const seeds = SETTLING_SEEDS;
  const missing = { missing: `${all.settled.length} of ${planned} runs are finished` };
  const when = (decided: () => Decided): Decided => (all.settled.length < planned ? missing : decided());
  const depths = deeperRuns('desk').length;
  return {
    G1: when(() => ({ value: settled.filter(hasLearnt).length, seeds })),
    G2: when(() => {
      const { value, low, high } = slopeOf(settled);
      return { value, interval: [low, high], seeds };
    }),
    G3: when(() => ({ value: Math.max(...settled.map(excessPerToken)), seeds })),
    G4:
      all.deeper.length < depths
        ? { missing: `${all.deeper.length} of ${depths} runs are finished` }
        : {
            value: new Set(
              all.deeper.filter((r) => settles(r) && hasLearnt(r)).map(({ config }) => config.model.layers),
            ).size,
            seeds: seeds.slice(0, 1),
          },
  };
}

const within =
  (most: number, of = 0) =>
  (v: number) =>
    Math.abs(v - of) <= most;

/** The line through training losses, averaged over the last quarter with dropout, against entropies, as P1, P2, P8 and P9 have it. */
function formerFit(records: readonly PlateauRecord[], which: 'all' | 'copying') {
  const fitted = records.filter(
    (record) => formerlySettled(record) && (which === 'all' || isCopying(record)),
  );
  if (!isOnThreeGrammars(fitted)) return null;
  return line(fitted.map((record): Point => [dataFloor(record.config), plateau(record).trainLossNats]));
}

/** As these predictions had it: a loss that rises counts as settled. */
const formerlySettled = (record: PlateauRecord): boolean => plateau(record).driftNats <= MOST_DRIFT;

const isDeep = (config: PlateauConfig): boolean => config.model.layers > 2;

/** The first ten predictions, on runs with dropout, by the statistics that they were made for. */
export function predictions(all: Interventions): Predictions {
  const [settled, copying] = [formerFit(all.grammars, 'all'), formerFit(all.seeds4And5, 'copying')];
  const bySize = [...all.fewerLines].sort((a, b) => a.config.trainLines - b.config.trainLines);
  const [fewest, most] = [bySize[0], bySize.at(-1)];
  const atFree = all.grammars
    .filter(({ config }) => config.grammar === '1.0')
    .map((record) => excessAtFree(positionsOf(record)));
  const deep = all.models.filter(({ config }) => isDeep(config));
  const settledDeep =
    deep.length < modelRuns('desk').filter(isDeep).length
      ? []
      : deep.filter(formerlySettled).map((record) => plateau(record).trainLossNats);
  const [longer] = all.longerOnGrammar15;
  const [slower] = all.slower10Layers;
  return {
    P1: prediction(
      'The slope of plateau against entropy is 1',
      '1 ± 0.05',
      settled?.slope.value,
      within(0.05, 1),
    ),
    P2: prediction(
      'Its line passes near 0',
      'intercept 0 ± 0.06 nats',
      settled?.intercept.value,
      within(0.06),
    ),
    P3: prediction(
      'The excess over the entropy is at free words, in the seed with the least',
      'at least 0.8 of it',
      atFree.length ? Math.min(...atFree) : null,
      (v) => v >= 0.8,
    ),
    P4: prediction(
      'On the fewest lines the training loss comes to that of memorised lines',
      'within 0.05 nats',
      fewest && lastOf(fewest).trainLinesLossNats - memoryFloor(fewest.config),
      (v) => v <= 0.05,
    ),
    P5: prediction(
      'On the most lines nothing is memorised: training lines save nothing',
      'within 0.02 nats',
      most && most !== fewest ? memorisedNats(most) : null,
      within(0.02),
    ),
    P6: prediction(
      'Models of 6 and 10 layers settle at the same loss',
      'within 0.05 nats',
      settledDeep.length >= 2 ? Math.max(...settledDeep) - Math.min(...settledDeep) : null,
      (v) => v <= 0.05,
    ),
    P7: prediction(
      'Trained three times as long, grammar 1.5 settles at its entropy',
      'within 0.06 nats',
      longer && plateau(longer).trainLossNats - dataFloor(longer.config),
      within(0.06),
    ),
    P8: prediction(
      'With seeds 4 and 5, over settled runs that copy, the slope is 1',
      '1 ± 0.05',
      copying?.slope.value,
      within(0.05, 1),
    ),
    P9: prediction(
      'And its line passes near 0',
      'intercept 0 ± 0.06 nats',
      copying?.intercept.value,
      within(0.06),
    ),
    P10: prediction(
      'At a quarter of the learning rate 10 × 128 leaves the level without copying',
      'below 1.3 nats',
      slower && plateau(slower).trainLossNats,
      (v) => v < 1.3,
    ),
  };
}

/** The commits that registered them. */
const COMMITS: Record<string, string> = {
  P7: '967025b',
  P8: 'c20fa98',
  P9: 'c20fa98',
  P10: '91869b9',
  G4: '0ca44a9',
};
const [FIRST, SETTLED] = ['335cb34', '9e0b8c2'];

export function predictionTable(all: Interventions): PredictionRow[] {
  const decided = decidedBy(all);
  return [
    ...predictionRows(
      predictions(all),
      (id) => COMMITS[id] ?? FIRST,
      (value) => value?.toFixed(3) ?? null,
    ),
    ...SETTLED_PREDICTIONS.map((one) => valueRow(one, decided[one.id]!, COMMITS[one.id] ?? SETTLED)),
  ];
}
