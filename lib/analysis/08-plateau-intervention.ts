/** What notebook 08 shows: where losses settle on grammars with other entropies, with few lines, and with other models. */
import {
  grammarRuns,
  pilotRuns,
  plateauIntervention,
  settledRuns,
  type PlateauConfig,
  type PlateauRecord,
} from '../experiments/plateau-intervention';
import { SETTLED_PREDICTIONS } from '../experiments/plateau-predictions';
import { finishedRecords } from '../experiments/run';
import { rowsOf, type Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { count, estimateText, layersByWidth, rangeText } from '../util/format';
import { grouped } from '../util/groups';
import { mean } from '../util/statistics';
import { MARGIN } from './08-figures';
import { decidedBy } from './08-predictions';
import {
  copiedOf,
  exactCost,
  excessPerToken,
  hasLearnt,
  isOnThreeGrammars,
  kindOf,
  lastOf,
  ofKind,
  onAllLines,
  range,
  runs,
  settles,
  slopeOf,
  type Interventions,
} from './08-runs';
import { CLAIMED_NATS, excepted } from './shared/bound';
import { dataFloor, trainTokens } from './shared/floors';
import { PAPER_PLATEAU, plateau } from './shared/plateau';
import { valueQuestion } from './shared/registered-value';
import { ofList, ownValues } from './shared/runs';
import { MOST_DRIFT } from './shared/settled';

export * from './shared/notebook';
export { sizeFigure, sizeRows } from './08-few-lines';
export { floorFigure, positionFigure } from './08-figures';
export { predictionTable } from './08-predictions';
export { runs, type Interventions } from './08-runs';
export { plateauIntervention };

/** The reader's run: the grammar of the lowest entropy, on which a loss passes 1 soonest. */
export const ownConfig = (tier: Tier, seed: number): PlateauConfig => ({
  ...plateauIntervention.tiers[tier],
  grammar: '0.6',
  seed,
});

/** The committed runs on the same grammar. */
export const besides = (all: Interventions): PlateauRecord[] =>
  Object.values(onAllLines(all))
    .flat()
    .filter(({ config }) => config.grammar === '0.6');

/** The least loss that counts as about 1. */
const LEAST = CLAIMED_NATS - PAPER_PLATEAU.tolerance;

/** Runs on grammars of lower entropy than the bound: only they can go below it without memorising. */
const lowRuns = (all: Interventions): PlateauRecord[] =>
  Object.values(onAllLines(all))
    .flat()
    .filter(({ config }) => dataFloor(config) < LEAST);

/** Few lines: so many that they can be memorised within the steps. */
const MOST_FEW_LINES = 10_000;
const fewRuns = ({ fewerLines, fewLinesLonger }: Interventions): PlateauRecord[] =>
  [...fewerLines, ...fewLinesLonger].filter(({ config }) => config.trainLines <= MOST_FEW_LINES);

/** Two or three sentences from the committed runs. */
export function answer(all = runs()): string {
  const { dropout, none } = onAllLines(all);
  const copying = [...ofKind(dropout, 'copies'), ...ofKind(none, 'copies')];
  const stuck = [...ofKind(dropout, 'does not copy'), ...ofKind(none, 'does not copy')];
  const low = lowRuns(all).filter(settles);
  const deciding = none.length
    ? `Without dropout (random zeros among the activations while training), started on few lines and with a learning rate that falls to 0, ${ofKind(none, 'copies').length} of ${none.length} runs copy.`
    : 'Runs without dropout, which decide whether all of them can, are not run yet.';
  return [
    `**The plateau, the level at which the loss stays, follows the data, from 0.60 to 1.50 nats per token: of ${copying.length + stuck.length} settled runs ${copying.length} end within ${(Math.ceil(1e3 * Math.max(...copying.map(excessPerToken))) / 1e3).toFixed(3)} nats of the entropy of their data.**`,
    `If about 1 bounded every Transformer, none could end below it: all ${low.length} settled runs on data of lower entropy do, at ${range(
      low.map((r) => lastOf(r).trainLinesLossNats),
      2,
    )}, with ${range(
      low.map((r) => r.parameters / trainTokens(r.config)),
      2,
    )} parameters a training token.`,
    `The other ${stuck.length} of the ${copying.length + stuck.length} never learn that the second half of a line repeats the first, and stay ${range(stuck.map(excessPerToken), 2)} above. ${deciding}`,
  ].join(' ');
}

/** A row a grammar and way of training: where its settled runs end. */
export const grammarRows = (all: Interventions): Row[] =>
  Object.entries({ 'dropout 0.1': onAllLines(all).dropout, 'no dropout': onAllLines(all).none }).flatMap(
    ([training, records]) =>
      grouped(records, ({ config }) => config.grammar)
        .sort(([, [a]], [, [b]]) => dataFloor(a!.config) - dataFloor(b!.config))
        .map(([, own]) => {
          const [copying, stuck] = [ofKind(own, 'copies'), ofKind(own, 'does not copy')];
          return {
            'entropy (nats)': dataFloor(own[0]!.config).toFixed(3),
            training,
            'copy, of all': `${copying.length} of ${own.length}`,
            'held out (nats)': range(copying.map((r) => lastOf(r).heldOutLossNats)),
            'above the lines’ cost': range(copying.map(excessPerToken)),
            'do not copy (nats)': stuck.length
              ? `${range(stuck.map((r) => lastOf(r).heldOutLossNats))} (${stuck.length})`
              : '–',
            'not settled': ofKind(own, 'not settled').length || '–',
          };
        }),
  );

/** Are the losses of settled runs that copy equal to the exact cost of their lines? */
export const equivalenceRows = (all: Interventions): Row[] =>
  Object.entries({
    'dropout 0.1, chosen after these runs': onAllLines(all).dropout,
    'no dropout, registered before': onAllLines(all).none,
  }).flatMap(([which, records]) => {
    const own = ofKind(records, 'copies');
    if (!isOnThreeGrammars(own)) return [];
    const excess = own.map(excessPerToken);
    return [
      {
        runs: which,
        number: own.length,
        slope: estimateText(slopeOf(own), 3),
        'mean excess (nats per token)': mean(excess).toFixed(4),
        'largest excess': Math.max(...excess).toFixed(4),
        'within the margin': Math.max(...excess.map(Math.abs)) <= MARGIN ? 'all' : 'not all',
      },
    ];
  });

const PILOTS = pilotRuns('desk');

/** What a run of the pilot has that those with dropout had not. */
const changeOf = ({ fewFirst, schedule, steps }: PlateauConfig): string =>
  [
    'no dropout',
    ...(fewFirst ? ['first on few lines'] : []),
    ...(schedule.decaySteps === steps ? ['rate to 0'] : []),
  ].join(', ');

/** The pilot: a change succeeds when all four of its runs copy. */
export const pilotRows = (records = finishedRecords(plateauIntervention, PILOTS)): Row[] =>
  PILOTS.map((config) => {
    const [record] = ofList(plateauIntervention, records, [config]);
    return {
      change: changeOf(config),
      grammar: config.grammar,
      seed: config.seed,
      'held out (nats)': record && lastOf(record).heldOutLossNats.toFixed(3),
      'above the lines’ cost': record && excessPerToken(record).toFixed(4),
      'copied words (nats a line)': record && copiedOf(record).toFixed(3),
      copies: record ? (hasLearnt(record) ? 'yes' : 'no') : 'not run yet',
    };
  });

/** Other depths and widths on the original grammar. */
export const modelRows = ({ models, slower10Layers, deeper }: Interventions): Row[] =>
  [...models, ...slower10Layers, ...deeper].map((record) => {
    const { model, schedule, steps } = record.config;
    return {
      model: layersByWidth(model),
      dropout: model.dropout,
      'learning rate': `${schedule.peak} after ${count(schedule.warmupSteps)}`,
      steps,
      'held out (nats)': lastOf(record).heldOutLossNats.toFixed(3),
      'above the lines’ cost': excessPerToken(record).toFixed(3),
      'copied words (nats a line)': copiedOf(record).toFixed(2),
      settled: settles(record) ? 'yes' : 'no',
    };
  });

/** Every run, for those who want to see them. */
export const runRows = (all: Interventions): Row[] =>
  Object.values(all)
    .flat()
    .map((record) => {
      const { config, curve } = record;
      const { trainLossNats, driftNats } = plateau(record);
      return {
        run: `grammar ${config.grammar}, ${layersByWidth(config.model)}, D = ${count(config.trainLines)}, dropout ${config.model.dropout}, seed ${config.seed}`,
        steps: curve.at(-1)!.step,
        'training, last quarter': trainLossNats.toFixed(4),
        'fell by, a quarter': driftNats.toFixed(4),
        'held out': lastOf(record).heldOutLossNats.toFixed(4),
        'exact cost': exactCost(record).toFixed(4),
        'copied words (a line)': copiedOf(record).toFixed(3),
        kind: kindOf(record),
      };
    });

/** What matters of the committed runs and of the run to be made. */
export function methodRows(config: PlateauConfig): Row[] {
  const { dropout, none } = onAllLines(runs());
  const tokensOf = (one: PlateauConfig) => Math.round((trainTokens(one) * one.batchLines) / one.trainLines);
  const column = (configs: readonly PlateauConfig[], made: readonly PlateauRecord[]) => {
    const [{ model, trainLines, batchLines, steps, schedule, dataSeed }] = configs as [PlateauConfig];
    return {
      model: `${layersByWidth(model)}, ${model.heads} heads, dropout ${model.dropout}`,
      'training data': `${count(trainLines)} lines, ${dataSeed === undefined ? 'one draw for all seeds' : 'each seed draws its own'}`,
      'a step': `${batchLines} lines, about ${rangeText(configs.map(tokensOf), count)} tokens`,
      steps: count(steps),
      'passes over the data': ((steps * batchLines) / trainLines).toPrecision(2),
      'learning rate': `${schedule.peak} after ${schedule.warmupSteps} steps, to 0 at ${count(schedule.decaySteps)}`,
      'minutes a run': range(
        made.map(({ minutes }) => minutes),
        0,
      ),
    };
  };
  return rowsOf({
    'seeds 1 to 5': column(grammarRuns('desk'), dropout),
    'seeds 31 to 35, which decide': column(settledRuns('desk'), none),
    [`your run (${config.tier})`]: column([config], []),
  });
}

/** One run below the bound refutes it; runs that have not settled, and over-parameterised ones, do not count. */
const boundQuestions = (all: Interventions): Question[] => {
  const question = (claim: string, records: readonly PlateauRecord[], what: string): Question => ({
    claim,
    source: `arXiv 2405.08707, version 1, abstract and section 5, as a prediction; ${what}; loss on training lines at the end, without dropout; the paper excepts severely over-parameterised models (Remark 1) without a number`,
    paper: CLAIMED_NATS,
    tolerance: PAPER_PLATEAU.tolerance,
    relation: 'at least',
    unit: 'nats per token',
    table: 'theory',
    universal: true,
    leastTier: 'desk',
    ours: ownValues(
      records,
      (record) => lastOf(record).trainLinesLossNats,
      (record) =>
        settles(record)
          ? excepted(record.parameters, trainTokens(record.config))
          : `not settled: the training loss changes by more than ${MOST_DRIFT} nats from the third quarter to the last`,
    ),
  });
  return [
    question(
      'On data of lower entropy, too, no training loss settles below about 1.',
      lowRuns(all),
      'runs on grammars of entropy below 0.95',
    ),
    question(
      'On few training lines, too, no training loss settles below about 1.',
      fewRuns(all),
      `runs on at most ${count(MOST_FEW_LINES)} lines`,
    ),
  ];
};

/** Those of the first screen: what is not run yet is said in the answer. */
export const headlines = (all: Interventions): Question[] =>
  questions(all).filter(({ kind, ours }) => kind !== 'prediction' || ours.length > 0);

/** The bound on other data, and what was predicted before the runs that decide it. */
export const questions = (all: Interventions): Question[] => {
  const decided = decidedBy(all);
  return [
    ...boundQuestions(all),
    ...SETTLED_PREDICTIONS.map((prediction) => valueQuestion(prediction, decided[prediction.id]!)),
  ];
};
