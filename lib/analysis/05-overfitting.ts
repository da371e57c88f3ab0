/** What notebook 05 shows: a text that is learnt by heart, and what the distance energy sees of it. */
import type { EntropyMeta } from '../data/text/shards';
import type { Figure } from '../report/figure';
import { axis, COLOURS, referenceLine, seriesColour, title } from '../report/style';
import { showTable } from '../report/table';
import type { Question } from '../report/verdict';
import { label, lossTraces, outcome, ownValues, subtitle, type TextRecord } from './shared/text-runs';

/** "The training loss vanishes" as a number, fixed before any run. */
export const VANISHED_NATS = 0.1;
/** How far the held-out loss must rise from its lowest point to have turned. */
export const TURNED_NATS = 0.1;

const epochAxis = axis('epoch', 'passes over the D tokens');

/** Losses of every run over epochs, with the floor where the data has a known one. */
export function lossFigure(records: readonly TextRecord[], entropy: EntropyMeta | null): Figure {
  return {
    data: records.flatMap((record, i) => lossTraces(record, seriesColour(i))),
    layout: {
      title: title('Overfitting: loss against epochs', subtitle(records)),
      xaxis: epochAxis,
      yaxis: axis('loss', 'nats per token', { rangemode: 'tozero' }),
      shapes: [
        referenceLine(VANISHED_NATS, `vanished: under ${VANISHED_NATS}`, { side: 'above' }),
        ...(entropy
          ? [
              referenceLine(
                entropy.natsPerToken,
                `entropy of the synthetic text ${entropy.natsPerToken.toFixed(3)}`,
                { colour: COLOURS.third, dash: 'dot', side: 'below', end: 'left' },
              ),
            ]
          : []),
      ],
    },
  };
}

/** Share of training windows continued word for word, over epochs. */
export function memoryFigure(records: readonly TextRecord[]): Figure {
  return {
    data: records.map((record, i) => ({
      type: 'scatter',
      mode: 'lines+markers',
      name: label(record),
      x: record.curve.map((p) => p.epoch),
      y: record.curve.map((p) => p.memorisedShare),
      line: { color: seriesColour(i) },
      marker: { size: 5 },
    })),
    layout: {
      title: title(
        'Training windows known by heart',
        'after 32 tokens of a training window, the next 32 by greedy choice are the text itself',
      ),
      xaxis: epochAxis,
      yaxis: axis('memorised', 'share of windows', { range: [-0.02, 1.02] }),
      height: 340,
    },
  };
}

const ENERGIES = {
  own: 'training, own pattern in',
  others: 'training, own window out',
  heldOut: 'held-out',
} as const;

/** The distance energy of last-layer activations over epochs: of training windows, with and without their own patterns, and of held-out ones. */
export function energyFigure(records: readonly TextRecord[]): Figure {
  return {
    data: records.flatMap((record, i) =>
      (['own', 'others', 'heldOut'] as const).map((of, j) => ({
        type: 'scatter' as const,
        mode: 'lines' as const,
        name: `${ENERGIES[of]} (${label(record)})`,
        x: record.curve.map((p) => p.epoch),
        y: record.curve.map((p) => p.energies?.[of] ?? null),
        line: { color: seriesColour(i), width: 2, dash: (['solid', 'dash', 'dot'] as const)[j]! },
      })),
    ),
    layout: {
      title: title(
        'Distance energy of last-layer activations',
        'E(x) = −log Σ exp(−‖x − ρ‖), patterns ρ: activations of training windows',
      ),
      xaxis: epochAxis,
      yaxis: axis('mean energy', 'units of distance'),
      shapes: [referenceLine(0, 'on a pattern far from all others', { side: 'below' })],
    },
  };
}

const SOURCE = 'arXiv 2405.08707, section 6 and Figure 3';

/** Lowest mean training loss between two points of the curve. */
export function vanishingQuestion(records: readonly TextRecord[]): Question {
  return {
    claim:
      'On 0.1% of OpenWebText (9M tokens) the training loss of GPT-2 small vanishes: here, a GPT-2 on a text far smaller than its number of parameters.',
    source: `${SOURCE}; "vanishes" as under ${VANISHED_NATS} nats per token`,
    paper: 0,
    tolerance: VANISHED_NATS,
    relation: 'at most',
    unit: 'nats per token',
    leastTier: 'desk',
    ours: ownValues(records, ({ curve }) =>
      curve.reduce((least, p) => Math.min(least, p.trainLossNats), Infinity),
    ),
  };
}

export function turningQuestion(records: readonly TextRecord[]): Question {
  return {
    claim: 'Meanwhile the validation loss turns and rises: overfitting.',
    source: `${SOURCE}; "rises" as ${TURNED_NATS} nats per token above its lowest point by the end of the run`,
    paper: TURNED_NATS,
    tolerance: 0,
    relation: 'at least',
    unit: 'nats per token',
    leastTier: 'desk',
    ours: ownValues(records, (record) => outcome(record).riseNats),
  };
}

/** How much deeper a unit of energy is: a density e times as large. */
const DEEPER = 1;

type Energies = NonNullable<TextRecord['curve'][number]['energies']>;

/** How far the energy of held-out activations lies above that of training ones, own window's patterns left out. */
const gap = ({ heldOut, others }: Energies): number => heldOut - others;

/** First and last energies of the runs that have them. */
const ends = (records: readonly TextRecord[]): { record: TextRecord; first: Energies; last: Energies }[] =>
  records.flatMap((record) => {
    const [first, last] = [record.curve[0]?.energies, record.curve.at(-1)?.energies];
    return first && last ? [{ record, first, last }] : [];
  });

/** How the gaps grow along each run; runs that know nothing by heart show what grows without memory. */
export function showEnergies(records: readonly TextRecord[]): void {
  showTable(
    ends(records).map(({ record, first, last }) => ({
      run: label(record),
      'windows by heart': `${(100 * (record.curve.at(-1)!.memorisedShare ?? NaN)).toFixed(0)}%`,
      'training, own window out': last.others,
      'held-out': last.heldOut,
      'their gap grew by': gap(last) - gap(first),
      "as a share of training's energy": (gap(last) - gap(first)) / last.others,
      'with own patterns in it grew by': last.heldOut - last.own - (first.heldOut - first.own),
    })),
  );
}

export function energyQuestion(records: readonly TextRecord[]): Question {
  return {
    claim:
      'As training points are memorised, their energy falls relative to that of held-out points: the gap in distance energy of last-layer activations, own window left out, grows along the run.',
    source: `arXiv 2405.08707, section 5 (over-parameterised limit: delta functions); "grows" as by ${DEEPER}, a density e times as large, is ours`,
    paper: DEEPER,
    tolerance: 0,
    relation: 'at least',
    unit: 'units of distance',
    leastTier: 'desk',
    ours: ends(records).map(
      ({
        record: {
          config: { seed, tier },
        },
        first,
        last,
      }) => ({ seed, tier, value: gap(last) - gap(first) }),
    ),
  };
}
