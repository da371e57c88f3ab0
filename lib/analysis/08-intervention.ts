/** What notebook 08 shows: plateaus against floors, losses position by position, fewer lines, other models. */
import { modelRuns, type PlateauMeasures, type PlateauRecord } from '../experiments/plateau-intervention';
import type { QuestionFormationRecord } from '../experiments/question-formation';
import type { Tier } from '../train/config';
import type { Figure } from '../report/figure';
import { prediction, type Prediction } from '../report/predictions';
import { axis, COLOURS, referenceLine, seriesColour, title } from '../report/style';
import { showTable } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import { line, type Estimate, type Point } from '../util/statistics';
import { estimateText } from '../util/format';
import { byTier, grouped, ofFullestTier, type CurvePoint, type RunRecord } from '../train/record';
import { boundQuestion } from './03-bound';
import { dataFloor, memoryFloor, surprisal, trainTokens } from './shared/floors';
import { PAPER_PLATEAU, plateau } from './04-plateau';
import * as positions from './08-positions';

export type Runs = PlateauRecord[];

/** A run counts as settled when its training loss falls by at most this from the third quarter to the last, nats per token; fixed before any run. */
export const FLAT_NATS = 0.01;

const isFlat = (record: RunRecord): boolean => plateau(record).driftNats <= FLAT_NATS;

/** The runs of the fullest tier on the original grammar. */
const original = (records: readonly PlateauRecord[]): PlateauRecord[] =>
  fullest(records.filter(({ config }) => config.grammar === '1.0'));

const label = ({ config: { tier, grammar, model, trainLines, seed } }: PlateauRecord): string =>
  `${tier}, grammar ${grammar}, ${model.layers} × ${model.width}, D = ${trainLines.toLocaleString('en')}, seed ${seed}`;

/** What a run is, in columns of a table. */
const columns = ({ config: { tier, grammar, model, trainLines, seed } }: PlateauRecord) => ({
  tier,
  grammar,
  model: `${model.layers} × ${model.width}`,
  D: trainLines,
  seed,
});

/** A row a run. */
export function showRuns(records: readonly PlateauRecord[]): void {
  showTable(
    records.map((record) => {
      const { config, minutes, curve } = record;
      const { trainLossNats, heldOutLossNats, driftNats } = plateau(record);
      return {
        ...columns(record),
        steps: config.steps,
        minutes: Math.round(10 * minutes) / 10,
        'floor of the data': dataFloor(config),
        'training loss (nats)': trainLossNats,
        'held out (nats)': heldOutLossNats,
        'training lines, no dropout (nats)': curve.at(-1)!.trainLinesLossNats,
        'still falling by': driftNats,
        settled: isFlat(record) ? 'yes' : 'no',
      };
    }),
  );
}

/** Floor and plateau of each run. */
const points = (records: readonly PlateauRecord[]): Point[] =>
  records.map((record) => [dataFloor(record.config), plateau(record).trainLossNats]);

/** The runs of the fullest tier among them: only they have one model. */
const fullest = (records: readonly PlateauRecord[]): PlateauRecord[] =>
  ofFullestTier(records, ({ config }) => config.tier);

/** Plateau against the floor of the grammar, with the lines of both predictions. */
export function floorFigure(records: readonly PlateauRecord[]): Figure {
  const range = [0.5, 1.7];
  const highest = records.reduce((most, r) => Math.max(most, plateau(r).trainLossNats), range[1]!);
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'the plateau is the floor: slope 1',
        x: range,
        y: range,
        line: { color: COLOURS.third, dash: 'dot' },
      },
      ...byTier(records).map(([tier, own], i) => {
        const fitted = fit(own, false);
        return {
          type: 'scatter' as const,
          mode: 'markers' as const,
          name: fitted
            ? `${tier}, settled: slope ${estimateText(fitted.slope)}, intercept ${estimateText(fitted.intercept)}`
            : `${tier}: settled on fewer than three grammars`,
          x: own.map(({ config }) => dataFloor(config)),
          y: own.map((r) => plateau(r).trainLossNats),
          text: own.map(label),
          marker: {
            color: seriesColour(i),
            size: 9,
            symbol: own.map((r) => (isFlat(r) ? 'circle' : 'circle-open')),
          },
        };
      }),
    ],
    layout: {
      title: title(
        'Does the plateau follow the data or stay at 1?',
        'one model on grammars that differ in word classes or rule weights alone; hollow: not settled',
      ),
      xaxis: axis('entropy of the lines', 'nats per token', { range }),
      yaxis: axis('training loss, last quarter', 'nats per token', { range: [range[0]!, highest + 0.05] }),
      shapes: [referenceLine(PAPER_PLATEAU.nats, 'the paper: 1, whatever the data', { end: 'left' })],
    },
  };
}

/** One slope a seed, over its settled runs; where they are on fewer than three grammars, over all of its runs, and it says so. */
export function slopes(
  records: readonly PlateauRecord[],
): { tier: Tier; seed: number; slope: number; settled: boolean }[] {
  const grammars = (some: readonly PlateauRecord[]) => new Set(some.map(({ config }) => config.grammar)).size;
  return byTier(records).flatMap(([tier, ofTier]) => {
    return grouped(ofTier, ({ config }) => config.seed).flatMap(([seed, own]) => {
      const settled = grammars(own.filter(isFlat)) >= 3;
      return grammars(own) < 3
        ? []
        : [{ tier, seed, slope: line(points(settled ? own.filter(isFlat) : own)).slope.value, settled }];
    });
  });
}

const slopeValues = (records: readonly PlateauRecord[]): OwnValue[] =>
  slopes(records).map(({ tier, seed, slope, settled }) => ({
    tier,
    seed,
    value: slope,
    ...(settled ? {} : { unfit: 'settled on fewer than three grammars' }),
  }));

/** The paper's reading, and the other one, of the same slopes; tolerances fixed before any run. */
export function slopeQuestions(records: readonly PlateauRecord[]): Question[] {
  const source = 'settled runs on grammars with other floors, one slope per seed';
  return [
    {
      claim:
        'The training loss on question formation settles near 1 because about 1 bounds every Transformer: on grammars with another entropy it stays there (slope of plateau against entropy 0).',
      source: `arXiv 2405.08707, section 6, as a prediction; ${source}`,
      paper: 0,
      tolerance: 0.25,
      unit: 'nats per nat',
      leastTier: 'desk',
      ours: slopeValues(records),
    },
    {
      claim: 'Ours: the plateau is the entropy of the data (slope of plateau against entropy 1).',
      source: `prediction of this notebook; ${source}`,
      paper: 1,
      tolerance: 0.05,
      unit: 'nats per nat',
      leastTier: 'desk',
      ours: slopeValues(records),
    },
  ];
}

/** Settled runs, and those of them that copy, on at least three grammars. */
function fit(
  records: readonly PlateauRecord[],
  copying: boolean,
): { runs: number; slope: Estimate; intercept: Estimate } | null {
  const fitted = records.filter((record) => isFlat(record) && (!copying || positions.isCopying(record)));
  return new Set(fitted.map(({ config }) => config.grammar)).size < 3
    ? null
    : { runs: fitted.length, ...line(points(fitted)) };
}

/** Plateau against entropy, with 95% intervals: all settled runs, and those that copy. */
export function showFits(groups: Record<string, readonly PlateauRecord[]>): void {
  showTable(
    Object.entries(groups).flatMap(([group, records]) =>
      byTier(records).flatMap(([tier, own]) =>
        [false, true].flatMap((copying) => {
          const fitted = fit(own, copying);
          return fitted
            ? [
                {
                  runs: `${tier}, ${group}`,
                  settled: copying ? 'and copying' : 'all',
                  number: fitted.runs,
                  slope: estimateText(fitted.slope),
                  'intercept (nats)': estimateText(fitted.intercept),
                },
              ]
            : [];
        }),
      ),
    ),
  );
}

/** Position by position on the original grammar. */
export function positionFigure(records: readonly PlateauRecord[]): Figure {
  const own = original(records);
  return positions.positionFigure(own, label(own[0]!));
}

export const showExcess = (records: readonly PlateauRecord[]): void => positions.showExcess(records, columns);

/** Losses at the end against D, with both floors; and the share of lines known by heart. */
export function sizeFigure(records: readonly PlateauRecord[]): Figure {
  const own = fullest(records).sort((a, b) => a.config.trainLines - b.config.trainLines);
  const x = own.map(({ config }) => config.trainLines);
  const last = (of: (p: CurvePoint<PlateauMeasures>) => number) => own.map(({ curve }) => of(curve.at(-1)!));
  const trace = (name: string, y: number[], color: string, dash: 'solid' | 'dot' | 'dash') => ({
    type: 'scatter' as const,
    mode: 'lines+markers' as const,
    name,
    x,
    y,
    line: { color, dash },
  });
  return {
    data: [
      trace(
        'training lines',
        last((p) => p.trainLinesLossNats),
        COLOURS.ours,
        'solid',
      ),
      trace(
        'held-out lines',
        last((p) => p.heldOutLossNats),
        COLOURS.second,
        'solid',
      ),
      trace(
        'floor of memory, ln D / tokens per line',
        own.map(({ config }) => memoryFloor(config)),
        COLOURS.third,
        'dot',
      ),
      trace(
        'entropy of the lines',
        own.map(({ config }) => dataFloor(config)),
        COLOURS.fourth,
        'dot',
      ),
      trace(
        'share of training lines known by heart',
        last((p) => p.memorised.train),
        COLOURS.paper,
        'dash',
      ),
    ],
    layout: {
      title: title(
        'Fewer lines: how far below 1?',
        own.length ? `${label(own[0]!)} and larger D, no dropout` : 'no finished run',
      ),
      xaxis: axis('D', 'training lines, log scale', { type: 'log' }),
      yaxis: axis('loss', 'nats per token; share', { rangemode: 'tozero' }),
      shapes: [referenceLine(PAPER_PLATEAU.nats, 'claimed bound 1', { end: 'left' })],
    },
  };
}

/** What fewer lines leave of the claimed bound. */
export function showSizes(records: readonly PlateauRecord[]): void {
  showTable(
    [...records]
      .sort((a, b) => a.config.trainLines - b.config.trainLines)
      .map((record) => {
        const { config, curve, parameters } = record;
        const { trainLinesLossNats, heldOutLossNats, memorised } = curve.at(-1)!;
        return {
          ...columns(record),
          'parameters per token': parameters / trainTokens(config),
          'training lines (nats)': trainLinesLossNats,
          'above the floor of memory by': trainLinesLossNats - memoryFloor(config),
          'below the claimed bound by': PAPER_PLATEAU.nats - trainLinesLossNats,
          'held out (nats)': heldOutLossNats,
          'above what these lines cost at best by': heldOutLossNats - surprisal(config, 'dev').natsPerToken,
          'saved on training lines alone': memorisedNats(record),
          'known by heart': `${(100 * memorised.train).toFixed(0)}%`,
        };
      }),
  );
}

/** The bound on runs with fewer lines. */
export const sizeQuestion = (records: readonly PlateauRecord[]): Question =>
  boundQuestion(
    records,
    'The cross-entropy of a Transformer on question formation is bounded from below by about 1, also on its own training lines when they are few.',
  );

/** First step at which the training loss is within 0.02 nats of the plateau. */
export function stepsToPlateau(record: RunRecord): number {
  const { trainLossNats } = plateau(record);
  return record.curve.find((p) => p.trainLossNats <= trainLossNats + 0.02)!.step;
}

/** @param published runs of notebook 04 on the same lines, with the published schedule and batch */
export function showModels(
  records: readonly PlateauRecord[],
  published: readonly QuestionFormationRecord[],
): void {
  showTable(
    [...records, ...published].map((record) => {
      const { config, parameters } = record;
      return {
        settings: config.experiment === 'question-formation' ? 'notebook 04' : 'this notebook',
        layers: config.model.layers,
        width: config.model.width,
        'parameters (M)': parameters / 1e6,
        seed: config.seed,
        'lines per step': config.batchLines,
        'learning rate': config.schedule.peak,
        'warm-up': config.schedule.warmupSteps,
        'plateau (nats)': plateau(record).trainLossNats,
        'plateau − entropy (nats)':
          plateau(record).trainLossNats - dataFloor({ grammar: '1.0', trainLines: config.trainLines }),
        'steps to it': stepsToPlateau(record),
        settled: isFlat(record) ? 'yes' : 'no',
      };
    }),
  );
}

/** What a run saves on its training lines and not on held-out ones, nats per token; which lines were measured is taken out by what they cost at best. */
function memorisedNats({ config, curve }: PlateauRecord): number {
  const { heldOutLossNats, trainLinesLossNats } = curve.at(-1)!;
  return (
    heldOutLossNats -
    surprisal(config, 'dev').natsPerToken -
    (trainLinesLossNats - surprisal(config, 'train').natsPerToken)
  );
}

/** Runs by what they change: grammars, numbers of lines, models; those with more steps, with further seeds, at a smaller rate. */
export interface Interventions {
  grammars: Runs;
  sizes: Runs;
  models: Runs;
  late: Runs;
  repeats: Runs;
  slow: Runs;
}

const isDeep = ({ config }: Pick<PlateauRecord, 'config'>): boolean => config.model.layers > 2;

/** Judged by the fullest tier alone; the one on depth when every deeper model that is planned has been trained. */
export function predictions({ models, late, slow, ...all }: Interventions): Prediction[] {
  const [grammars, sizes, repeats] = [fullest(all.grammars), fullest(all.sizes), fullest(all.repeats)];
  const [settled, copying] = [fit(grammars, false), fit(repeats, true)];
  const bySize = sizes.sort((a, b) => a.config.trainLines - b.config.trainLines);
  const [fewest, most] = [bySize[0], bySize.at(-1)];
  const atFree = original(grammars).map((r) => positions.excessAtFree(positions.positionsOf(r)));
  const last = (r: PlateauRecord) => r.curve.at(-1)!;
  const deep = models.filter(isDeep);
  const settledDeep =
    deep.length < modelRuns('desk').filter((config) => isDeep({ config })).length
      ? []
      : deep.filter(isFlat).map((r) => plateau(r).trainLossNats);
  return [
    prediction(
      'P1 the slope of plateau against entropy is 1',
      '1 ± 0.05',
      settled?.slope.value,
      (v) => Math.abs(v - 1) <= 0.05,
    ),
    prediction(
      'P2 its line passes near 0',
      'intercept 0 ± 0.06 nats',
      settled?.intercept.value,
      (v) => Math.abs(v) <= 0.06,
    ),
    prediction(
      'P3 what is left above the entropy lies where words are free, not where they are copied: the seed with the least',
      'at least 0.8 of the excess',
      atFree.length ? Math.min(...atFree) : null,
      (v) => v >= 0.8,
    ),
    prediction(
      'P4 on the fewest lines the training loss comes to the floor of memory',
      'within 0.05 nats',
      fewest && last(fewest).trainLinesLossNats - memoryFloor(fewest.config),
      (v) => v <= 0.05,
    ),
    prediction(
      'P5 on the most lines nothing is memorised: training and held-out lines cost the same, less what each costs at best',
      'within 0.02 nats',
      most && most !== fewest ? memorisedNats(most) : null,
      (v) => Math.abs(v) <= 0.02,
    ),
    prediction(
      'P6 deeper models of 6 and 10 layers settle at the same loss',
      'within 0.05 nats',
      settledDeep.length >= 2 ? Math.max(...settledDeep) - Math.min(...settledDeep) : null,
      (v) => v <= 0.05,
    ),
    prediction(
      'P7 the grammar of entropy 1.5 settles at its entropy when it is trained longer',
      'within 0.06 nats',
      late[0] && plateau(late[0]).trainLossNats - dataFloor(late[0].config),
      (v) => Math.abs(v) <= 0.06,
    ),
    prediction(
      'P8 with seeds 4 and 5, over settled runs that copy, the slope is 1',
      '1 ± 0.05',
      copying?.slope.value,
      (v) => Math.abs(v - 1) <= 0.05,
    ),
    prediction(
      'P9 and its line passes near 0',
      'intercept 0 ± 0.06 nats',
      copying?.intercept.value,
      (v) => Math.abs(v) <= 0.06,
    ),
    prediction(
      'P10 at a quarter of the learning rate 10 × 128 leaves the level where nothing is copied',
      'below 1.3 nats',
      slow[0] && plateau(slow[0]).trainLossNats,
      (v) => v < 1.3,
    ),
  ];
}
