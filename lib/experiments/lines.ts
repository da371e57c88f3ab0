/** Lines of a grammar as training data: splits, batches, vocabulary. */
import { dataHash, sampleSplits, Vocabulary, type Line } from '../data/grammar/question-formation';
import type { Grammar } from '../data/grammar/grammar';
import { Epochs } from '../data/text/windows';
import { batchOf, type Batch } from '../model/model';

/** One seed draws the data of all runs, so that runs with different seeds see the same lines. */
export const DATA_SEED = 1;

export class Lines {
  readonly dataHash: string;
  readonly train: Line[];
  readonly heldOut: Line[];
  readonly generalisation: Line[];
  readonly vocabulary: Vocabulary;
  private readonly encoded: Uint16Array[];
  private readonly order: Epochs;

  /** @param config `trainLines` of the split, `batchLines` a step, `seed` of the order */
  constructor(
    grammar: Grammar,
    private readonly config: { trainLines: number; batchLines: number; seed: number },
  ) {
    const splits = sampleSplits(grammar, { seed: DATA_SEED, train: config.trainLines });
    this.dataHash = dataHash(splits);
    [this.train, this.heldOut, this.generalisation] = [splits.train, splits.dev, splits.generalisation];
    this.vocabulary = new Vocabulary(grammar);
    this.encoded = this.train.map((line) => this.vocabulary.encode(line));
    this.order = new Epochs(this.train.length, config.seed);
  }

  /** The batch of a step, counted from 1. */
  step(step: number): [() => Batch] {
    return [() => this.batch(this.order.step(step, this.config.batchLines).map((i) => this.encoded[i]!))];
  }

  batch(lines: Uint16Array[]): Batch {
    return batchOf(lines, this.vocabulary.end);
  }
}
