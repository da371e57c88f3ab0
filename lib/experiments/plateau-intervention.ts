/** Lines of the grammar family as a training task: losses position by position, and how many lines are known by heart. */
import type { PlateauConfig } from './config';
import { FAMILY } from '../data/grammar/grammar-family';
import type { Line } from '../data/grammar/question-formation';
import type { Batch, LanguageModel } from '../model/model';
import { sum } from '../util/statistics';
import { Lines } from './lines';
import type { PlateauMeasures } from '../train/record';
import { inGroups, scored, type Task } from '../train/evaluate';

/** Lines per forward pass of an evaluation. */
const EVALUATION_BATCH = 100;

/** What a model makes of some lines. */
interface Scores {
  lossNats: number;
  positionNats: number[];
  memorisedShare: number;
}

export class PlateauIntervention implements Task<PlateauConfig> {
  private readonly lines: Lines;

  constructor(private readonly config: PlateauConfig) {
    this.lines = new Lines(FAMILY[config.grammar], config);
  }

  get dataHash(): string {
    return this.lines.dataHash;
  }

  batches(step: number): [() => Batch] {
    return this.lines.step(step);
  }

  evaluate(model: LanguageModel): PlateauMeasures {
    const [heldOut, train] = [this.lines.heldOut, this.lines.train].map((lines) =>
      this.scores(model, lines.slice(0, this.config.evaluationLines)),
    ) as [Scores, Scores];
    return {
      heldOutLossNats: heldOut.lossNats,
      trainLinesLossNats: train.lossNats,
      positionNats: heldOut.positionNats,
      memorised: { train: train.memorisedShare, heldOut: heldOut.memorisedShare },
    };
  }

  dispose(): void {}

  private scores(model: LanguageModel, lines: Line[]): Scores {
    let [nats, tokens, memorised] = [0, 0, 0];
    const positions: number[] = [];
    for (const some of inGroups(lines, EVALUATION_BATCH)) {
      const ids = some.map((line) => this.lines.vocabulary.encode(line));
      const { nats: losses, right } = scored(model, this.config, () => this.lines.batch(ids));
      let at = 0;
      some.forEach((line, b) => {
        const length = ids[b]!.length;
        for (let t = 0; t < length; t++) positions[t] = (positions[t] ?? 0) + losses[at + t]!;
        // The marker is the last of the input.
        const given = Math.ceil((line.input.length - 1) / 2);
        if (right.slice(at + given, at + length).every(Boolean)) memorised++;
        at += length;
      });
      nats += sum(losses);
      tokens += at;
    }
    return {
      lossNats: nats / tokens,
      positionNats: positions.map((sum) => sum / lines.length),
      memorisedShare: memorised / lines.length,
    };
  }
}
