/** GPT-2 on windows of a text: held-out loss, memorised share of the training text, distance energies. `overfitting-9m` and `scaling-90m` share it. */
import { STORIES } from '../data/grammar/synthetic-entropy';
import { makeGenerated } from '../data/text/generated';
import { datasetNames, openDataset, VOCABULARY, vocabularyOf, type Dataset } from '../data/text/shards';
import { Epochs, Windows } from '../data/text/windows';
import { distanceEnergy, nearestNeighbours } from '../energy/distance';
import type { Matrix } from '../energy/matrix';
import { GPT2_SIZES, type Gpt2Config } from '../model/config';
import { memorisedShare } from '../model/generate';
import { windowBatch, type Batch, type LanguageModel } from '../model/model';
import type { TrainingConfig } from '../train/config';
import { lastLayer, meanLoss, stacked, type Task } from '../train/evaluate';
import type { Measures, RunRecord } from '../train/record';
import { checkWhole, refuse } from '../util/check';
import { oneOf } from '../util/errors';
import { percent } from '../util/format';
import { mean } from '../util/statistics';
import type { Experiment } from './experiment';
import { inGroups } from '../util/groups';

/** GPT-2 on the beginning of a data set of GPT-2's tokens. */
export interface TextConfig extends TrainingConfig<Gpt2Config> {
  /** Name of a data set that `npm run data` has made. */
  dataset: string;
  /** D: the first tokens of its training text, all that the model is trained on. */
  trainTokens: number;
  /** Of windows: each epoch has a random order of its own. */
  order: 'shuffled';
  /** Windows of `context` predicted tokens per forward pass. */
  batchWindows: number;
  /** Forward passes per step; their gradients add up to that of one large batch. */
  accumulate: number;
  /** Held-out windows per evaluation. */
  evaluationWindows: number;
  /** Training windows per evaluation whose continuation is compared with the text; null: none. */
  memorised: { windows: number; prefix: number; continuation: number } | null;
  /** Training windows per evaluation whose last-layer activations are the patterns of the distance energy, and as many held-out ones; null: none. */
  energy: { windows: number } | null;
}

export interface TextMeasures extends Measures {
  /** Passes over the training windows so far. */
  epoch: number;
  /** Share of training windows whose greedy continuation is the text itself; null where the config asks for none. */
  memorisedShare: number | null;
  /**
   * Mean distance energy (β = 1) of last-layer activations, with those of training windows as patterns: of the patterns
   * themselves (`own`, at most 0), of the patterns without those of their own window (`others`), and of held-out windows.
   * In units of distance; null where the config asks for none.
   */
  energies: { own: number; others: number; heldOut: number } | null;
  /** Mean distance to the nearest of the same patterns, its own window's left out, of training and of held-out activations. */
  nearest: { others: number; heldOut: number } | null;
}

export type TextRecord = RunRecord<TextConfig, TextMeasures>;

/** Whether a run reads a text. */
export const isText = (config: TrainingConfig): config is TextConfig => 'dataset' in config;

/** Predicted tokens per step. */
export const tokensPerStep = ({ batchWindows, accumulate, model }: TextConfig): number =>
  batchWindows * accumulate * model.context;

/** A GPT-2 of another size and context, without dropout. */
export const gpt2Of = (layers: number, width: number, heads: number, context: number): Gpt2Config => ({
  ...GPT2_SIZES.small,
  layers,
  width,
  heads,
  context,
  dropout: 0,
});

/** Whether the data set is large enough is checked when it is opened. */
function check(config: TextConfig): void {
  const { model, memorised, energy } = config;
  oneOf('config.model.kind', model.kind, ['gpt2']);
  oneOf('config.order', config.order, ['shuffled']);
  if (!config.dataset)
    refuse('dataset', 'the name of a data set', config.dataset, 'see "npm run data -- list"');
  for (const field of ['batchWindows', 'accumulate', 'evaluationWindows'] as const)
    checkWhole(field, config[field]);
  checkWhole('trainTokens', config.trainTokens, model.context + 1);
  if (energy !== null) checkWhole('energy.windows', energy.windows);
  if (memorised === null) return;
  for (const field of ['windows', 'prefix', 'continuation'] as const)
    checkWhole(`memorised.${field}`, memorised[field]);
  const { prefix, continuation } = memorised;
  if (prefix + continuation > model.context)
    refuse(
      'memorised.prefix',
      `with the continuation at most the context ${model.context}`,
      prefix + continuation,
      'shorten one of the two',
    );
}

export class TextTask implements Task<TextMeasures> {
  readonly dataHash: string;
  protected readonly train: Windows;
  private readonly heldOut: Uint16Array[];
  private readonly probes: Uint16Array[];
  /** Windows whose activations are the patterns of the distance energy, and windows whose activations are states in it. */
  private readonly compared: { train: Uint16Array[]; heldOut: Uint16Array[] };
  private readonly order: Epochs;

  /** `dispose` closes the data set. */
  constructor(
    protected readonly config: TextConfig,
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
    this.heldOut = validation.readSpread(config.evaluationWindows);
    this.probes = this.train.readSpread(config.memorised?.windows ?? 0);
    const windows = config.energy?.windows ?? 0;
    this.compared = {
      train: this.train.readSpread(windows),
      heldOut: validation.readSpread(windows),
    };
  }

  batches(step: number): (() => Batch)[] {
    const { accumulate, batchWindows } = this.config;
    return this.inBatches(this.order.step(step, accumulate * batchWindows), (i) => this.train.read(i));
  }

  evaluate(model: LanguageModel, step: number): TextMeasures {
    const { accumulate, batchWindows } = this.config;
    return {
      heldOutLossNats: this.lossOn(model, this.heldOut),
      epoch: (step * accumulate * batchWindows) / this.train.count,
      memorisedShare: this.memorised(model, step),
      ...(this.config.energy ? this.geometry(model) : { energies: null, nearest: null }),
    };
  }

  protected memorised(model: LanguageModel, _step: number): number | null {
    const { memorised: parts } = this.config;
    return parts && memorisedShare(model, this.probes, parts);
  }

  /** Mean over the predicted tokens, without an update, nats. */
  protected lossOn(model: LanguageModel, windows: readonly Uint16Array[]): number {
    return meanLoss(
      model,
      this.config,
      this.inBatches(windows, (window) => window),
    );
  }

  /** Last-layer activations of each window, `[T, width]`. */
  protected activations(model: LanguageModel, windows: readonly Uint16Array[]): Matrix[] {
    return windows.map((window) =>
      lastLayer(
        model,
        this.config,
        this.inBatches([window], (w) => w),
      ),
    );
  }

  private geometry(model: LanguageModel): Pick<TextMeasures, 'energies' | 'nearest'> {
    const [train, heldOut] = [this.compared.train, this.compared.heldOut].map((windows) =>
      this.activations(model, windows),
    ) as [Matrix[], Matrix[]];
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

  protected inBatches<T>(items: readonly T[], read: (item: T) => Uint16Array): (() => Batch)[] {
    const { batchWindows, model } = this.config;
    return inGroups(items, batchWindows).map((group) => () => windowBatch(group.map(read), model));
  }
}

/** Need neither network nor files: they are made where they are missing, in seconds. */
const SYNTHETIC = { limits: { train: 2_000_000, validation: 500_000 }, seed: 1 } as const;
const GENERATED = new Map([
  ['synthetic', { ...SYNTHETIC, vocabulary: VOCABULARY }],
  ['synthetic-2048', { ...SYNTHETIC, vocabulary: 2048 }],
]);

/** The data set of a config, whose vocabulary is the model's. */
export async function openText({ dataset: name, model }: TextConfig): Promise<Dataset> {
  const generated = GENERATED.get(name);
  if (generated && !datasetNames().includes(name)) await makeGenerated(STORIES, { name, ...generated });
  const dataset = openDataset(name);
  const vocabulary = vocabularyOf(dataset.meta);
  if (model.vocabulary !== vocabulary)
    refuse(
      'model.vocabulary',
      `${vocabulary}, that of data set ${name}`,
      model.vocabulary,
      'set it, or make the data set with --vocabulary',
    );
  return dataset;
}

/** What all experiments on texts have in common. */
export const onText: Omit<Experiment<TextConfig, TextMeasures>, 'name' | 'tiers'> = {
  check,
  idPart: ({ trainTokens }) => `-${trainTokens}-tokens`,
  task: async (config) => new TextTask(config, await openText(config)),
  summary: ({ epoch, memorisedShare }) =>
    `epoch ${epoch.toFixed(1)}${memorisedShare === null ? '' : `, memorised ${percent(memorisedShare)}`}`,
};
