/** Reverse-mode differentiation over the hand-written gradients of `ops.ts`. */
import * as K from './kernels';
import type { Parameter } from './parameters';
import { tf, type Tensor } from './engine';

/** A parameter's stored tensor, and `[]` what multiplies it; null: nothing does. */
export interface Scaled {
  stored: Tensor;
  scale: Tensor | null;
}

/** How a forward pass runs. */
export interface TapeOptions {
  /** Products in bfloat16, everything else in float32. */
  bf16: boolean;
  /** Keep what `backward` needs. */
  record: boolean;
  /** `[]` int32, at least 0: seed of the dropout masks in training; without it dropout does nothing. */
  dropout?: Tensor;
  /** Parameters that are read already. */
  values?: ReadonlyMap<Parameter, Scaled>;
}

/** A value of the forward pass, and after `backward` has reached it the gradient of the loss with respect to it. */
export class Node {
  gradient: Tensor | null = null;
  private cached: K.Operand | null = null;
  private product: Tensor | null = null;

  constructor(
    readonly stored: Tensor,
    private readonly tape: Tape,
    readonly scale: Tensor | null = null,
  ) {}

  get value(): Tensor {
    if (!this.scale) return this.stored;
    if (!this.product) this.tape.keep((this.product = K.mul(this.stored, this.scale)));
    return this.product;
  }

  /** The value as an operand of products, rounded once for all of them. */
  operand(): K.Operand {
    if (!this.cached) {
      this.cached = {
        ...K.operand(this.stored, this.tape.options.bf16),
        ...(this.scale && { scale: this.scale }),
      };
      if (this.cached.bf16) this.tape.keep(this.cached.tensor);
    }
    return this.cached;
  }
}

/** A gradient, or how it joins the sum of those that came before. */
type Contribution = Tensor | ((sum: Tensor | null) => Tensor);

const join = (sum: Tensor | null, g: Contribution): Tensor => {
  if (typeof g === 'function') return g(sum);
  return sum ? K.add(sum, g) : g;
};

/**
 * Records one forward pass and plays it backwards.
 * Trap: it lives inside one `tf.tidy`, and `release` ends it: until then TensorFlow holds the parameters' values twice
 * if they are updated.
 */
export class Tape {
  /** Gradient of the loss per parameter; parameters that took no part are absent. */
  readonly gradients = new Map<Parameter, Tensor>();
  private readonly pullbacks: (() => void)[] = [];
  private readonly leaves = new Map<Parameter, Node>();
  private readonly kept: Tensor[] = [];
  private readonly ones: { fp32?: K.Operand; bf16?: K.Operand } = {};
  private masks = 0;
  private seed: Tensor | null = null;

  constructor(readonly options: TapeOptions) {}

  node(value: Tensor): Node {
    return new Node(value, this);
  }

  /** The parameter's value in this pass, read once. */
  parameter(p: Parameter): Node {
    let leaf = this.leaves.get(p);
    if (!leaf) {
      const given = this.options.values?.get(p);
      const { stored, scale } = given ?? {
        stored: p.stored(),
        scale: p.scales.value === 1 ? null : tf.scalar(p.scales.value),
      };
      this.leaves.set(p, (leaf = new Node(stored, this, scale)));
      if (!given) this.keep(stored);
      if (!given && scale) this.keep(scale);
    }
    return leaf;
  }

  /** Holds a tensor beyond the `tidy` in which it was made, until `release`. */
  keep(tensor: Tensor): void {
    this.kept.push(tf.keep(tensor));
  }

  /** The next mask of this pass; its stream is its place in the order of masks. */
  dropoutMask(rate: number, like: Tensor): Tensor {
    const { dropout } = this.options;
    return tf.tidy(() => K.dropoutMask(dropout!, this.masks++, rate, like));
  }

  /** The same on an operand, in its own precision. */
  dropped(x: K.Operand, rate: number): K.Operand {
    return K.dropped(x, this.options.dropout!, this.masks++, rate);
  }

  /** Sum over the rows of a gradient. All of a pass have one row per token, so they share their ones. @param dy `[N, n]` @returns `[n]` */
  sumRows(dy: Tensor | K.Operand): Tensor {
    const x = 'bf16' in dy ? dy : { tensor: dy, bf16: false };
    const kind = x.bf16 ? 'bf16' : 'fp32';
    if (!this.ones[kind]) this.keep((this.ones[kind] = K.onePerRow(x)).tensor);
    return K.sumRows(x, this.ones[kind]);
  }

  /** Throws unless `dy` is the gradient that `backward` starts with. */
  mustBeLoss(dy: Tensor): void {
    if (dy !== this.seed)
      throw new Error('tape: this loss takes its own gradient for 1; differentiate it, not a function of it');
  }

  /** Frees the parameters' values and all operands; gradients stay. */
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
    const output = this.node(value);
    if (!this.options.record) return output;
    this.pullbacks.push(() => {
      const dy = output.gradient;
      if (!dy) return;
      const sums = new Map<Node | Parameter, Tensor>();
      tf.tidy(() => {
        const fresh = pullback(dy);
        inputs.forEach((input, i) => {
          // What is passed on as it is must outlive dy, once for each who gets it.
          const g = fresh[i] === dy ? tf.clone(dy) : fresh[i];
          if (g) sums.set(input, join(sums.get(input) ?? this.gradientOf(input), g));
        });
        return [...sums.values()];
      });
      for (const [input, sum] of sums) this.replaceGradient(input, sum);
      dy.dispose();
      output.gradient = null;
    });
    return output;
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
