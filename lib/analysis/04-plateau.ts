/** What notebook 04 shows of question-formation runs: floors, curves, plateau. */
import type { QuestionFormationConfig, QuestionFormationRecord } from '../experiments/question-formation';
import type { Figure } from '../report/figure';
import { axis, COLOURS, referenceBand, referenceLine, seriesColour, title } from '../report/style';
import { showTable, type CellValue } from '../report/table';
import type { Question } from '../report/verdict';
import { mean } from '../util/statistics';
import { byTier, hardwareText, type CurvePoint, type RunRecord } from '../train/record';
import type { Floors } from './shared/floors';

/** Training loss at which the runs of Murty et al. 2023 with 6 layers settle, as published curves show it. */
export const PAPER_PLATEAU = { nats: 1, tolerance: 0.05 } as const;

/** Where a run settles: means over the last quarter of its steps, and how far the quarter before lies off. */
export interface Plateau {
  trainLossNats: number;
  heldOutLossNats: number;
  /** Training loss of the third quarter minus that of the last. */
  driftNats: number;
}

export function plateau({ curve, config }: RunRecord): Plateau {
  const quarter = (n: number): CurvePoint[] =>
    curve.filter(({ step }) => step > ((n - 1) * config.steps) / 4 && step <= (n * config.steps) / 4);
  const train = (points: CurvePoint[]) => mean(points.map((p) => p.trainLossNats));
  return {
    trainLossNats: train(quarter(4)),
    heldOutLossNats: mean(quarter(4).map((p) => p.heldOutLossNats)),
    driftNats: train(quarter(3)) - train(quarter(4)),
  };
}

/** `desk, 6 layers, seed 1` */
export const label = ({ config }: RunRecord): string =>
  `${config.tier}, ${config.model.layers} layers, seed ${config.seed}`;

/** `desk: 20,000 steps, 99 to 188 min a run on 2 CPU cores`, tier by tier. */
function subtitle(records: RunRecord[]): string {
  const range = (values: number[]) =>
    [...new Set([Math.min(...values), Math.max(...values)].map((v) => v.toLocaleString('en')))].join(' to ');
  return byTier(records)
    .map(([tier, own]) => {
      return `${tier}: ${range(own.map(({ config }) => config.steps))} steps, ${range(own.map(({ minutes }) => Math.round(minutes)))} min a run on ${hardwareText(own)}`;
    })
    .join(' · ');
}

const stepsAxis = axis('step', 'optimiser updates, log scale', { type: 'log' });

/** Training and held-out loss of every run, with the paper's plateau and the exact floors. */
export function lossFigure(records: RunRecord[], { unique, memorised }: Floors): Figure {
  const line = (record: RunRecord, colour: string, held: boolean) => ({
    type: 'scatter' as const,
    mode: 'lines' as const,
    name: `${held ? 'held-out' : 'training'} (${label(record)})`,
    x: record.curve.map((p) => p.step),
    y: record.curve.map((p) => (held ? p.heldOutLossNats : p.trainLossNats)),
    line: { color: colour, width: held ? 2.5 : 1.5, dash: held ? ('dot' as const) : ('solid' as const) },
  });
  return {
    data: records.flatMap((record, i) => [false, true].map((held) => line(record, seriesColour(i), held))),
    layout: {
      title: title('Question formation: loss against steps', subtitle(records)),
      xaxis: stepsAxis,
      yaxis: axis('loss', 'nats per token', { range: [0.4, 2.2] }),
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
    },
  };
}

/** Share of questions in which the model prefers the main auxiliary: 1 is the hierarchical rule, 0 the linear one. */
export function generalisationFigure(records: QuestionFormationRecord[]): Figure {
  return {
    data: records.map((record, i) => ({
      type: 'scatter',
      mode: 'lines',
      name: label(record),
      x: record.curve.map((p) => p.step),
      y: record.curve.map((p) => p.generalisation),
      line: { color: seriesColour(i) },
    })),
    layout: {
      title: title(
        'Question formation: hierarchical generalisation',
        'first word after "quest" on questions whose subject carries a relative clause',
      ),
      xaxis: stepsAxis,
      yaxis: axis('main auxiliary preferred', 'share of questions', { range: [-0.02, 1.02] }),
      shapes: [referenceLine(0.5, 'no preference')],
    },
  };
}

/** The run at hand and the committed ones beside the published settings. */
export function showScale(
  config: QuestionFormationConfig,
  committed: readonly QuestionFormationRecord[],
  published: QuestionFormationConfig,
): void {
  const row = (
    name: string,
    c: QuestionFormationConfig,
    more: Record<string, CellValue>,
  ): Record<string, CellValue> => ({
    run: name,
    layers: c.model.layers,
    width: c.model.width,
    'training lines': c.trainLines,
    'lines per step': c.batchLines,
    steps: c.steps,
    ...more,
  });
  showTable([
    row(
      'Murty et al. 2023',
      { ...published, steps: published.schedule.decaySteps },
      { minutes: null, hardware: 'not stated' },
    ),
    ...committed.map((r) =>
      row(label(r), r.config, {
        minutes: Math.round(r.minutes),
        hardware: `${r.hardware.cores} × ${r.hardware.cpu}`,
      }),
    ),
    row(`this run: ${config.tier}, seed ${config.seed}`, config, { minutes: null, hardware: 'this machine' }),
  ]);
}

/** Where the numbers of a run come from. */
export function showRecord({
  id,
  startedAt,
  minutes,
  tokensPerSecond,
  parameters,
  commit,
  configHash,
  dataHash,
  curve,
}: RunRecord): void {
  showTable([
    {
      record: id,
      started: startedAt.slice(0, 16).replace('T', ' '),
      minutes: Math.round(10 * minutes) / 10,
      'tokens/s': tokensPerSecond,
      parameters,
      'tokens seen': curve.at(-1)!.tokensSeen,
      commit: commit.slice(0, 9),
      'config hash': configHash.slice(0, 9),
      'data hash': dataHash.slice(0, 9),
    },
  ]);
}

export function showFloors({ independent, unique, memorised }: Floors): void {
  const row = (what: string, nats: number) => ({ 'best possible loss': what, 'nats per token': nats });
  showTable([
    row('lines drawn independently', independent),
    row('unique lines', unique),
    row('memorised training lines', memorised),
  ]);
}

/** Every run's plateau beside the floors. */
export function showPlateaus(records: readonly RunRecord[], { unique, memorised }: Floors): void {
  showTable(
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
    }),
  );
}

/** The claim of notebook 04, with the plateau of every run; runs shortened for a first look do not count. */
export function plateauQuestion(records: readonly RunRecord[]): Question {
  return {
    claim:
      'The training loss of the vanilla Transformer on question formation settles near 1 (mean of the last quarter of a run).',
    source:
      'arXiv 2405.08707, section 6 and Figure 4; tolerance from the published curves of arXiv 2305.18741',
    paper: PAPER_PLATEAU.nats,
    tolerance: PAPER_PLATEAU.tolerance,
    unit: 'nats per token',
    leastTier: 'desk',
    ours: records.map((record) => ({
      seed: record.config.seed,
      tier: record.config.tier,
      value: plateau(record).trainLossNats,
    })),
  };
}
