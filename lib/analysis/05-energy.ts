/** Notebook 05: whether the distance energy tells training text from other text, in every layer and at other sharpness. */
import type { Matrix } from '../energy/matrix';
import {
  arm,
  DECIDING_SEEDS,
  replica,
  shareOfLower,
  type ReplicaConfig,
  type ReplicaTask,
} from '../experiments/replica';
import { trainedModel } from '../experiments/run';
import { buildModel } from '../model/build';
import { windowBatch, type LanguageModel } from '../model/model';
import { committedMeasure, isKept, keptMeasure } from '../report/measure';
import type { Row } from '../report/table';
import { allLayers } from '../train/evaluate';
import { percent, rangeText } from '../util/format';

/** Sharpness of the energy: at 0.1 it is about the mean distance to the patterns, at 10 that to the nearest one. */
const BETAS = [0.1, 1, 10] as const;
const ENERGY_MEASURE = 'replica-energy';

/** Of a run: by layer and β, the share of pairs in which the training window has the lower energy. */
type EnergyShares = number[][];

function energyShares(
  model: LanguageModel,
  config: ReplicaConfig,
  train: Uint16Array[],
  other: Uint16Array[],
): EnergyShares {
  const layersOf = (windows: Uint16Array[]) =>
    windows.map((one) => allLayers(model, config, [() => windowBatch([one], config.model)]));
  const [own, following] = [layersOf(train), layersOf(other)];
  return own[0]!.map((_, layer) => {
    const [patterns, others] = [own, following].map((windows) => windows.map((layers) => layers[layer]!)) as [
      Matrix[],
      Matrix[],
    ];
    return BETAS.map((beta) => shareOfLower(patterns, others, beta));
  });
}

/** The same pairs as in the runs, of each seed at the end and with its first weights, as committed; it needs the books. */
const sharesOfRuns = (): Promise<Record<'trained' | 'untrained', EnergyShares[]>> =>
  keptMeasure(ENERGY_MEASURE, async () => {
    const all = { trained: [] as EnergyShares[], untrained: [] as EnergyShares[] };
    for (const seed of DECIDING_SEEDS) {
      const config = arm('desk', 'B', seed);
      const task = (await replica.task(config)) as ReplicaTask;
      try {
        for (const which of ['trained', 'untrained'] as const) {
          const model =
            which === 'trained' ? trainedModel(replica, config, 'last') : buildModel(config.model, seed);
          all[which].push(energyShares(model, config, task.patterns, task.following));
          model.dispose();
        }
      } finally {
        task.dispose();
      }
    }
    return all;
  });

export async function energyRows(): Promise<Row[]> {
  const { trained, untrained } = await sharesOfRuns();
  const blocks = trained[0]!.length - 1;
  const range = (all: EnergyShares[], layer: number, i: number) =>
    rangeText(
      all.map((shares) => shares[layer]![i]!),
      percent,
    );
  return trained[0]!.map((_, layer) => ({
    activations: layer < blocks ? `after block ${layer + 1}` : 'after the final layer norm',
    ...Object.fromEntries(BETAS.map((beta, i) => [`β = ${beta}`, range(trained, layer, i)])),
    'β = 1, untrained': range(untrained, layer, BETAS.indexOf(1)),
  }));
}

/** In how many pairs the training window has the higher energy before the final layer norm, at β = 1, if that is at least a share of `most` of them. */
export function reversedSentence(most: number): string[] {
  if (!isKept(ENERGY_MEASURE)) return [];
  const { trained } = committedMeasure<{ trained: EnergyShares[] }>(ENERGY_MEASURE);
  const higher = trained.map((shares) => 1 - shares.at(-2)![BETAS.indexOf(1)]!);
  return Math.min(...higher) < most
    ? []
    : [
        `Taken before the final layer norm it tells them apart in the wrong direction: the training window has the higher energy in ${rangeText(higher, percent)} of pairs.`,
      ];
}
