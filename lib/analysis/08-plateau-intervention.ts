/** What notebook 08 shows: where losses settle on grammars with other entropies, with fewer lines, and with other models. */
import {
  fewerLines,
  grammarRuns,
  longerOnGrammar15,
  modelRuns,
  plateauIntervention,
  seeds4And5,
  slower10Layers,
  type PlateauConfig,
  type PlateauRecord,
} from '../experiments/plateau-intervention';
import { questionFormation } from '../experiments/question-formation';
import { committedRecords } from '../experiments/run';
import { chart, type Figure } from '../report/figure';
import { prediction, type Predictions } from '../report/predictions';
import { axis, COLOURS, referenceLine, seriesColour } from '../report/style';
import type { Row } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import type { Tier } from '../train/config';
import type { RunRecord } from '../train/record';
import { estimateText } from '../util/format';
import { line, type Estimate, type Point } from '../util/statistics';
import {
  byLines,
  columns,
  excessAtFree,
  fullest,
  isCopying,
  label,
  lastOf,
  memorisedNats,
  original,
  positionsOf,
} from './08-lines';
import { boundQuestion } from './shared/bound';
import { dataFloor, memoryFloor } from './shared/floors';
import { PAPER_PLATEAU, plateau } from './shared/plateau';
import { byTier, runsOf, tenths } from './shared/runs';
import { isSettled } from './shared/settled';
import { circles, lineTrace, markerTrace } from './shared/traces';
import { grouped } from '../util/groups';

export * from './shared/notebook';
export { excessRows, pilotRows, positionFigure, sizeFigure, sizeRows } from './08-lines';
export { plateauIntervention };

/** The lists of runs, by what they change. */
const LISTS = {
  grammars: grammarRuns,
  fewerLines,
  models: modelRuns,
  longerOnGrammar15,
  seeds4And5,
  slower10Layers,
};

export type Interventions = Record<keyof typeof LISTS, PlateauRecord[]>;

/** All runs of a tier, list by list. */
export const configs = (tier: Tier): PlateauConfig[] => Object.values(LISTS).flatMap((list) => list(tier));

/** The committed runs of each list, after those of it among `own`. */
export const runs = (own: readonly PlateauRecord[]): Interventions =>
  Object.fromEntries(
    Object.entries(LISTS).map(([name, list]) => [name, runsOf(plateauIntervention, list, own)]),
  ) as Interventions;

const settles = (record: RunRecord): boolean => isSettled(record, 'loss');

export const runRows = (all: Interventions): Row[] =>
  Object.values(all)
    .flat()
    .map((record) => {
      const { trainLossNats, heldOutLossNats, driftNats } = plateau(record);
      return {
        ...columns(record),
        steps: record.config.steps,
        minutes: tenths(record.minutes),
        'floor of the data': dataFloor(record.config),
        'training loss (nats)': trainLossNats,
        'held out (nats)': heldOutLossNats,
        'training lines, no dropout (nats)': lastOf(record).trainLinesLossNats,
        'still falling by': driftNats,
        settled: settles(record) ? 'yes' : 'no',
      };
    });

/** Entropy of the lines and plateau of each run. */
const points = (records: readonly PlateauRecord[]): Point[] =>
  records.map((record) => [dataFloor(record.config), plateau(record).trainLossNats]);

/** Whether there are enough grammars for a line through their runs. */
const isOnThreeGrammars = (records: readonly PlateauRecord[]): boolean =>
  new Set(records.map(({ config }) => config.grammar)).size >= 3;

/** The line through all settled runs, or through those of them that copy. */
function fit(
  records: readonly PlateauRecord[],
  which: 'all' | 'copying',
): { runs: number; slope: Estimate; intercept: Estimate } | null {
  const fitted = records.filter((record) => settles(record) && (which === 'all' || isCopying(record)));
  return isOnThreeGrammars(fitted) ? { runs: fitted.length, ...line(points(fitted)) } : null;
}

/** Plateau against the entropy of the grammar, with the lines of both predictions. */
export function floorFigure({ grammars: records }: Interventions): Figure {
  const range: [number, number] = [0.5, 1.7];
  const highest = Math.max(range[1], ...records.map((record) => plateau(record).trainLossNats));
  return chart({
    title: 'Does the plateau follow the data or stay at 1?',
    subtitle: 'one model on grammars that differ in word classes or rule weights alone; hollow: not settled',
    x: axis('entropy of the lines', 'nats per token', { range }),
    y: axis('training loss, last quarter', 'nats per token', { range: [range[0], highest + 0.05] }),
    data: [
      lineTrace('the plateau is the floor: slope 1', range, range, { color: COLOURS.third, dash: 'dot' }),
      ...byTier(records).map(([tier, own], i) => {
        const fitted = fit(own, 'all');
        return markerTrace(
          fitted
            ? `${tier}, settled: slope ${estimateText(fitted.slope)}, intercept ${estimateText(fitted.intercept)}`
            : `${tier}: settled on fewer than three grammars`,
          own.map(({ config }) => dataFloor(config)),
          own.map((record) => plateau(record).trainLossNats),
          { color: seriesColour(i), size: 9, symbol: circles(own, settles) },
          { text: own.map(label) },
        );
      }),
    ],
    shapes: [referenceLine(PAPER_PLATEAU.nats, 'the paper: 1, whatever the data', { end: 'left' })],
  });
}

/** One slope a seed, over its settled runs; where they are on fewer than three grammars, over all of its runs, and they decide nothing. */
export const slopes = (records: readonly PlateauRecord[]): OwnValue[] =>
  byTier(records).flatMap(([tier, ofTier]) =>
    grouped(ofTier, ({ config }) => config.seed).flatMap(([seed, own]): OwnValue[] => {
      if (!isOnThreeGrammars(own)) return [];
      const settled = own.filter(settles);
      const enough = isOnThreeGrammars(settled);
      const { slope } = line(points(enough ? settled : own));
      const unfit = enough ? {} : { unfit: 'settled on fewer than three grammars' };
      return [{ tier, seed, value: slope.value, ...unfit }];
    }),
  );

/** The line of each group and tier with 95% intervals: through all settled runs, and through those that copy. */
export const fitRows = ({ grammars, seeds4And5 }: Interventions): Row[] =>
  Object.entries({ 'seeds 1 to 3': grammars, 'seeds 4 and 5': seeds4And5 }).flatMap(([group, records]) =>
    byTier(records).flatMap(([tier, own]) =>
      (['all', 'copying'] as const).flatMap((which) => {
        const fitted = fit(own, which);
        if (!fitted) return [];
        return [
          {
            runs: `${tier}, ${group}`,
            settled: which === 'all' ? 'all' : 'and copying',
            number: fitted.runs,
            slope: estimateText(fitted.slope),
            'intercept (nats)': estimateText(fitted.intercept),
          },
        ];
      }),
    ),
  );

/** First step at which the training loss is within 0.02 nats of the plateau. */
export function stepsToPlateau(record: RunRecord): number {
  const { trainLossNats } = plateau(record);
  return record.curve.find((p) => p.trainLossNats <= trainLossNats + 0.02)!.step;
}

/** Other models on the original grammar, and those of notebook 04 on the same lines, with the published schedule and batch. */
export const modelRows = ({ models, slower10Layers }: Interventions): Row[] =>
  [...models, ...slower10Layers, ...committedRecords(questionFormation)].map((record) => {
    const { config, parameters } = record;
    const { trainLossNats } = plateau(record);
    return {
      settings: config.experiment === questionFormation.name ? 'notebook 04' : 'this notebook',
      layers: config.model.layers,
      width: config.model.width,
      'parameters (M)': parameters / 1e6,
      seed: config.seed,
      'lines per step': config.batchLines,
      'learning rate': config.schedule.peak,
      'warm-up': config.schedule.warmupSteps,
      'plateau (nats)': trainLossNats,
      'plateau − entropy (nats)':
        trainLossNats - dataFloor({ grammar: '1.0', trainLines: config.trainLines }),
      'steps to it': stepsToPlateau(record),
      settled: settles(record) ? 'yes' : 'no',
    };
  });

const isDeep = (config: PlateauConfig): boolean => config.model.layers > 2;

/** Judged by the fullest tier alone; the one on depth when every deeper model that is planned has been trained. */
export function predictions(all: Interventions): Predictions {
  const grammars = fullest(all.grammars);
  const [settled, copying] = [fit(grammars, 'all'), fit(fullest(all.seeds4And5), 'copying')];
  const bySize = byLines(fullest(all.fewerLines));
  const [fewest, most] = [bySize[0], bySize.at(-1)];
  const atFree = original(grammars).map((record) => excessAtFree(positionsOf(record)));
  const deep = all.models.filter(({ config }) => isDeep(config));
  const settledDeep =
    deep.length < modelRuns('desk').filter(isDeep).length
      ? []
      : deep.filter(settles).map((record) => plateau(record).trainLossNats);
  const [longer] = all.longerOnGrammar15;
  const [slower] = all.slower10Layers;
  const within =
    (most: number, of = 0) =>
    (v: number) =>
      Math.abs(v - of) <= most;
  return {
    P1: prediction(
      'the slope of plateau against entropy is 1',
      '1 ± 0.05',
      settled?.slope.value,
      within(0.05, 1),
    ),
    P2: prediction(
      'its line passes near 0',
      'intercept 0 ± 0.06 nats',
      settled?.intercept.value,
      within(0.06),
    ),
    P3: prediction(
      'what is left above the entropy lies where words are free, not where they are copied: the seed with the least',
      'at least 0.8 of the excess',
      atFree.length ? Math.min(...atFree) : null,
      (v) => v >= 0.8,
    ),
    P4: prediction(
      'on the fewest lines the training loss comes to the floor of memory',
      'within 0.05 nats',
      fewest && lastOf(fewest).trainLinesLossNats - memoryFloor(fewest.config),
      (v) => v <= 0.05,
    ),
    P5: prediction(
      'on the most lines nothing is memorised: training and held-out lines cost the same, less what each costs at best',
      'within 0.02 nats',
      most && most !== fewest ? memorisedNats(most) : null,
      within(0.02),
    ),
    P6: prediction(
      'deeper models of 6 and 10 layers settle at the same loss',
      'within 0.05 nats',
      settledDeep.length >= 2 ? Math.max(...settledDeep) - Math.min(...settledDeep) : null,
      (v) => v <= 0.05,
    ),
    P7: prediction(
      'the grammar of entropy 1.5 settles at its entropy when it is trained longer',
      'within 0.06 nats',
      longer && plateau(longer).trainLossNats - dataFloor(longer.config),
      within(0.06),
    ),
    P8: prediction(
      'with seeds 4 and 5, over settled runs that copy, the slope is 1',
      '1 ± 0.05',
      copying?.slope.value,
      within(0.05, 1),
    ),
    P9: prediction(
      'and its line passes near 0',
      'intercept 0 ± 0.06 nats',
      copying?.intercept.value,
      within(0.06),
    ),
    P10: prediction(
      'at a quarter of the learning rate 10 × 128 leaves the level where nothing is copied',
      'below 1.3 nats',
      slower && plateau(slower).trainLossNats,
      (v) => v < 1.3,
    ),
  };
}

/** The paper's reading of the slopes and ours, with tolerances fixed before any run; and the bound on runs with fewer lines. */
export function questions({
  grammars,
  fewerLines,
}: Pick<Interventions, 'grammars' | 'fewerLines'>): Question[] {
  const source = 'settled runs on grammars with other floors, one slope per seed';
  const common = { unit: 'nats per nat', leastTier: 'desk', ours: slopes(grammars) } as const;
  return [
    {
      claim:
        'The training loss on question formation settles near 1 because about 1 bounds every Transformer: on grammars with another entropy it stays there (slope of plateau against entropy 0).',
      source: `arXiv 2405.08707, section 6, as a prediction; ${source}`,
      paper: 0,
      tolerance: 0.25,
      ...common,
    },
    {
      claim: 'Ours: the plateau is the entropy of the data (slope of plateau against entropy 1).',
      source: `prediction of this notebook; ${source}`,
      paper: 1,
      tolerance: 0.05,
      ...common,
    },
    boundQuestion(
      fewerLines,
      'The cross-entropy of a Transformer on question formation is bounded from below by about 1, also on its own training lines when they are few.',
    ),
  ];
}
