/** Reverse-mode differentiation over the hand-written gradients of `ops.ts`. */
import { tf, type Tensor } from './engine';
import * as K from './kernels';
import type { Parameter } from './parameters';
import type { Dropout } from './functional';

/** What a pass reads of a parameter: its float32 value, and what matrix products read. */
export interface ParameterValue {
  value: Tensor;
  operand: Tensor;
}

/** How a forward pass runs. */
export interface TapeOptions {
  /** Matrix products in bfloat16, sums in float32. */
  bf16: boolean;
  /** Keep what `backward` needs. */
  record: boolean;
  /** `[]` int32, at least 0: seed of the dropout masks in training; without it dropout does nothing. */
  dropout?: Tensor;
  /** Parameters that are read already. */
  values?: ReadonlyMap<Parameter, ParameterValue>;
}

/** A value of the forward pass, and after `backward` has reached it the gradient of the loss with respect to it, of one dtype with it. */
export class Node {
  gradient: Tensor | null = null;
  constructor(readonly value: Tensor) {}
}

/** A gradient, or the function that accumulates it on the sum of those that came before. */
type Contribution = Tensor | ((sum: Tensor | null) => Tensor);

/**
 * Records one forward pass and plays it backwards.
 * Trap: it lives inside one `tf.tidy`, and `release` ends it: until then TensorFlow holds the parameters' values twice
 * if they are updated.
 */
export class Tape {
  /** Gradient of the loss per parameter; parameters that took no part are absent. */
  readonly gradients = new Map<Parameter, Tensor>();
  private readonly pullbacks: (() => void)[] = [];
  private readonly leaves = new Map<Parameter, ParameterValue>();
  private readonly kept: Tensor[] = [];
  private masks = 0;
  private seed: Tensor | null = null;

  constructor(readonly options: TapeOptions) {}

  node(value: Tensor): Node {
    return new Node(value);
  }

  /** The parameter in this pass, read once. */
  parameter(p: Parameter): ParameterValue {
    let leaf = this.options.values?.get(p) ?? this.leaves.get(p);
    if (!leaf) {
      const value = this.keep(p.read());
      const operand = this.options.bf16 && p.isMatrix ? this.keep(p.readHalf()) : value;
      this.leaves.set(p, (leaf = { value, operand }));
    }
    return leaf;
  }

  /** As an operand of products. */
  operand(x: Tensor): Tensor {
    return this.options.bf16 ? K.bfloat16(x) : x;
  }

  /** Holds a tensor beyond the `tidy` in which it was made, until `release`. */
  private keep(tensor: Tensor): Tensor {
    this.kept.push(tf.keep(tensor));
    return tensor;
  }

  /** One dropout mask; null outside of training. */
  dropout(rate: number): Dropout | null {
    const seed = this.options.dropout;
    return seed && rate > 0 ? { seed, stream: this.masks++, rate } : null;
  }

  /** Trap: a loss that is weighted or summed with another would need a gradient that the forward pass did not make. */
  requireLoss(dy: Tensor): void {
    if (dy !== this.seed)
      throw new Error('crossEntropy: expected its mean to be what backward is called with');
  }

  release(): void {
    for (const tensor of this.kept.splice(0)) tensor.dispose();
  }

  /**
   * A computed value and how its gradient flows back: `pullback(dy)` gives one gradient per input, null for none.
   * Gradients of inputs that are parameters end in `gradients`.
   */
  computed(
    value: Tensor,
    inputs: (Node | Parameter)[],
    pullback: (dy: Tensor) => (Contribution | null)[],
  ): Node {
    return this.computedTogether([value], inputs, ([dy]) => pullback(dy!))[0]!;
  }

  /** The same for values that one op gives; `pullback` is called once, with null for what got no gradient. */
  computedTogether(
    values: Tensor[],
    inputs: (Node | Parameter)[],
    pullback: (dys: (Tensor | null)[]) => (Contribution | null)[],
  ): Node[] {
    const outputs = values.map((value) => this.node(value));
    if (!this.options.record) return outputs;
    this.pullbacks.push(() => {
      const dys = outputs.map(({ gradient }) => gradient);
      if (dys.every((dy) => dy === null)) return;
      const sums = new Map<Node | Parameter, Tensor>();
      tf.tidy(() => {
        const taken = new Set<unknown>(dys);
        pullback(dys).forEach((g, i) => {
          const input = inputs[i]!;
          if (!g) return;
          const before = sums.get(input) ?? this.gradientOf(input);
          if (typeof g === 'function') sums.set(input, g(before));
          // A tensor that is given twice, or passed on as it came, is disposed of once for each who gets it.
          else sums.set(input, accumulated(input, before, taken.has(g) ? tf.clone(g) : g));
          taken.add(g);
        });
        return [...sums.values()];
      });
      for (const [input, sum] of sums) this.replaceGradient(input, sum);
      tf.dispose(dys.filter((dy) => dy !== null) as Tensor[]);
      for (const output of outputs) output.gradient = null;
    });
    return outputs;
  }

  private gradientOf(input: Node | Parameter): Tensor | null {
    return (input instanceof Node ? input.gradient : this.gradients.get(input)) ?? null;
  }

  private replaceGradient(input: Node | Parameter, sum: Tensor): void {
    const before = this.gradientOf(input);
    if (before !== sum) before?.dispose();
    if (input instanceof Node) input.gradient = sum;
    else this.gradients.set(input, sum);
  }

  /** From the scalar `loss` back to every parameter. */
  backward(loss: Node): void {
    loss.gradient = this.seed = tf.scalar(1);
    while (this.pullbacks.length) this.pullbacks.pop()!();
  }
}

function accumulated(input: Node | Parameter, before: Tensor | null, g: Tensor): Tensor {
  const like = before ?? (input instanceof Node ? input.value : g);
  const same = K.castLike(g, like);
  return before ? K.add(before, same) : same;
}
