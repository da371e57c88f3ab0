/** The runs of notebook 08, and what each loses: above the exact cost of the lines it is measured on, and where words are copied. */
import {
  deeperRuns,
  fewerLines,
  fewLinesLonger,
  grammarRuns,
  longerOnGrammar15,
  modelRuns,
  pilotRuns,
  plateauIntervention,
  seeds4And5,
  settledRuns,
  slower10Layers,
  type PlateauMeasures,
  type PlateauRecord,
} from '../experiments/plateau-intervention';
import type { CurvePoint } from '../train/record';
import { rangeText } from '../util/format';
import { line, sum, type Estimate, type Point } from '../util/statistics';
import { entropiesOf, surprisal } from './shared/floors';
import { committedLists } from './shared/runs';
import { isSettled } from './shared/settled';

/** The lists of runs, by what they change. */
const LISTS = {
  grammars: grammarRuns,
  longerOnGrammar15,
  seeds4And5,
  fewerLines,
  models: modelRuns,
  slower10Layers,
  pilot: pilotRuns,
  settled: settledRuns,
  fewLinesLonger,
  deeper: deeperRuns,
};

export type Interventions = Record<keyof typeof LISTS, PlateauRecord[]>;

/** The committed runs of each list. */
export const runs = (): Interventions => committedLists(plateauIntervention, LISTS);

export const lastOf = ({ curve }: PlateauRecord): CurvePoint<PlateauMeasures> => curve.at(-1)!;

export const settles = (record: PlateauRecord): boolean => isSettled(record, 'loss');

/** Exact entropy and the last loss of a run on held-out lines at each position, nats per line; and what those very lines cost at best. */
interface Positions {
  entropy: readonly number[];
  loss: number[];
  surprisalNats: number;
}

export function positionsOf(record: PlateauRecord): Positions {
  const entropy = entropiesOf(record.config);
  const { positionNats } = lastOf(record);
  return {
    entropy,
    loss: entropy.map((_, t) => positionNats[t] ?? 0),
    surprisalNats: surprisal(record.config, 'dev').nats,
  };
}

/** Entropy above which a position is free, nats per line; at the others the words before leave no choice: they are copied. */
const FREE_NATS = 0.01;

/** Loss where words are copied, nats per line: all of it is excess. */
const copiedNats = ({ entropy, loss }: Pick<Positions, 'entropy' | 'loss'>): number =>
  sum(loss.filter((_, t) => entropy[t]! <= FREE_NATS));

export const copiedOf = (record: PlateauRecord): number => copiedNats(positionsOf(record));

/** Share of the excess over what the same lines cost at best that is at positions where words are free. */
export const excessAtFree = (at: Positions): number => 1 - copiedNats(at) / (sum(at.loss) - at.surprisalNats);

/** A run copies when that loss is at most this at its end; fixed after the runs of seeds 1 to 3 and before those of 4 and 5. */
const COPIES_NATS = 1;

export const isCopying = (record: PlateauRecord): boolean => copiedOf(record) <= COPIES_NATS;

/** What the held-out lines of a run cost at best, exactly, nats per token. */
export const exactCost = ({ config }: PlateauRecord): number => surprisal(config, 'dev').natsPerToken;

/** Loss on held-out lines at the end above what these very lines cost at best, nats per token. */
export const excessPerToken = (record: PlateauRecord): number =>
  lastOf(record).heldOutLossNats - exactCost(record);

/** What a run saves on its training lines and not on held-out ones, nats per token; which lines were measured is taken out by what they cost at best. */
export const memorisedNats = (record: PlateauRecord): number =>
  excessPerToken(record) -
  (lastOf(record).trainLinesLossNats - surprisal(record.config, 'train').natsPerToken);

/** What a run must not exceed on copied positions by its end, nats per line; fixed before the pilot. */
const LEARNT_NATS = 0.1;
export const hasLearnt = (record: PlateauRecord): boolean => copiedOf(record) <= LEARNT_NATS;

/** Runs of one model on all grammars with all lines: with dropout (seeds 1 to 5), and without it, each seed on its own draw of lines. */
export const onAllLines = ({ grammars, seeds4And5, settled }: Interventions) => ({
  dropout: [...grammars, ...seeds4And5],
  none: settled,
});

export type Kind = 'copies' | 'does not copy' | 'not settled';
export const kindOf = (record: PlateauRecord): Kind =>
  !settles(record) ? 'not settled' : isCopying(record) ? 'copies' : 'does not copy';

export const ofKind = (records: readonly PlateauRecord[], kind: Kind): PlateauRecord[] =>
  records.filter((record) => kindOf(record) === kind);

/** Slope of the held-out loss against the exact cost of the same lines. */
export const slopeOf = (records: readonly PlateauRecord[]): Estimate =>
  line(records.map((record): Point => [exactCost(record), lastOf(record).heldOutLossNats])).slope;

export const isOnThreeGrammars = (records: readonly PlateauRecord[]): boolean =>
  new Set(records.map(({ config }) => config.grammar)).size >= 3;

/** The least and the most of what runs came to. */
export const range = (values: readonly number[], decimals = 3): string =>
  rangeText(values, (x) => x.toFixed(decimals));
