/** Random items as a training task: how many bits of them a model keeps, and how many items it recalls. */
import type { CapacityConfig } from '../config';
import { itemsHash, randomItems } from '../data/random-items';
import { Epochs } from '../data/windows';
import { windowBatch, type Batch, type LanguageModel } from '../model/model';
import { Random } from '../random';
import { sum } from '../statistics';
import type { CapacityMeasures } from './record';
import { inGroups, meanLoss, scored, type Task } from './task';

/** Items per forward pass of an evaluation. */
const EVALUATION_BATCH = 1024;
/** Items that no run trains on. */
const FRESH = 256;

export class Capacity implements Task<CapacityConfig> {
  readonly dataHash: string;
  private readonly items: Uint16Array[];
  private readonly fresh: Uint16Array[];
  private readonly order: Epochs;
  /** Tokens of an item that are predicted. */
  private readonly predicted: number;

  /** Runs of one seed and size share their items; the order is drawn from the same seed. */
  constructor(private readonly config: CapacityConfig) {
    const { itemTokens: tokens, promptTokens: prompt, seed, items, what, model } = config;
    const draw = (count: number, stream: string) => randomItems({ items: count, tokens, prompt, values: model.vocabulary - 1 }, new Random(seed, `capacity/${stream}`));
    [this.items, this.fresh] = [draw(items, 'items'), draw(FRESH, 'fresh')];
    this.dataHash = itemsHash(this.items);
    this.order = new Epochs(items, seed);
    this.predicted = what === 'sequences' ? tokens : tokens - prompt;
  }

  batches(step: number): [() => Batch] {
    return [() => this.batch(this.order.step(step, this.config.batchItems).map((i) => this.items[i]!))];
  }

  evaluate(model: LanguageModel): CapacityMeasures {
    const { config, predicted } = this;
    const raw = predicted * Math.log2(config.model.vocabulary - 1);
    const prompted = Math.max(0, config.promptTokens - (config.itemTokens - predicted));
    let [bits, recalled] = [0, 0];
    for (const items of inGroups(this.items, EVALUATION_BATCH)) {
      const { nats, right } = scored(model, config, () => this.batch(items));
      items.forEach((_, i) => {
        const [from, to] = [i * predicted, (i + 1) * predicted];
        bits += Math.max(0, raw - sum(nats.subarray(from, to)) / Math.LN2);
        if (right.slice(from + prompted, to).every(Boolean)) recalled++;
      });
    }
    const fresh = inGroups(this.fresh, EVALUATION_BATCH).map((items) => () => this.batch(items));
    return { heldOutLossNats: meanLoss(model, config, fresh), memorisedBits: bits, recalledShare: recalled / this.items.length };
  }

  dispose(): void {}

  /** The start token, the model's last id, stands before every item. */
  private batch(items: Uint16Array[]): Batch {
    const { model } = this.config;
    return windowBatch(items.map((item) => [model.vocabulary - 1, ...item]), model, this.predicted);
  }
}
