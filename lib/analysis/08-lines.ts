/** Losses of notebook 08 on single lines: position by position, and where there are few of them. */
import {
  pilotRuns,
  plateauIntervention,
  type PlateauMeasures,
  type PlateauRecord,
} from '../experiments/plateau-intervention';
import { finishedRecords } from '../experiments/run';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, referenceLine, seriesColour } from '../report/style';
import type { Row } from '../report/table';
import type { CurvePoint } from '../train/record';
import { count, layersByWidth, percent } from '../util/format';
import { sum } from '../util/statistics';
import { dataFloor, entropiesOf, memoryFloor, surprisal, trainTokens } from './shared/floors';
import { PAPER_PLATEAU } from './shared/plateau';
import { ofFullestTier, runLabel, tenths } from './shared/runs';
import { lineTrace, MARKED } from './shared/traces';

/** The runs of the fullest tier among them: only they have one model. */
export const fullest = (records: readonly PlateauRecord[]): PlateauRecord[] =>
  ofFullestTier(records, ({ config }) => config.tier);

/** Those of the fullest tier on the original grammar. */
export const original = (records: readonly PlateauRecord[]): PlateauRecord[] =>
  fullest(records.filter(({ config }) => config.grammar === '1.0'));

export const byLines = (records: readonly PlateauRecord[]): PlateauRecord[] =>
  [...records].sort((a, b) => a.config.trainLines - b.config.trainLines);

export const lastOf = ({ curve }: PlateauRecord): CurvePoint<PlateauMeasures> => curve.at(-1)!;

export const label = ({ config }: PlateauRecord): string =>
  runLabel(
    config,
    `grammar ${config.grammar}`,
    layersByWidth(config.model),
    `D = ${count(config.trainLines)}`,
  );

/** What a run is, in columns of a table. */
export const columns = ({ config: { tier, grammar, model, trainLines, seed } }: PlateauRecord): Row => ({
  tier,
  grammar,
  model: layersByWidth(model),
  D: trainLines,
  seed,
});

/** Exact entropy and the last loss of a run on held-out lines at each position, nats per line; and what those very lines cost at best. */
export interface Positions {
  entropy: readonly number[];
  loss: number[];
  surprisalNats: number;
}

export function positionsOf({ config, curve }: PlateauRecord): Positions {
  const entropy = entropiesOf(config);
  const { positionNats } = curve.at(-1)!;
  return {
    entropy,
    loss: entropy.map((_, t) => positionNats[t] ?? 0),
    surprisalNats: surprisal(config, 'dev').nats,
  };
}

/** Entropy above which a position is free, nats per line; at the others the words before leave no choice: they are copied. */
const FREE_NATS = 0.01;

/** Loss where words are copied, nats per line: all of it is excess. */
const copiedNats = ({ entropy, loss }: Pick<Positions, 'entropy' | 'loss'>): number =>
  sum(loss.filter((_, t) => entropy[t]! <= FREE_NATS));

/** Loss above what the same lines cost at best, nats per line. */
const excessNats = ({ loss, surprisalNats }: Positions): number => sum(loss) - surprisalNats;

/** Share of the excess at positions where words are free. */
export const excessAtFree = (at: Positions): number => 1 - copiedNats(at) / excessNats(at);

/** A run copies when that loss is at most this at its end; fixed after the runs of seeds 1 to 3 and before those of 4 and 5. */
const COPIES_NATS = 1;

export const isCopying = (record: PlateauRecord): boolean => copiedNats(positionsOf(record)) <= COPIES_NATS;

/** What a run of the pilot must not exceed on copied positions by its end, nats per line; fixed before the pilot. */
const PILOT_COPIES_NATS = 0.1;

/** The pilot's runs that are finished: its change succeeds when all of them copy. */
export const pilotRows = (): Row[] =>
  finishedRecords(plateauIntervention, pilotRuns('desk')).map((record) => {
    const copied = copiedNats(positionsOf(record));
    return {
      ...columns(record),
      dropout: record.config.model.dropout,
      'held out (nats)': lastOf(record).heldOutLossNats,
      excess: excessPerToken(record),
      'copied positions (nats per line)': copied,
      copies: copied <= PILOT_COPIES_NATS ? 'yes' : 'no',
      minutes: tenths(record.minutes),
    };
  });

/** Position by position, all runs of the fullest tier on the original grammar: what is free, what is copied, and who copies. */
export function positionFigure(records: readonly PlateauRecord[]): Figure {
  const own = original(records);
  const { entropy } = positionsOf(own[0]!);
  const x = entropy.map((_, t) => t + 1);
  return chart({
    title: 'Position by position',
    subtitle: label(own[0]!),
    x: axis('position in the line'),
    y: axis('nats per line'),
    data: [
      {
        type: 'bar',
        name: `entropy given all before, exact: ${sum(entropy).toFixed(2)} nats per line`,
        x,
        y: [...entropy],
        marker: { color: COLOURS.faint },
      },
      ...own.map((record, i) => {
        const { loss } = positionsOf(record);
        return lineTrace(
          `loss on held-out lines, seed ${record.config.seed}: ${sum(loss).toFixed(2)}`,
          x,
          loss,
          { color: seriesColour(i) },
          { ...MARKED, marker: { size: 5 } },
        );
      }),
    ],
  });
}

export const excessRows = (records: readonly PlateauRecord[]): Row[] =>
  records.map((record) => {
    const at = positionsOf(record);
    return {
      ...columns(record),
      'entropy (nats per line)': sum(at.entropy),
      'these lines at best': at.surprisalNats,
      'loss on them': sum(at.loss),
      excess: excessNats(at),
      'excess (nats per token)': excessPerToken(record),
      'free positions': at.entropy.filter((h) => h > FREE_NATS).length,
      'share of the excess at them': percent(excessAtFree(at)),
      'loss where words are copied': copiedNats(at),
    };
  });

/** Losses at the end against D, with both floors, and the share of lines that are memorised. */
export function sizeFigure(records: readonly PlateauRecord[]): Figure {
  const own = byLines(fullest(records));
  const trace = (
    name: string,
    of: (record: PlateauRecord) => number,
    color: string,
    dash: 'solid' | 'dot' | 'dash',
  ) =>
    lineTrace(
      name,
      own.map(({ config }) => config.trainLines),
      own.map(of),
      { color, dash },
      MARKED,
    );
  return chart({
    title: 'Fewer lines: how far below 1?',
    subtitle: own.length ? `${label(own[0]!)} and larger D, no dropout` : 'no finished run',
    x: axis('D', 'training lines, log scale', { type: 'log' }),
    y: axis('loss', 'nats per token; share', { rangemode: 'tozero' }),
    data: [
      trace('training lines', (r) => lastOf(r).trainLinesLossNats, COLOURS.ours, 'solid'),
      trace('held-out lines', (r) => lastOf(r).heldOutLossNats, COLOURS.second, 'solid'),
      trace(
        'floor of memory, ln D / tokens per line',
        ({ config }) => memoryFloor(config),
        COLOURS.third,
        'dot',
      ),
      trace('entropy of the lines', ({ config }) => dataFloor(config), COLOURS.fourth, 'dot'),
      trace(
        'share of training lines known by heart',
        (r) => lastOf(r).memorised.train,
        COLOURS.paper,
        'dash',
      ),
    ],
    shapes: [referenceLine(PAPER_PLATEAU.nats, 'claimed bound 1', { end: 'left' })],
  });
}

/** Loss on held-out lines above what these very lines cost at best, nats per token. */
const excessPerToken = (record: PlateauRecord): number =>
  lastOf(record).heldOutLossNats - surprisal(record.config, 'dev').natsPerToken;

/** What a run saves on its training lines and not on held-out ones, nats per token; which lines were measured is taken out by what they cost at best. */
export const memorisedNats = (record: PlateauRecord): number =>
  excessPerToken(record) -
  (lastOf(record).trainLinesLossNats - surprisal(record.config, 'train').natsPerToken);

/** What fewer lines leave of the claimed bound. */
export const sizeRows = (records: readonly PlateauRecord[]): Row[] =>
  byLines(records).map((record) => {
    const { trainLinesLossNats, heldOutLossNats, memorised } = lastOf(record);
    return {
      ...columns(record),
      'parameters per token': record.parameters / trainTokens(record.config),
      'training lines (nats)': trainLinesLossNats,
      'above the floor of memory by': trainLinesLossNats - memoryFloor(record.config),
      'below the claimed bound by': PAPER_PLATEAU.nats - trainLinesLossNats,
      'held out (nats)': heldOutLossNats,
      'above what these lines cost at best by': excessPerToken(record),
      'saved on training lines alone': memorisedNats(record),
      'known by heart': percent(memorised.train),
    };
  });
