/** What notebook 05 shows: a text that is memorised, and what the distance energy sees of it. */
import type { EntropyMeta } from '../data/text/shards';
import { overfitting9m } from '../experiments/overfitting-9m';
import { committedRecords } from '../experiments/run';
import { scaling90m } from '../experiments/scaling-90m';
import type { TextConfig, TextMeasures, TextRecord } from '../experiments/text-task';
import { chart, type Figure } from '../report/figure';
import { axis, referenceLine, seriesColour } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import { percent } from '../util/format';
import { ownValues, withOthers } from './shared/runs';
import {
  endOf,
  entropyLines,
  epochAxis,
  subtitle,
  textLabel,
  textScaleRows,
  textTraces,
} from './shared/text-runs';
import { lineTrace, MARKED } from './shared/traces';

export * from './shared/notebook';
export { endRows, entropyOf } from './shared/text-runs';
export { deviations } from '../train/config';
export { overfitting9m };

/** "The training loss vanishes" as a number, fixed before any run. */
const VANISHED_NATS = 0.1;
/** How far the held-out loss must rise from its lowest point to have turned. */
const TURNED_NATS = 0.1;

/** The committed runs, after `own` ones. */
export const runs = (own: readonly TextRecord[]): TextRecord[] =>
  withOthers(own, committedRecords(overfitting9m));

export const scaleRows = (config: TextConfig): Row[] =>
  textScaleRows([config], runs([]), overfitting9m.tiers.full);

/** Losses of every run over epochs, with the entropy of the text where it is known. */
export const lossFigure = (records: readonly TextRecord[], entropy: EntropyMeta | null): Figure =>
  chart({
    title: 'Overfitting: loss against epochs',
    subtitle: subtitle(records),
    x: epochAxis,
    y: axis('loss', 'nats per token', { rangemode: 'tozero' }),
    data: textTraces(records, 'epoch'),
    shapes: [
      referenceLine(VANISHED_NATS, `vanished: under ${VANISHED_NATS}`, { side: 'above' }),
      ...entropyLines(entropy),
    ],
  });

/** Share of training windows continued word for word, over epochs. */
export const memoryFigure = (records: readonly TextRecord[]): Figure =>
  chart({
    title: 'Training windows known by heart',
    subtitle: 'after 32 tokens of a training window, the next 32 by greedy choice are the text itself',
    x: epochAxis,
    y: axis('memorised', 'share of windows', { range: [-0.02, 1.02] }),
    data: records.map((record, i) =>
      lineTrace(
        textLabel(record),
        record.curve.map((p) => p.epoch),
        record.curve.map((p) => p.memorisedShare),
        { color: seriesColour(i) },
        { ...MARKED, marker: { size: 5 } },
      ),
    ),
    height: 340,
  });

type Energies = NonNullable<TextMeasures['energies']>;

/** What each energy is of, and the dash of its line. */
const ENERGIES = {
  own: ['training, own pattern in', 'solid'],
  others: ['training, own window out', 'dash'],
  heldOut: ['held-out', 'dot'],
} as const;

/** The distance energy of last-layer activations over epochs: of training windows, with and without their own patterns, and of held-out ones. */
export const energyFigure = (records: readonly TextRecord[]): Figure =>
  chart({
    title: 'Distance energy of last-layer activations',
    subtitle: 'E(x) = −log Σ exp(−‖x − ρ‖), patterns ρ: activations of training windows',
    x: epochAxis,
    y: axis('mean energy', 'units of distance'),
    data: records
      .filter(({ curve }) => curve[0]!.energies)
      .flatMap((record, i) =>
        (Object.keys(ENERGIES) as (keyof Energies)[]).map((of) =>
          lineTrace(
            `${ENERGIES[of][0]} (${textLabel(record)})`,
            record.curve.map((p) => p.epoch),
            record.curve.map((p) => p.energies?.[of] ?? null),
            { color: seriesColour(i), width: 2, dash: ENERGIES[of][1] },
          ),
        ),
      ),
    shapes: [referenceLine(0, 'on a pattern far from all others', { side: 'below' })],
  });

/** How much deeper a unit of energy is: a density e times as large. */
const DEEPER = 1;

/** First and last energies of a run that has them. */
function energies({ curve }: TextRecord): { first: Energies; last: Energies } | null {
  const [first, last] = [curve[0]?.energies, curve.at(-1)?.energies];
  return first && last ? { first, last } : null;
}

/** Growth along a run of how far the energy of held-out activations is above that of training ones. @param of with their own patterns, or without those of their window */
const growth = ({ first, last }: NonNullable<ReturnType<typeof energies>>, of: 'own' | 'others'): number =>
  last.heldOut - last[of] - (first.heldOut - first[of]);

/** How the gaps grow along each run, and along those of notebook 06, which memorise nothing and show what grows without memory. */
export const energyRows = (records: readonly TextRecord[]): Row[] =>
  [...records, ...committedRecords(scaling90m)].flatMap((record) => {
    const found = energies(record);
    if (!found) return [];
    const { others, heldOut } = found.last;
    return [
      {
        run: textLabel(record),
        'windows by heart': percent(record.curve.at(-1)!.memorisedShare ?? NaN),
        'training, own window out': others,
        'held-out': heldOut,
        'their gap grew by': growth(found, 'others'),
        "as a share of training's energy": growth(found, 'others') / others,
        'with own patterns in it grew by': growth(found, 'own'),
      },
    ];
  });

const SOURCE = 'arXiv 2405.08707, section 6 and Figure 3';

/** The training loss vanishes, the held-out loss turns, the gap in energy grows. */
export const questions = (records: readonly TextRecord[]): Question[] => [
  {
    claim:
      'On 0.1% of OpenWebText (9M tokens) the training loss of GPT-2 small vanishes: here, a GPT-2 on a text far smaller than its number of parameters.',
    source: `${SOURCE}; "vanishes" as under ${VANISHED_NATS} nats per token`,
    paper: 0,
    tolerance: VANISHED_NATS,
    relation: 'at most',
    unit: 'nats per token',
    leastTier: 'desk',
    // The lowest mean between two points of the curve.
    ours: ownValues(records, ({ curve }) => Math.min(...curve.map((p) => p.trainLossNats))),
  },
  {
    claim: 'Meanwhile the validation loss turns and rises: overfitting.',
    source: `${SOURCE}; "rises" as ${TURNED_NATS} nats per token above its lowest point by the end of the run`,
    paper: TURNED_NATS,
    tolerance: 0,
    relation: 'at least',
    unit: 'nats per token',
    leastTier: 'desk',
    ours: ownValues(records, (record) => endOf(record).riseNats),
  },
  {
    claim:
      'As training points are memorised, their energy falls relative to that of held-out points: the gap in distance energy of last-layer activations, own window left out, grows along the run.',
    source: `arXiv 2405.08707, section 5 (over-parameterised limit: delta functions); "grows" as by ${DEEPER}, a density e times as large, is ours`,
    paper: DEEPER,
    tolerance: 0,
    relation: 'at least',
    unit: 'units of distance',
    leastTier: 'desk',
    ours: ownValues(records.filter(energies), (record) => growth(energies(record)!, 'others')),
  },
];
