/** What the notebooks on text runs share: what a run is called, where its held-out loss turns, its losses, and its scale. */
import type { Shape } from 'plotly.js';
import {
  tokensPerStep,
  type TextConfig,
  type TextMeasures,
  type TextRecord,
} from '../../experiments/text-task';
import { readMeta, type EntropyMeta } from '../../data/text/shards';
import { gpt2Parameters } from '../../model/config';
import type { Figure } from '../../report/figure';
import { axis, COLOURS, referenceLine, seriesColour } from '../../report/style';
import type { Row } from '../../report/table';
import type { CurvePoint } from '../../train/record';
import { count, layersByWidth, percent, short } from '../../util/format';
import { costColumns, hardwareText, runLabel } from './runs';
import { lossTraces } from './traces';
import { grouped } from '../../util/groups';

/** `quick, 4 × 128, D = 10k, seed 1` */
export const textLabel = ({ config }: TextRecord): string =>
  runLabel(config, layersByWidth(config.model), `D = ${short(config.trainTokens)}`);

/** `desk: 1,024 tokens a step, 3.0 + 12 min on 2 CPU cores`, for runs of each tier and tokens a step. */
export function subtitle(records: readonly TextRecord[]): string {
  const minutes = (m: number) => (m < 10 ? m.toFixed(1) : String(Math.round(m)));
  return grouped(records, ({ config }) => `${config.tier}: ${count(tokensPerStep(config))} tokens a step`)
    .map(
      ([what, runs]) =>
        `${what}, ${runs.map((r) => minutes(r.minutes)).join(' + ')} min on ${hardwareText(runs)}`,
    )
    .join(' · ');
}

/** Entropy of a text where it is known exactly, which is so for the synthetic one; else null. */
export const entropyOf = ({ dataset }: TextConfig): EntropyMeta | null => readMeta(dataset).entropy ?? null;

/** A line at the entropy of a text, where it is known. */
export function entropyLines(entropy: EntropyMeta | null): Partial<Shape>[] {
  if (!entropy) return [];
  const text = `entropy of the synthetic text ${entropy.natsPerToken.toFixed(3)}`;
  const look = { colour: COLOURS.third, dash: 'dot', side: 'below', end: 'left' } as const;
  return [referenceLine(entropy.natsPerToken, text, look)];
}

/** The end of a run, and the point of its curve with the lowest held-out loss. */
interface TextEnd {
  last: CurvePoint<TextMeasures>;
  lowest: CurvePoint<TextMeasures>;
  /** Held-out minus training loss at the end, nats per token. */
  gapNats: number;
  /** Held-out loss at the end minus its lowest, nats per token. */
  riseNats: number;
}

export function endOf({ curve }: TextRecord): TextEnd {
  const last = curve.at(-1)!;
  const lowest = curve.reduce((a, b) => (b.heldOutLossNats < a.heldOutLossNats ? b : a));
  return {
    last,
    lowest,
    gapNats: last.heldOutLossNats - last.trainLossNats,
    riseNats: last.heldOutLossNats - lowest.heldOutLossNats,
  };
}

/** Training and held-out loss of every run over its epochs or steps. */
export const textTraces = (records: readonly TextRecord[], over: 'epoch' | 'step'): Figure['data'] =>
  records.flatMap((record, i) =>
    lossTraces(
      record,
      textLabel(record),
      seriesColour(i),
      (p) => p[over],
      (p) => `step ${count(p.step)}, epoch ${p.epoch.toFixed(1)}`,
    ),
  );

export const epochAxis = axis('epoch', 'passes over the D tokens');

/** Passes over the training text that a run's steps make. */
export const passes = (config: TextConfig): number =>
  (config.steps * tokensPerStep(config)) / config.trainTokens;

function scaleRow(run: string, config: TextConfig, cost: Row): Row {
  const { model, trainTokens, dataset, steps } = config;
  const parameters = gpt2Parameters(model).all;
  return {
    run,
    'layers × width': layersByWidth(model),
    'parameters (M)': parameters / 1e6,
    context: model.context,
    text: dataset,
    'D (tokens)': trainTokens,
    'parameters per token': parameters / trainTokens,
    'tokens per step': tokensPerStep(config),
    steps,
    'passes over the text': passes(config),
    ...cost,
  };
}

/** The paper's run, the committed ones, and those to be made. */
export const textScaleRows = (
  configs: readonly TextConfig[],
  committed: readonly TextRecord[],
  published: TextConfig,
): Row[] => [
  scaleRow('the paper (recipe of nanoGPT)', published, { minutes: null, hardware: 'not stated' }),
  ...committed.map((record) => scaleRow(textLabel(record), record.config, costColumns(record))),
  ...configs.map((config) =>
    scaleRow(`this run: ${config.tier}, D = ${short(config.trainTokens)}, seed ${config.seed}`, config, {
      minutes: null,
      hardware: 'this machine',
    }),
  ),
];

/** One row a run: where it ends, where the held-out loss turned. */
export const endRows = (records: readonly TextRecord[]): Row[] =>
  records.map((record) => {
    const { last, lowest, gapNats, riseNats } = endOf(record);
    return {
      run: textLabel(record),
      epochs: last.epoch,
      'training loss (nats)': last.trainLossNats,
      'held-out loss (nats)': last.heldOutLossNats,
      'gap (nats)': gapNats,
      'lowest held-out (nats)': lowest.heldOutLossNats,
      'at epoch': lowest.epoch,
      'rise since (nats)': riseNats,
      'memorised windows': last.memorisedShare === null ? null : percent(last.memorisedShare),
    };
  });
