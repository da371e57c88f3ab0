/** What was predicted before the runs of notebook 09, and what came of it. */
import {
  longAssociationRuns,
  MORRIS_BITS,
  wideItemRuns,
  type CapacityConfig,
  type CapacityRecord,
} from '../experiments/capacity';
import { EXPONENT_PREDICTIONS } from '../experiments/capacity-predictions';
import { isWithin } from '../experiments/prediction';
import { gpt2Parameters } from '../model/config';
import { prediction, predictionRows, type PredictionRow, type Predictions } from '../report/predictions';
import type { Tier } from '../train/config';
import { count, layersByWidth } from '../util/format';
import { bootstrapSlope, mean, type Estimate, type Point } from '../util/statistics';
import {
  alikeBut,
  bitsPerParameter,
  exponentIn,
  families,
  gains,
  keepsSettled,
  keptBits,
  LEAST_MODELS,
  mostKept,
  recalledShare,
  saturations,
  type CapacityRuns,
  type Items,
  type Saturation,
} from './09-runs';
import { valueRow, type Decided } from './shared/registered-value';

/** Those from which bits per parameter are judged. */
export const judged = (all: readonly Saturation[]): Saturation[] =>
  all.filter(({ saturated, precision }) => saturated && precision === 'fp32');

export const meanPerParameter = (some: readonly Saturation[]): number =>
  mean(some.map(({ bits, parameters }) => bits / parameters));

/** Share of items that must come back. */
const RECALLED = 0.99;

/** Between which sizes of settled runs of so many steps recall falls below 99%: the largest D that is held and the next one, which is lost; null where no run is on that side. */
export interface Recall {
  tier: Tier;
  what: Items;
  size: string;
  steps: number;
  parameters: number;
  held: number | null;
  lost: number | null;
}

export const recalls = (records: readonly CapacityRecord[]): Recall[] =>
  (['sequences', 'associations'] as const).flatMap((what) =>
    families(records.filter(keepsSettled), what).map((group): Recall => {
      const own = group.filter(({ config }) => config.seed === group[0]!.config.seed);
      const last = own.map((record) => recalledShare(record) >= RECALLED).lastIndexOf(true);
      const { tier, steps, model } = own[0]!.config;
      return {
        tier,
        what,
        size: layersByWidth(model),
        steps,
        parameters: gpt2Parameters(model).all,
        held: own[last]?.config.items ?? null,
        lost: own[last + 1]?.config.items ?? null,
      };
    }),
  );

type Bracketed = Recall & { held: number; lost: number };
const isBracketed = (recall: Recall): recall is Bracketed => recall.held !== null && recall.lost !== null;

/**
 * log N against log D at 99% recall, of models trained alike; null for fewer than three models. D may be anywhere between what
 * is held and what is lost, and its bootstrap interval says so: on sizes in proportion to N the middles alone would be on slope
 * 1 whatever they are.
 */
export function exponent(alike: readonly Recall[], seed: number): Estimate | null {
  const own = alike.filter(isBracketed);
  return own.length < LEAST_MODELS
    ? null
    : bootstrapSlope(
        own.map(({ held, lost, parameters }): Point => [Math.log(held * lost) / 2, Math.log(parameters)]),
        seed,
        own.map(({ held, lost }) => Math.log(lost / held) / 2),
      );
}

const contains = ({ low, high }: Estimate, value: number): boolean => low <= value && value <= high;

/** Largest |bf16 / fp32 − 1| of memorised bits, over runs that differ in nothing else; null for none. */
function precisionGap(records: readonly CapacityRecord[]): number | null {
  const of = (precision: CapacityConfig['precision']) =>
    records.filter(({ config }) => config.precision === precision);
  const found = of('bf16').flatMap((half) => {
    const full = alikeBut(['precision'], half, of('fp32'));
    return full ? [Math.abs(keptBits(half) / keptBits(full) - 1)] : [];
  });
  return found.length ? Math.max(...found) : null;
}

/** The first ten, by the statistics that they were made for, on runs of the desk tier. */
export function predictions(
  { ladder, longer }: Pick<CapacityRuns, 'ladder' | 'longer'>,
  seed = 1,
): Predictions {
  const records = ladder.filter(({ config }) => config.tier === 'desk');
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
      'Saturated models keep 3.6 bits per parameter (mean, fp32)',
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
      'On sequences 2 × 128 recalls as many as if D grows as N (largest D)',
      '10,800',
      wide && isBracketed(wide) ? wide.held : null,
      (v) => v === 10_800,
    ),
    P7: prediction(
      'With 4 times the steps 2 × 64 recalls 31,584 associations',
      'at least 99%',
      pairsAgain && recalledShare(pairsAgain),
      (v) => v >= RECALLED,
    ),
    P8: linear('With 4 times the steps N grows as D on associations', recalls(longer), 'associations'),
    P9: prediction(
      'With 4 times the steps 2 × 128 recalls 10,800 sequences',
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

/** The value of each prediction that was registered for constant depth and for items as long as the model is wide, or what is missing. */
export function decidedBy({ longAssociations, wideItems }: CapacityRuns): Record<string, Decided> {
  const [more, fewer] = longAssociationRuns('desk');
  const kept = ({ items }: CapacityConfig): Decided => {
    const record = longAssociations.find(({ config }) => config.items === items);
    return record
      ? { value: bitsPerParameter(record), seeds: [record.config.seed] }
      : { missing: `the run on ${count(items)} associations is not finished` };
  };
  const planned = wideItemRuns('desk');
  const slope = (unit: 'items' | 'bits'): Decided => {
    if (wideItems.length < planned.length)
      return { missing: `${wideItems.length} of ${planned.length} runs are finished` };
    const { value, low, high } = exponentIn(unit, mostKept(wideItems))!;
    return { value, interval: [low, high], seeds: [planned[0]!.seed] };
  };
  return { M1: kept(fewer!), M2: slope('items'), M3: slope('bits'), M4: kept(more!) };
}

/** Whether an exponent in items is what M2 says. */
export const isSquare = (value: number): boolean =>
  isWithin(value, EXPONENT_PREDICTIONS.find(({ id }) => id === 'M2')!.rule);

/** The commits that registered them. */
const COMMITS: Record<string, string> = {
  P5: 'eb2e0b1',
  P6: '9848565',
  P7: '9848565',
  P8: '9848565',
  P9: '001da48',
  P10: '001da48',
  M4: '0ca44a9',
};
const [FIRST, EXPONENTS] = ['335cb34', '9e0b8c2'];

export function predictionTable(all: CapacityRuns): PredictionRow[] {
  const decided = decidedBy(all);
  const found = (value: number | null) =>
    value === null ? 'too few settled runs' : value >= 1000 ? count(value) : value.toFixed(3);
  return [
    ...predictionRows(predictions(all), (id) => COMMITS[id] ?? FIRST, found),
    ...EXPONENT_PREDICTIONS.map((one) => valueRow(one, decided[one.id]!, COMMITS[one.id] ?? EXPONENTS)),
  ];
}
