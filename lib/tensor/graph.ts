/**
 * Functions of tensors as TensorFlow graphs. Op by op, a training step of a small model spends a third of its time in
 * calls, in memory allocated for every result, and in waiting for one op before the next. A graph is optimised and run
 * as a whole: bias and activation join their product, buffers are used again, independent ops run side by side.
 */
import { float, int, message, string } from '../util/protobuf';
import { dtypeOf, Graph, tf, watched, type Attributes, type Tensor, type Watcher } from './engine';

/** An input of a graph. `shape` null: it may differ from call to call. */
export interface Feed {
  tensor: Tensor;
  shape: number[] | null;
}

// Messages of tensorflow/core/framework: attr_value.proto, node_def.proto, tensor_shape.proto.

const shapeFields = (shape: number[] | null): Buffer[] =>
  shape ? shape.map((n) => message(2, int(1, n))) : [int(3, 1)];

/** Of a node; null: a shape that may differ, with `content`: a tensor. */
type Value = Attributes[string] | { content: Buffer; dtype: number; shape: number[] } | null;

function attribute(value: Value): Buffer {
  if (value === null || Array.isArray(value)) return message(7, ...shapeFields(value));
  if (typeof value === 'boolean') return int(5, value ? 1 : 0);
  if (typeof value === 'number') return int(3, value);
  if (typeof value === 'string') return string(2, value);
  if ('float' in value) return float(4, value.float);
  if (!('content' in value)) return int(6, value.dtype);
  const { content, dtype, shape } = value;
  return message(8, int(1, dtype), message(2, ...shapeFields(shape)), message(4, content));
}

function nodeDef(name: string, op: string, inputs: string[], attributes: Record<string, Value>): Buffer {
  const pairs = Object.entries(attributes).map(([key, value]) =>
    message(5, string(1, key), message(2, attribute(value))),
  );
  return message(1, string(1, name), string(2, op), ...inputs.map((input) => string(3, input)), ...pairs);
}

/** Newest version of graph semantics that this file was written for; TensorFlow runs older ones as they were. */
const PRODUCER = 1000;

/** Writes down the ops that run between `feeds` and the outputs. */
class Trace implements Watcher {
  private readonly nodes: Buffer[] = [];
  private readonly places = new Map<object, string>();

  constructor(feeds: Feed[]) {
    feeds.forEach(({ tensor, shape }, i) =>
      this.add(`feed${i}`, 'Placeholder', [], { dtype: { dtype: dtypeOf(tensor) }, shape }, [tensor]),
    );
  }

  private add(
    name: string,
    op: string,
    inputs: Tensor[],
    attributes: Record<string, Value>,
    outputs: Tensor[],
  ): void {
    const from = inputs.map((x) => this.place(x));
    this.nodes.push(nodeDef(name, op, from, attributes));
    outputs.forEach((x, i) => this.places.set(x.dataId, `${name}:${i}`));
  }

  ran(op: string, inputs: Tensor[], attributes: Attributes, outputs: Tensor[]): void {
    this.add(`op${this.nodes.length}`, op, inputs, attributes, outputs);
  }

  read(dataId: object): void {
    if (this.places.has(dataId))
      throw new Error(
        'graph: a traced tensor is read, or used by an op that is not in lib/tensor/kernels.ts; its number would become a constant of the graph',
      );
  }

  /** Where a tensor comes from; one from outside becomes a constant. */
  place(x: Tensor): string {
    if (!this.places.has(x.dataId)) {
      const dtype = dtypeOf(x);
      const { buffer, byteOffset, byteLength } = x.dataSync();
      const content = Buffer.from(buffer, byteOffset, byteLength);
      const value = { content, dtype, shape: x.shape };
      this.add(`constant${this.nodes.length}`, 'Const', [], { dtype: { dtype }, value }, [x]);
    }
    return this.places.get(x.dataId)!;
  }

  /** SavedModel of one graph, without variables (tensorflow/core/protobuf: saved_model.proto, meta_graph.proto). */
  savedModel(): Buffer {
    const graph = message(2, ...this.nodes, message(4, int(1, PRODUCER)));
    return Buffer.concat([int(1, 1), message(2, message(1, string(4, 'graph')), graph)]);
  }
}

/**
 * Runs `body` once to see its ops.
 * Trap: numbers that `body` reads from JavaScript (shapes, constants) stay as they are; all that changes from call to
 * call must come by a feed.
 */
export function traced(feeds: Feed[], body: () => Tensor[]): Graph {
  const trace = new Trace(feeds);
  let outputs: string[] = [];
  tf.tidy(() => {
    outputs = watched(trace, body).map((x) => trace.place(x));
  });
  return new Graph(
    trace.savedModel(),
    feeds.map((_, i) => `feed${i}:0`),
    outputs,
  );
}
