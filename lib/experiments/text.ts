/** A text as a training task: windows of tokens, held-out loss, share of the training text that is known by heart. */
import type { TextConfig } from './config';
import type { Dataset } from '../data/text/shards';
import { Epochs, Windows } from '../data/text/windows';
import { distanceEnergy, nearestNeighbours } from '../energy/distance';
import type { Matrix } from '../energy/matrix';
import { memorisedShare } from '../model/generate';
import { windowBatch, type Batch, type LanguageModel } from '../model/model';
import { mean } from '../util/statistics';
import type { TextMeasures } from '../train/record';
import { inGroups, lastLayer, meanLoss, stacked, type Task } from '../train/evaluate';

export class Text implements Task<TextConfig> {
  readonly dataHash: string;
  private readonly train: Windows;
  private readonly heldOut: Uint16Array[];
  private readonly probes: Uint16Array[];
  /** Whose activations are patterns, and whose are states beside them. */
  private readonly compared: { train: Uint16Array[]; heldOut: Uint16Array[] };
  private readonly order: Epochs;

  /** Takes the data set over: `dispose` closes it. */
  constructor(
    private readonly config: TextConfig,
    private readonly dataset: Dataset,
  ) {
    const { context } = config.model;
    this.dataHash = dataset.sha256;
    this.train = new Windows(`training text of ${dataset.name}`, dataset.train, config.trainTokens, context);
    this.order = new Epochs(this.train.count, config.seed);
    const validation = new Windows(
      `validation text of ${dataset.name}`,
      dataset.validation,
      dataset.validation.tokens,
      context,
    );
    this.heldOut = validation.spread(config.evaluationWindows).map((i) => validation.read(i));
    this.probes = this.train.spread(config.memorised?.windows ?? 0).map((i) => this.train.read(i));
    const windows = config.energy?.windows ?? 0;
    this.compared = {
      train: this.train.spread(windows).map((i) => this.train.read(i)),
      heldOut: validation.spread(windows).map((i) => validation.read(i)),
    };
  }

  batches(step: number): (() => Batch)[] {
    const { accumulate, batchWindows } = this.config;
    return this.inBatches(this.order.step(step, accumulate * batchWindows), (i) => this.train.read(i));
  }

  evaluate(model: LanguageModel, step: number): TextMeasures {
    const { accumulate, batchWindows, memorised: parts } = this.config;
    return {
      heldOutLossNats: meanLoss(
        model,
        this.config,
        this.inBatches(this.heldOut, (window) => window),
      ),
      epoch: (step * accumulate * batchWindows) / this.train.count,
      memorisedShare: parts && memorisedShare(model, this.probes, parts),
      ...(this.config.energy ? this.geometry(model) : { energies: null, nearest: null }),
    };
  }

  private geometry(model: LanguageModel): Pick<TextMeasures, 'energies' | 'nearest'> {
    const rows = (windows: Uint16Array[]) =>
      windows.map((window) =>
        lastLayer(
          model,
          this.config,
          this.inBatches([window], (w) => w),
        ),
      );
    const [train, heldOut] = [rows(this.compared.train), rows(this.compared.heldOut)];
    const energy = (patterns: Matrix[], states: Matrix[]) =>
      mean(distanceEnergy({ patterns: stacked(patterns), states: stacked(states), beta: 1 }));
    const distance = (patterns: Matrix[], states: Matrix[]) =>
      mean(nearestNeighbours({ patterns: stacked(patterns), states: stacked(states) }).distances);
    const apart = (of: typeof energy) =>
      mean(
        train.map((window, i) =>
          of(
            train.filter((_, j) => j !== i),
            [window],
          ),
        ),
      );
    return {
      energies: { own: energy(train, train), others: apart(energy), heldOut: energy(train, heldOut) },
      nearest: { others: apart(distance), heldOut: distance(train, heldOut) },
    };
  }

  dispose(): void {
    this.dataset.train.close();
    this.dataset.validation.close();
  }

  private inBatches<T>(items: readonly T[], read: (item: T) => Uint16Array): (() => Batch)[] {
    const { batchWindows, model } = this.config;
    return inGroups(items, batchWindows).map((group) => () => windowBatch(group.map(read), model));
  }
}
