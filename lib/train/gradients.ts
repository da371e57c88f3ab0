/** Loss and gradients of a batch: as one TensorFlow graph where that is faster, else op by op. */
import { QUERY_BLOCK } from '../attention';
import { Graph } from '../graph';
import * as K from '../kernels';
import type { Batch, LanguageModel } from '../model/model';
import { TOKENS_AT_A_TIME } from '../ops';
import { Tape, type TapeOptions } from '../tape';
import { engine, isNative, tf, type Tensor } from '../tf';

/** Of all batches of a step together. */
export interface Gradients {
  /** `[]` nats: Σ over tokens × the batches' `share`. */
  loss: Tensor;
  /** `[]` Σ g² over all gradients, before clipping. */
  squares: Tensor;
  /** One per parameter, in the model's order. */
  gradients: Tensor[];
}

export interface GradientOptions {
  bf16: boolean;
  /** One per batch, as of the tape; none: no dropout. */
  dropout: Tensor[];
  /** Largest global norm: gradients of a larger one are scaled down to it. */
  clipNorm?: number;
}

type Options = Pick<TapeOptions, 'bf16' | 'dropout' | 'values'> & Pick<GradientOptions, 'clipNorm'>;

/** Gradients are replaced, not kept beside their clipped selves. @returns loss, squares, gradients */
function clipped(loss: Tensor, gradients: Tensor[], clipNorm: number | undefined): Tensor[] {
  const squares = K.sumSquares(gradients);
  if (clipNorm === undefined) return [loss, squares, ...gradients];
  const shrink = K.minimum(tf.scalar(1), K.mul(K.rsqrt(squares), tf.scalar(clipNorm)));
  return [loss, squares, ...gradients.map((g) => {
    const scaled = K.mul(g, shrink);
    g.dispose();
    return scaled;
  })];
}

function backward(model: LanguageModel, batch: Batch, { clipNorm, ...options }: Options): Tensor[] {
  const tape = new Tape({ ...options, record: true });
  const { mean } = model.loss(tape, batch);
  tape.backward(mean);
  tape.release();
  return clipped(mean.value, model.parameters.map((p) => tape.gradients.get(p)!), clipNorm);
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
  const any = ragged !== null && longest <= QUERY_BLOCK && batch.tokens <= TOKENS_AT_A_TIME;
  const key = [any ? 'any length' : `${longest} ${batch.tokens}`, lines, options.bf16, options.dropout !== undefined, options.clipNorm].join();
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

/** Loss, squares and gradients of one batch. On a GPU a session would take its inputs by way of the host, and plain TFJS has none. */
function ofBatch(model: LanguageModel, batch: Batch, options: Options, asGraph: boolean): Tensor[] {
  if (!asGraph) return tf.tidy(() => backward(model, batch, options));
  return tf.tidy(() => {
    const feeds = [...model.parameters.map((p) => p.read()), ...tensorsOf(batch), ...(options.dropout ? [options.dropout] : [])];
    return graphFor(model, batch, options, feeds).run(feeds);
  });
}

/** Sum of two lists, tensor by tensor; both are freed on the way. */
const added = (sum: Tensor[], more: Tensor[]): Tensor[] => sum.map((a, i) => {
  const both = K.add(a, more[i]!);
  tf.dispose([a, more[i]!]);
  return both;
});

/** @param batches of a step, whose gradients add up @param asGraph for tests: whether TensorFlow gets a whole graph, or op by op */
export function gradientsOf(model: LanguageModel, batches: Batch[], { bf16, dropout, clipNorm }: GradientOptions, asGraph = isNative() && engine().device === 'cpu'): Gradients {
  const [first, ...others] = batches.map((batch, i) => () => ofBatch(model, batch, { bf16, dropout: dropout[i], clipNorm: batches.length === 1 ? clipNorm : undefined }, asGraph));
  let all = first!();
  for (const other of others) all = added(all, other());
  if (others.length) {
    const [loss, , ...sums] = all as [Tensor, Tensor, ...Tensor[]];
    all = tf.tidy(() => clipped(loss, sums, clipNorm));
  }
  const [loss, squares, ...gradients] = all as [Tensor, Tensor, ...Tensor[]];
  return { loss, squares, gradients };
}
