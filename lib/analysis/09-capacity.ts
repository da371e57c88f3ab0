/** What notebook 09 shows: bits that models keep of random data, what the classical memories keep, and which predictions hold. */
import type { Tier } from '../train/config';
import type { Figure, Trace } from '../report/figure';
import { prediction, type Prediction } from '../report/predictions';
import { axis, COLOURS, seriesColour, title } from '../report/style';
import { showTable } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import { mean, meanEstimate } from '../util/statistics';
import { estimateText } from '../util/format';
import { gpt2Parameters } from '../model/config';
import { bitsOf, MORRIS_BITS, type CapacityConfig, type CapacityRecord } from '../experiments/capacity';
import { grouped } from '../train/record';
import {
  alikeBut,
  families,
  gains,
  isFlat,
  LEAST_MODELS,
  memorised,
  perParameter,
  recalled,
  sizeName,
  type What,
} from './shared/capacity-runs';
import { MODELS, type Capacity } from './01-memories';
import { contains, exponent, isBracketed, RECALLED, recalls, type Recall } from './09-recall';

/** Memorised bits against the bits of the data, model by model. */
export function bitsFigure(records: readonly CapacityRecord[]): Figure {
  const groups = families(records, 'sequences');
  const all = groups.flat().map(({ config }) => bitsOf(config));
  const range = [Math.min(...all), Math.max(...all)];
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: 'everything is memorised',
        x: range,
        y: range,
        line: { color: COLOURS.faint, dash: 'dot' },
      },
      ...groups.map((group, i): Trace => {
        const { all: parameters } = gpt2Parameters(group[0]!.config.model);
        const one = group.filter(({ config }) => config.seed === group[0]!.config.seed);
        return {
          type: 'scatter',
          mode: 'lines+markers',
          name: `${group[0]!.config.tier}, ${sizeName(group[0]!.config)}, ${parameters.toLocaleString('en')} parameters`,
          x: one.map(({ config }) => bitsOf(config)),
          y: one.map(memorised),
          line: { color: seriesColour(i) },
          marker: { symbol: one.map((r) => (isFlat(r) ? 'circle' : 'circle-open')), size: 8 },
        };
      }),
    ],
    layout: {
      title: title(
        'Memorised bits against bits of the data',
        'uniformly random tokens: nothing can be learned but the items; one seed a model; hollow: not settled',
      ),
      xaxis: axis('data', 'bits, log scale', { type: 'log' }),
      yaxis: axis('memorised', 'bits, log scale', { type: 'log' }),
    },
  };
}

/** Most bits that each model memorised in a settled run, per seed; saturated where the data of one held at least 1.5 times what it memorised. */
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

export function saturations(records: readonly CapacityRecord[]): Saturation[] {
  return (['fp32', 'bf16'] as const).flatMap((precision) =>
    families(records.filter(isFlat), 'sequences', precision).flatMap((group) => {
      return grouped(group, ({ config }) => config.seed).map(([seed, own]) => {
        const most = own.reduce((a, b) => (memorised(b) > memorised(a) ? b : a));
        const { all, withoutEmbeddings } = gpt2Parameters(most.config.model);
        const saturated = own.some((r) => bitsOf(r.config) >= 1.5 * memorised(r));
        return {
          tier: most.config.tier,
          size: sizeName(most.config),
          seed,
          precision,
          parameters: all,
          withoutEmbeddings,
          items: most.config.items,
          bits: memorised(most),
          saturated,
        };
      });
    }),
  );
}

/** Those from which bits per parameter are judged. */
const judged = (all: readonly Saturation[]): Saturation[] =>
  all.filter(({ saturated, precision }) => saturated && precision === 'fp32');

const meanPerParameter = (some: readonly Saturation[]): number =>
  mean(some.map(({ bits, parameters }) => bits / parameters));

export function showSaturations(all: readonly Saturation[]): void {
  showTable(
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
    })),
  );
  for (const [tier, own] of grouped(all, (p) => p.tier)) {
    const values = judged(own).map(({ bits, parameters }) => bits / parameters);
    if (values.length)
      console.log(
        `${tier}, fp32: ${estimateText(meanEstimate(values))} bits per parameter over ${values.length} models and seeds, 95% interval; Morris et al. 2025: ${MORRIS_BITS}`,
      );
  }
}

/** Bits per parameter of each seed: the mean over saturated models in fp32. */
export function bitsQuestion(all: readonly Saturation[]): Question {
  return {
    claim: 'GPT-style models memorise about 3.6 bits per parameter of uniformly random data.',
    source:
      'Morris et al. 2025, arXiv 2505.24832; here mean over saturated models, all parameters counted, fp32',
    paper: MORRIS_BITS,
    tolerance: 0.5,
    unit: 'bits per parameter',
    leastTier: 'desk',
    ours: grouped(judged(all), ({ tier, seed }) => `${tier} ${seed}`).map(([, own]): OwnValue => ({
      tier: own[0]!.tier,
      seed: own[0]!.seed,
      value: meanPerParameter(own),
      ...(own.length < LEAST_MODELS
        ? { unfit: `${own.length} saturated models of one seed; ${LEAST_MODELS} are needed` }
        : {}),
    })),
  };
}

/** Largest |bf16 / fp32 − 1| of memorised bits, over runs that differ in nothing else; null for none. */
function precisionGap(records: readonly CapacityRecord[]): number | null {
  const [fulls, halves] = (['fp32', 'bf16'] as const).map((precision) =>
    records.filter(({ config }) => config.precision === precision),
  );
  const gaps = halves!.flatMap((half) => {
    const full = alikeBut(['precision'], half, fulls!);
    return full ? [Math.abs(memorised(half) / memorised(full) - 1)] : [];
  });
  return gaps.length ? Math.max(...gaps) : null;
}

/** Judged at the desk alone: quick runs decide nothing. @param longer runs of the sweep with more steps */
export function predictions(
  runs: readonly CapacityRecord[],
  longer: readonly CapacityRecord[],
  seed: number,
): Prediction[] {
  const records = runs.filter(({ config }) => config.tier === 'desk');
  const [full, found] = [judged(saturations(records)), recalls(records)];
  const linear = (text: string, from: readonly Recall[], what: What) => {
    const k = exponent(
      from.filter((r) => r.what === what),
      seed,
    );
    return prediction(
      text,
      'interval holds 1 and not 2',
      k?.value,
      () => contains(k!, 1) && !contains(k!, 2),
    );
  };
  const longest = gains(records, longer).find(
    ({ record, factor }) => record.config.what === 'sequences' && factor === 16,
  );
  const longerOf = (what: What, size: string, items: number) =>
    longer.find(({ config }) => config.what === what && sizeName(config) === size && config.items === items);
  const [pairsAgain, wideAgain, wideFull] = [
    longerOf('associations', '2 × 64', 31_584),
    longerOf('sequences', '2 × 128', 10_800),
    longerOf('sequences', '2 × 128', 15_264),
  ];
  const wide = found.find(({ what, size }) => what === 'sequences' && size === '2 × 128');
  return [
    linear('P1 N grows as D on random sequences', found, 'sequences'),
    linear('P2 and on distinct prefixes with one token each', found, 'associations'),
    prediction(
      'P3 saturated models keep 3.6 bits per parameter (mean, fp32)',
      `${MORRIS_BITS} ± 0.5`,
      full.length ? meanPerParameter(full) : null,
      (v) => Math.abs(v - MORRIS_BITS) <= 0.5,
    ),
    prediction(
      'P4 bf16 keeps as many bits as fp32 (largest difference of two runs)',
      'within 5%',
      precisionGap(records),
      (v) => v <= 0.05,
    ),
    prediction(
      'P5 16 times the steps add little to what the smallest model keeps',
      'at most 20%',
      longest?.gain,
      (v) => v <= 0.2,
    ),
    prediction(
      'P6 on sequences 2 × 128 holds what goes with N (largest D held)',
      '10,800',
      wide && isBracketed(wide) ? wide.held : null,
      (v) => v === 10_800,
    ),
    prediction(
      'P7 with 4 times the steps 2 × 64 recalls 31,584 associations',
      'at least 99%',
      pairsAgain && recalled(pairsAgain),
      (v) => v >= RECALLED,
    ),
    linear('P8 with 4 times the steps N grows as D on associations', recalls(longer), 'associations'),
    prediction(
      'P9 with 4 times the steps 2 × 128 recalls 10,800 sequences',
      'at least 99%',
      wideAgain && recalled(wideAgain),
      (v) => v >= RECALLED,
    ),
    prediction(
      'P10 and of 15,264 it keeps about what the smaller models keep (bits per parameter)',
      'at least 2.3',
      wideFull && perParameter(wideFull),
      (v) => v >= 2.3,
    ),
  ];
}

/** What a classical memory holds per parameter: weights of W (n(n−1)/2), or the stored patterns' own numbers (n d). */
const classicalParameters = (model: string, n: number, patterns: number): number =>
  model === 'classical' ? (n * (n - 1)) / 2 : n * patterns;

/** Bits against parameters: the trained models and the memories of notebook 01, on the same axes. */
export function parametersFigure(all: readonly Saturation[], memories: readonly Capacity[]): Figure {
  const trained = all.filter(({ precision }) => precision === 'fp32');
  const range = [
    Math.min(...trained.map((p) => p.parameters), 100),
    Math.max(...trained.map((p) => p.parameters)),
  ];
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines',
        name: `${MORRIS_BITS} bits per parameter (Morris et al. 2025)`,
        x: range,
        y: range.map((n) => MORRIS_BITS * n),
        line: { color: COLOURS.paper, dash: 'dash' },
      },
      {
        type: 'scatter',
        mode: 'markers',
        name: 'trained GPT-2, most bits memorised',
        x: trained.map((p) => p.parameters),
        y: trained.map((p) => p.bits),
        text: trained.map((p) => `${p.tier}, ${p.size}, seed ${p.seed}`),
        marker: {
          color: COLOURS.ours,
          size: 9,
          symbol: trained.map((p) => (p.saturated ? 'circle' : 'circle-open')),
        },
      },
      ...MODELS.map(({ name }, i): Trace => {
        const own = memories.filter(({ model }) => model === name);
        return {
          type: 'scatter',
          mode: 'markers',
          name,
          x: own.map(({ n, patterns }) => classicalParameters(name, n, patterns)),
          y: own.map(({ n, patterns }) => n * patterns),
          marker: { color: seriesColour(i + 1), size: 6, symbol: 'diamond' },
        };
      }),
    ],
    layout: {
      title: title(
        'What each memory gets out of a parameter',
        'hollow: not saturated; memories of notebook 01: patterns of n signs, n bits each; parameters: weights, or numbers stored',
      ),
      xaxis: axis('parameters', 'log scale', { type: 'log' }),
      yaxis: axis('bits held', 'log scale', { type: 'log' }),
    },
  };
}
