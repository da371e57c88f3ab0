/** What the notebooks on text runs share: how a run is called, where it turns, how its curves are drawn. */
import {
  tokensPerStep,
  type TextConfig,
  type TextMeasures,
  type TextRecord,
} from '../../experiments/text-task';
import { readMeta, type EntropyMeta } from '../../data/text/shards';
import type { Trace } from '../../report/figure';
import { showTable, type CellValue } from '../../report/table';
import type { OwnValue } from '../../report/verdict';
import { gpt2Parameters } from '../../model/config';
import { grouped, hardwareText, type CurvePoint } from '../../train/record';

export type { TextRecord };
type TextPoint = CurvePoint<TextMeasures>;

/** 9000000 as "9M". */
export const short = (tokens: number): string =>
  tokens >= 1e6
    ? `${Number((tokens / 1e6).toPrecision(3))}M`
    : tokens >= 1e3
      ? `${Number((tokens / 1e3).toPrecision(3))}k`
      : String(tokens);

/** `quick, 4 × 128, D = 10k, seed 1` */
export const label = ({ config: { tier, model, trainTokens, seed } }: TextRecord): string =>
  `${tier}, ${model.layers} × ${model.width}, D = ${short(trainTokens)}, seed ${seed}`;

/** What one must know to read a figure of these runs. */
export function subtitle(records: readonly TextRecord[]): string {
  const minutes = (m: number) => (m < 10 ? m.toFixed(1) : String(Math.round(m)));
  return grouped(
    records,
    ({ config }) => `${config.tier}: ${tokensPerStep(config).toLocaleString('en')} tokens a step`,
  )
    .map(([what, runs]) => {
      return `${what}, ${runs.map((r) => minutes(r.minutes)).join(' + ')} min on ${hardwareText(runs)}`;
    })
    .join(' · ');
}

/** Entropy of the data where it is known exactly: the synthetic corpus. */
export const entropyOf = (dataset: string): EntropyMeta | null => readMeta(dataset).entropy ?? null;

/** The end of a run, and the point of its curve with the lowest held-out loss. */
export interface Outcome {
  last: TextPoint;
  lowest: TextPoint;
  /** Held-out minus training loss at the end, nats per token. */
  gapNats: number;
  /** Held-out loss at the end minus its lowest, nats per token. */
  riseNats: number;
}

export function outcome({ curve }: TextRecord): Outcome {
  const last = curve.at(-1)!;
  const lowest = curve.reduce((a, b) => (b.heldOutLossNats < a.heldOutLossNats ? b : a));
  return {
    last,
    lowest,
    gapNats: last.heldOutLossNats - last.trainLossNats,
    riseNats: last.heldOutLossNats - lowest.heldOutLossNats,
  };
}

/** A value per run. */
export const ownValues = (
  records: readonly TextRecord[],
  value: (record: TextRecord) => number,
): OwnValue[] =>
  records.map((record) => ({ seed: record.config.seed, tier: record.config.tier, value: value(record) }));

/** Training and held-out loss of a run over its epochs or steps. */
export const lossTraces = (record: TextRecord, colour: string, over: 'epoch' | 'step' = 'epoch'): Trace[] =>
  [false, true].map((held) => ({
    type: 'scatter',
    mode: 'lines',
    name: `${held ? 'held-out' : 'training'} (${label(record)})`,
    x: record.curve.map((p) => p[over]),
    y: record.curve.map((p) => (held ? p.heldOutLossNats : p.trainLossNats)),
    text: record.curve.map((p) => `step ${p.step.toLocaleString('en')}, epoch ${p.epoch.toFixed(1)}`),
    line: { color: colour, width: held ? 2.5 : 1.5, dash: held ? 'dot' : 'solid' },
  }));

/** Parameters per training token. */
const ratio = ({ model, trainTokens }: TextConfig): number => gpt2Parameters(model).all / trainTokens;

/** Passes over the training text that a run's steps make. */
export const passes = (config: TextConfig): number =>
  (config.steps * tokensPerStep(config)) / config.trainTokens;

function scaleRow(
  run: string,
  config: TextConfig,
  more: Record<string, CellValue>,
): Record<string, CellValue> {
  const { model, trainTokens, dataset, steps } = config;
  return {
    run,
    'layers × width': `${model.layers} × ${model.width}`,
    'parameters (M)': gpt2Parameters(model).all / 1e6,
    context: model.context,
    text: dataset,
    'D (tokens)': trainTokens,
    'parameters per token': ratio(config),
    'tokens per step': tokensPerStep(config),
    steps,
    'passes over the text': passes(config),
    ...more,
  };
}

/** The committed runs, and this one, beside the paper's. */
export function showScale(
  configs: readonly TextConfig[],
  committed: readonly TextRecord[],
  published: TextConfig,
): void {
  showTable([
    scaleRow('the paper (recipe of nanoGPT)', published, { minutes: null, hardware: 'not stated' }),
    ...committed.map((r) =>
      scaleRow(label(r), r.config, {
        minutes: Math.round(r.minutes),
        hardware: `${r.hardware.cores} × ${r.hardware.cpu}`,
      }),
    ),
    ...configs.map((config) =>
      scaleRow(`this run: ${config.tier}, D = ${short(config.trainTokens)}, seed ${config.seed}`, config, {
        minutes: null,
        hardware: 'this machine',
      }),
    ),
  ]);
}

/** One row a run: where it ends, where the held-out loss turned. */
export function showOutcomes(records: readonly TextRecord[]): void {
  showTable(
    records.map((record) => {
      const { last, lowest, gapNats, riseNats } = outcome(record);
      return {
        run: label(record),
        epochs: last.epoch,
        'training loss (nats)': last.trainLossNats,
        'held-out loss (nats)': last.heldOutLossNats,
        'gap (nats)': gapNats,
        'lowest held-out (nats)': lowest.heldOutLossNats,
        'at epoch': lowest.epoch,
        'rise since (nats)': riseNats,
        'memorised windows':
          last.memorisedShare === null ? null : `${(100 * last.memorisedShare).toFixed(0)}%`,
      };
    }),
  );
}
