/** What runs will cost, before any of them is trained: operations, hours and memory. */
import { floor } from '../../data/grammar/floor';
import { FAMILY } from '../../data/grammar/grammar-family';
import { drawOf } from '../../analysis/shared/floors';
import type { CapacityConfig } from '../../experiments/capacity';
import { idOf } from '../../experiments/index';
import { isText } from '../../experiments/text-task';
import { gpt2Parameters } from '../../model/config';
import type { TrainingConfig } from '../../train/config';
import { count, duration, layersByWidth, significant } from '../../util/format';
import { sum } from '../../util/statistics';
import { productFlops } from '../bench/shapes';

interface Cost {
  config: TrainingConfig;
  flops: number;
  /** In bytes, of what one pass forwards and backwards holds. */
  memory: number;
}

/** Sequences of a step, tokens of each, and passes forwards and backwards that a step is divided into. */
function reads(config: TrainingConfig): { lines: number; tokens: number; passes: number } {
  if (isText(config)) {
    const { batchWindows, accumulate, model } = config;
    return { lines: batchWindows * accumulate, tokens: model.context, passes: accumulate };
  }
  if ('items' in config) {
    const { batchItems, itemTokens } = config as CapacityConfig;
    return { lines: batchItems, tokens: itemTokens, passes: 1 };
  }
  const { grammar, batchLines } = drawOf({ id: idOf(config), config });
  return { lines: batchLines, tokens: floor(FAMILY[grammar]).tokensPerLine, passes: 1 };
}

function costOf(config: TrainingConfig): Cost {
  const { model, steps } = config;
  const { layers, width, heads, vocabulary } = model;
  const { lines, tokens, passes } = reads(config);
  const weights =
    model.kind === 'gpt2'
      ? gpt2Parameters(model).all
      : layers * (4 * width ** 2 + 2 * width * model.feedForward) + 2 * width * vocabulary;
  const inPass = (lines / passes) * tokens;
  return {
    config,
    flops: steps * productFlops({ model, lines, tokens, weightDecay: 0 }),
    // Value, gradient and two moments in float32; activations as Korthikanti et al. (2022, arXiv 2205.05198, equation 2)
    // count them, with the attention weights of every pair of tokens; logits and their gradient in float32.
    memory: 16 * weights + layers * inPass * (34 * width + 5 * heads * tokens) + 8 * inPass * vocabulary,
  };
}

/** @param rate operations a second of what trains one run @returns lines to print, runs of one size in one */
export function planOf(configs: readonly TrainingConfig[], rate: number): string[] {
  const groups = new Map<string, Cost[]>();
  for (const cost of configs.map(costOf)) {
    const { experiment, model, steps } = cost.config;
    const name = `${experiment} ${layersByWidth(model)}, ${count(steps)} steps, ${significant(cost.flops / 1e15, 3)} PFLOP`;
    groups.set(name, [...(groups.get(name) ?? []), cost]);
  }
  const time = (flops: number) => duration(flops / rate);
  const costs = [...groups.values()].flat();
  return [
    ...[...groups].map(
      ([name, [cost, ...others]]) =>
        `${others.length + 1} × ${name}: ${time(cost!.flops)} and ${significant(cost!.memory / 1e9, 2)} GB each`,
    ),
    `${configs.length} runs: ${time(sum(costs.map(({ flops }) => flops)))} one after the other, ${time(Math.max(0, ...costs.map(({ flops }) => flops)))} with one worker each, without evaluations`,
  ];
}
