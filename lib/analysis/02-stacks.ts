/** Notebook 02: the energy along the blocks of a trained GPT-2 and of stacks to compare it with. */
import { openDataset } from '../data/text/shards';
import { Windows } from '../data/text/windows';
import { descend, randomBlock } from '../energy/energy-transformer';
import { layeredEnergy, layeredMemory } from '../energy/layers';
import type { Matrix } from '../energy/matrix';
import { runId } from '../experiments/experiment';
import { arm, DECIDING_SEEDS, replica, runsWithWeights, type ReplicaConfig } from '../experiments/replica';
import { trainedModel } from '../experiments/run';
import { buildModel } from '../model/build';
import { windowBatch, type LanguageModel } from '../model/model';
import { committedMeasure, keptMeasure } from '../report/measure';
import type { Tier } from '../train/config';
import { allLayers } from '../train/evaluate';
import { committedModel } from '../train/weights';
import { Random } from '../util/random';
import { mean } from '../util/statistics';
import { recited } from './shared/recited';

/** Of a model: energies of the states after each block. */
export interface Stack {
  /** Mean global energy after each block. */
  energies: number[];
  /** Share of states whose energy falls from one block to the next. */
  falling: number[];
}

/** Windows of training text, whose activations are the patterns of the layers, and of other text, whose activations are the states. */
export interface Texts {
  patterns: readonly ArrayLike<number>[];
  states: readonly ArrayLike<number>[];
}

/** Activations of both after every block. */
const activations = (
  model: LanguageModel,
  config: ReplicaConfig,
  { patterns, states }: Texts,
): [layers: Matrix[], states: Matrix[]] => {
  const of = (windows: readonly ArrayLike<number>[]) =>
    allLayers(model, config, [() => windowBatch(windows, config.model)]).slice(0, config.model.layers);
  return [of(patterns), of(states)];
};

/** Rows with mean 0 and variance 1, as the next block reads them but for a gain and a bias. */
function normed({ values, rows, width }: Matrix): Matrix {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * width, (i + 1) * width);
    const centre = mean(row);
    const deviation = Math.sqrt(mean(row.map((x) => (x - centre) ** 2)));
    out.set(
      row.map((x) => (x - centre) / deviation),
      i * width,
    );
  }
  return { values: out, rows, width };
}

/** The stack of states that pass from block to block, with the patterns of each block as layers. */
function stackFrom(layers: readonly Matrix[], path: readonly Matrix[]): Stack {
  const energies = path.map((states) => layeredEnergy({ layers, states, beta: 1 }).energies);
  return { energies: energies.map(mean), falling: sharePerPair(energies) };
}

/** The stack of a model: patterns of layer t are the activations of training tokens after block t. */
export const stackOf = (model: LanguageModel, config: ReplicaConfig, texts: Texts): Stack =>
  stackFrom(...activations(model, config, texts));

/** A model whose block t has the weights of block `order[t]` of another. */
function rearranged(model: LanguageModel, config: ReplicaConfig, order: readonly number[]): LanguageModel {
  const copy = buildModel(config.model, config.seed);
  const from = new Map(model.parameters.map((p) => [p.name, p]));
  for (const p of copy.parameters) {
    const name = p.name.replace(/^h\.(\d+)/, (_, t: string) => `h.${order[Number(t)]}`);
    p.write(from.get(name)!.state().value);
  }
  return copy;
}

/** Most orders of the blocks that are tried. */
const MOST_ORDERS = 24;

/** All orders of so many blocks, or if there are too many, the true one and others at random. */
export function blockOrders(blocks: number, seed: number): number[][] {
  const all = (rest: number[]): number[][] =>
    rest.length ? rest.flatMap((t) => all(rest.filter((s) => s !== t)).map((order) => [t, ...order])) : [[]];
  const identity = Array.from({ length: blocks }, (_, t) => t);
  if (blocks <= 4) return all(identity);
  const random = new Random(seed, 'orders');
  const shuffled = () =>
    identity
      .map((t) => [random.uniform(), t])
      .sort(([a], [b]) => a! - b!)
      .map(([, t]) => t!);
  return [identity, ...Array.from({ length: MOST_ORDERS - 1 }, shuffled)];
}

/** What one seed gives: the trained stack, its controls, and the share of falling tokens for other orders of its blocks. */
export interface Stacks {
  seed: number;
  trained: Stack;
  untrained: Stack;
  /** The same two with normed activations, all of one length. */
  trainedNormed: Stack;
  untrainedNormed: Stack;
  /** The trained model with its second block in every place. */
  tied: Stack;
  /** An Energy Transformer block with random weights, applied again and again: it descends an energy of its own. */
  energyBlock: Stack;
  /** Steps of majorisation-minimisation on the patterns of the trained stack: they descend this very energy. */
  steps: Stack;
  /** Of every order of the blocks, the true one first. */
  orders: number[];
}

const sharePerPair = (energies: readonly Float64Array[]): number[] =>
  energies.slice(1).map((after, t) => mean(after.map((e, i) => Number(e < energies[t]![i]!))));

/** Tokens that one sequence of the Energy Transformer has, and how far it steps. */
const SEQUENCE = { length: 20, rate: 0.2 };

/** The two stacks that descend an energy by construction, from the trained model's activations after its first block. */
function descents(layers: Matrix[], states: Matrix, seed: number): Pick<Stacks, 'energyBlock' | 'steps'> {
  const steps = layers.length - 1;
  const block = randomBlock(states.width, new Random(seed, 'energy block'));
  const [patterns, held] = [layers[0]!, states].map(
    (rows) => descend(block, rows, { ...SEQUENCE, steps }).layers,
  );
  const memory = layeredMemory({ layers, beta: 1 });
  const path = [states];
  for (let t = 0; t < steps; t++) path.push(memory.update(path[t]!));
  return { energyBlock: stackFrom(patterns!, held!), steps: stackFrom(layers, path) };
}

/** Everything that is measured on the trained model of a run. */
function stacksOf(trained: LanguageModel, config: ReplicaConfig, texts: Texts): Stacks {
  const blocks = config.model.layers;
  const of = (model: LanguageModel) => {
    try {
      return activations(model, config, texts);
    } finally {
      model.dispose();
    }
  };
  const inOrder = (order: readonly number[]) => stackFrom(...of(rearranged(trained, config, order)));
  const orders = blockOrders(blocks, config.seed).map((order) => mean(inOrder(order).falling));
  const [layers, states] = activations(trained, config, texts);
  const [firstLayers, firstStates] = of(buildModel(config.model, config.seed));
  return {
    seed: config.seed,
    trained: stackFrom(layers, states),
    untrained: stackFrom(firstLayers, firstStates),
    trainedNormed: stackFrom(layers.map(normed), states.map(normed)),
    untrainedNormed: stackFrom(firstLayers.map(normed), firstStates.map(normed)),
    tied: inOrder(Array(blocks).fill(1)),
    ...descents(layers, states[0]!, config.seed),
    orders,
  };
}

/** Windows whose activations are patterns, and those whose are states. */
const [PATTERN_WINDOWS, STATE_WINDOWS] = [16, 8];

/** Training text of a run, and text of other books. */
function booksOf(config: ReplicaConfig): Texts {
  const { train, validation } = openDataset(config.dataset);
  const windows = (what: string, source: typeof train, tokens: number, count: number) =>
    new Windows(what, source, tokens, config.model.context).readSpread(count);
  try {
    return {
      patterns: windows('training text', train, config.trainTokens, PATTERN_WINDOWS),
      states: windows('validation text', validation, validation.tokens, STATE_WINDOWS),
    };
  } finally {
    train.close();
    validation.close();
  }
}

const MEASURE = 'layers-stacks';

/** Stacks of the runs that memorised 47,488 tokens, as committed; to measure them again takes the books. */
export const stacks = (): Promise<Stacks[]> =>
  keptMeasure(MEASURE, () =>
    DECIDING_SEEDS.map((seed) => {
      const config = arm('desk', 'B', seed);
      const model = trainedModel(replica, config, 'last');
      try {
        return stacksOf(model, config, booksOf(config));
      } finally {
        model.dispose();
      }
    }),
  );

/** The stacks of one of these runs, from its committed weights and training text that is read out of them: some of it patterns, some states. */
export async function ownStacks(tier: Tier): Promise<Stacks> {
  const [config] = runsWithWeights('desk') as [ReplicaConfig, ...ReplicaConfig[]];
  const model = await committedModel({ id: runId(replica, config), config });
  try {
    const windows = recited(model, config, tier);
    const states = Math.min(STATE_WINDOWS, Math.floor(windows.length / 3));
    return stacksOf(model, config, {
      states: windows.slice(0, states),
      patterns: windows.slice(states, states + PATTERN_WINDOWS),
    });
  } finally {
    model.dispose();
  }
}

/** The committed stacks of all three runs. */
export const committedStacks = (): Stacks[] => committedMeasure(MEASURE);
