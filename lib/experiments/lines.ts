/** Lines of a grammar as training data: splits, batches, vocabulary. Question formation and its intervention share them. */
import { sentenceForms } from '../data/grammar/forms';
import type { Grammar } from '../data/grammar/grammar';
import { dataHash, sampleSplits, Vocabulary, type Line } from '../data/grammar/question-formation';
import { Epochs } from '../data/text/windows';
import type { VanillaConfig } from '../model/config';
import { batchOf, type Batch } from '../model/model';
import type { TrainingConfig } from '../train/config';
import { checkWhole, refuse } from '../util/check';

export interface LinesConfig extends TrainingConfig<VanillaConfig> {
  /** D: lines in the training split. */
  trainLines: number;
  /** Lines per step. */
  batchLines: number;
  /** Lines of each split per evaluation, at most. */
  evaluationLines: number;
  /** Draws the lines; absent: 1, whatever the run's seed. */
  dataSeed?: number;
  /** In its first steps a run reads the first lines of the training split alone. */
  fewFirst?: { lines: number; steps: number };
}

/** Longest line of a grammar, tokens: a sentence, its marker, as many words again, the end token. */
const longestLine = (grammar: Grammar): number =>
  2 * Math.max(...sentenceForms(grammar).map(({ classes }) => classes.length)) + 2;

export function checkLines(config: LinesConfig, grammar: Grammar): void {
  const { experiment, model } = config;
  for (const field of ['trainLines', 'batchLines', 'evaluationLines'] as const)
    checkWhole(field, config[field]);
  if (config.dataSeed !== undefined) checkWhole('dataSeed', config.dataSeed);
  if (config.fewFirst) {
    for (const field of ['lines', 'steps'] as const) checkWhole(`fewFirst.${field}`, config.fewFirst[field]);
    const { lines } = config.fewFirst;
    if (lines > config.trainLines)
      refuse('fewFirst.lines', `at most the ${config.trainLines} training lines`, lines, 'lower it');
  }
  const words = new Vocabulary(grammar).size;
  if (model.vocabulary < words)
    refuse(
      'model.vocabulary',
      `at least ${words}, the token types of ${experiment}`,
      model.vocabulary,
      'enlarge it',
    );
  const tokens = longestLine(grammar);
  if (model.context < tokens)
    refuse(
      'model.context',
      `at least ${tokens}, the longest line of ${experiment}`,
      model.context,
      'enlarge it',
    );
}

/** One seed draws the lines of all runs whose configs do not say otherwise, so that runs of different seeds see the same lines. */
export const dataSeedOf = ({ dataSeed = 1 }: Pick<LinesConfig, 'dataSeed'>): number => dataSeed;

export class Lines {
  readonly dataHash: string;
  readonly train: Line[];
  readonly heldOut: Line[];
  readonly generalisation: Line[];
  readonly vocabulary: Vocabulary;
  private readonly encoded: Uint16Array[];
  private readonly order: Epochs;
  private readonly firstOrder: Epochs | undefined;

  constructor(
    grammar: Grammar,
    private readonly config: Pick<
      LinesConfig,
      'trainLines' | 'batchLines' | 'seed' | 'model' | 'dataSeed' | 'fewFirst'
    >,
  ) {
    const splits = sampleSplits(grammar, { seed: dataSeedOf(config), train: config.trainLines });
    this.dataHash = dataHash(splits);
    [this.train, this.heldOut, this.generalisation] = [splits.train, splits.dev, splits.generalisation];
    this.vocabulary = new Vocabulary(grammar);
    this.encoded = this.train.map((line) => this.vocabulary.encode(line));
    this.order = new Epochs(this.train.length, config.seed);
    this.firstOrder = config.fewFirst && new Epochs(config.fewFirst.lines, config.seed);
  }

  /** The batch of a step, counted from 1. */
  step(step: number): [() => Batch] {
    const { fewFirst, batchLines } = this.config;
    const order = fewFirst && step <= fewFirst.steps ? this.firstOrder! : this.order;
    return [() => this.batch(order.step(step, batchLines).map((i) => this.encoded[i]!))];
  }

  batch(lines: Uint16Array[]): Batch {
    return batchOf(lines, this.vocabulary.end, this.config.model);
  }
}
