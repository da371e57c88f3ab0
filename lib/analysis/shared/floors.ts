/** The best losses that are possible on lines of a grammar, and what the lines that evaluations measure cost at best. */
import {
  floor,
  lineLogProb,
  memorisationFloor,
  positionEntropies,
  uniqueLinesFloor,
  type UniqueFloor,
} from '../../data/grammar/floor';
import { FAMILY, FAMILY_NAMES, type FamilyName } from '../../data/grammar/grammar-family';
import { lineTokens, PUBLISHED_LINES, sampleSplits, type Line } from '../../data/grammar/question-formation';
import { mean } from '../../util/statistics';
import { dataSeedOf, type LinesConfig } from '../../experiments/lines';
import type { PlateauConfig } from '../../experiments/plateau-intervention';
import { questionFormation } from '../../experiments/question-formation';
import type { RunRecord } from '../../train/record';
import { oneOf } from '../../util/errors';

/** A run's lines. Question formation itself has one grammar, which its configs do not name. */
export function drawOf({ id, config }: Pick<RunRecord, 'id' | 'config'>): PlateauConfig {
  const own = config as PlateauConfig;
  const named = config.experiment === questionFormation.name ? '1.0' : own.grammar;
  return { ...own, grammar: oneOf(`run ${id}: config.grammar`, named, FAMILY_NAMES) };
}

/** In nats per predicted token. */
export interface Floors {
  /** Lines drawn one by one from the grammar. */
  independent: number;
  /** Lines without repetition, as in the data: what a model reaches that knows the grammar and nothing of the drawn set. */
  unique: number;
  /** A model that has memorised the training lines and draws among them: ln D over the tokens of a line. */
  memorised: number;
}

/** What lines are drawn from, and how many for training: all that decides their law. */
interface LineSet {
  grammar: FamilyName;
  trainLines: number;
}

/** Which lines they are, besides. */
type Draw = LineSet & Pick<LinesConfig, 'dataSeed'>;

/** `compute` once a process for all that have one key: lists of records ask again and again. */
function once<S, T>(key: (set: S) => string, compute: (set: S) => T): (set: S) => T {
  const known = new Map<string, T>();
  return (set) => {
    const own = key(set);
    if (!known.has(own)) known.set(own, compute(set));
    return known.get(own)!;
  };
}
const perSet = <T>(compute: (set: LineSet) => T) =>
  once<LineSet, T>(({ grammar, trainLines }) => `${grammar} ${trainLines}`, compute);
const perDraw = <T>(compute: (draw: Draw) => T) =>
  once<Draw, T>((draw) => `${draw.grammar} ${draw.trainLines} ${dataSeedOf(draw)}`, compute);

/** Lines drawn for training, dev and test together. */
const drawnLines = ({ trainLines }: LineSet): number =>
  trainLines + PUBLISHED_LINES.dev + PUBLISHED_LINES.test;

const lawOf = perSet((set): UniqueFloor => uniqueLinesFloor(FAMILY[set.grammar], drawnLines(set)));
const splitsOf = perDraw((draw) =>
  sampleSplits(FAMILY[draw.grammar], { seed: dataSeedOf(draw), train: draw.trainLines }),
);

/** The entropy of unique lines, nats per token: the floor of a model that has not memorised them. */
export const dataFloor = (set: LineSet): number => lawOf(set).natsPerToken;

/** The exact entropy at each position of unique lines, nats per line. */
export const entropiesOf = perSet((set): readonly number[] =>
  positionEntropies(FAMILY[set.grammar], drawnLines(set)).map(({ nats }) => nats),
);

const memoryOf = perDraw((draw) => memorisationFloor(splitsOf(draw).train));

/** ln D over the tokens of a line, nats per token. */
export const memoryFloor = (draw: Draw): number => memoryOf(draw).natsPerToken;

/** Predicted tokens of all training lines. */
export const trainTokens = (draw: Draw): number => draw.trainLines * memoryOf(draw).tokensPerLine;

export const floorsOf = (set: Draw): Floors => ({
  independent: floor(FAMILY[set.grammar]).natsPerToken,
  unique: dataFloor(set),
  memorised: memoryFloor(set),
});

/**
 * What the first lines of a split cost, exactly, under the law of unique lines: nats per line, a mean over them, and per token.
 * A loss measured on the same lines less this has none of the noise of which lines they are: about 7 nats a line, which over
 * 400 lines is more than what a trained model still loses.
 */
export function surprisal(
  set: Draw & { evaluationLines: number },
  split: 'train' | 'dev',
): { nats: number; natsPerToken: number } {
  const lines: readonly Line[] = splitsOf(set)[split].slice(0, set.evaluationLines);
  const nats = mean(lines.map((line) => -lawOf(set).logProb(lineLogProb(FAMILY[set.grammar], line))));
  return { nats, natsPerToken: nats / mean(lines.map(lineTokens)) };
}
