/** What notebook 04 shows of runs on question formation: exact floors, curves, and where the loss settles. */
import type { Shape } from 'plotly.js';
import {
  questionFormation,
  type QuestionFormationConfig,
  type QuestionFormationRecord,
} from '../experiments/question-formation';
import { committedRecords } from '../experiments/run';
import { chart, type Figure, type Trace } from '../report/figure';
import { axis, COLOURS, endLabels, logAxis, referenceBand, referenceLine, title } from '../report/style';
import { rowsOf, type Row } from '../report/table';
import type { Question } from '../report/verdict';
import { count, fixed, rangeText } from '../util/format';
import { grouped } from '../util/groups';
import { mean } from '../util/statistics';
import { floorsOf, trainTokens, type Floors } from './shared/floors';
import { PAPER_PLATEAU, plateau } from './shared/plateau';
import { ownValues } from './shared/runs';
import { isSettled, MOST_DRIFT } from './shared/settled';
import { lineTrace } from './shared/traces';

export * from './shared/notebook';
export { questionFormation };

type Run = QuestionFormationRecord;

/** The committed runs, which decide. */
export const runs = (): Run[] => committedRecords(questionFormation);

/** Runs of each depth, and the floors of their lines. */
const depths = (records: readonly Run[]): [layers: number, records: Run[]][] =>
  grouped(records, ({ config }) => config.model.layers).sort(([a], [b]) => a - b);
const LINES = { ...questionFormation.tiers.desk, grammar: '1.0' } as const;
export const floors = (): Floors => floorsOf(LINES);

const three = (x: number): string => fixed(x, 3);
const range = (values: readonly number[]): string => rangeText(values, three);

/** Two or three sentences from the committed runs. */
export function answer(records = runs()): string {
  const { unique, memorised } = floors();
  const ends = records.map(plateau);
  const excess = ends.map(({ trainLossNats }) => trainLossNats - unique);
  const settled = depths(records).map(
    ([layers, own]) => `${range(own.map((record) => plateau(record).trainLossNats))} (${layers} layers)`,
  );
  return [
    `**The loss settles near 1, at ${settled.join(' and ')} nats per token, but that is no evidence of a limit of Transformers: the entropy of this data is ${three(unique)}.**`,
    `The lines come from a known grammar, so one can compute what the best possible model pays for lines that it has not memorised. The runs, averaged over their last quarter, are ${range(excess)} above it, and ${range(ends.map((p) => p.heldOutLossNats - unique))} on lines that were not trained on; a model which has memorised its training lines would pay ${three(memorised)}.`,
    `A bound of 1 would look the same here; [notebook 08](08-plateau-intervention.ipynb) changes the entropy.`,
  ].join(' ');
}

const LOOKS = [
  { colour: COLOURS.ours, dashes: ['solid', 'dot'] },
  { colour: COLOURS.second, dashes: ['solid', 'dot'] },
] as const;

/** Where the curves are cut to see what decides. */
const ZOOM = { low: 0.975, high: 1.06 };
const WHOLE = { low: 0.45, high: 2.2 };
const PIXELS = 270;

/** The mean over seeds of one loss, and for several seeds the band that they fill. */
function bandTraces(records: readonly Run[], colour: string, axes: object): Trace[] {
  const steps = records[0]!.curve.map(({ step }) => step);
  const losses = records.map(({ curve }) => curve.map((p) => p.trainLossNats));
  const at = (of: (values: number[]) => number) => steps.map((_, i) => of(losses.map((l) => l[i]!)));
  const edge = (of: (values: number[]) => number, more: object) =>
    lineTrace('', steps, at(of), { width: 0 }, { hoverinfo: 'skip', showlegend: false, ...more, ...axes });
  return [
    edge((v) => Math.min(...v), {}),
    edge((v) => Math.max(...v), { fill: 'tonexty', fillcolor: `${colour}33` }),
    lineTrace('training', steps, at(mean), { color: colour }, { showlegend: false, ...axes }),
    lineTrace(
      'held out',
      steps,
      steps.map((_, i) => mean(records.map(({ curve }) => curve[i]!.heldOutLossNats))),
      { color: colour, dash: 'dot', width: 2.5 },
      { showlegend: false, ...axes },
    ),
  ];
}

/** Loss against steps: the whole, and the last half at the scale of the tolerance. */
export function lossFigure(records = runs()): Figure {
  const { unique, memorised } = floors();
  const all = depths(records);
  const { steps } = records[0]!.config;
  const on = (panel: '' | '2') => ({ xaxis: `x${panel}`, yaxis: `y${panel}` });
  const lines = (panel: '' | '2', labelled: boolean): Partial<Shape>[] =>
    [
      referenceBand(PAPER_PLATEAU.nats, PAPER_PLATEAU.tolerance),
      referenceLine(PAPER_PLATEAU.nats, labelled ? 'published 1.00 ± 0.05' : '', { end: 'left' }),
      referenceLine(unique, labelled ? `entropy of the data ${three(unique)}` : '', {
        colour: COLOURS.exact,
        dash: 'solid',
        side: 'below',
        end: 'left',
      }),
      ...(panel
        ? []
        : [
            referenceLine(memorised, `training lines memorised ${three(memorised)}`, {
              colour: COLOURS.exact,
              dash: 'dot',
              end: 'left',
            }),
          ]),
    ].map((shape) => ({ ...shape, xref: `x${panel} domain`, yref: `y${panel}` }) as Partial<Shape>);
  const labels = all.flatMap(([layers, own], i) => {
    const ends = own.map(plateau);
    const label = (what: string, y: number) => ({
      text: `${layers} layers, ${what}`,
      x: steps,
      y,
      colour: LOOKS[i]!.colour,
    });
    return [
      label('training', mean(ends.map((p) => p.trainLossNats))),
      label('held out', mean(ends.map((p) => p.heldOutLossNats))),
    ];
  });
  return {
    data: (['', '2'] as const).flatMap((panel) =>
      all.flatMap(([, own], i) => bandTraces(own, LOOKS[i]!.colour, on(panel))),
    ),
    layout: {
      title: title(
        'The loss settles just above the entropy of the data, which is about 1',
        `vanilla Transformer of width 512 on question formation; ${all.map(([layers, own]) => `${layers} layers: ${own.length === 1 ? '1 run' : `mean and range of ${own.length} seeds`}`).join('; ')}`,
      ),
      height: 420,
      showlegend: false,
      xaxis: logAxis('step', undefined, [500, steps], { domain: [0, 0.4] }),
      yaxis: axis('loss', 'nats per token', { range: [WHOLE.low, WHOLE.high] }),
      xaxis2: axis('step', undefined, { range: [steps / 2, steps], domain: [0.5, 0.93], anchor: 'y2' }),
      yaxis2: { range: [ZOOM.low, ZOOM.high], anchor: 'x2' },
      shapes: [...lines('', true), ...lines('2', false)],
      annotations: endLabels(labels, { ...ZOOM, pixels: PIXELS }, { xref: 'x2', yref: 'y2' }) as never,
    },
  };
}

/** Share of questions in which the model prefers the main auxiliary: 1 is the hierarchical rule, 0 the linear one. */
export function generalisationFigure(records = runs()): Figure {
  const labels = depths(records).map(([layers, own], i) => {
    const { curve } = own[0]!;
    return {
      text: `${layers} layers`,
      x: curve.at(-1)!.step,
      y: mean(own.map((record) => record.curve.at(-1)!.generalisation)),
      colour: LOOKS[i]!.colour,
    };
  });
  return chart({
    title: 'Which rule do the models follow on new questions?',
    subtitle:
      'thin: seeds; 100%: the main auxiliary moves to the front (hierarchical rule), 0%: the first one (linear rule)',
    x: logAxis('step', undefined, [500, 20_000]),
    y: axis('main auxiliary preferred', 'share of questions', { range: [-0.02, 1.02], tickformat: '.0%' }),
    data: depths(records).flatMap(([, own], i) =>
      own.map(({ curve }) =>
        lineTrace(
          '',
          curve.map((p) => p.step),
          curve.map((p) => p.generalisation),
          {
            color: LOOKS[i]!.colour,
            width: 1.5,
          },
        ),
      ),
    ),
    showlegend: false,
    annotations: endLabels(labels, { low: 0, high: 1, pixels: 260, logX: true }) as never,
  });
}

/** What matters of the published settings, of the committed runs and of the run to be made. */
export function methodRows(config: QuestionFormationConfig): Row[] {
  const committed = runs();
  const tokens = trainTokens(LINES);
  const { full, desk } = questionFormation.tiers;
  const minutes = committed.map((record) => Math.round(record.minutes));
  const column = (
    { model, trainLines, batchLines, steps, schedule }: QuestionFormationConfig,
    layers: string,
    time: string,
  ) => ({
    model: `${layers} layers × ${model.width}, dropout ${model.dropout}`,
    'training data': `${count(trainLines)} lines`,
    'a step': `${batchLines} lines, about ${Math.round((batchLines * tokens) / LINES.trainLines)} tokens`,
    steps: count(steps),
    'passes over the data': ((steps * batchLines) / trainLines).toPrecision(2),
    'learning rate': `${schedule.peak} after ${count(schedule.warmupSteps)} steps, to 0 at ${count(schedule.decaySteps)}`,
    time,
  });
  return rowsOf({
    'Murty et al. 2023': column(full, '6 and 10', 'not stated'),
    'committed runs': column(desk, '6 and 10', `${rangeText(minutes, String)} minutes a run on 2 CPU cores`),
    [`your run (${config.tier})`]: column(
      config,
      String(config.model.layers),
      config.tier === 'quick' ? 'about 2 minutes' : '–',
    ),
  });
}

export const floorRows = ({ independent, unique, memorised }: Floors): Row[] =>
  Object.entries({
    'knows the grammar; lines drawn independently': independent,
    'knows the grammar; lines without repetition, as in the data': unique,
    'knows the training lines': memorised,
  }).map(([what, nats]) => ({ 'the best possible model': what, 'nats per token': three(nats) }));

/** Where the runs settle, and how far above the entropy: a row a depth, seeds as a range. */
export const plateauRows = (records = runs(), { unique }: Floors = floors()): Row[] =>
  depths(records).map(([layers, own]) => {
    const ends = own.map(plateau);
    return {
      runs: `${layers} layers, ${own.length === 1 ? '1 run' : `${own.length} seeds`}`,
      'training (nats)': range(ends.map((p) => p.trainLossNats)),
      'held out (nats)': range(ends.map((p) => p.heldOutLossNats)),
      'training above the entropy': range(ends.map((p) => p.trainLossNats - unique)),
      'held out above the entropy': range(ends.map((p) => p.heldOutLossNats - unique)),
      'still falling by, a quarter': range(ends.map((p) => p.driftNats)),
      settled: own.every((record) => isSettled(record, 'loss')) ? 'yes' : 'no',
    };
  });

/** The plateau of every committed run; one that has not settled does not count. */
export const questions = (records = runs()): Question[] => [
  {
    claim: 'On question formation the training loss of a Transformer settles near 1.',
    source:
      'arXiv 2405.08707, section 6.3 and Figure 4; tolerance from the published curves of arXiv 2305.18741; mean training loss of the last quarter of a run',
    paper: PAPER_PLATEAU.nats,
    tolerance: PAPER_PLATEAU.tolerance,
    unit: 'nats per token',
    leastTier: 'desk',
    ours: ownValues(
      records,
      (record) => plateau(record).trainLossNats,
      (record) =>
        isSettled(record, 'loss')
          ? undefined
          : `not settled: from the third quarter to the last the loss falls by more than ${MOST_DRIFT} nats`,
    ),
  },
];
