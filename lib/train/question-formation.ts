/** Question formation as a training task: batches of lines, held-out loss, hierarchical generalisation. */
import type { QuestionFormationConfig } from '../config';
import { dataHash, GRAMMAR, sampleSplits, Vocabulary, type Line } from '../data/question-formation';
import { Epochs } from '../data/windows';
import { batchOf, type Batch, type LanguageModel } from '../model/model';
import type { QuestionFormationMeasures } from './record';
import { evaluated, inGroups, meanLoss, type Task } from './task';

/** Lines per forward pass of an evaluation. */
const EVALUATION_BATCH = 50;

/** One seed draws the data of all runs, so that runs with different seeds see the same lines. */
export const DATA_SEED = 1;

/** A question whose first word tells the main auxiliary from the first one: the words differ. */
interface Probe { ids: Uint16Array; position: number; main: number; first: number }

export class QuestionFormation implements Task<QuestionFormationConfig> {
  readonly dataHash: string;
  private readonly train: Uint16Array[];
  private readonly heldOut: Uint16Array[];
  private readonly probes: Probe[];
  private readonly vocabulary = new Vocabulary(GRAMMAR);
  private readonly order: Epochs;

  constructor(private readonly config: QuestionFormationConfig) {
    const splits = sampleSplits(GRAMMAR, { seed: DATA_SEED, train: config.trainLines });
    this.dataHash = dataHash(splits);
    const encode = (line: Line) => this.vocabulary.encode(line);
    this.train = splits.train.map(encode);
    this.order = new Epochs(this.train.length, config.seed);
    this.heldOut = splits.dev.slice(0, config.evaluationLines).map(encode);
    this.probes = splits.generalisation
      .map((line) => ({ ids: encode(line), ...this.vocabulary.probe(line) }))
      .filter(({ main, first }) => main !== first)
      .slice(0, config.evaluationLines);
  }

  batches(step: number): [() => Batch] {
    const { batchLines } = this.config;
    const first = (step - 1) * batchLines;
    return [() => this.batch(Array.from({ length: batchLines }, (_, i) => this.train[this.order.at(first + i)]!))];
  }

  evaluate(model: LanguageModel): QuestionFormationMeasures {
    return { heldOutLossNats: meanLoss(model, this.config, this.heldOutBatches()), generalisation: this.preference(model) };
  }

  heldOutBatches(): (() => Batch)[] {
    return inGroups(this.heldOut, EVALUATION_BATCH).map((lines) => () => this.batch(lines));
  }

  dispose(): void {}

  private batch(lines: Uint16Array[]): Batch {
    return batchOf(lines, this.vocabulary.end);
  }

  /** Share of probes at which the model gives the main auxiliary a larger probability than the first one. */
  private preference(model: LanguageModel): number {
    let preferred = 0;
    for (const probes of inGroups(this.probes, EVALUATION_BATCH)) {
      evaluated(this.config, (tape) => {
        const lines = probes.map(({ ids, position }) => ids.subarray(0, position + 1));
        const logits = model.logits(tape, this.batch(lines));
        const values = logits.dataSync();
        const V = logits.shape[1]!;
        let row = -1;
        for (const { position, main, first } of probes) {
          row += position + 1;
          if (values[row * V + main]! > values[row * V + first]!) preferred++;
        }
      });
    }
    return preferred / this.probes.length;
  }
}
