/** What notebook 09 shows: bits that models keep of random data, what classical memories keep, and which predictions hold. */
import {
  bitsOf,
  capacity,
  capacityRuns,
  longerCapacityRuns,
  MORRIS_BITS,
  type CapacityConfig,
  type CapacityRecord,
} from '../experiments/capacity';
import { gpt2Parameters } from '../model/config';
import { chart, type Figure } from '../report/figure';
import { prediction, type Predictions } from '../report/predictions';
import { axis, COLOURS, seriesColour } from '../report/style';
import type { Row } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { count, estimateText, layersByWidth } from '../util/format';
import { mean, meanEstimate } from '../util/statistics';
import {
  contains,
  exponent,
  bitsExponentQuestions,
  isBracketed,
  RECALLED,
  recalls,
  type Recall,
} from './09-recall';
import {
  alikeBut,
  bitsPerParameter,
  families,
  gains,
  keepsSettled,
  keptBits,
  LEAST_MODELS,
  recalledShare,
  type Items,
} from './shared/capacity-runs';
import { MEMORIES, type MemoryCapacity } from './shared/memories';
import { runsOf } from './shared/runs';
import { summaries } from './shared/summary';
import { circles, lineTrace, MARKED, markerTrace } from './shared/traces';
import { grouped } from '../util/groups';

export * from './shared/notebook';
export { exponentFigure, exponentTexts, recallRows, recalls } from './09-recall';
export { capacityRunRows as runRows, longerRows } from './shared/capacity-runs';
export { memoryCapacities } from './shared/memories';
export { capacity, capacityRuns };

/** Runs of the sweep, and those of the desk tier with more steps. */
export interface CapacityRuns {
  records: CapacityRecord[];
  longer: CapacityRecord[];
}

/** The committed runs, after `own` ones. */
export const runs = (own: readonly CapacityRecord[]): CapacityRuns => ({
  records: runsOf(capacity, capacityRuns, own),
  longer: runsOf(capacity, longerCapacityRuns, []),
});

/** Memorised bits against the bits of the data, model by model. */
export function bitsFigure(records: readonly CapacityRecord[]): Figure {
  const groups = families(records, 'sequences');
  const all = groups.flat().map(({ config }) => bitsOf(config));
  const range = [Math.min(...all), Math.max(...all)];
  return chart({
    title: 'Memorised bits against bits of the data',
    subtitle:
      'uniformly random tokens: nothing can be learned but the items; one seed a model; hollow: not settled',
    x: axis('data', 'bits, log scale', { type: 'log' }),
    y: axis('memorised', 'bits, log scale', { type: 'log' }),
    data: [
      lineTrace('everything is memorised', range, range, { color: COLOURS.faint, dash: 'dot' }),
      ...groups.map((group, i) => {
        const { tier, model, seed } = group[0]!.config;
        const one = group.filter(({ config }) => config.seed === seed);
        return lineTrace(
          `${tier}, ${layersByWidth(model)}, ${count(gpt2Parameters(model).all)} parameters`,
          one.map(({ config }) => bitsOf(config)),
          one.map(keptBits),
          { color: seriesColour(i) },
          { ...MARKED, marker: { symbol: circles(one, keepsSettled), size: 8 } },
        );
      }),
    ],
  });
}

/** Most bits that a model memorised in a settled run, per seed; saturated where the data of one held at least 1.5 times what it memorised. */
export interface Saturation {
  tier: Tier;
  size: string;
  seed: number;
  precision: CapacityConfig['precision'];
  parameters: number;
  withoutEmbeddings: number;
  items: number;
  bits: number;
  saturated: boolean;
}

export const saturations = (records: readonly CapacityRecord[]): Saturation[] =>
  (['fp32', 'bf16'] as const).flatMap((precision) =>
    families(records.filter(keepsSettled), 'sequences', precision).flatMap((group) =>
      grouped(group, ({ config }) => config.seed).map(([seed, own]): Saturation => {
        const most = own.reduce((a, b) => (keptBits(b) > keptBits(a) ? b : a));
        const { tier, model, items } = most.config;
        const { all, withoutEmbeddings } = gpt2Parameters(model);
        return {
          tier,
          size: layersByWidth(model),
          seed,
          precision,
          parameters: all,
          withoutEmbeddings,
          items,
          bits: keptBits(most),
          saturated: own.some((record) => bitsOf(record.config) >= 1.5 * keptBits(record)),
        };
      }),
    ),
  );

/** Those from which bits per parameter are judged. */
const judged = (all: readonly Saturation[]): Saturation[] =>
  all.filter(({ saturated, precision }) => saturated && precision === 'fp32');

const meanPerParameter = (some: readonly Saturation[]): number =>
  mean(some.map(({ bits, parameters }) => bits / parameters));

export const saturationRows = (all: readonly Saturation[]): Row[] =>
  all.map(({ tier, size, seed, precision, parameters, withoutEmbeddings, items, bits, saturated }) => ({
    tier,
    model: size,
    precision,
    seed,
    parameters,
    'most bits memorised': Math.round(bits),
    'of D': items,
    'bits per parameter': bits / parameters,
    'per parameter without embeddings': bits / withoutEmbeddings,
    saturated: saturated ? 'yes' : 'no',
  }));

/** Bits per parameter of each tier with their interval over models and seeds, as a sentence. */
export const saturationTexts = (all: readonly Saturation[]): string[] =>
  summaries(
    judged(all).map(({ tier, bits, parameters }) => ({ tier, value: bits / parameters })),
    ['tier'],
  ).map(
    (group) =>
      `${group.tier}, fp32: ${estimateText(meanEstimate(group))} bits per parameter over ${group.count} models and seeds, 95% interval; Morris et al. 2025: ${MORRIS_BITS}`,
  );

/** Bits per parameter in fp32 and parameters of the smallest model of Morris et al. 2025 (arXiv 2505.24832, abstract); 3.51 in bf16. */
const MORRIS_FP32 = { bits: 3.83, least: 500_000 } as const;

/** Bits per parameter of each seed: the mean over saturated models in fp32. */
export const bitsQuestion = (all: readonly Saturation[]): Question => ({
  claim: 'GPT-style models memorise about 3.8 bits per parameter in fp32.',
  claimedBy: 'Morris et al.',
  table: 'others',
  source:
    'Morris et al. 2025, arXiv 2505.24832: 3.83 in fp32, 3.51 in bf16, 3.6 in the abstract; uniformly random data; here the mean over saturated models, all parameters counted, fp32',
  paper: MORRIS_FP32.bits,
  tolerance: 0.5,
  unit: 'bits per parameter',
  leastTier: 'desk',
  ours: grouped(judged(all), ({ tier, seed }) => `${tier} ${seed}`).map(([, own]): OwnValue => {
    const within = own.filter(({ parameters }) => parameters >= MORRIS_FP32.least).length;
    return {
      tier: own[0]!.tier,
      seed: own[0]!.seed,
      value: meanPerParameter(own),
      ...(within < LEAST_MODELS
        ? {
            unfit: `${within} saturated models have the ${count(MORRIS_FP32.least)} parameters of their smallest; ${LEAST_MODELS} are needed`,
          }
        : {}),
    };
  }),
});

/** All questions of the notebook. */
export const questions = ({ records, longer }: CapacityRuns): Question[] => [
  bitsQuestion(saturations(records)),
  ...bitsExponentQuestions([...records, ...longer]),
];

/** Largest |bf16 / fp32 − 1| of memorised bits, over runs that differ in nothing else; null for none. */
function precisionGap(records: readonly CapacityRecord[]): number | null {
  const of = (precision: CapacityConfig['precision']) =>
    records.filter(({ config }) => config.precision === precision);
  const gaps = of('bf16').flatMap((half) => {
    const full = alikeBut(['precision'], half, of('fp32'));
    return full ? [Math.abs(keptBits(half) / keptBits(full) - 1)] : [];
  });
  return gaps.length ? Math.max(...gaps) : null;
}

/** Judged in the desk tier alone: quick runs decide nothing. */
export function predictions({ records: all, longer }: CapacityRuns, seed: number): Predictions {
  const records = all.filter(({ config }) => config.tier === 'desk');
  const [full, found] = [judged(saturations(records)), recalls(records)];
  const linear = (claim: string, from: readonly Recall[], what: Items) => {
    const k = exponent(
      from.filter((r) => r.what === what),
      seed,
    );
    return prediction(
      claim,
      'interval holds 1 and not 2',
      k?.value,
      () => contains(k!, 1) && !contains(k!, 2),
    );
  };
  const longest = gains(records, longer).find(
    ({ record, factor }) => record.config.what === 'sequences' && factor === 16,
  );
  const longerOf = (what: Items, size: string, items: number) =>
    longer.find(
      ({ config }) => config.what === what && layersByWidth(config.model) === size && config.items === items,
    );
  const pairsAgain = longerOf('associations', '2 × 64', 31_584);
  const wideAgain = longerOf('sequences', '2 × 128', 10_800);
  const wideFull = longerOf('sequences', '2 × 128', 15_264);
  const wide = found.find(({ what, size }) => what === 'sequences' && size === '2 × 128');
  return {
    P1: linear('N grows as D on random sequences', found, 'sequences'),
    P2: linear('and on distinct prefixes with one token each', found, 'associations'),
    P3: prediction(
      'saturated models keep 3.6 bits per parameter (mean, fp32)',
      `${MORRIS_BITS} ± 0.5`,
      full.length ? meanPerParameter(full) : null,
      (v) => Math.abs(v - MORRIS_BITS) <= 0.5,
    ),
    P4: prediction(
      'bf16 keeps as many bits as fp32 (largest difference of two runs)',
      'within 5%',
      precisionGap(records),
      (v) => v <= 0.05,
    ),
    P5: prediction(
      '16 times the steps add little to what the smallest model keeps',
      'at most 20%',
      longest?.gain,
      (v) => v <= 0.2,
    ),
    P6: prediction(
      'on sequences 2 × 128 holds what goes with N (largest D held)',
      '10,800',
      wide && isBracketed(wide) ? wide.held : null,
      (v) => v === 10_800,
    ),
    P7: prediction(
      'with 4 times the steps 2 × 64 recalls 31,584 associations',
      'at least 99%',
      pairsAgain && recalledShare(pairsAgain),
      (v) => v >= RECALLED,
    ),
    P8: linear('with 4 times the steps N grows as D on associations', recalls(longer), 'associations'),
    P9: prediction(
      'with 4 times the steps 2 × 128 recalls 10,800 sequences',
      'at least 99%',
      wideAgain && recalledShare(wideAgain),
      (v) => v >= RECALLED,
    ),
    P10: prediction(
      'and of 15,264 it keeps about what the smaller models keep (bits per parameter)',
      'at least 2.3',
      wideFull && bitsPerParameter(wideFull),
      (v) => v >= 2.3,
    ),
  };
}

/** Parameters of a classical memory: the n(n − 1)/2 weights of W, or the n d numbers of the stored patterns. */
const classicalParameters = ({ model, n, patterns }: MemoryCapacity): number =>
  model === 'classical' ? (n * (n - 1)) / 2 : n * patterns;

/** Bits against parameters: the trained models and the memories of notebook 01, on the same axes. */
export function parametersFigure(all: readonly Saturation[], memories: readonly MemoryCapacity[]): Figure {
  const trained = all.filter(({ precision }) => precision === 'fp32');
  const sizes = trained.map((p) => p.parameters);
  const range = [Math.min(...sizes, 100), Math.max(...sizes)];
  return chart({
    title: 'What each memory gets out of a parameter',
    subtitle:
      'hollow: not saturated; memories of notebook 01: patterns of n signs, n bits each; parameters: weights, or numbers stored',
    x: axis('parameters', 'log scale', { type: 'log' }),
    y: axis('bits held', 'log scale', { type: 'log' }),
    data: [
      lineTrace(
        `${MORRIS_BITS} bits per parameter (Morris et al. 2025)`,
        range,
        range.map((n) => MORRIS_BITS * n),
        { color: COLOURS.paper, dash: 'dash' },
      ),
      markerTrace(
        'trained GPT-2, most bits memorised',
        sizes,
        trained.map((p) => p.bits),
        { color: COLOURS.ours, size: 9, symbol: circles(trained, (p) => p.saturated) },
        { text: trained.map((p) => `${p.tier}, ${p.size}, seed ${p.seed}`) },
      ),
      ...MEMORIES.map(({ name }, i) => {
        const own = memories.filter(({ model }) => model === name);
        return markerTrace(
          name,
          own.map(classicalParameters),
          own.map(({ n, patterns }) => n * patterns),
          { color: seriesColour(i + 1), size: 6, symbol: 'diamond' },
        );
      }),
    ],
  });
}
