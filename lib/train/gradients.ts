/** Loss and gradients of a batch: as one TensorFlow graph where that is faster, else op by op. */
import { BF16_FROM, QUERY_BLOCK } from '../tensor/attention';
import { Graph } from '../tensor/graph';
import * as K from '../tensor/kernels';
import type { Batch, LanguageModel } from '../model/model';
import { tokensAtATime } from '../tensor/ops';
import { banksOf, type Bank } from '../tensor/parameters';
import { Tape, type Scaled, type TapeOptions } from '../tensor/tape';
import { engine, isNative, tf, type Tensor } from '../tensor/engine';

/** Of all batches of a step together. */
export interface Gradients {
  /** `[]` nats: Σ over tokens × the batches' `share`. */
  loss: Tensor;
  /** `[]` Σ g² over all gradients. */
  squares: Tensor;
  /** One per bank of the model's parameters, in the order of `banksOf`. */
  gradients: Tensor[];
}

export interface GradientOptions {
  bf16: boolean;
  /** One per batch, as of the tape; none: no dropout. */
  dropout: Tensor[];
  /** Whether matrices are to be taken as a number times a tensor even while the number is 1: then one graph serves a whole run. */
  decays: boolean;
}

type Options = Pick<TapeOptions, 'bf16' | 'dropout'>;

/** What banks hold, read. */
type Values = ReadonlyMap<Bank, Scaled>;

/** @returns loss, squares, gradients */
function backward(model: LanguageModel, batch: Batch, options: Options, values: Values): Tensor[] {
  const perParameter = new Map(
    [...values].flatMap(([bank, { stored, scale }]) =>
      bank.parts(stored).map((part, i) => [bank.parameters[i]!, { stored: part, scale }] as const),
    ),
  );
  const tape = new Tape({ ...options, values: perParameter, record: true });
  const { mean } = model.loss(tape, batch);
  tape.backward(mean);
  tape.release();
  const gradients = [...values.keys()].map((bank) =>
    bank.joined(bank.parameters.map((p) => tape.gradients.get(p)!)),
  );
  return [mean.value, K.sumSquares(gradients), ...gradients];
}

/** Graphs of each model, by what they hold fast. */
const graphs = new WeakMap<LanguageModel, Map<string, Graph>>();

export const graphsOf = (model: LanguageModel): Graph[] => [...(graphs.get(model)?.values() ?? [])];

/** Frees a model's graphs. */
export function disposeGraphs(model: LanguageModel): void {
  for (const graph of graphsOf(model)) graph.dispose();
  graphs.delete(model);
}

/**
 * The graph for batches like this one. Unequal lines that fit one block of attention and one piece of the loss leave
 * nothing of their lengths in it; any other shape of batch has a graph of its own.
 */
function graphFor(
  model: LanguageModel,
  batch: Batch,
  options: Options,
  values: Values,
  feeds: Tensor[],
): Graph {
  const { lines, longest, ragged } = batch.layout;
  const any =
    ragged !== null &&
    batch.predicted === null &&
    longest <= QUERY_BLOCK &&
    batch.tokens <= tokensAtATime(model.config.vocabulary);
  // Banks with the same scale share its tensor, and so its place in the graph.
  const scales = [...values.values()].map(({ scale }) => scale);
  const shared = scales.map((scale) => (scale ? scales.indexOf(scale) : '')).join(' ');
  const key = [
    any ? `any length, ${longest >= BF16_FROM}` : `${longest} ${batch.tokens} ${batch.predicted !== null}`,
    lines,
    options.bf16,
    options.dropout !== undefined,
    shared,
  ].join();
  const known = graphs.get(model) ?? new Map<string, Graph>();
  graphs.set(model, known);
  let graph = known.get(key);
  if (!graph) {
    const ofParameters = new Set([...values.values()].flatMap(({ stored, scale }) => [stored, scale]));
    const shaped = feeds.map((tensor) => ({
      tensor,
      shape: any && !ofParameters.has(tensor) ? null : tensor.shape,
    }));
    known.set(key, (graph = Graph.trace(shaped, () => backward(model, batch, options, values))));
  }
  return graph;
}

/** Tensors of a batch: all inputs of a step but the parameters. */
function tensorsOf({ inputs, predicted, targets, positions, share, layout: { ragged } }: Batch): Tensor[] {
  return [
    inputs,
    ...(predicted ? [predicted] : []),
    targets,
    positions,
    share,
    ...(ragged ? [ragged.slots, ragged.rows, ragged.square] : []),
  ];
}

/** Loss, squares and gradients of one batch. On a GPU a session would take its inputs by way of the host, and plain TFJS has none. */
function ofBatch(
  model: LanguageModel,
  batch: Batch,
  options: Options,
  decays: boolean,
  asGraph: boolean,
): Tensor[] {
  return tf.tidy(() => {
    const banks = banksOf(model.parameters);
    const scaled = decays || banks.some(({ scales }) => scales.value !== 1);
    const scales = new Map<number, Tensor>();
    const scaleOf = ({ scales: { value } }: Bank) =>
      scales.get(value) ?? scales.set(value, tf.scalar(value)).get(value)!;
    const values = new Map(
      banks.map((bank) => [
        bank,
        { stored: bank.stored(), scale: scaled && bank.isMatrix ? scaleOf(bank) : null },
      ]),
    );
    if (!asGraph) return backward(model, batch, options, values);
    const ofParameters = [...[...values.values()].map(({ stored }) => stored), ...scales.values()];
    const feeds = [...ofParameters, ...tensorsOf(batch), ...(options.dropout ? [options.dropout] : [])];
    return graphFor(model, batch, options, values, feeds).run(feeds);
  });
}

/** Sum of two lists, tensor by tensor; both are freed on the way. */
const added = (sum: Tensor[], more: Tensor[]): Tensor[] =>
  sum.map((a, i) => {
    const both = K.add(a, more[i]!);
    tf.dispose([a, more[i]!]);
    return both;
  });

/** @param batches of a step, whose gradients add up @param asGraph for tests: whether TensorFlow gets a whole graph, or op by op */
export function gradientsOf(
  model: LanguageModel,
  batches: Batch[],
  { bf16, dropout, decays }: GradientOptions,
  asGraph = isNative() && engine().device === 'cpu',
): Gradients {
  const [first, ...others] = batches.map(
    (batch, i) => () => ofBatch(model, batch, { bf16, dropout: dropout[i] }, decays, asGraph),
  );
  let all = first!();
  for (const other of others) all = added(all, other());
  const [loss, squares, ...gradients] = all as [Tensor, Tensor, ...Tensor[]];
  if (!others.length) return { loss, squares, gradients };
  squares.dispose();
  return { loss, squares: K.sumSquares(gradients), gradients };
}
