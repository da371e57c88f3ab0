/** What notebook 05 shows: a text that the replica memorises, and whether the distance energy sees it. */
import { openDataset } from '../data/text/shards';
import { decode } from '../data/text/tokenizer';
import { Windows } from '../data/text/windows';
import { overfitting9m } from '../experiments/overfitting-9m';
import {
  arm,
  DECIDING_SEEDS,
  replica,
  widerRuns,
  type ReplicaConfig,
  type ReplicaRecord,
} from '../experiments/replica';
import { committedRecords } from '../experiments/run';
import type { TextRecord } from '../experiments/text-task';
import { generate } from '../model/generate';
import type { Figure } from '../report/figure';
import { keptMeasure } from '../report/measure';
import { axis, COLOURS, endLabels, referenceLine, title } from '../report/style';
import type { PredictionRow } from '../report/predictions';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import { count, layersByWidth, percent } from '../util/format';
import { reversedSentence } from './05-energy';
import { committedModels, recited, STARTS } from './shared/recited';
import {
  armOf,
  finishedRuns,
  holdsFor,
  IN_THE_PAPER,
  methodColumns,
  nats,
  overRuns,
  replicaPrediction,
  replicaPredictionRows,
  replicaQuestions,
  replicaRecords,
  replicaRunRows,
  summaryRow,
  type ReplicaRun,
} from './shared/replica-runs';
import { endOf, passes } from './shared/text-runs';
import { lineTrace } from './shared/traces';

export * from './shared/notebook';
export { energyRows } from './05-energy';
export { arm, replica };

/** Does the loss vanish, does the model overfit, does the energy tell training text? */
const IDS = ['R1', 'R2', 'R8'] as const;

/** @public The check of stored verdicts reads it. */
export const runs = replicaRecords;
/** Those of the arm that decides. */
export const deciding = (records = runs()): ReplicaRun[] => armOf(records, 'B');
export const questions = (records = runs()): Question[] => replicaQuestions(IDS, records);
export const predictions = (records = runs()): PredictionRow[] => replicaPredictionRows(IDS, records);

/** Arm B at twice the width. */
const [wide] = widerRuns('desk') as [ReplicaConfig, ReplicaConfig];

/** Two or three sentences from the committed runs. */
export function answer(records = runs()): string {
  const own = deciding(records);
  if (!own.length) return 'The runs that decide have not been made yet.';
  const range = (value: (run: ReplicaRun) => number, text = nats) => overRuns(own, value, text);
  const config = own[0]!.config;
  const [vanishes, overfits, told] = IDS.map((id) => holdsFor(id, records));
  const others = [...armOf(records, 'A'), ...finishedRuns(records, [wide])];
  const lead =
    vanishes === 'all' && overfits === 'all'
      ? "At the paper's 13.8 parameters a token the training loss vanishes and the model overfits"
      : "Not in every run: at the paper's 13.8 parameters a token the training loss vanishes, or the model overfits, in some";
  const energy = `the paper's energy ${told === 'all' ? 'tells' : 'does not tell'} training text from other text of the same books`;
  return [
    `**${lead}; ${energy}.**`,
    `After ${Math.round(passes(config))} passes over its text the training loss is ${range(({ end }) => end.trainWindowsLossNats)} nats a token, and the model recites ${range(({ end }) => end.memorisedShare!, percent)} of its training windows; the held-out loss is lowest, ${range(({ lowest }) => lowest.heldOutLossNats)}, after ${range(
      ({ lowest }) => lowest.epoch,
      (x) => String(Math.round(x)),
    )} passes and ends at ${range(({ end }) => end.heldOutLossNats)}.`,
    `Of a window of training text and one of other text, the former has the lower energy in ${range(({ end }) => end.energyAuc!, percent)} of pairs; a coin toss gives 50%.${others.length ? ` On 2M tokens, or at twice the width, it is ${overRuns(others, ({ end }) => end.energyAuc!, percent)}; ${percent(replicaPrediction('R8').rule.atLeast!)} were asked for before the runs.` : ''}`,
    ...reversedSentence(replicaPrediction('R8').rule.atLeast!),
  ].join(' ');
}

/** Losses over the share recited and how often the training text has the lower energy, against passes over the text. */
export function overfittingFigure(records = runs()): Figure {
  const own = deciding(records);
  const ends = own.map(({ end }) => end);
  const last = Math.max(...ends.map(({ epoch }) => epoch));
  const x = (of: (typeof own)[number]) => of.curve.map(({ epoch }) => epoch);
  const below = { yaxis: 'y2', showlegend: false };
  const colour = COLOURS.ours;
  const average = (value: (end: (typeof ends)[number]) => number) =>
    ends.reduce((sum, end) => sum + value(end), 0) / ends.length;
  const [heldOut, training] = [average((p) => p.heldOutLossNats), average((p) => p.trainWindowsLossNats)];
  const lowest = own[0]?.lowest;
  const { rule } = replicaPrediction('R8');
  const line = (at: number, text: string, look: Parameters<typeof referenceLine>[2] = {}) => ({
    ...referenceLine(at, text, { end: 'left', ...look }),
    yref: 'y2',
  });
  return {
    data: own.flatMap((run) => [
      lineTrace(
        'training loss',
        x(run),
        run.curve.map((p) => p.trainWindowsLossNats),
        { color: colour, width: 1.5 },
        { showlegend: false },
      ),
      lineTrace(
        'held-out loss',
        x(run),
        run.curve.map((p) => p.heldOutLossNats),
        { color: colour, width: 2, dash: 'dot' },
        { showlegend: false },
      ),
      lineTrace(
        'recited',
        ...probed(run.curve, ({ memorisedShare }) => memorisedShare),
        { color: colour, width: 1.5 },
        below,
      ),
      lineTrace(
        'training window has the lower energy',
        ...probed(run.curve, ({ energyAuc }) => energyAuc),
        { color: COLOURS.second, width: 1.5 },
        below,
      ),
    ]),
    layout: {
      title: title(
        'The model memorises its text, but that text has no lower energy',
        `GPT-2, 656,448 parameters on 47,488 tokens, the ratio of GPT-2 small on 9M; ${own.length} seeds; dotted: held out`,
      ),
      height: 460,
      xaxis: axis('passes over the training text', undefined, { range: [0, last], anchor: 'y2' }),
      yaxis: axis('loss', 'nats a token', { domain: [0.46, 1], rangemode: 'tozero' }),
      yaxis2: axis('share', undefined, {
        domain: [0, 0.36],
        range: [-0.04, 1.04],
        tickformat: '.0%',
      }),
      shapes: [
        line(rule.atLeast!, `energy tells text apart: at least ${percent(rule.atLeast!)} of pairs (ours)`),
        line(0.5, 'a coin toss: 50%', { colour: COLOURS.exact, dash: 'dot' }),
      ] as never,
      annotations: [
        ...endLabels(
          [
            { text: `held out<br>${nats(heldOut)}`, x: last, y: heldOut, colour },
            { text: `training<br>${nats(training)}`, x: last, y: training, colour },
          ],
          { low: 0, high: 16, pixels: 180 },
        ),
        ...endLabels(
          [
            {
              text: `windows recited<br>${percent(average((p) => p.memorisedShare ?? 0))}`,
              x: last,
              y: average((p) => p.memorisedShare ?? 0),
              colour,
            },
            {
              text: `lower energy<br>${percent(average((p) => p.energyAuc ?? 0))} of pairs`,
              x: last,
              y: average((p) => p.energyAuc ?? 0),
              colour: COLOURS.second,
            },
          ],
          { low: 0, high: 1, pixels: 110 },
          { yref: 'y2' },
        ),
        ...(lowest
          ? [
              {
                text: `lowest held-out loss<br>${nats(lowest.heldOutLossNats)}, after ${Math.round(lowest.epoch)} passes`,
                x: lowest.epoch,
                y: lowest.heldOutLossNats,
                ax: 12,
                ay: -50,
                arrowcolor: colour,
                arrowwidth: 1.5,
                font: { color: colour },
              },
            ]
          : []),
      ] as never,
    },
  };
}

type Curve = ReplicaRecord['curve'];

/** Passes and values at the points of a curve that have the value. */
const probed = (curve: Curve, value: (p: Curve[number]) => number | null): [x: number[], y: number[]] => {
  const points = curve.filter((p) => value(p) !== null);
  return [points.map(({ epoch }) => epoch), points.map((p) => value(p)!)];
};

/** A run of before, whose training loss is a mean over the last steps and which has no AUC. */
const earlierRow = (record: TextRecord): Row => {
  const { last, lowest } = endOf(record);
  const { config, parameters } = record;
  return {
    '': `${layersByWidth(config.model)}, 90,000 tokens`,
    seeds: 1,
    'parameters a token': Number((parameters / config.trainTokens).toPrecision(4)),
    passes: Number(passes(config).toPrecision(3)),
    'training loss': nats(last.trainLossNats),
    'held-out loss': nats(last.heldOutLossNats),
    'lowest held-out (at pass)': `${nats(lowest.heldOutLossNats)} (${Math.round(lowest.epoch)})`,
    recited: last.memorisedShare === null ? null : percent(last.memorisedShare),
  };
};

/** The arms that are to memorise, the first at another size, and the runs that are further over-parameterised than the paper's. */
export const armRows = (records = runs(), earlier = committedRecords(overfitting9m)): Row[] => [
  ...(['B', 'A'] as const).map((name) =>
    summaryRow(
      `${IN_THE_PAPER[name]} in the paper`,
      arm('desk', name, DECIDING_SEEDS[0]),
      armOf(records, name),
    ),
  ),
  summaryRow('9M in the paper, twice as wide', wide, finishedRuns(records, [wide])),
  ...[...earlier].sort((a, b) => a.parameters - b.parameters).map(earlierRow),
];

export const seedRows = (records = runs()): Row[] =>
  replicaRunRows([
    ...(['B', 'A'] as const).map((name) => [IN_THE_PAPER[name], armOf(records, name)] as const),
    ['9M, twice as wide', finishedRuns(records, [wide])],
  ]);

/** What matters of the paper's run, of the committed ones and of the run to be made. */
export const methodRows = (config: ReplicaConfig): Row[] =>
  methodColumns(
    {
      'GPT-2 small on 9M tokens': arm('full', 'B', 1),
      'committed runs': arm('desk', 'B', DECIDING_SEEDS[0]),
      [`your run (${config.tier})`]: config,
    },
    { 'committed runs': deciding() },
  );

const MEASURE = 'replica-recited';

/** Of a run: windows that its model is sure of after one token each, and those of them that are windows of its training text, word for word. */
interface Recited {
  sure: number;
  verbatim: number;
}

/** Of each run with committed weights, as committed; it needs the books. */
const recitals = (): Promise<Recited[]> =>
  keptMeasure(MEASURE, async () => {
    const all: Recited[] = [];
    for await (const { config, model } of committedModels()) {
      const windows = recited(model, config).map(String);
      const { train, validation } = openDataset(config.dataset);
      try {
        const text = new Windows('training text', train, config.trainTokens, config.model.context);
        const known = new Set(Array.from({ length: text.count }, (_, i) => String(Array.from(text.read(i)))));
        all.push({ sure: windows.length, verbatim: windows.filter((one) => known.has(one)).length });
      } finally {
        train.close();
        validation.close();
      }
    }
    return all;
  });

const MOST_NEW_TOKENS = 100;

/** What the committed weights write after an end of text, taking the likeliest token each time, and how much of their training text they give away. */
export async function recitalRows(): Promise<Row[]> {
  const rows: Row[] = [];
  const all = await recitals();
  for await (const { config, model } of committedModels()) {
    const { vocabulary } = config.model;
    const written = generate(model, [vocabulary - 1], { maxNewTokens: MOST_NEW_TOKENS, temperature: 0 });
    const { sure, verbatim } = all[rows.length]!;
    rows.push({
      'training tokens': count(config.trainTokens),
      passes: passes(config).toPrecision(3),
      [`sure, of ${STARTS} windows`]: sure,
      'of these training text': verbatim,
      'written after an end of text': `${decode(written, vocabulary)} …`,
    });
  }
  return rows;
}
