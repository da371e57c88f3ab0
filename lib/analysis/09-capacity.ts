/** What notebook 09 shows: how the parameters of a memory must grow with its data, counted in items and in bits. */
import {
  bitsOf,
  capacity,
  capacityRuns,
  longAssociationRuns,
  wideItemRuns,
  type CapacityConfig,
  type CapacityRecord,
} from '../experiments/capacity';
import { EXPONENT_PREDICTIONS } from '../experiments/capacity-predictions';
import { gpt2Parameters } from '../model/config';
import type { Row } from '../report/table';
import type { OwnValue, Question } from '../report/verdict';
import { count, estimateText, layersByWidth, percent, rangeText, significant } from '../util/format';
import { grouped } from '../util/groups';
import { meanEstimate } from '../util/statistics';
import { LOOKS, MORRIS_FP32 } from './09-figures';
import { decidedBy, isSquare, judged, meanPerParameter } from './09-predictions';
import {
  bitsPerParameter,
  boundIn,
  exponentIn,
  exponentText,
  exposures,
  exposuresAt,
  gains,
  keepsSettled,
  LEAST_MODELS,
  memoriesOf,
  recalledShare,
  runs,
  saturations,
  type CapacityRuns,
  type Items,
  type Kept,
  type Memory,
  type Saturation,
} from './09-runs';
import { valueQuestion } from './shared/registered-value';
import { ofList } from './shared/runs';
import { summaries } from './shared/summary';

export * from './shared/notebook';
export { exponentFigure, exposureFigure } from './09-figures';
export { predictionTable } from './09-predictions';
export { runs, saturations } from './09-runs';
export { capacity, capacityRuns };

/** What the runs on items as long as the model is wide say, in bold and in detail, where all of them are in. */
function wideSentences(all: CapacityRuns): [bold: string, detail: string] {
  const { wideItems, classical } = memoriesOf(all);
  const hopfield = `A classical Hopfield network has the exponents ${exponentText('items', 'classical', classical, 'long')} in items and ${exponentText('bits', 'classical', classical, 'long')} in bits, because its patterns are as long as it is wide.`;
  const { M2 } = decidedBy(all);
  if ('missing' in M2!)
    return [
      'Counted in items, a classical Hopfield network does come near the square.',
      `${hopfield} A GPT-2 whose items grow with its width has not been tested yet.`,
    ];
  return [
    `Counted in items whose length grows with the width of the model, the power is ${exponentText('items', 'wideItems', wideItems, 'long')}${isSquare(M2!.value) ? ', the square' : ''}.`,
    `In bits it is ${exponentText('bits', 'wideItems', wideItems, 'long')} for these items too: wider models get longer ones, which are recalled whole less often. ${hopfield}`,
  ];
}

/** Two or three sentences from the committed runs. */
export function answer(all = runs()): string {
  const { sequences, associations } = memoriesOf(all);
  const [bold, detail] = wideSentences(all);
  return [
    `**Not if data is counted in bits: the parameters of a GPT-2 grow with the power ${exponentText('bits', 'sequences', sequences, 'long')} of the bits that it memorises, not 2. ${bold}**`,
    detail,
    `The first power is that of random sequences; for random associations it is ${exponentText('bits', 'associations', associations, 'long')}. In brackets: 95% intervals.`,
  ].join(' ');
}

const range = (values: readonly number[]): string => rangeText(values, count);

/** The exponents of the figure's lines. */
export function exponentRows(all: CapacityRuns): Row[] {
  const settled = memoriesOf(
    Object.fromEntries(
      Object.entries(all).map(([name, records]) => [name, records.filter(keepsSettled)]),
    ) as CapacityRuns,
  );
  return (Object.entries(memoriesOf(all)) as [Memory, Kept[]][]).map(([memory, kept]) => ({
    memory: LOOKS[memory].name,
    'an item': LOOKS[memory].item,
    sizes: kept.length || '–',
    parameters: range(kept.map(({ parameters }) => parameters)),
    'exponent in items': exponentText('items', memory, kept, 'long'),
    'exponent in bits': exponentText('bits', memory, kept, 'long'),
    'of settled runs alone': exponentText('bits', memory, settled[memory], 'long'),
  }));
}

/** Bits per parameter of each model, and their mean over models with its interval: seeds of one model are not models. */
export function saturationRows(all: readonly Saturation[]): Row[] {
  const values = all
    .filter(({ saturated }) => saturated)
    .map((one) => ({ ...one, value: one.bits / one.parameters }));
  const models = summaries(values, ['size', 'precision', 'parameters', 'withoutEmbeddings']);
  const over = summaries(
    models.map(({ precision, mean }) => ({ precision, value: mean })),
    ['precision'],
  );
  return [
    ...models.map(({ size, precision, parameters, withoutEmbeddings, count: seeds, mean, least, most }) => ({
      model: size,
      precision,
      parameters,
      seeds,
      'bits per parameter': rangeText([least, most], (x) => x.toFixed(2)),
      'without embeddings': ((mean * parameters) / withoutEmbeddings).toFixed(2),
    })),
    ...over.map((group) => ({
      model: `mean of ${group.count} models`,
      precision: group.precision,
      parameters: null,
      seeds: null,
      'bits per parameter': estimateText(meanEstimate(group)),
      'without embeddings': null,
    })),
  ];
}

const runName = ({ what, model, precision, seed }: CapacityConfig): string =>
  `${what}, ${layersByWidth(model)}, ${precision}, seed ${seed}`;

export const runRows = (records: readonly CapacityRecord[]): Row[] =>
  records.map((record) => {
    const { config, curve } = record;
    return {
      run: runName(config),
      D: config.items,
      'data (bits per parameter)': (bitsOf(config) / gpt2Parameters(config.model).all).toFixed(2),
      exposures: Math.round(exposures(record)),
      'memorised (bits per parameter)': bitsPerParameter(record).toFixed(2),
      recalled: percent(recalledShare(record), 1),
      'training loss (nats)': significant(curve.at(-1)!.trainLossNats, 3),
      settled: keepsSettled(record) ? 'yes' : 'no',
    };
  });

export const allRunRows = (all: CapacityRuns): Row[] => runRows(Object.values(all).flat());

/** What more steps add. */
export const longerRows = ({
  ladder,
  longer,
  longAssociations,
  wideItems,
  twiceExposed,
}: CapacityRuns): Row[] =>
  [...gains(ladder, [...longer, ...longAssociations]), ...gains(wideItems, twiceExposed)].map(
    ({ record, base, factor, gain }) => ({
      run: runName(record.config),
      D: record.config.items,
      'times the steps': Number(factor.toPrecision(3)),
      exposures: `${count(Math.round(exposures(base)))} → ${count(Math.round(exposures(record)))}`,
      'bits per parameter': `${bitsPerParameter(base).toFixed(2)} → ${bitsPerParameter(record).toFixed(2)}`,
      'more bits': percent(gain, 1),
      recalled: `${percent(recalledShare(base), 1)} → ${percent(recalledShare(record), 1)}`,
      settled: keepsSettled(record) ? 'yes' : 'no',
    }),
  );

/** What matters of the committed lists of runs, and of the runs to be made. */
export function methodRows(own: readonly CapacityConfig[]): Row[] {
  const committed = Object.values(runs()).flat();
  const ladder = capacityRuns('desk');
  const lists = {
    sequences: ladder.filter(({ what }) => what === 'sequences'),
    associations: [...ladder.filter(({ what }) => what === 'associations'), ...longAssociationRuns('desk')],
    'long sequences': wideItemRuns('desk'),
    [`your runs (${own[0]!.tier})`]: own,
  };
  const row = (what: string, text: (configs: readonly CapacityConfig[]) => string): Row => ({
    '': what,
    ...Object.fromEntries(Object.entries(lists).map(([name, configs]) => [name, text(configs)])),
  });
  const models = (configs: readonly CapacityConfig[]) => [
    ...new Set(configs.map(({ model }) => layersByWidth(model))),
  ];
  return [
    row('models (layers × width)', (configs) => models(configs).join(', ')),
    row('parameters', (configs) => range(configs.map(({ model }) => gpt2Parameters(model).all))),
    row('items', (configs) => range(configs.map(({ items }) => items))),
    row('tokens of an item', (configs) => range(configs.map(({ itemTokens }) => itemTokens))),
    row('tokens a step', (configs) =>
      range(configs.map(({ batchItems, itemTokens }) => batchItems * itemTokens)),
    ),
    row('steps', (configs) => range(configs.map(({ steps }) => steps))),
    row('exposures, at most', (configs) =>
      range(configs.map((config) => Math.round(exposuresAt(config, config.steps)))),
    ),
    row('minutes a run', (configs) =>
      rangeText(
        ofList(capacity, committed, configs).map(({ minutes }) => minutes),
        (x) => x.toFixed(1),
      ),
    ),
    row('runs', (configs) => String(configs.length)),
  ];
}

/** Bits per parameter of each seed: the mean over saturated models in fp32. */
export const bitsQuestion = (all: readonly Saturation[]): Question => ({
  claim: 'GPT-style models memorise about 3.8 bits per parameter in fp32.',
  claimedBy: 'Morris et al.',
  table: 'others',
  source:
    'Morris et al. 2025, arXiv 2505.24832: 3.6 in the abstract; 3.83 in fp32 and 3.51 in bf16 where they compare the two; uniformly random data; here the mean over saturated models, all parameters counted, fp32',
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

/** The exponent in memorised bits: on sequences with its interval over models, on associations an upper bound. */
export function bitsExponentQuestions(
  memories: Pick<Record<Memory, Kept[]>, 'sequences' | 'associations'>,
): Question[] {
  const slope = exponentIn('bits', memories.sequences);
  const bound = boundIn('bits', memories.associations);
  const question = (what: Items, statistic: string, ours: OwnValue[]): Question => ({
    claim: `Parameters must grow as the square of the data: random ${what}, in bits.`,
    source: `arXiv 2405.08707, abstract of the ICLR 2026 version, N = O(D²); linear after Madden et al. 2024 (arXiv 2405.13718), Nichani et al. 2025 (arXiv 2412.06538) and Morris et al. 2025, a square root after Kajitsuka and Sato 2024 (arXiv 2409.17677); statistic chosen after the runs: ${statistic}`,
    paper: 2,
    tolerance: 0.5,
    unit: 'exponent of D',
    table: 'theory',
    leastTier: 'desk',
    note: 'for D counted in bits; M2 and M3 ask it of items whose length grows with the width',
    ours,
  });
  return [
    question(
      'associations',
      'upper bound of the exponent from the smallest to the largest model',
      bound === null ? [] : [{ tier: 'desk', seed: 1, value: bound }],
    ),
    question(
      'sequences',
      'slope of log N against log memorised bits over models',
      slope ? [{ tier: 'desk', seed: 1, value: slope.value, interval: [slope.low, slope.high] }] : [],
    ),
  ];
}

/** Two predictions have one claim: what each was asked of. */
const ASKED_OF: Record<string, string> = { M1: ', 37,568 associations', M4: ', 44,672 associations' };

/** All questions of the notebook. */
export const questions = (all: CapacityRuns): Question[] => {
  const decided = decidedBy(all);
  return [
    ...bitsExponentQuestions(memoriesOf(all)),
    bitsQuestion(saturations(all.ladder)),
    ...EXPONENT_PREDICTIONS.map((one) =>
      valueQuestion({ ...one, claim: `${one.claim} (${one.id}${ASKED_OF[one.id] ?? ''})` }, decided[one.id]!),
    ),
  ];
};

/** Those of the first screen: what is not run yet is said in the answer. */
export const headlines = (all: CapacityRuns): Question[] =>
  questions(all).filter(({ kind, ours }) => kind !== 'prediction' || ours.length > 0);
