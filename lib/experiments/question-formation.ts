/** Question formation as a training task: held-out loss, hierarchical generalisation. */
import type { QuestionFormationConfig } from './config';
import { GRAMMAR } from '../data/grammar/question-formation';
import type { Batch, LanguageModel } from '../model/model';
import { Lines } from './lines';
import type { QuestionFormationMeasures } from '../train/record';
import { evaluated, inGroups, meanLoss, type Task } from '../train/evaluate';

/** Lines per forward pass of an evaluation. */
const EVALUATION_BATCH = 50;

/** A question whose first word tells the main auxiliary from the first one: the words differ. */
interface Probe {
  ids: Uint16Array;
  position: number;
  main: number;
  first: number;
}

export class QuestionFormation implements Task<QuestionFormationConfig> {
  private readonly lines: Lines;
  private readonly heldOut: Uint16Array[];
  private readonly probes: Probe[];

  constructor(private readonly config: QuestionFormationConfig) {
    this.lines = new Lines(GRAMMAR, config);
    const { vocabulary, heldOut, generalisation } = this.lines;
    this.heldOut = heldOut.slice(0, config.evaluationLines).map((line) => vocabulary.encode(line));
    this.probes = generalisation
      .map((line) => ({ ids: vocabulary.encode(line), ...vocabulary.probe(line) }))
      .filter(({ main, first }) => main !== first)
      .slice(0, config.evaluationLines);
  }

  get dataHash(): string {
    return this.lines.dataHash;
  }

  batches(step: number): [() => Batch] {
    return this.lines.step(step);
  }

  evaluate(model: LanguageModel): QuestionFormationMeasures {
    return {
      heldOutLossNats: meanLoss(model, this.config, this.heldOutBatches()),
      generalisation: this.preference(model),
    };
  }

  heldOutBatches(): (() => Batch)[] {
    return inGroups(this.heldOut, EVALUATION_BATCH).map((lines) => () => this.lines.batch(lines));
  }

  dispose(): void {}

  /** Share of probes at which the model gives the main auxiliary a larger probability than the first one. */
  private preference(model: LanguageModel): number {
    let preferred = 0;
    for (const probes of inGroups(this.probes, EVALUATION_BATCH)) {
      evaluated(this.config, (tape) => {
        const lines = probes.map(({ ids, position }) => ids.subarray(0, position + 1));
        const logits = model.logits(tape, this.lines.batch(lines));
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
