/**
 * Functions of tensors as TensorFlow graphs. Op by op, a training step of a small model spends a third of its time in
 * calls, in memory allocated for every result, and in waiting for one op before the next. A graph is optimised and run
 * as a whole: bias and activation join their product, buffers are used again, independent ops run side by side.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { paths } from '../util/paths';
import { dtypeOf, LoadedGraph, tf, watched, type Attributes, type Tensor } from './engine';

/** An input of a graph. `shape` null: it may differ from call to call. */
export interface Feed {
  tensor: Tensor;
  shape: number[] | null;
}

// Protocol buffers, as far as a SavedModel needs them (tensorflow/core/protobuf/saved_model.proto and what it imports).
type Bytes = Buffer;

function varint(n: number): Bytes {
  if (!Number.isSafeInteger(n) || n < 0)
    throw new RangeError(`graph: expected whole numbers of at least 0; got ${n}`);
  const bytes: number[] = [];
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
  return Buffer.from([...bytes, n]);
}
const int = (field: number, n: number): Bytes => Buffer.concat([varint(field * 8), varint(n)]);
const message = (field: number, ...parts: Bytes[]): Bytes => {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
};
const text = (field: number, s: string): Bytes => message(field, Buffer.from(s));
const shapeBytes = (shape: number[] | null): Bytes[] =>
  shape ? shape.map((n) => message(2, int(1, n))) : [int(3, 1)];

/** AttrValue. */
function attribute(
  value: Attributes[string] | { shape: null } | { content: Bytes; dtype: number; dimensions: number[] },
): Bytes {
  if (typeof value === 'boolean') return int(5, value ? 1 : 0);
  if (typeof value === 'number') return int(3, value);
  if (typeof value === 'string') return text(2, value);
  if (Array.isArray(value)) return message(7, ...shapeBytes(value));
  if ('content' in value)
    return message(
      8,
      int(1, value.dtype),
      message(2, ...shapeBytes(value.dimensions)),
      message(4, value.content),
    );
  if ('shape' in value) return message(7, ...shapeBytes(null));
  if ('float' in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeFloatLE(value.float);
    return Buffer.concat([varint(4 * 8 + 5), bytes]);
  }
  return int(6, value.dtype);
}

function nodeDef(
  name: string,
  op: string,
  inputs: string[],
  attributes: Record<string, Parameters<typeof attribute>[0]>,
): Bytes {
  const pairs = Object.entries(attributes).map(([key, value]) =>
    message(5, text(1, key), message(2, attribute(value))),
  );
  return message(1, text(1, name), text(2, op), ...inputs.map((input) => text(3, input)), ...pairs);
}

/** Newest version of graph semantics that this file was written for; TensorFlow runs older ones as they were. */
const PRODUCER = 1000;

/** Writes down the ops that run between `feeds` and the outputs. */
class Trace {
  private readonly nodes: Bytes[] = [];
  private readonly places = new Map<object, string>();
  private readonly controls = new Map<object, string>();

  constructor(feeds: Feed[]) {
    feeds.forEach(({ tensor, shape }, i) => {
      this.nodes.push(
        nodeDef(`feed${i}`, 'Placeholder', [], {
          dtype: { dtype: dtypeOf(tensor) },
          shape: shape ?? { shape: null },
        }),
      );
      this.places.set(tensor.dataId, `feed${i}:0`);
    });
  }

  ran(op: string, inputs: Tensor[], attributes: Attributes, outputs: Tensor[]): void {
    const name = `op${this.nodes.length}`;
    const from = inputs.map((x) => this.place(x));
    const after = inputs.map((x) => this.controls.get(x)).filter((control) => control !== undefined);
    const node = nodeDef(`${name}`, op, [...from, ...new Set(after as string[])], attributes);
    this.nodes.push(node);
    outputs.forEach((x, i) => this.places.set(x.dataId, `${name}:${i}`));
  }

  read(dataId: object): void {
    if (this.places.has(dataId))
      throw new Error(
        'graph: a traced tensor is read, or used by an op that is not in lib/tensor/kernels.ts; its number would become a constant of the graph',
      );
  }

  /** Whoever uses `x` runs after `earlier`. */
  after(x: Tensor, earlier: Tensor): void {
    this.controls.set(x, `^${this.place(earlier).split(':')[0]}`);
  }

  /** Where a tensor comes from; one from outside becomes a constant. */
  place(x: Tensor): string {
    let place = this.places.get(x.dataId);
    if (place) return place;
    const name = `constant${this.nodes.length}`;
    const dtype = dtypeOf(x);
    const values = x.dataSync();
    const content = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
    this.nodes.push(
      nodeDef(name, 'Const', [], { dtype: { dtype }, value: { content, dtype, dimensions: x.shape } }),
    );
    this.places.set(x.dataId, (place = `${name}:0`));
    return place;
  }

  /** SavedModel of one graph, without variables. */
  savedModel(): Bytes {
    const graph = message(2, ...this.nodes, message(4, int(1, PRODUCER)));
    return Buffer.concat([int(1, 1), message(2, message(1, text(4, 'graph')), graph)]);
  }
}

let tracing: Trace | null = null;

/** Within a trace: whoever uses the result runs after `earlier` is computed. Bounds what is in memory at a time. */
export function after(x: Tensor, earlier: Tensor | null): Tensor {
  if (!tracing || !earlier) return x;
  const y = tf.clone(x);
  tracing.after(y, earlier);
  return y;
}

export class Graph {
  private constructor(
    readonly definition: Buffer,
    private readonly loaded: LoadedGraph,
  ) {}

  /**
   * Runs `body` once to see its ops.
   * Trap: numbers that `body` reads from JavaScript (shapes, constants) stay as they are; all that changes from call to
   * call must come by a feed.
   */
  static trace(feeds: Feed[], body: () => Tensor[]): Graph {
    const trace = new Trace(feeds);
    const definition = tf.tidy(() => {
      tracing = trace;
      try {
        const outputs = watched(trace, body);
        return { names: outputs.map((x) => trace.place(x)), model: trace.savedModel() } as never;
      } finally {
        tracing = null;
      }
    }) as unknown as { names: string[]; model: Buffer };
    mkdirSync(paths.cache, { recursive: true });
    const folder = mkdtempSync(join(paths.cache, 'graph-'));
    try {
      writeFileSync(join(folder, 'saved_model.pb'), definition.model);
      return new Graph(
        definition.model,
        new LoadedGraph(
          folder,
          feeds.map((_, i) => `feed${i}:0`),
          definition.names,
        ),
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  run(feeds: Tensor[]): Tensor[] {
    return this.loaded.run(feeds);
  }

  dispose(): void {
    this.loaded.dispose();
  }
}
