/** Loss and gradients of a batch: as one TensorFlow graph where that is faster, else op by op. */
import { engine, tf, type Graph, type Tensor } from '../tensor/engine';
import { traced } from '../tensor/graph';
import * as K from '../tensor/kernels';
import type { Batch, LanguageModel } from '../model/model';
import { chunkSize } from '../tensor/ops';
import { functional } from '../tensor/functional';
import { Tape } from '../tensor/tape';
import { parameterGroups } from './adamw';

/** Of all batches of a step together. */
export interface Gradients {
  /** `[]` nats: Σ over predicted tokens × the batches' `inverseTokens`. */
  loss: Tensor;
  /** `[]` Σ g² over all gradients. */
  squares: Tensor;
  /** One per parameter of the model; of matrices in the dtype of products. */
  gradients: Tensor[];
}

export interface GradientOptions {
  bf16: boolean;
  /** One per batch, as of the tape; none: no dropout. */
  dropout: Tensor[];
}

/** Σ g² of all gradients. */
const sumSquares = (model: LanguageModel, gradients: Tensor[]): Tensor =>
  parameterGroups(model.parameters, gradients)
    .map(([, group]) => functional().sumSquares(group))
    .reduce(K.add);

/** @returns loss, squares, gradients */
function backward(model: LanguageModel, batch: Batch, tape: Tape): Tensor[] {
  const { mean } = model.loss(tape, batch);
  tape.backward();
  const gradients = model.parameters.map((p) => tape.parameter(p).gradient!);
  return [mean, sumSquares(model, gradients), ...gradients];
}

/** Graphs of each model, by what they hold fast. */
const graphs = new WeakMap<LanguageModel, Map<string, Graph>>();

export const graphsOf = (model: LanguageModel): Graph[] => [...(graphs.get(model)?.values() ?? [])];

/** Frees a model's graphs. */
export function disposeGraphs(model: LanguageModel): void {
  for (const graph of graphsOf(model)) graph.dispose();
  graphs.delete(model);
}

/** Tensors of a batch: all that differs from step to step, besides the parameters. */
const tensorsOf = ({ inputs, predicted, targets, positions, inverseTokens, layout }: Batch): Tensor[] => [
  ...[inputs, targets, positions, inverseTokens, layout.starts],
  ...(predicted ? [predicted] : []),
];

/** Loss, squares and gradients by the graph of this batch, which is made where there is none. */
function byGraph(model: LanguageModel, batch: Batch, tape: Tape): Tensor[] {
  const { layout, tokens, predicted } = batch;
  const { bf16, dropout } = tape.options;
  // The fused ops read the lines' lengths from a tensor: one graph serves all batches of unequal lines.
  const servesAny = layout.padded !== null && predicted === null;
  const lengths = servesAny ? 'any' : [layout.lines, layout.longest, tokens, predicted !== null].join();
  const key = [lengths, bf16, dropout !== undefined].join();
  const read = model.parameters.map((p) => tape.parameter(p));
  const fixed = [...new Set(read.flatMap(({ value, operand }) => [value, operand]))];
  const changing = [...tensorsOf(batch), ...(dropout ? [dropout] : [])];
  const known = graphs.get(model) ?? new Map<string, Graph>();
  graphs.set(model, known);
  let graph = known.get(key);
  if (!graph) {
    const shape = (tensor: Tensor) => (servesAny && tensor.rank > 0 ? null : tensor.shape);
    const feeds = [
      ...fixed.map((tensor) => ({ tensor, shape: tensor.shape })),
      ...changing.map((tensor) => ({ tensor, shape: shape(tensor) })),
    ];
    known.set(key, (graph = traced(feeds, () => backward(model, batch, tape))));
  }
  return graph.run([...fixed, ...changing]);
}

/** Loss, squares and gradients of one batch. */
function ofBatch(
  model: LanguageModel,
  batch: Batch,
  options: { bf16: boolean; dropout?: Tensor },
  asGraph: boolean,
): Tensor[] {
  return tf.tidy(() => {
    const tape = new Tape(model.parameters, { ...options, record: true });
    // Stock ops need the lines' lengths as plain numbers: unequal lines would take a graph for each batch. Several chunks of
    // logits would be in a graph's memory at a time.
    const graphServes =
      (!batch.layout.padded || engine().fused) && batch.tokens <= chunkSize(model.config.vocabulary);
    return (asGraph && graphServes ? byGraph : backward)(model, batch, tape);
  });
}

/** Sum of two lists, tensor by tensor; both are freed on the way. */
const added = (sum: Tensor[], more: Tensor[]): Tensor[] =>
  sum.map((a, i) => {
    const b = more[i]!;
    const both = tf.tidy(() => K.add(K.float32(a), K.float32(b)));
    tf.dispose([a, b]);
    return both;
  });

/**
 * @param batches of a step, whose gradients add up
 * @param asGraph for tests: whether TensorFlow gets a whole graph, or op by op. On a GPU a session would take its inputs by way of the host.
 */
export function gradientsOf(
  model: LanguageModel,
  batches: Batch[],
  { bf16, dropout }: GradientOptions,
  asGraph = engine().device === 'cpu',
): Gradients {
  const [first, ...others] = batches.map(
    (batch, i) => () => ofBatch(model, batch, { bf16, dropout: dropout[i] }, asGraph),
  );
  let all = first!();
  for (const other of others) all = added(all, other());
  const [loss, squares, ...gradients] = all as [Tensor, Tensor, ...Tensor[]];
  if (!others.length) return { loss, squares, gradients };
  squares.dispose();
  return { loss, squares: sumSquares(model, gradients), gradients };
}
