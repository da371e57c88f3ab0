/** What notebook 07 shows: nearest-neighbour distances of last-layer activations, and the radius of the theory. */
import { openDataset } from '../data/text/shards';
import { Windows } from '../data/text/windows';
import { nearestNeighbours } from '../energy/distance';
import type { Matrix } from '../energy/matrix';
import { radius } from '../energy/partition';
import { overfitting9m } from '../experiments/overfitting-9m';
import { committedRecords } from '../experiments/run';
import { scaling90m } from '../experiments/scaling-90m';
import type { TextConfig, TextRecord } from '../experiments/text-task';
import type { Gpt2 } from '../model/gpt2';
import { readGpt2 } from '../model/hugging-face';
import { windowBatch, type LanguageModel } from '../model/model';
import { chart, type Figure } from '../report/figure';
import { endLabels, logAxis, referenceBand, referenceLine, shades } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { allLayers, stacked } from '../train/evaluate';
import { count, layersByWidth, rangeText } from '../util/format';
import { committedModels, recited } from './shared/recited';
import { ownValues } from './shared/runs';
import { lineTrace } from './shared/traces';

export * from './shared/notebook';

/** Committed runs that measured distances along their training, from the smallest text to the largest. */
export const runs = (): TextRecord[] =>
  [...committedRecords(overfitting9m), ...committedRecords(scaling90m)]
    .filter(({ curve }) => curve.some(({ nearest }) => nearest))
    .sort((a, b) => a.config.trainTokens - b.config.trainTokens || a.parameters - b.parameters);

/** Mean distance of held-out activations to the nearest training one, after the final layer norm, along a run. */
const distancesAlong = ({ curve }: TextRecord): { passes: number; distance: number }[] =>
  curve.flatMap(({ epoch, nearest }) => (nearest ? [{ passes: epoch, distance: nearest.heldOut }] : []));

/** Distance over r*, or half the distance: balls of radius r around two patterns touch when they are 2r apart. */
const overRadius = (record: TextRecord, distance: number, which: 'r' | '2r'): number =>
  distance / radius(record.config.model.width) / (which === 'r' ? 1 : 2);

/** Passes over the text at which the distance first is a multiple of r*; null: never. */
function crossingOf(record: TextRecord, multiple: number): number | null {
  const level = multiple * radius(record.config.model.width);
  return distancesAlong(record).find(({ distance }) => distance >= level)?.passes ?? null;
}

const two = (values: readonly number[]): string => rangeText(values, (x) => x.toPrecision(2));
const ratios = (records: readonly TextRecord[], at: 0 | -1, which: 'r' | '2r' = 'r'): number[] =>
  records.map((record) => overRadius(record, distancesAlong(record).at(at)!.distance, which));

/**
 * Multiples by which the activations after the final layer norm can be scaled without any effect on what is predicted: its gain
 * times the multiple and the output matrix over it. Where that is the embedding too, all that adds to the stream is divided with it,
 * which the layer norms undo.
 */
const SCALES = [0.1, 1, 10] as const;

export function answer(records = runs()): string {
  const ends = ratios(records, -1);
  return [
    `**The test cannot tell: while a model trains, the distance to the nearest pattern grows from ${two(ratios(records, 0))} times the radius r* of the theory (first measurements) to ${two(ends)} times (last).**`,
    `Every one of ${records.length} models passes r\* on its way, and ${records.filter((record) => crossingOf(record, 2) !== null).length} pass 2r\*, the distance at which the balls around two patterns touch, so agreement is a matter of when one looks.`,
    `And r\* is a length, while the unit of the activations is arbitrary: multiply them by 0.1, 1 or 10 and divide the output matrix by as much, and the model predicts the same, while the distances are ${SCALES.map((scale) => two(ends.map((x) => scale * x))).join(', ')} times r\*.`,
  ].join(' ');
}

const MODEL_SHADES = 4;
/** `6 × 384, 90,000 tokens` */
const modelLabel = ({ config }: TextRecord): string =>
  `${layersByWidth(config.model)},<br>${count(config.trainTokens)} tokens`;

/** Distance over r* along training, a line a model. */
export function alongFigure(records = runs()): Figure {
  const span = { low: 0.2, high: 12, pixels: 290, log: true, logX: true };
  const colours = shades(Math.max(MODEL_SHADES, records.length));
  const of = (record: TextRecord) => distancesAlong(record);
  return chart({
    title: 'Every model passes r* on its way up',
    subtitle:
      'distance of a held-out activation to the nearest training one, mean, in units of r*; after the final layer norm',
    x: logAxis('passes over the text', undefined, [0.01, 50]),
    y: logAxis('distance', 'multiples of r*', [span.low, span.high]),
    data: records.map((record, i) =>
      lineTrace(
        '',
        of(record).map(({ passes }) => passes),
        of(record).map(({ distance }) => overRadius(record, distance, 'r')),
        { color: colours[i]!, width: 2.5 },
      ),
    ),
    showlegend: false,
    height: 420,
    margin: { r: 160 },
    shapes: [
      { ...referenceBand(1, ABOUT) },
      referenceLine(1, 'r* ± 25%', { end: 'left' }),
      referenceLine(2, '2r*: balls of radius r* touch', { end: 'left' }),
    ],
    annotations: endLabels(
      records.map((record, i) => ({
        text: modelLabel(record),
        x: of(record).at(-1)!.passes,
        y: overRadius(record, of(record).at(-1)!.distance, 'r'),
        colour: colours[i]!,
      })),
      span,
    ).map((label) => {
      // Right of the ends of runs in the middle are the curves of longer ones.
      const { x } = label as { x: number };
      return x > 0 && x < 1
        ? { ...label, xanchor: 'right', align: 'right', yanchor: 'bottom', xshift: 0, yshift: 4 }
        : label;
    }) as never,
  });
}

/** Where each run ends, with both readings, and when it passes r* and 2r*. */
export const runRows = (records = runs()): Row[] =>
  records.map((record) => {
    const end = distancesAlong(record).at(-1)!;
    const passed = (multiple: number) => {
      const at = crossingOf(record, multiple);
      return at === null ? 'never' : `pass ${at.toPrecision(2)}`;
    };
    return {
      model: layersByWidth(record.config.model),
      'text (tokens)': record.config.trainTokens,
      passes: end.passes.toPrecision(2),
      'distance at the end': end.distance.toPrecision(3),
      'over r*': overRadius(record, end.distance, 'r').toPrecision(2),
      'half of it over r*': overRadius(record, end.distance, '2r').toPrecision(2),
      'beyond r* by': passed(1),
      'beyond 2r* by': passed(2),
    };
  });

/** The same distances with all activations scaled, a row a scale. */
export const scaleRows = (records = runs()): Row[] =>
  SCALES.map((scale) => ({
    'activations times': scale,
    'distance over r*': two(ratios(records, -1).map((x) => scale * x)),
    'half the distance over r*': two(ratios(records, -1, '2r').map((x) => scale * x)),
  }));

/** Distances of activations to the nearest of the patterns: raw, after the last block, and normed, after the final layer norm. */
export interface Distances {
  name: string;
  width: number;
  raw: Record<'training' | 'heldOut', Float64Array>;
  normed: Record<'training' | 'heldOut', Float64Array>;
}

/** Windows of training text and of other text, which may be none. */
interface Texts {
  training: readonly ArrayLike<number>[];
  heldOut: readonly ArrayLike<number>[];
}

/** Of training activations to those of other training windows, and of held-out ones to all of them. @param patterns, states one matrix per window */
function nearest(patterns: Matrix[], states: Matrix[]): Record<'training' | 'heldOut', Float64Array> {
  const training = patterns.flatMap((window, i) => [
    ...nearestNeighbours({ patterns: stacked(patterns.filter((_, j) => j !== i)), states: window }).distances,
  ]);
  return {
    training: Float64Array.from(training),
    heldOut: states.length
      ? nearestNeighbours({ patterns: stacked(patterns), states: stacked(states) }).distances
      : new Float64Array(),
  };
}

function distancesOf(name: string, model: LanguageModel, config: TextConfig, texts: Texts): Distances {
  const [train, heldOut] = [texts.training, texts.heldOut].map((windows) =>
    windows.map((one) => allLayers(model, config, [() => windowBatch([one], config.model)]).slice(-2)),
  ) as [Matrix[][], Matrix[][]];
  const at = (layer: 0 | 1) =>
    nearest(
      train.map((window) => window[layer]!),
      heldOut.map((window) => window[layer]!),
    );
  return { name, width: model.config.width, raw: at(0), normed: at(1) };
}

/** Windows of each text whose activations are compared. */
const WINDOWS = 24;

const quantile = (values: Float64Array, q: number): number =>
  Float64Array.from(values).sort()[Math.min(values.length - 1, Math.floor(q * values.length))]!;

/** Medians of a model's distances: before and after the final layer norm, of training tokens and of held-out ones where there are some, with both readings. */
export const distanceRows = (all: readonly Distances[]): Row[] =>
  all.flatMap(({ name, width, ...kinds }) =>
    (['raw', 'normed'] as const).flatMap((which) =>
      (['training', 'heldOut'] as const)
        .filter((of) => kinds[which][of].length)
        .map((of) => {
          const median = quantile(kinds[which][of], 0.5);
          return {
            model: name,
            activations: which === 'raw' ? 'after the last block' : 'after the final layer norm',
            tokens: of === 'training' ? 'training' : 'held out',
            'r*': radius(width).toPrecision(3),
            'median distance': median.toPrecision(3),
            'median / r*': median / radius(width),
            'half the median / r*': median / radius(width) / 2,
          };
        }),
    ),
  );

/** How far a median may be from r* and still be "about" it, as a share of r*; fixed before any run. */
const ABOUT = 0.25;

/**
 * "Distances are about r*", with the end of every committed run and, where they are there, published weights, which alone could
 * decide. No value decides while the unit of the activations is arbitrary.
 */
export function radiusQuestion(all: readonly Distances[] = [], records = runs()): Question {
  return {
    claim: 'Nearest neighbours of last-layer activations are about r*(n) away.',
    source: `arXiv 2405.08707, section 6.1 (GPT-2 medium on OpenWebText), whose number we could not read; held-out tokens after the final layer norm, mean at the end of a run; "about" as within ${100 * ABOUT}% is ours`,
    table: 'theory',
    paper: 1,
    tolerance: ABOUT,
    unit: 'times r*',
    blind: `the answer depends on when one looks (every model passes r* while it trains) and on the unit of the activations (times 0.1, 1 and 10: ${scaleRows(
      records,
    )
      .map((row) => row['distance over r*'])
      .join('; ')} times r*), of which the model knows nothing`,
    ours: [
      ...ownValues(
        records,
        (record) => overRadius(record, distancesAlong(record).at(-1)!.distance, 'r'),
        () => 'not the published weights on OpenWebText',
      ),
      ...all.map(({ width, normed }) => ({
        seed: 1,
        tier: 'full' as const,
        value: quantile(normed.heldOut, 0.5) / radius(width),
      })),
    ],
  };
}

/** The questions of the notebook, to the committed runs. */
export const questions = (): Question[] => [radiusQuestion()];

/** What published weights are called in tables; they alone can decide the claim. */
const PUBLISHED = 'published weights';

/** The model in the folder that the variable GPT2_WEIGHTS names (model.safetensors and config.json of GPT-2 medium, say); null without it. */
export function publishedModel(): Gpt2 | null {
  const folder = process.env.GPT2_WEIGHTS;
  return folder ? readGpt2(folder) : null;
}

/** Of the committed weights, on windows that the first of them recites: training text of all three, whose texts begin alike. */
export async function ownDistances(tier: Tier): Promise<Distances[]> {
  let training: number[][] = [];
  const all: Distances[] = [];
  for await (const { config, model } of committedModels()) {
    if (!all.length) training = recited(model, config, tier).slice(0, WINDOWS);
    const name = `${layersByWidth(config.model)}, ${count(config.trainTokens)} tokens`;
    all.push(distancesOf(name, model, config, { training, heldOut: [] }));
  }
  return all;
}

/** Of the published weights, on the text of the full run; none where they are missing. */
export function publishedDistances(): Distances[] {
  const model = publishedModel();
  if (!model) return [];
  const config = { ...overfitting9m.tiers.full, model: model.config };
  try {
    const { train, validation, name } = openDataset(config.dataset);
    const windows = (split: string, source: typeof train, tokens: number) => {
      const text = new Windows(`${split} text of ${name}`, source, tokens, config.model.context);
      return text.readSpread(Math.min(WINDOWS, text.count));
    };
    try {
      const training = windows('train', train, config.trainTokens);
      const heldOut = windows('validation', validation, validation.tokens);
      return [distancesOf(PUBLISHED, model, config, { training, heldOut })];
    } finally {
      train.close();
      validation.close();
    }
  } finally {
    model.dispose();
  }
}
