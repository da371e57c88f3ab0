/** Loss and gradients of a batch: as one TensorFlow graph where that is faster, else op by op. */
import { engine, tf, type Tensor } from '../tensor/engine';
import { Graph } from '../tensor/graph';
import * as K from '../tensor/kernels';
import type { Batch, LanguageModel } from '../model/model';
import { chunkSize } from '../tensor/ops';
import { parameterGroups, type Parameter } from '../tensor/parameters';
import { functional } from '../tensor/functional';
import { Tape, type ParameterValue, type TapeOptions } from '../tensor/tape';

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

type Options = Pick<TapeOptions, 'bf16' | 'dropout'>;

type Values = ReadonlyMap<Parameter, ParameterValue>;

/** Σ g² of all gradients. */
const sumSquares = (model: LanguageModel, gradients: Tensor[]): Tensor =>
  parameterGroups(model.parameters, gradients)
    .map(([, group]) => functional().sumSquares(group))
    .reduce(K.add);

/** @returns loss, squares, gradients */
function backward(model: LanguageModel, batch: Batch, options: Options, values: Values): Tensor[] {
  const tape = new Tape({ ...options, values, record: true });
  const { mean } = model.loss(tape, batch);
  tape.backward(mean);
  tape.release();
  const gradients = model.parameters.map((p) => tape.gradients.get(p)!);
  return [mean.value, sumSquares(model, gradients), ...gradients];
}

/** Graphs of each model, by what they hold fast. */
const graphs = new WeakMap<LanguageModel, Map<string, Graph>>();

export const graphsOf = (model: LanguageModel): Graph[] => [...(graphs.get(model)?.values() ?? [])];

/** Frees a model's graphs. */
export function disposeGraphs(model: LanguageModel): void {
  for (const graph of graphsOf(model)) graph.dispose();
  graphs.delete(model);
}

/** Whether one graph serves this batch and all others of unequal lines: the fused ops read the lines' lengths from a tensor. */
const servesAny = (model: LanguageModel, { layout, tokens, predicted }: Batch): boolean =>
  layout.padded !== null && predicted === null && tokens <= chunkSize(model.config.vocabulary);

function graphFor(
  model: LanguageModel,
  batch: Batch,
  options: Options,
  values: Values,
  feeds: Tensor[],
): Graph {
  const any = servesAny(model, batch);
  const { lines, longest } = batch.layout;
  const lengths = any ? 'any' : [lines, longest, batch.tokens, batch.predicted !== null].join();
  const key = [lengths, options.bf16, options.dropout !== undefined].join();
  const known = graphs.get(model) ?? new Map<string, Graph>();
  graphs.set(model, known);
  let graph = known.get(key);
  if (!graph) {
    const ofParameters = new Set([...values.values()].flatMap(({ value, operand }) => [value, operand]));
    const shaped = feeds.map((tensor) => ({
      tensor,
      shape: any && !ofParameters.has(tensor) && tensor.rank > 0 ? null : tensor.shape,
    }));
    known.set(key, (graph = Graph.trace(shaped, () => backward(model, batch, options, values))));
  }
  return graph;
}

/** Tensors of a batch: all that differs from step to step, besides the parameters. */
const tensorsOf = ({ inputs, predicted, targets, positions, inverseTokens, layout }: Batch): Tensor[] => [
  ...[inputs, targets, positions, inverseTokens, layout.starts],
  ...(predicted ? [predicted] : []),
];

/** Loss, squares and gradients of one batch. */
function ofBatch(model: LanguageModel, batch: Batch, options: Options, asGraph: boolean): Tensor[] {
  return tf.tidy(() => {
    const values = new Map(
      model.parameters.map((p) => {
        const value = p.read();
        return [p, { value, operand: options.bf16 && p.isMatrix ? p.readHalf() : value }] as const;
      }),
    );
    // Stock ops need the lines' lengths as plain numbers: unequal lines would take a graph for each batch.
    if (!asGraph || (batch.layout.padded && !engine().fused)) return backward(model, batch, options, values);
    const ofParameters = new Set([...values.values()].flatMap(({ value, operand }) => [value, operand]));
    const feeds = [...ofParameters, ...tensorsOf(batch), ...(options.dropout ? [options.dropout] : [])];
    return graphFor(model, batch, options, values, feeds).run(feeds);
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
