/** What notebook 07 shows: nearest-neighbour distances of last-layer activations, and the radius of the theory. */
import { openDataset } from '../data/text/shards';
import { Windows } from '../data/text/windows';
import { nearestNeighbours } from '../energy/distance';
import type { Matrix } from '../energy/matrix';
import { radius } from '../energy/partition';
import { overfitting9m } from '../experiments/overfitting-9m';
import { committedRecords, trainedModel } from '../experiments/run';
import type { TextConfig, TextRecord } from '../experiments/text-task';
import type { Gpt2 } from '../model/gpt2';
import { readGpt2 } from '../model/hugging-face';
import { windowBatch, type LanguageModel } from '../model/model';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, referenceLine, seriesColour, title } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { allLayers, stacked } from '../train/evaluate';
import { count, layersByWidth } from '../util/format';
import { epochAxis, textLabel } from './shared/text-runs';
import { lineTrace } from './shared/traces';
import { withOthers } from './shared/runs';

export * from './shared/notebook';
export { overfitting9m };

/** The committed runs, after `own` ones. */
export const runs = (own: readonly TextRecord[]): TextRecord[] =>
  withOthers(own, committedRecords(overfitting9m));

/** Distances of activations to the nearest of the patterns: raw, after the last block, and normed, after the final layer norm. */
export interface Distances {
  name: string;
  width: number;
  raw: Record<'training' | 'heldOut', Float64Array>;
  normed: Record<'training' | 'heldOut', Float64Array>;
}

/** Of training activations to those of other training windows, and of held-out ones to all of them. @param patterns, states one matrix per window */
function nearest(patterns: Matrix[], states: Matrix[]): Record<'training' | 'heldOut', Float64Array> {
  const training = patterns.flatMap((window, i) => [
    ...nearestNeighbours({ patterns: stacked(patterns.filter((_, j) => j !== i)), states: window }).distances,
  ]);
  return {
    training: Float64Array.from(training),
    heldOut: nearestNeighbours({ patterns: stacked(patterns), states: stacked(states) }).distances,
  };
}

/** Windows of training text whose activations are compared, and of held-out text. */
const WINDOWS: Record<Tier, number> = { smoke: 4, quick: 24, desk: 24, full: 24 };

/** Of a model on the text of a run. @param name in tables */
function distancesOf(
  model: LanguageModel,
  config: TextConfig,
  name = `${config.tier}, ${layersByWidth(config.model)}`,
): Distances {
  const dataset = openDataset(config.dataset);
  const rows = (split: 'train' | 'validation', tokens: number): Matrix[][] => {
    const text = new Windows(
      `${split} text of ${dataset.name}`,
      dataset[split],
      tokens,
      config.model.context,
    );
    return text
      .spread(Math.min(WINDOWS[config.tier], text.count))
      .map((i) => allLayers(model, config, [() => windowBatch([text.read(i)], config.model)]).slice(-2));
  };
  try {
    const [train, heldOut] = [
      rows('train', config.trainTokens),
      rows('validation', dataset.validation.tokens),
    ];
    const at = (layer: 0 | 1) =>
      nearest(
        train.map((window) => window[layer]!),
        heldOut.map((window) => window[layer]!),
      );
    return { name, width: model.config.width, raw: at(0), normed: at(1) };
  } finally {
    dataset.train.close();
    dataset.validation.close();
  }
}

const quantile = (values: Float64Array, q: number): number =>
  Float64Array.from(values).sort()[Math.min(values.length - 1, Math.floor(q * values.length))]!;

/** Histograms of both kinds of distances, with r* of the width. */
export function histogramFigure(all: Distances, which: 'raw' | 'normed', config: TextConfig): Figure {
  const { model, steps, trainTokens, dataset, tier, seed } = config;
  const trace = (of: 'training' | 'heldOut', color: string) => ({
    type: 'histogram' as const,
    name: of === 'training' ? 'training, to other training windows' : 'held-out, to training windows',
    x: Array.from(all[which][of]),
    marker: { color },
    opacity: 0.65,
    nbinsx: 60,
    histnorm: 'probability' as const,
  });
  const r = radius(all.width);
  return {
    data: [trace('training', COLOURS.ours), trace('heldOut', COLOURS.second)] as Figure['data'],
    layout: {
      title: title(
        `Nearest-neighbour distances, ${which === 'raw' ? 'behind the last block' : 'behind the final layer norm'}`,
        `GPT-2 ${layersByWidth(model)}, ${steps} steps on ${count(trainTokens)} tokens of ${dataset}, tier ${tier}, seed ${seed}`,
      ),
      barmode: 'overlay',
      xaxis: axis('distance', 'units of activation', { rangemode: 'tozero' }),
      yaxis: axis('share of tokens'),
      shapes: [
        {
          type: 'line',
          xref: 'x',
          yref: 'paper',
          x0: r,
          x1: r,
          y0: 0,
          y1: 1,
          line: { color: COLOURS.paper, dash: 'dash' },
          label: {
            text: `r*(${all.width}) = ${r.toFixed(2)}`,
            textangle: 0,
            textposition: 'end',
            xanchor: 'right',
            yanchor: 'top',
            padding: 6,
            font: { size: 11, color: COLOURS.paper },
          },
        },
      ],
    },
  };
}

/** Mean distances after the final layer norm along training, from the curve of each run. */
export function alongFigure(records: readonly TextRecord[]): Figure {
  const widths = [...new Set(records.map(({ config }) => config.model.width))];
  return chart({
    title: 'Mean nearest-neighbour distance along training',
    subtitle: 'last-layer activations behind the final layer norm; patterns: other training windows',
    x: epochAxis,
    y: axis('distance', 'units of activation', { rangemode: 'tozero' }),
    data: records.flatMap((record, i) =>
      (['others', 'heldOut'] as const).map((of) =>
        lineTrace(
          `${of === 'others' ? 'training' : 'held-out'} (${textLabel(record)})`,
          record.curve.map((p) => p.epoch),
          record.curve.map((p) => p.nearest?.[of] ?? null),
          { color: seriesColour(i), dash: of === 'others' ? 'solid' : 'dot' },
        ),
      ),
    ),
    shapes: widths.map((n) => referenceLine(radius(n), `r*(${n}) = ${radius(n).toFixed(2)}`)),
  });
}

export const distanceRows = (all: readonly Distances[]): Row[] =>
  all.flatMap(({ name, width, ...kinds }) =>
    (['raw', 'normed'] as const).flatMap((which) =>
      (['training', 'heldOut'] as const).map((of) => ({
        model: name,
        activations: which === 'raw' ? 'behind the last block' : 'behind the final layer norm',
        tokens: of === 'training' ? 'training' : 'held-out',
        'r*': radius(width),
        median: quantile(kinds[which][of], 0.5),
        '10%': quantile(kinds[which][of], 0.1),
        '90%': quantile(kinds[which][of], 0.9),
        'median / r*': quantile(kinds[which][of], 0.5) / radius(width),
      })),
    ),
  );

/** How far a median may be from r* and still be "about" it, as a share of r*; fixed before any run. */
const ABOUT = 0.25;

export function radiusQuestion(all: readonly Distances[], tier: Tier, seed: number): Question {
  return {
    claim:
      'Nearest-neighbour distances of last-layer activations are about the radius r*(n) at which Z = 1 (held-out tokens, behind the last block, median).',
    source: `arXiv 2405.08707, section 6.1 (GPT-2 medium on OpenWebText); "about" as within ${100 * ABOUT}%, ours`,
    paper: 1,
    tolerance: ABOUT,
    unit: 'median over r*',
    ours: all.map(({ name, width, raw }) => ({
      seed,
      tier,
      value: quantile(raw.heldOut, 0.5) / radius(width),
      ...(name === PUBLISHED ? {} : { unfit: 'not the published weights on OpenWebText' }),
    })),
  };
}

/** What published weights are called in tables; they alone can decide the claim. */
export const PUBLISHED = 'published weights';

/** The model in the folder that the variable GPT2_WEIGHTS names (model.safetensors and config.json of GPT-2 medium, say); null without it. */
export function publishedModel(): Gpt2 | null {
  const folder = process.env.GPT2_WEIGHTS;
  return folder ? readGpt2(folder) : null;
}

/** Of the trained model of a run. */
export function trainedDistances(config: TextConfig): Distances {
  const model = trainedModel(overfitting9m, config, 'last');
  try {
    return distancesOf(model, config);
  } finally {
    model.dispose();
  }
}

/** Of the published weights, on the text of the full run; none where they are missing. */
export function publishedDistances(): Distances[] {
  const model = publishedModel();
  if (!model) return [];
  try {
    return [distancesOf(model, { ...overfitting9m.tiers.full, model: model.config }, PUBLISHED)];
  } finally {
    model.dispose();
  }
}
