/** What notebook 04 shows of runs on question formation: exact floors, curves, and where the loss settles. */
import {
  questionFormation,
  type QuestionFormationConfig,
  type QuestionFormationRecord,
} from '../experiments/question-formation';
import { committedRecords } from '../experiments/run';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, referenceBand, referenceLine, seriesColour } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import { count } from '../util/format';
import type { Floors } from './shared/floors';
import { PAPER_PLATEAU, plateau } from './shared/plateau';
import { byTier, costColumns, hardwareText, ownValues, runLabel, tenths, withOthers } from './shared/runs';
import { lineTrace, lossTraces } from './shared/traces';

export * from './shared/notebook';
export { floorsOf } from './shared/floors';
export { deviations } from '../train/config';
export { questionFormation };

type Run = QuestionFormationRecord;

/** `desk, 6 layers, seed 1` */
const label = ({ config }: Run): string => runLabel(config, `${config.model.layers} layers`);

/** The committed runs, after `own` ones. */
export const runs = (own: readonly Run[]): Run[] => withOthers(own, committedRecords(questionFormation));

/** `desk: 20,000 steps, 99 to 188 min a run on 2 CPU cores`, tier by tier. */
function subtitle(records: readonly Run[]): string {
  const range = (values: number[]) =>
    [...new Set([Math.min(...values), Math.max(...values)].map(count))].join(' to ');
  return byTier(records)
    .map(
      ([tier, own]) =>
        `${tier}: ${range(own.map(({ config }) => config.steps))} steps, ${range(own.map(({ minutes }) => Math.round(minutes)))} min a run on ${hardwareText(own)}`,
    )
    .join(' · ');
}

const stepsAxis = axis('step', 'optimiser updates, log scale', { type: 'log' });

/** Training and held-out loss of every run, with the paper's plateau and the exact floors. */
export const lossFigure = (records: readonly Run[], { unique, memorised }: Floors): Figure =>
  chart({
    title: 'Question formation: loss against steps',
    subtitle: subtitle(records),
    x: stepsAxis,
    y: axis('loss', 'nats per token', { range: [0.4, 2.2] }),
    data: records.flatMap((record, i) => lossTraces(record, label(record), seriesColour(i), (p) => p.step)),
    shapes: [
      referenceBand(PAPER_PLATEAU.nats, PAPER_PLATEAU.tolerance),
      referenceLine(PAPER_PLATEAU.nats, 'published plateau 1.00 ± 0.05', { side: 'above', end: 'left' }),
      referenceLine(unique, `entropy of the data ${unique.toFixed(3)}`, {
        colour: COLOURS.third,
        side: 'below',
        dash: 'dot',
        end: 'left',
      }),
      referenceLine(memorised, `memorised training lines ${memorised.toFixed(3)}`, {
        colour: COLOURS.second,
        side: 'above',
        dash: 'dot',
        end: 'left',
      }),
    ],
  });

/** Share of questions in which the model prefers the main auxiliary: 1 is the hierarchical rule, 0 the linear one. */
export const generalisationFigure = (records: readonly Run[]): Figure =>
  chart({
    title: 'Question formation: hierarchical generalisation',
    subtitle: 'first word after "quest" on questions whose subject carries a relative clause',
    x: stepsAxis,
    y: axis('main auxiliary preferred', 'share of questions', { range: [-0.02, 1.02] }),
    data: records.map((record, i) =>
      lineTrace(
        label(record),
        record.curve.map((p) => p.step),
        record.curve.map((p) => p.generalisation),
        { color: seriesColour(i) },
      ),
    ),
    shapes: [referenceLine(0.5, 'no preference')],
  });

/** The published settings, the committed runs and the run to be made. */
export function scaleRows(config: QuestionFormationConfig): Row[] {
  const row = (run: string, c: QuestionFormationConfig, cost: Row): Row => ({
    run,
    layers: c.model.layers,
    width: c.model.width,
    'training lines': c.trainLines,
    'lines per step': c.batchLines,
    steps: c.steps,
    ...cost,
  });
  const { full } = questionFormation.tiers;
  return [
    row(
      'Murty et al. 2023',
      { ...full, steps: full.schedule.decaySteps },
      { minutes: null, hardware: 'not stated' },
    ),
    ...runs([]).map((record) => row(label(record), record.config, costColumns(record))),
    row(`this run: ${config.tier}, seed ${config.seed}`, config, { minutes: null, hardware: 'this machine' }),
  ];
}

/** Where the numbers of a run come from. */
export const recordRows = (record: Run): Row[] => [
  {
    record: record.id,
    started: record.startedAt.slice(0, 16).replace('T', ' '),
    minutes: tenths(record.minutes),
    'tokens/s': record.tokensPerSecond,
    parameters: record.parameters,
    'tokens seen': record.curve.at(-1)!.tokensSeen,
    commit: record.commit.replace(/[0-9a-f]{40}/g, (hash) => hash.slice(0, 9)),
    'config hash': record.configHash.slice(0, 9),
    'data hash': record.dataHash.slice(0, 9),
  },
];

export const floorRows = ({ independent, unique, memorised }: Floors): Row[] =>
  Object.entries({
    'lines drawn independently': independent,
    'unique lines': unique,
    'memorised training lines': memorised,
  }).map(([what, nats]) => ({ 'best possible loss': what, 'nats per token': nats }));

/** Where every run settles, and how far above the floors. */
export const plateauRows = (records: readonly Run[], { unique, memorised }: Floors): Row[] =>
  records.map((record) => {
    const { trainLossNats, heldOutLossNats, driftNats } = plateau(record);
    return {
      run: label(record),
      'training (nats)': trainLossNats,
      'held out (nats)': heldOutLossNats,
      'still falling by (nats per quarter)': driftNats,
      'training − entropy of data (nats)': trainLossNats - unique,
      'training − memorised (nats)': trainLossNats - memorised,
    };
  });

/** The plateau of every run; runs shortened for a first look do not count. */
export const questions = (records: readonly Run[]): Question[] => [
  {
    claim:
      'The training loss of the vanilla Transformer on question formation settles near 1 (mean of the last quarter of a run).',
    source:
      'arXiv 2405.08707, section 6 and Figure 4; tolerance from the published curves of arXiv 2305.18741',
    paper: PAPER_PLATEAU.nats,
    tolerance: PAPER_PLATEAU.tolerance,
    unit: 'nats per token',
    leastTier: 'desk',
    ours: ownValues(records, (record) => plateau(record).trainLossNats),
  },
];
