/** What notebook 08 shows: plateaus against floors, losses position by position, fewer lines, other models. */
import { TIERS, type PlateauConfig, type Tier } from '../config';
import { memorisationFloor, positionEntropies, uniqueLinesFloor } from '../data/floor';
import { FAMILY } from '../data/grammar-family';
import { PUBLISHED_LINES, sampleSplits } from '../data/question-formation';
import type { Figure, Trace } from '../report/figure';
import { axis, COLOURS, referenceLine, title } from '../report/style';
import { showTable } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import { sum, estimateText, line, type Estimate, type Point } from '../statistics';
import { DATA_SEED } from '../train/lines';
import { byTier, grouped, type CurvePoint, type RunRecord } from '../train/record';
import { PAPER_PLATEAU, plateau } from './plateau';

type PlateauRecord = RunRecord<PlateauConfig>;
export type Runs = PlateauRecord[];

/** A run counts as settled when its training loss falls by at most this from the third quarter to the last, nats per token; fixed before any run. */
export const FLAT_NATS = 0.01;

const known = new Map<string, number>();

function once(key: string, compute: () => number): number {
  if (!known.has(key)) known.set(key, compute());
  return known.get(key)!;
}

const drawn = ({ trainLines }: PlateauConfig): number => trainLines + PUBLISHED_LINES.dev + PUBLISHED_LINES.test;

/** The entropy of unique lines of a run's grammar, nats per token: the floor of a model that has not memorised them. */
export const dataFloor = (config: PlateauConfig): number =>
  once(`data ${config.grammar} ${config.trainLines}`, () => uniqueLinesFloor(FAMILY[config.grammar], drawn(config)).natsPerToken);

/** ln D over the tokens of a line, nats per token. */
export const memoryFloor = ({ grammar, trainLines }: PlateauConfig): number =>
  once(`memory ${grammar} ${trainLines}`, () => memorisationFloor(sampleSplits(FAMILY[grammar], { seed: DATA_SEED, train: trainLines }).train).natsPerToken);

const isFlat = (record: PlateauRecord): boolean => Math.abs(plateau(record).driftNats) <= FLAT_NATS;

const label = ({ config: { tier, grammar, model, trainLines, seed } }: PlateauRecord): string =>
  `${tier}, grammar ${grammar}, ${model.layers} × ${model.width}, D = ${trainLines.toLocaleString('en')}, seed ${seed}`;

/** A row a run. */
export function showRuns(records: readonly PlateauRecord[]): void {
  showTable(records.map((record) => {
    const { config, minutes, curve } = record;
    const { trainLossNats, heldOutLossNats, driftNats } = plateau(record);
    return {
      run: label(record), steps: config.steps, minutes: Math.round(10 * minutes) / 10, 'floor of the data': dataFloor(config), 'floor of memory': memoryFloor(config),
      'training loss (nats)': trainLossNats, 'held out (nats)': heldOutLossNats, 'training lines, no dropout (nats)': curve.at(-1)!.trainLinesLossNats,
      'still falling by': driftNats, settled: isFlat(record) ? 'yes' : 'no',
    };
  }));
}

/** Floor and plateau of the settled runs of one tier. */
const points = (records: readonly PlateauRecord[]): Point[] => records.map((record) => [dataFloor(record.config), plateau(record).trainLossNats]);

/** The runs of the fullest tier among them: only they have one model. */
function fullest(records: readonly PlateauRecord[]): PlateauRecord[] {
  return byTier(records).sort(([a], [b]) => TIERS.indexOf(b) - TIERS.indexOf(a))[0]?.[1] ?? [];
}

const PALETTE = [COLOURS.ours, COLOURS.second, COLOURS.third, COLOURS.fourth, COLOURS.fifth, COLOURS.sixth];

/** Plateau against the floor of the grammar, with the lines of both predictions. */
export function floorFigure(records: readonly PlateauRecord[]): Figure {
  const range = [0.5, 1.7];
  const highest = records.reduce((most, r) => Math.max(most, plateau(r).trainLossNats), range[1]!);
  return {
    data: [
      { type: 'scatter', mode: 'lines', name: 'the plateau is the floor: slope 1', x: range, y: range, line: { color: COLOURS.third, dash: 'dot' } },
      ...byTier(records).map(([tier, own], i) => {
        const { slope, intercept } = line(points(own));
        return {
          type: 'scatter' as const, mode: 'markers' as const, name: `${tier}: slope ${estimateText(slope)}, intercept ${estimateText(intercept)}`,
          x: own.map(({ config }) => dataFloor(config)), y: own.map((r) => plateau(r).trainLossNats), text: own.map(label),
          marker: { color: PALETTE[i]!, size: 9, symbol: own.map((r) => (isFlat(r) ? 'circle' : 'circle-open')) },
        };
      }),
    ],
    layout: {
      title: title('Does the plateau follow the data or stay at 1?', 'one model on grammars that differ in word classes or rule weights alone; hollow: not settled'),
      xaxis: axis('entropy of the lines', 'nats per token', { range }), yaxis: axis('training loss, last quarter', 'nats per token', { range: [range[0]!, highest + 0.05] }),
      shapes: [referenceLine(PAPER_PLATEAU.nats, 'the paper: 1, whatever the data', { end: 'left' })],
    },
  };
}

/** One slope a seed, over its settled runs; where they are on fewer than three grammars, over all of its runs, and it says so. */
export function slopes(records: readonly PlateauRecord[]): { tier: Tier; seed: number; slope: number; settled: boolean }[] {
  const grammars = (some: readonly PlateauRecord[]) => new Set(some.map(({ config }) => config.grammar)).size;
  return byTier(records).flatMap(([tier, ofTier]) => {
    return grouped(ofTier, ({ config }) => config.seed).flatMap(([seed, own]) => {
      const settled = grammars(own.filter(isFlat)) >= 3;
      return grammars(own) < 3 ? [] : [{ tier, seed, slope: line(points(settled ? own.filter(isFlat) : own)).slope.value, settled }];
    });
  });
}

const unfit = (tier: Tier, settled: boolean): { unfit?: string } =>
  (tier === 'quick' ? { unfit: 'a small model, trained for seconds' } : settled ? {} : { unfit: 'settled on fewer than three grammars' });

const slopeValues = (records: readonly PlateauRecord[]): OwnValue[] => slopes(records).map(({ tier, seed, slope, settled }) => ({ tier, seed, value: slope, ...unfit(tier, settled) }));

/** The paper's reading, and the other one, of the same slopes; tolerances fixed before any run. */
export function slopeQuestions(records: readonly PlateauRecord[]): Question[] {
  const source = 'settled runs on grammars with other floors, one slope per seed';
  return [
    { claim: 'The training loss on question formation settles near 1 because about 1 bounds every Transformer: on grammars with another entropy it stays there (slope of plateau against entropy 0).', source: `arXiv 2405.08707, section 6, as a prediction; ${source}`, paper: 0, tolerance: 0.25, unit: 'nats per nat', ours: slopeValues(records) },
    { claim: 'Ours: the plateau is the entropy of the data (slope of plateau against entropy 1).', source: `prediction of this notebook; ${source}`, paper: 1, tolerance: 0.05, unit: 'nats per nat', ours: slopeValues(records) },
  ];
}

/** Exact entropy and the last loss of a run at each position of a line, nats per line, summed over the words of the sentence and what only copies them. */
export interface Positions { entropy: number[]; loss: number[] }

export function positionsOf({ config, curve }: PlateauRecord): Positions {
  const entropy = positionEntropies(FAMILY[config.grammar], drawn(config)).map(({ nats }) => nats);
  const { positionNats } = curve.at(-1)!;
  return { entropy, loss: entropy.map((_, t) => positionNats[t] ?? 0) };
}

/** Position by position on the original grammar, all runs of the fullest tier: what is free, what is copied, and who copies. */
export function positionFigure(records: readonly PlateauRecord[]): Figure {
  const own = fullest(records.filter(({ config }) => config.grammar === '1.0'));
  const { entropy } = positionsOf(own[0]!);
  const x = entropy.map((_, t) => t + 1);
  return {
    data: [
      { type: 'bar', name: `entropy given all before, exact: ${sum(entropy).toFixed(2)} nats per line`, x, y: entropy, marker: { color: COLOURS.faint } },
      ...own.map((record, i): Trace => {
        const { loss } = positionsOf(record);
        return { type: 'scatter', mode: 'lines+markers', name: `loss on held-out lines, seed ${record.config.seed}: ${sum(loss).toFixed(2)}`, x, y: loss, line: { color: PALETTE[i % PALETTE.length]! }, marker: { size: 5 } };
      }),
    ],
    layout: { title: title('Position by position', label(own[0]!)), xaxis: axis('position in the line'), yaxis: axis('nats per line') },
  };
}

/** Entropy above which a position is free, nats per line; at the others the words before leave no choice: they are copied. */
const FREE_NATS = 0.01;

/** Share of the excess over the floor that lies where words are free. */
export function excessAtFree({ entropy, loss }: Positions): number {
  const excess = loss.map((l, t) => l - entropy[t]!);
  return sum(excess.filter((_, t) => entropy[t]! > FREE_NATS)) / sum(excess);
}

/** Loss where words are copied, nats per line. */
export const copiedNats = ({ entropy, loss }: Positions): number => sum(loss.filter((_, t) => entropy[t]! <= FREE_NATS));

/** A run copies when that loss is at most this at its end; fixed after the runs of seeds 1 to 3 and before those of 4 and 5. */
export const COPIES_NATS = 1;

const isCopying = (record: PlateauRecord): boolean => copiedNats(positionsOf(record)) <= COPIES_NATS;

export function showExcess(records: readonly PlateauRecord[]): void {
  showTable(records.map((record) => {
    const at = positionsOf(record);
    return { run: label(record), 'entropy (nats per line)': sum(at.entropy), 'loss (nats per line)': sum(at.loss), 'free positions': at.entropy.filter((h) => h > 0.01).length, 'share of the excess at them': `${(100 * excessAtFree(at)).toFixed(0)}%`, 'loss where words are copied (nats per line)': copiedNats(at) };
  }));
}

/** Settled runs, and those of them that copy, on at least three grammars. */
function fit(records: readonly PlateauRecord[], copying: boolean): { runs: number; slope: Estimate; intercept: Estimate } | null {
  const fitted = records.filter((record) => isFlat(record) && (!copying || isCopying(record)));
  return new Set(fitted.map(({ config }) => config.grammar)).size < 3 ? null : { runs: fitted.length, ...line(points(fitted)) };
}

/** Plateau against entropy, with 95% intervals: all settled runs, and those that copy. */
export function showFits(groups: Record<string, readonly PlateauRecord[]>): void {
  showTable(Object.entries(groups).flatMap(([group, records]) => byTier(records).flatMap(([tier, own]) => [false, true].flatMap((copying) => {
    const fitted = fit(own, copying);
    return fitted ? [{ runs: `${tier}, ${group}`, settled: copying ? 'and copying' : 'all', number: fitted.runs, slope: estimateText(fitted.slope), 'intercept (nats)': estimateText(fitted.intercept) }] : [];
  }))));
}

/** Losses at the end against D, with both floors; and the share of lines known by heart. */
export function sizeFigure(records: readonly PlateauRecord[]): Figure {
  const own = fullest(records).sort((a, b) => a.config.trainLines - b.config.trainLines);
  const x = own.map(({ config }) => config.trainLines);
  const last = (of: (p: CurvePoint<PlateauConfig>) => number) => own.map(({ curve }) => of(curve.at(-1)!));
  const trace = (name: string, y: number[], color: string, dash: 'solid' | 'dot' | 'dash') => ({ type: 'scatter' as const, mode: 'lines+markers' as const, name, x, y, line: { color, dash } });
  return {
    data: [
      trace('training lines', last((p) => p.trainLinesLossNats), COLOURS.ours, 'solid'),
      trace('held-out lines', last((p) => p.heldOutLossNats), COLOURS.second, 'solid'),
      trace('floor of memory, ln D / tokens per line', own.map(({ config }) => memoryFloor(config)), COLOURS.third, 'dot'),
      trace('entropy of the lines', own.map(({ config }) => dataFloor(config)), COLOURS.fourth, 'dot'),
      trace('share of training lines known by heart', last((p) => p.memorised.train), COLOURS.paper, 'dash'),
    ],
    layout: {
      title: title('Fewer lines: how far below 1?', own.length ? `${label(own[0]!)} and larger D, no dropout` : 'no finished run'),
      xaxis: axis('D', 'training lines, log scale', { type: 'log' }), yaxis: axis('loss', 'nats per token; share', { rangemode: 'tozero' }),
      shapes: [referenceLine(PAPER_PLATEAU.nats, 'claimed bound 1', { end: 'left' })],
    },
  };
}

/** What fewer lines leave of the claimed bound. */
export function showSizes(records: readonly PlateauRecord[]): void {
  showTable([...records].sort((a, b) => a.config.trainLines - b.config.trainLines).map((record) => {
    const { config, curve, parameters } = record;
    const { trainLinesLossNats, heldOutLossNats, memorised } = curve.at(-1)!;
    const tokens = Math.log(config.trainLines) / memoryFloor(config);
    return {
      run: label(record), 'parameters per training token': parameters / (config.trainLines * tokens), 'training lines (nats)': trainLinesLossNats, 'above the floor of memory by': trainLinesLossNats - memoryFloor(config),
      'below the claimed bound by': PAPER_PLATEAU.nats - trainLinesLossNats, 'held out (nats)': heldOutLossNats, 'above the entropy by': heldOutLossNats - dataFloor(config),
      'known by heart': `${(100 * memorised.train).toFixed(0)}%`,
    };
  }));
}

/** The lowest loss on training lines, against the claimed bound. */
export function boundQuestion(records: readonly PlateauRecord[]): Question {
  return {
    claim: 'The cross-entropy of a Transformer on question formation is bounded from below by about 1, also on its own training lines when they are few.',
    source: 'arXiv 2405.08707, version 1, section 5, and Figure 4; the smallest D, loss on training lines without dropout; Remark 1 excepts severely over-parameterised models without a number',
    paper: PAPER_PLATEAU.nats, tolerance: PAPER_PLATEAU.tolerance, relation: 'at least', unit: 'nats per token',
    ours: byTier(records).flatMap(([tier, own]) => {
      const fewest = Math.min(...own.map(({ config }) => config.trainLines));
      return own.filter(({ config }) => config.trainLines === fewest).map(({ config, curve }) => ({ tier, seed: config.seed, value: curve.at(-1)!.trainLinesLossNats }));
    }),
  };
}

/** First step at which the training loss is within 0.02 nats of the plateau. */
export function stepsToPlateau(record: PlateauRecord): number {
  const { trainLossNats } = plateau(record);
  return record.curve.find((p) => p.trainLossNats <= trainLossNats + 0.02)!.step;
}

export function showModels(records: readonly PlateauRecord[]): void {
  showTable(records.map((record) => ({
    layers: record.config.model.layers, width: record.config.model.width, 'parameters (M)': record.parameters / 1e6, 'plateau (nats)': plateau(record).trainLossNats,
    'plateau − entropy (nats)': plateau(record).trainLossNats - dataFloor(record.config), 'steps to it': stepsToPlateau(record), settled: isFlat(record) ? 'yes' : 'no',
  })));
}

/** What was said before the runs, and what came. */
export interface Prediction { prediction: string; expected: string; value: number | null; holds: boolean | null }

/** Runs by what they change: grammars, numbers of lines, models; those with more steps, and those with further seeds. */
export interface Interventions { grammars: Runs; sizes: Runs; models: Runs; late: Runs; repeats: Runs }

/** Judged by the fullest tier alone. */
export function predictions({ models, late, ...all }: Interventions): Prediction[] {
  const [grammars, sizes, repeats] = [fullest(all.grammars), fullest(all.sizes), fullest(all.repeats)];
  const [settled, copying] = [fit(grammars, false), fit(repeats, true)];
  const bySize = sizes.sort((a, b) => a.config.trainLines - b.config.trainLines);
  const [fewest, most] = [bySize[0], bySize.at(-1)];
  const atFree = grammars.filter(({ config }) => config.grammar === '1.0').map((r) => excessAtFree(positionsOf(r)));
  const make = (prediction: string, expected: string, value: number | null | undefined, holds: (v: number) => boolean): Prediction =>
    ({ prediction, expected, value: value ?? null, holds: value === undefined || value === null ? null : holds(value) });
  const last = (r: PlateauRecord) => r.curve.at(-1)!;
  const deepest = models.filter(({ config }) => config.model.layers > 2).map((r) => plateau(r).trainLossNats);
  return [
    make('P1 the slope of plateau against entropy is 1', '1 ± 0.05', settled?.slope.value, (v) => Math.abs(v - 1) <= 0.05),
    make('P2 its line passes near 0', 'intercept 0 ± 0.06 nats', settled?.intercept.value, (v) => Math.abs(v) <= 0.06),
    make('P3 what is left above the entropy lies where words are free, not where they are copied: the seed with the least', 'at least 0.8 of the excess', atFree.length ? Math.min(...atFree) : null, (v) => v >= 0.8),
    make('P4 on the fewest lines the training loss comes to the floor of memory', 'within 0.05 nats', fewest && last(fewest).trainLinesLossNats - memoryFloor(fewest.config), (v) => v <= 0.05),
    make('P5 on the most lines nothing is memorised: training and held-out lines cost the same', 'within 0.02 nats', most && most !== fewest ? last(most).heldOutLossNats - last(most).trainLinesLossNats : null, (v) => Math.abs(v) <= 0.02),
    make('P6 deeper models of 6 and 10 layers settle at the same loss', 'within 0.05 nats', deepest.length >= 2 ? Math.max(...deepest) - Math.min(...deepest) : null, (v) => v <= 0.05),
    make('P7 the grammar of entropy 1.5 settles at its entropy when it is trained longer', 'within 0.06 nats', late[0] && plateau(late[0]).trainLossNats - dataFloor(late[0].config), (v) => Math.abs(v) <= 0.06),
    make('P8 with seeds 4 and 5, over settled runs that copy, the slope is 1', '1 ± 0.05', copying?.slope.value, (v) => Math.abs(v - 1) <= 0.05),
    make('P9 and its line passes near 0', 'intercept 0 ± 0.06 nats', copying?.intercept.value, (v) => Math.abs(v) <= 0.06),
  ];
}

export function showPredictions(all: readonly Prediction[]): void {
  showTable(all.map(({ prediction, expected, value, holds }) => ({ prediction, expected, found: value, outcome: holds === null ? 'not run' : holds ? 'holds' : 'FAILED' })));
}
