/** Question formation as a training task: batches of lines, held-out loss, hierarchical generalisation. */
import type { RunConfig } from '../config';
import { dataHash, GRAMMAR, sampleSplits, Vocabulary, type Line } from '../data/question-formation';
import { batchOf, type Batch, type LanguageModel } from '../model/model';
import { Random } from '../random';
import { Tape } from '../tape';
import { tf } from '../tf';
import { usesBf16 } from './step';
import type { Task } from './task';

/** Lines per forward pass of an evaluation. */
const EVALUATION_BATCH = 50;

/** One seed draws the data of all runs, so that runs with different seeds see the same lines. */
export const DATA_SEED = 1;

/** A question whose first word tells the main auxiliary from the first one: the words differ. */
interface Probe { ids: Uint16Array; position: number; main: number; first: number }

export class QuestionFormation implements Task {
  readonly dataHash: string;
  private readonly train: Uint16Array[];
  private readonly heldOut: Uint16Array[];
  private readonly probes: Probe[];
  private readonly vocabulary = new Vocabulary(GRAMMAR);
  private order: { epoch: number; lines: Uint32Array } = { epoch: -1, lines: new Uint32Array() };

  constructor(private readonly config: RunConfig) {
    const splits = sampleSplits(GRAMMAR, { seed: DATA_SEED, train: config.trainLines });
    this.dataHash = dataHash(splits);
    const encode = (line: Line) => this.vocabulary.encode(line);
    this.train = splits.train.map(encode);
    this.heldOut = splits.dev.slice(0, config.evaluationLines).map(encode);
    this.probes = splits.generalisation
      .map((line) => ({ ids: encode(line), ...this.vocabulary.probe(line) }))
      .filter(({ main, first }) => main !== first)
      .slice(0, config.evaluationLines);
  }

  /** Line at place `n` of the endless sequence of epochs, each a permutation of the training lines of its own. */
  private line(n: number): Uint16Array {
    const epoch = Math.floor(n / this.train.length);
    if (this.order.epoch !== epoch) this.order = { epoch, lines: new Random(this.config.seed, `order/${epoch}`).permutation(this.train.length) };
    return this.train[this.order.lines[n % this.train.length]!]!;
  }

  batch(step: number): Batch {
    const first = (step - 1) * this.config.batchLines;
    return batchOf(Array.from({ length: this.config.batchLines }, (_, i) => this.line(first + i)), this.vocabulary.end);
  }

  evaluate(model: LanguageModel): { heldOutLossNats: number; generalisation: number } {
    return { heldOutLossNats: this.loss(model, this.heldOut), generalisation: this.preference(model) };
  }

  private forward(): Tape {
    return new Tape({ bf16: usesBf16(this.config), record: false });
  }

  /** Mean over all tokens of the lines, nats. */
  private loss(model: LanguageModel, lines: Uint16Array[]): number {
    let [nats, tokens] = [0, 0];
    for (let i = 0; i < lines.length; i += EVALUATION_BATCH) {
      tf.tidy(() => {
        const tape = this.forward();
        const batch = batchOf(lines.slice(i, i + EVALUATION_BATCH), this.vocabulary.end);
        for (const loss of model.loss(tape, batch).perToken.dataSync()) nats += loss;
        tokens += batch.tokens;
        tape.release();
      });
    }
    return nats / tokens;
  }

  /** Share of probes at which the model gives the main auxiliary a larger probability than the first one. */
  private preference(model: LanguageModel): number {
    let preferred = 0;
    for (let i = 0; i < this.probes.length; i += EVALUATION_BATCH) {
      const probes = this.probes.slice(i, i + EVALUATION_BATCH);
      tf.tidy(() => {
        const tape = this.forward();
        const lines = probes.map(({ ids, position }) => ids.subarray(0, position + 1));
        const logits = model.logits(tape, batchOf(lines, this.vocabulary.end));
        const values = logits.dataSync();
        const V = logits.shape[1]!;
        let row = -1;
        for (const { position, main, first } of probes) {
          row += position + 1;
          if (values[row * V + main]! > values[row * V + first]!) preferred++;
        }
        tape.release();
      });
    }
    return preferred / this.probes.length;
  }
}
