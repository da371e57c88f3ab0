/** Loss and gradients of a batch: as one TensorFlow graph where that is faster, else op by op. */
import { QUERY_BLOCK } from '../attention';
import { Graph } from '../graph';
import * as K from '../kernels';
import type { Batch, LanguageModel } from '../model/model';
import { AT_A_TIME } from '../ops';
import { Tape, type TapeOptions } from '../tape';
import { engine, isNative, tf, type Tensor } from '../tf';

export interface BatchGradients {
  /** `[]` nats: Σ over the batch's tokens × its `share`. */
  loss: Tensor;
  /** `[]` Σ g² over all gradients. */
  squares: Tensor;
  /** One per parameter, in the model's order. */
  gradients: Tensor[];
}

type Options = Pick<TapeOptions, 'bf16' | 'dropout' | 'values'>;

function backward(model: LanguageModel, batch: Batch, options: Options): Tensor[] {
  const tape = new Tape({ ...options, record: true });
  const { mean } = model.loss(tape, batch);
  tape.backward(mean);
  tape.release();
  const gradients = model.parameters.map((p) => tape.gradients.get(p)!);
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
function graphFor(model: LanguageModel, batch: Batch, options: Options, feeds: Tensor[]): Graph {
  const { lines, longest, ragged } = batch.layout;
  const any = ragged !== null && longest <= QUERY_BLOCK && batch.tokens * model.config.vocabulary <= AT_A_TIME.logits;
  const key = [any ? 'any length' : `${longest} ${batch.tokens}`, lines, options.bf16, options.dropout !== undefined].join();
  const known = graphs.get(model) ?? new Map<string, Graph>();
  graphs.set(model, known);
  let graph = known.get(key);
  if (!graph) {
    const fixed = model.parameters.length;
    const shaped = feeds.map((tensor, i) => ({ tensor, shape: any && i >= fixed ? null : tensor.shape }));
    const values = new Map(model.parameters.map((p, i) => [p, feeds[i]!]));
    known.set(key, (graph = Graph.trace(shaped, () => backward(model, batch, { ...options, values }))));
  }
  return graph;
}

/** Tensors of a batch: all that differs from step to step, beside the parameters. */
function tensorsOf({ inputs, targets, positions, share, layout: { ragged } }: Batch): Tensor[] {
  return [inputs, targets, positions, share, ...(ragged ? [ragged.slots, ragged.rows, ragged.square] : [])];
}

const named = ([loss, squares, ...gradients]: Tensor[]): BatchGradients => ({ loss: loss!, squares: squares!, gradients });

/** Loss and gradients, one native op after the other. @param options `dropout`: as of the tape */
export const opByOp = (model: LanguageModel, batch: Batch, options: Omit<Options, 'values'>): BatchGradients =>
  named(tf.tidy(() => backward(model, batch, options)));

/** The same as one graph. On a GPU a session would take its inputs by way of the host, and plain TFJS has none. */
export function gradientsOf(model: LanguageModel, batch: Batch, options: Omit<Options, 'values'>): BatchGradients {
  if (!isNative() || engine().device === 'gpu') return opByOp(model, batch, options);
  return named(tf.tidy(() => {
    const feeds = [...model.parameters.map((p) => p.read()), ...tensorsOf(batch), ...(options.dropout ? [options.dropout] : [])];
    return graphFor(model, batch, options, feeds).run(feeds);
  }));
}
