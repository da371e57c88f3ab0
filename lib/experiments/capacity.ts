/** Random items as a training task: how many bits of them a model keeps, and how many items it recalls. */
import { bitsOfItem, predictedTokens, type CapacityConfig } from './config';
import { itemsHash, randomItems } from './random-items';
import { Epochs } from '../data/text/windows';
import { windowBatch, type Batch, type LanguageModel } from '../model/model';
import { Random } from '../util/random';
import { sum } from '../util/statistics';
import type { CapacityMeasures } from '../train/record';
import { inGroups, meanLoss, scored, type Task } from '../train/evaluate';

/** Items per forward pass of an evaluation. */
const EVALUATION_BATCH = 1024;
/** Items that no run trains on. */
const FRESH = 256;
/** Share of all that can be memorised behind which a run ends, once every item is recalled. */
const COMPLETE_SHARE = 0.99;

/** Bits of a run's data. */
export const bitsOf = (config: CapacityConfig): number => config.items * bitsOfItem(config);

/** Bits that a model of whole recall has memorised: which of the D items a sequence is, log2(D) bits, stays open; of an association nothing does. */
export const mostBits = (config: CapacityConfig): number =>
  bitsOf(config) - (config.what === 'sequences' ? config.items * Math.log2(config.items) : 0);

/** Whether there is nothing left to memorise. */
export const isComplete = (
  config: CapacityConfig,
  { recalledShare, memorisedBits }: CapacityMeasures,
): boolean => recalledShare === 1 && memorisedBits >= COMPLETE_SHARE * mostBits(config);

export class Capacity implements Task<CapacityConfig> {
  readonly dataHash: string;
  private readonly items: Uint16Array[];
  private readonly fresh: Uint16Array[];
  private readonly order: Epochs;
  private readonly predicted: number;

  /** Runs of one seed and size share their items; the order is drawn from the same seed. */
  constructor(private readonly config: CapacityConfig) {
    const { itemTokens: tokens, promptTokens: prompt, seed, items, model } = config;
    const draw = (count: number, stream: string) =>
      randomItems(
        { items: count, tokens, prompt, values: model.vocabulary - 1 },
        new Random(seed, `capacity/${stream}`),
      );
    [this.items, this.fresh] = [draw(items, 'items'), draw(FRESH, 'fresh')];
    this.dataHash = itemsHash(this.items);
    this.order = new Epochs(items, seed);
    this.predicted = predictedTokens(config);
  }

  batches(step: number): [() => Batch] {
    return [() => this.batch(this.order.step(step, this.config.batchItems).map((i) => this.items[i]!))];
  }

  evaluate(model: LanguageModel): CapacityMeasures {
    const { config, predicted } = this;
    const raw = bitsOfItem(config);
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
    return {
      heldOutLossNats: meanLoss(model, config, fresh),
      memorisedBits: bits,
      recalledShare: recalled / this.items.length,
    };
  }

  complete(measures: CapacityMeasures): boolean {
    return isComplete(this.config, measures);
  }

  dispose(): void {}

  /** The start token, the model's last id, stands before every item. */
  private batch(items: Uint16Array[]): Batch {
    const { model } = this.config;
    return windowBatch(
      items.map((item) => [model.vocabulary - 1, ...item]),
      model,
      this.predicted,
    );
  }
}
