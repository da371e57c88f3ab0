/** What notebook 09 shows: bits that models keep of random data, how many items they recall, and what the classical memories keep. */
import { isDeepStrictEqual } from 'node:util';
import type { CapacityConfig, Tier } from '../config';
import type { Figure, Trace } from '../report/figure';
import { prediction, type Prediction } from '../report/predictions';
import { axis, COLOURS, seriesColour, title } from '../report/style';
import { showTable } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import { bootstrapSlope, estimateText, mean, meanEstimate, type Estimate, type Point } from '../statistics';
import { gpt2Parameters, MORRIS_BITS } from '../sweeps';
import { bitsOf, isComplete } from '../train/capacity';
import { grouped, ofFullestTier, type RunRecord } from '../train/record';
import { MODELS, type Capacity } from './memories';

type CapacityRecord = RunRecord<CapacityConfig>;
type What = CapacityConfig['what'];

const sizeName = ({ model }: CapacityConfig): string => `${model.layers} × ${model.width}`;
const memorised = (record: CapacityRecord): number => record.curve.at(-1)!.memorisedBits;
const perParameter = (record: CapacityRecord): number => memorised(record) / gpt2Parameters(record.config.model).all;
const recalled = (record: CapacityRecord): number => record.curve.at(-1)!.recalledShare;

/** A run counts as settled when it knows everything, or its memorised bits grow by at most this share over the last quarter; fixed before any desk run. */
export const FLAT_SHARE = 0.05;

export function isFlat({ curve, config }: CapacityRecord): boolean {
  const before = [...curve].reverse().find(({ step }) => step <= 0.75 * config.steps);
  const last = curve.at(-1)!;
  if (isComplete(config, last)) return true;
  return before !== undefined && last.memorisedBits - before.memorisedBits <= FLAT_SHARE * last.memorisedBits;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;

function row(record: CapacityRecord) {
  const { config, minutes, curve } = record;
  const { all, withoutEmbeddings } = gpt2Parameters(config.model);
  const { step, trainLossNats } = curve.at(-1)!;
  return {
    what: config.what, tier: config.tier, model: sizeName(config), precision: config.precision, seed: config.seed, parameters: all, 'without embeddings': withoutEmbeddings, D: config.items, steps: step,
    minutes: Math.round(10 * minutes) / 10, 'bits of the data': Math.round(bitsOf(config)), 'memorised bits': Math.round(memorised(record)), 'bits per parameter': perParameter(record),
    recalled: percent(recalled(record)), 'training loss (nats)': trainLossNats, settled: isFlat(record) ? 'yes' : 'no',
  };
}

export const showRuns = (records: readonly CapacityRecord[]): void => showTable(records.map(row));

/** Records of one tier, kind and precision, by size of model, each in the order of D. */
function families(records: readonly CapacityRecord[], what: What, precision: CapacityConfig['precision'] = 'fp32'): CapacityRecord[][] {
  const chosen = records.filter(({ config }) => config.what === what && config.precision === precision);
  return grouped(chosen, ({ config }) => `${config.tier} ${sizeName(config)}`).map(([, runs]) => runs.sort((a, b) => a.config.items - b.config.items));
}

/** Memorised bits against the bits of the data, model by model. */
export function bitsFigure(records: readonly CapacityRecord[]): Figure {
  const groups = families(records, 'sequences');
  const all = groups.flat().map(({ config }) => bitsOf(config));
  const range = [Math.min(...all), Math.max(...all)];
  return {
    data: [
      { type: 'scatter', mode: 'lines', name: 'everything is memorised', x: range, y: range, line: { color: COLOURS.faint, dash: 'dot' } },
      ...groups.map((group, i): Trace => {
        const { all: parameters } = gpt2Parameters(group[0]!.config.model);
        const one = group.filter(({ config }) => config.seed === group[0]!.config.seed);
        return {
          type: 'scatter', mode: 'lines+markers', name: `${group[0]!.config.tier}, ${sizeName(group[0]!.config)}, ${parameters.toLocaleString('en')} parameters`, x: one.map(({ config }) => bitsOf(config)), y: one.map(memorised),
          line: { color: seriesColour(i) }, marker: { symbol: one.map((r) => (isFlat(r) ? 'circle' : 'circle-open')), size: 8 },
        };
      }),
    ],
    layout: {
      title: title('Memorised bits against bits of the data', 'uniformly random tokens: nothing can be learned but the items; one seed a model; hollow: not settled'),
      xaxis: axis('data', 'bits, log scale', { type: 'log' }), yaxis: axis('memorised', 'bits, log scale', { type: 'log' }),
    },
  };
}

/** Most bits that each model memorised in a settled run, per seed; saturated where the data of one held at least 1.5 times what it memorised. */
export interface Saturation { tier: Tier; size: string; seed: number; precision: CapacityConfig['precision']; parameters: number; withoutEmbeddings: number; items: number; bits: number; saturated: boolean }

export function saturations(records: readonly CapacityRecord[]): Saturation[] {
  return (['fp32', 'bf16'] as const).flatMap((precision) => families(records.filter(isFlat), 'sequences', precision).flatMap((group) => {
    return grouped(group, ({ config }) => config.seed).map(([seed, own]) => {
      const most = own.reduce((a, b) => (memorised(b) > memorised(a) ? b : a));
      const { all, withoutEmbeddings } = gpt2Parameters(most.config.model);
      const saturated = own.some((r) => bitsOf(r.config) >= 1.5 * memorised(r));
      return { tier: most.config.tier, size: sizeName(most.config), seed, precision, parameters: all, withoutEmbeddings, items: most.config.items, bits: memorised(most), saturated };
    });
  }));
}

/** Those from which bits per parameter are judged. */
const judged = (all: readonly Saturation[]): Saturation[] => all.filter(({ saturated, precision }) => saturated && precision === 'fp32');

const meanPerParameter = (some: readonly Saturation[]): number => mean(some.map(({ bits, parameters }) => bits / parameters));

export function showSaturations(all: readonly Saturation[]): void {
  showTable(all.map(({ tier, size, seed, precision, parameters, withoutEmbeddings, items, bits, saturated }) => ({
    tier, model: size, precision, seed, parameters, 'most bits memorised': Math.round(bits), 'of D': items, 'bits per parameter': bits / parameters, 'per parameter without embeddings': bits / withoutEmbeddings, saturated: saturated ? 'yes' : 'no',
  })));
  for (const [tier, own] of grouped(all, (p) => p.tier)) {
    const values = judged(own).map(({ bits, parameters }) => bits / parameters);
    if (values.length) console.log(`${tier}, fp32: ${estimateText(meanEstimate(values))} bits per parameter over ${values.length} models and seeds, 95% interval; Morris et al. 2025: ${MORRIS_BITS}`);
  }
}

/** Models that it takes to speak of all models. */
const LEAST_MODELS = 3;

/** Bits per parameter of each seed: the mean over saturated models in fp32. */
export function bitsQuestion(all: readonly Saturation[]): Question {
  return {
    claim: 'GPT-style models memorise about 3.6 bits per parameter of uniformly random data.', source: 'Morris et al. 2025, arXiv 2505.24832; here mean over saturated models, all parameters counted, fp32', paper: MORRIS_BITS, tolerance: 0.5, unit: 'bits per parameter', leastTier: 'desk',
    ours: grouped(judged(all), ({ tier, seed }) => `${tier} ${seed}`).map(([, own]): OwnValue =>
      ({
        tier: own[0]!.tier, seed: own[0]!.seed, value: meanPerParameter(own),
        ...(own.length < LEAST_MODELS ? { unfit: `${own.length} saturated models of one seed; ${LEAST_MODELS} are needed` } : {}),
      })),
  };
}

/** The run among others whose config is that of `record` but for some fields. */
function alikeBut(fields: readonly (keyof CapacityConfig)[], record: CapacityRecord, others: readonly CapacityRecord[]): CapacityRecord | undefined {
  const rest = ({ config }: CapacityRecord) => Object.fromEntries(Object.entries(config).filter(([key]) => !(fields as string[]).includes(key)));
  return others.find((other) => isDeepStrictEqual(rest(other), rest(record)));
}

/** A run beside the one that differs from it in its steps alone, with the share of bits that it has more. */
interface Gain { record: CapacityRecord; base: CapacityRecord; factor: number; gain: number }

export function gains(records: readonly CapacityRecord[], longer: readonly CapacityRecord[]): Gain[] {
  return longer.flatMap((record) => {
    const base = alikeBut(['steps', 'schedule', 'evaluateEverySteps', 'checkpointEverySteps'], record, records);
    return base ? [{ record, base, factor: record.config.steps / base.config.steps, gain: memorised(record) / memorised(base) - 1 }] : [];
  });
}

export function showLonger(records: readonly CapacityRecord[], longer: readonly CapacityRecord[]): void {
  const all = gains(records, longer);
  if (!all.length) return console.log('no run with more steps yet: "npm run sweep -- capacity" trains them');
  showTable(all.map(({ record, base, factor, gain }) => ({
    what: record.config.what, model: sizeName(record.config), D: record.config.items, steps: base.config.steps, 'bits per parameter': perParameter(base), recalled: percent(recalled(base)),
    'times the steps': factor, 'bits per parameter then': perParameter(record), 'more bits': percent(gain), 'recalled then': percent(recalled(record)), settled: isFlat(record) ? 'yes' : 'no',
  })));
}

/** Share of items that must come back. */
export const RECALLED = 0.99;

/** Between which sizes of settled runs of so many steps recall falls below 99%: the largest D that is held and the next one, which is lost; null where no run is on that side. */
export interface Recall { tier: Tier; what: What; size: string; steps: number; parameters: number; held: number | null; lost: number | null }

export function recalls(records: readonly CapacityRecord[]): Recall[] {
  return (['sequences', 'associations'] as const).flatMap((what) => families(records.filter(isFlat), what).flatMap((family) => grouped(family, ({ config }) => config.steps)).map(([steps, group]): Recall => {
    const own = group.filter(({ config }) => config.seed === group[0]!.config.seed);
    const holds = own.map((r) => recalled(r) >= RECALLED);
    const { config } = own[0]!;
    const [held, lost] = [own[holds.lastIndexOf(true)], own[holds.lastIndexOf(true) + 1]].map((r) => r?.config.items ?? null);
    return { tier: config.tier, what, size: sizeName(config), steps, parameters: gpt2Parameters(config.model).all, held: held!, lost: lost! };
  }));
}

type Bracketed = Recall & { held: number; lost: number };
const isBracketed = (recall: Recall): recall is Bracketed => recall.held !== null && recall.lost !== null;

/** The middle of what is held and what is lost, on a log scale. */
const middle = ({ held, lost }: Bracketed): number => Math.sqrt(held * lost);

/** Recalls whose models were trained alike: one tier, one kind of item, so many steps. */
const trainedAlike = <R extends Recall>(all: readonly R[]): [name: string, alike: R[]][] => grouped(all, ({ tier, what, steps }) => `${tier}, ${what}, ${steps.toLocaleString('en')} steps`);

/**
 * log N against log D at 99% recall, of models trained alike: the exponent of N = O(D^k); null for fewer than three models. D
 * may lie anywhere between what is held and what is lost, and its bootstrap interval says so: on sizes in proportion to N the
 * middles alone would lie on slope 1 whatever they are.
 */
export function exponent(alike: readonly Recall[], seed: number): Estimate | null {
  const own = alike.filter(isBracketed);
  return own.length < LEAST_MODELS ? null : bootstrapSlope(own.map((r): Point => [Math.log(middle(r)), Math.log(r.parameters)]), seed, own.map(({ held, lost }) => Math.log(lost / held) / 2));
}

const contains = ({ low, high }: Estimate, value: number): boolean => low <= value && value <= high;

/** Whether an interval holds one of the exponents 1 and 2 and not the other. */
const tells = (k: Estimate): boolean => contains(k, 1) !== contains(k, 2);

/** What would tell 1 from 2 where the interval does not: finer sizes of data if it does with D at the middle, more models if it still holds both. */
export function whatWouldTell(alike: readonly Recall[], seed: number): string {
  const k = exponent(alike.filter(isBracketed).map((r) => ({ ...r, held: middle(r), lost: middle(r) })), seed)!;
  return `were D known exactly it would be ${estimateText(k)}: ${tells(k) ? 'finer sizes of the data would tell 1 from 2' : contains(k, 2) ? 'more models would tell 1 from 2' : 'neither 1 nor 2'}`;
}

/**
 * Slope of log N against log D from the smallest to the largest model, wherever D lies between what each holds and loses: no
 * statistics, and the upper end needs no run that the largest loses. Null where an end cannot be said.
 */
export function endToEnd(alike: readonly Recall[]): { least: number | null; most: number | null } {
  const [small, large] = [alike.reduce((a, b) => (b.parameters < a.parameters ? b : a)), alike.reduce((a, b) => (b.parameters > a.parameters ? b : a))];
  if (small.lost === null || small.held === null || large.held === null || small.parameters === large.parameters) return { least: null, most: null };
  const slope = (from: number, to: number) => Math.log(large.parameters / small.parameters) / Math.log(to / from);
  return { least: large.lost === null ? null : slope(small.held, large.lost), most: large.held > small.lost ? slope(small.lost, large.held) : null };
}

export function showRecalls(all: readonly Recall[], seed: number): void {
  const items = (n: number | null) => n?.toLocaleString('en') ?? 'no settled run';
  showTable(all.map((recall) => ({
    what: recall.what, tier: recall.tier, steps: recall.steps, model: recall.size, parameters: recall.parameters, 'largest D held': items(recall.held), 'next D, lost': items(recall.lost),
    'parameters per item': isBracketed(recall) ? recall.parameters / middle(recall) : null,
  })));
  for (const [name, alike] of trainedAlike(all)) {
    const [k, { least, most }] = [exponent(alike, seed), endToEnd(alike)];
    const ends = [...(least === null ? [] : [`at least ${least.toFixed(2)}`]), ...(most === null ? [] : [`at most ${most.toFixed(2)}`])];
    if (ends.length) console.log(`${name}: from the smallest to the largest model the exponent is ${ends.join(' and ')}, wherever D lies between held and lost`);
    if (k) console.log(`${name}: N grows as D to the power ${estimateText(k)}, 95% bootstrap interval over models and over D between held and lost${tells(k) ? '' : `; ${whatWouldTell(alike, seed)}`}`);
  }
}

/** The exponent of the paper, beside that of the others: a value for each number of steps. */
export function exponentQuestions(all: readonly Recall[], seed: number): Question[] {
  const values = (what: What): OwnValue[] => trainedAlike(all.filter((r) => r.what === what)).flatMap(([, alike]) => {
    const k = exponent(alike, seed);
    if (!k) return [];
    return [{ tier: alike[0]!.tier, seed, value: k.value, ...(tells(k) ? {} : { unfit: `its interval ${k.low.toFixed(2)} to ${k.high.toFixed(2)} holds ${contains(k, 2) ? 'both 1 and 2' : 'neither 1 nor 2'}` }) }];
  });
  return (['associations', 'sequences'] as const).map((what) => ({
    claim: `The size of a model must grow as the square of the data that it memorises, N = O(D²): here ${what === 'associations' ? 'distinct random prefixes with one token each, well separated patterns' : 'random sequences'}.`,
    source: 'arXiv 2405.08707, ICLR 2026 version; linear after Madden et al. 2024 (arXiv 2405.13718) and Morris et al. 2025; slope of log N against log D at 99% recall', paper: 2, tolerance: 0.5, unit: 'exponent of D', leastTier: 'desk', ours: values(what),
  }));
}

/** Largest |bf16 / fp32 − 1| of memorised bits, over runs that differ in nothing else; null for none. */
function precisionGap(records: readonly CapacityRecord[]): number | null {
  const [fulls, halves] = (['fp32', 'bf16'] as const).map((precision) => records.filter(({ config }) => config.precision === precision));
  const gaps = halves!.flatMap((half) => {
    const full = alikeBut(['precision'], half, fulls!);
    return full ? [Math.abs(memorised(half) / memorised(full) - 1)] : [];
  });
  return gaps.length ? Math.max(...gaps) : null;
}

/** Judged at the desk alone: quick runs decide nothing. @param longer runs of the sweep with more steps */
export function predictions(runs: readonly CapacityRecord[], longer: readonly CapacityRecord[], seed: number): Prediction[] {
  const records = runs.filter(({ config }) => config.tier === 'desk');
  const [full, found] = [judged(saturations(records)), recalls(records)];
  const linear = (text: string, from: readonly Recall[], what: What) => {
    const k = exponent(from.filter((r) => r.what === what), seed);
    return prediction(text, 'interval holds 1 and not 2', k?.value, () => contains(k!, 1) && !contains(k!, 2));
  };
  const longest = gains(records, longer).find(({ record, factor }) => record.config.what === 'sequences' && factor === 16);
  const longerOf = (what: What, size: string, items: number) => longer.find(({ config }) => config.what === what && sizeName(config) === size && config.items === items);
  const [pairsAgain, wideAgain, wideFull] = [longerOf('associations', '2 × 64', 31_584), longerOf('sequences', '2 × 128', 10_800), longerOf('sequences', '2 × 128', 15_264)];
  const wide = found.find(({ what, size }) => what === 'sequences' && size === '2 × 128');
  return [
    linear('P1 N grows as D on random sequences', found, 'sequences'),
    linear('P2 and on distinct prefixes with one token each', found, 'associations'),
    prediction('P3 saturated models keep 3.6 bits per parameter (mean, fp32)', `${MORRIS_BITS} ± 0.5`, full.length ? meanPerParameter(full) : null, (v) => Math.abs(v - MORRIS_BITS) <= 0.5),
    prediction('P4 bf16 keeps as many bits as fp32 (largest difference of two runs)', 'within 5%', precisionGap(records), (v) => v <= 0.05),
    prediction('P5 16 times the steps add little to what the smallest model keeps', 'at most 20%', longest?.gain, (v) => v <= 0.2),
    prediction('P6 on sequences 2 × 128 holds what goes with N (largest D held)', '10,800', wide && isBracketed(wide) ? wide.held : null, (v) => v === 10_800),
    prediction('P7 with 4 times the steps 2 × 64 recalls 31,584 associations', 'at least 99%', pairsAgain && recalled(pairsAgain), (v) => v >= RECALLED),
    linear('P8 with 4 times the steps N grows as D on associations', recalls(longer), 'associations'),
    prediction('P9 with 4 times the steps 2 × 128 recalls 10,800 sequences', 'at least 99%', wideAgain && recalled(wideAgain), (v) => v >= RECALLED),
    prediction('P10 and of 15,264 it keeps about what the smaller models keep (bits per parameter)', 'at least 2.3', wideFull && perParameter(wideFull), (v) => v >= 2.3),
  ];
}

/** What a classical memory holds per parameter: weights of W (n(n−1)/2), or the stored patterns' own numbers (n d). */
const classicalParameters = (model: string, n: number, patterns: number): number => (model === 'classical' ? (n * (n - 1)) / 2 : n * patterns);

/** Bits against parameters: the trained models and the memories of notebook 01, on the same axes. */
export function parametersFigure(all: readonly Saturation[], memories: readonly Capacity[]): Figure {
  const trained = all.filter(({ precision }) => precision === 'fp32');
  const range = [Math.min(...trained.map((p) => p.parameters), 100), Math.max(...trained.map((p) => p.parameters))];
  return {
    data: [
      { type: 'scatter', mode: 'lines', name: `${MORRIS_BITS} bits per parameter (Morris et al. 2025)`, x: range, y: range.map((n) => MORRIS_BITS * n), line: { color: COLOURS.paper, dash: 'dash' } },
      { type: 'scatter', mode: 'markers', name: 'trained GPT-2, most bits memorised', x: trained.map((p) => p.parameters), y: trained.map((p) => p.bits), text: trained.map((p) => `${p.tier}, ${p.size}, seed ${p.seed}`), marker: { color: COLOURS.ours, size: 9, symbol: trained.map((p) => (p.saturated ? 'circle' : 'circle-open')) } },
      ...MODELS.map(({ name }, i): Trace => {
        const own = memories.filter(({ model }) => model === name);
        return { type: 'scatter', mode: 'markers', name, x: own.map(({ n, patterns }) => classicalParameters(name, n, patterns)), y: own.map(({ n, patterns }) => n * patterns), marker: { color: seriesColour(i + 1), size: 6, symbol: 'diamond' } };
      }),
    ],
    layout: {
      title: title('What each memory gets out of a parameter', 'hollow: not saturated; memories of notebook 01: patterns of n signs, n bits each; parameters: weights, or numbers stored'),
      xaxis: axis('parameters', 'log scale', { type: 'log' }), yaxis: axis('bits held', 'log scale', { type: 'log' }),
    },
  };
}

/** Parameters against D at 99% recall, from what is held to what is lost, with the slopes 1 and 2. */
export function exponentFigure(all: readonly Recall[]): Figure {
  const known = all.filter(isBracketed);
  const [first] = ofFullestTier(known, ({ tier }) => tier);
  const ends = first ? [Math.min(...known.map(({ held }) => held)), Math.max(...known.map(({ lost }) => lost))] : [1, 10];
  const through = (k: number) => ends.map((d) => (first ? first.parameters * (d / middle(first)) ** k : d ** k));
  const sizes = known.map(({ parameters }) => Math.log10(parameters));
  return {
    data: [
      ...trainedAlike(known).map(([name, own], i): Trace => ({
        type: 'scatter', mode: 'markers', name, x: own.map(middle), y: own.map(({ parameters }) => parameters), text: own.map(({ size }) => size), marker: { color: seriesColour(i), size: 9 },
        error_x: { type: 'data', symmetric: false, array: own.map((r) => r.lost - middle(r)), arrayminus: own.map((r) => middle(r) - r.held) },
      })),
      { type: 'scatter', mode: 'lines', name: 'slope 1', x: ends, y: through(1), line: { color: COLOURS.faint, dash: 'dot' } },
      { type: 'scatter', mode: 'lines', name: 'slope 2 (the paper)', x: ends, y: through(2), line: { color: COLOURS.paper, dash: 'dash' } },
    ],
    layout: {
      title: title('Parameters against items recalled', `where recall falls below ${100 * RECALLED}%; bars: from what is held to what is lost; lines through the fullest tier's first point`),
      xaxis: axis('D', 'items, log scale', { type: 'log' }), yaxis: axis('N', 'parameters, log scale', { type: 'log', ...(first ? { range: [Math.min(...sizes) - 0.5, Math.max(...sizes) + 0.5] } : {}) }),
    },
  };
}
