/** Reverse-mode differentiation over the hand-written gradients of `ops.ts`. */
import { tf, type Tensor } from './engine';
import type { Dropout } from './functional';
import * as K from './kernels';
import type { Parameter } from './parameters';

/** A value of the forward pass, and the gradient of the loss with respect to it as far as `backward` has summed it. */
export class Node {
  gradient: Tensor | null = null;

  /** @param operand of a parameter: what matrix products read. The gradient is in its dtype. */
  constructor(
    readonly value: Tensor,
    readonly operand = value,
  ) {}
}

/** How a forward pass runs. */
export interface TapeOptions {
  /** Matrix products in bfloat16, sums in float32. */
  bf16: boolean;
  /** Keep what `backward` needs. */
  record: boolean;
  /** `[]` int32, at least 0: seed of the dropout masks in training; without it dropout does nothing. */
  dropout?: Tensor;
}

/** Reads parameters, records one forward pass and plays it backwards. Trap: all of that inside one `tf.tidy`, and the parameters are updated after it. */
export class Tape {
  private readonly pullbacks: (() => void)[] = [];
  private readonly nodes: Map<Parameter, Node>;
  private readonly changed = new Set<Node>();
  private masks = 0;

  constructor(
    parameters: readonly Parameter[],
    readonly options: TapeOptions,
  ) {
    this.nodes = new Map(parameters.map((p) => [p, p.node(options.bf16)]));
  }

  /** A parameter of this pass; after `backward` it holds the parameter's gradient. */
  parameter(p: Parameter): Node {
    return this.nodes.get(p)!;
  }

  /** As an operand of products. */
  operand(x: Tensor): Tensor {
    return this.options.bf16 ? K.bfloat16(x) : x;
  }

  /** One dropout mask; null outside of training. */
  dropout(rate: number): Dropout | null {
    const seed = this.options.dropout;
    return seed && rate > 0 ? { seed, stream: this.masks++, rate } : null;
  }

  /** A computed value; `pullback` takes its gradient and accumulates those of what it was computed from. */
  computed(value: Tensor, pullback: (dy: Tensor) => void): Node {
    const node = new Node(value);
    this.record([node], () => pullback(node.gradient!));
    return node;
  }

  /** The same for values that one op gives: `pullback` runs if a gradient has arrived at one of them, or if there are none. */
  record(outputs: Node[], pullback: () => void): void {
    if (!this.options.record) return;
    this.pullbacks.push(() => {
      if (outputs.length && outputs.every(({ gradient }) => !gradient)) return;
      pullback();
      for (const output of outputs) {
        output.gradient?.dispose();
        output.gradient = null;
      }
    });
  }

  /** Adds to the gradient of a node. */
  accumulate(node: Node, gradient: Tensor): void {
    const more = K.castLike(gradient, node.operand);
    this.replaceGradient(node, node.gradient ? K.add(node.gradient, more) : more);
  }

  /** For ops that add to the gradient of a node themselves. */
  replaceGradient(node: Node, gradient: Tensor): void {
    const own = tf.clone(gradient);
    node.gradient?.dispose();
    node.gradient = own;
    this.changed.add(node);
  }

  /** From what has a gradient already, and from `crossEntropy`, back to every parameter. */
  backward(): void {
    while (this.pullbacks.length) {
      this.changed.clear();
      tf.tidy(() => {
        this.pullbacks.pop()!();
        return [...this.changed].map(({ gradient }) => gradient!);
      });
    }
  }
}
