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
import { committedMeasure, isKept, keepMeasure } from '../../report/measure';
import { mean } from '../../util/statistics';
import { dataSeedOf, type LinesConfig } from '../../experiments/lines';
import type { PlateauConfig } from '../../experiments/plateau-intervention';
import { questionFormation } from '../../experiments/question-formation';
import { allCommitted, type RunRecord } from '../../train/record';
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

/** Which lines they are, besides, and how many of each split are evaluated. */
type Draw = LineSet & Pick<LinesConfig, 'dataSeed' | 'evaluationLines'>;

/** `compute` once a process for each set: lists of records ask again and again. */
function perSet<T>(compute: (set: LineSet) => T): (set: LineSet) => T {
  const known = new Map<string, T>();
  return (set) => {
    const key = `${set.grammar} ${set.trainLines}`;
    if (!known.has(key)) known.set(key, compute(set));
    return known.get(key)!;
  };
}

/** Lines drawn for training, dev and test together. */
const drawnLines = ({ trainLines }: LineSet): number =>
  trainLines + PUBLISHED_LINES.dev + PUBLISHED_LINES.test;

const lawOf = perSet((set): UniqueFloor => uniqueLinesFloor(FAMILY[set.grammar], drawnLines(set)));

/** The entropy of unique lines, nats per token: the floor of a model that has not memorised them. */
export const dataFloor = (set: LineSet): number => lawOf(set).natsPerToken;

/** The exact entropy at each position of unique lines, nats per line. */
export const entropiesOf = perSet((set): readonly number[] =>
  positionEntropies(FAMILY[set.grammar], drawnLines(set)).map(({ nats }) => nats),
);

/** What is known of lines only once they are drawn, which takes a second. */
interface Drawn {
  /** ln D over the tokens of a line. */
  memory: { natsPerToken: number; tokensPerLine: number };
  surprisal: Record<'train' | 'dev', Cost>;
}

/** Of lines, nats per line, a mean over them, and per token. */
interface Cost {
  nats: number;
  natsPerToken: number;
}

/** Computed, whatever is kept. */
export function measuredDraw(draw: Draw): Drawn {
  const splits = sampleSplits(FAMILY[draw.grammar], { seed: dataSeedOf(draw), train: draw.trainLines });
  const { natsPerToken, tokensPerLine } = memorisationFloor(splits.train);
  const cost = (split: readonly Line[]): Cost => {
    const lines = split.slice(0, draw.evaluationLines);
    const nats = mean(lines.map((line) => -lawOf(draw).logProb(lineLogProb(FAMILY[draw.grammar], line))));
    return { nats, natsPerToken: nats / mean(lines.map(lineTokens)) };
  };
  return {
    memory: { natsPerToken, tokensPerLine },
    surprisal: { train: cost(splits.train), dev: cost(splits.dev) },
  };
}

/** Of the draws of all committed records, kept with these. */
const MEASURE = 'drawn-lines';
let known: Map<string, Drawn> | undefined;

export const drawKey = (draw: Draw): string =>
  `grammar ${draw.grammar}, ${draw.trainLines} lines, seed ${dataSeedOf(draw)}, ${draw.evaluationLines} evaluated`;

/** As it is kept, else drawn once a process. */
function drawnOf(draw: Draw): Drawn {
  known ??= new Map(Object.entries(committedMeasure<Record<string, Drawn>>(MEASURE)));
  const key = drawKey(draw);
  if (!known.has(key)) known.set(key, measuredDraw(draw));
  return known.get(key)!;
}

/** ln D over the tokens of a line, nats per token. */
export const memoryFloor = (draw: Draw): number => drawnOf(draw).memory.natsPerToken;

/** Predicted tokens of all training lines. */
export const trainTokens = (draw: Draw): number => draw.trainLines * drawnOf(draw).memory.tokensPerLine;

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
export const surprisal = (draw: Draw, split: keyof Drawn['surprisal']): Cost =>
  drawnOf(draw).surprisal[split];

/** Keeps what is known of the lines of all committed records, and draws those that are new. */
export function keepDrawnLines(): void {
  if (!isKept(MEASURE)) known = new Map();
  const draws = allCommitted()
    .filter(({ config }) => 'trainLines' in config)
    .map(drawOf);
  const entries = draws.map((draw) => [drawKey(draw), drawnOf(draw)] as const);
  keepMeasure(
    MEASURE,
    Object.fromEntries(entries.sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))),
  );
}
