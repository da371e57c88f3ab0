/** What every language model of the collection offers, and the batches it reads. */
import type { Layout, TokenLoss } from '../ops';
import type { Parameter } from '../parameters';
import type { Node, Tape } from '../tape';
import { tf, type Tensor } from '../tf';

/** Tokens to read and to predict. All `[N]` int32: the tokens of all lines one after the other, without padding. */
export interface Batch {
  inputs: Tensor;
  targets: Tensor;
  /** Place of each token in its line, from 0. */
  positions: Tensor;
  layout: Layout;
  tokens: number;
}

export interface LanguageModel {
  /** In the order in which they were initialised. */
  readonly parameters: Parameter[];
  /** Activations of the last layer. @returns `[N, C]` */
  hidden(tape: Tape, batch: Batch): Node;
  /** Mean cross-entropy, and each token's. */
  loss(tape: Tape, batch: Batch): TokenLoss;
  /** @returns `[N, V]` */
  logits(tape: Tape, batch: Batch): Tensor;
  dispose(): void;
}

/**
 * Batch of lines of unequal length: token t of a line is read and token t + 1 predicted, `start` stands before the first.
 * The tensors belong to the caller's `tidy`.
 */
export function batchOf(lines: ArrayLike<number>[], start: number): Batch {
  const tokens = lines.reduce((n, line) => n + line.length, 0);
  const longest = lines.reduce((n, line) => Math.max(n, line.length), 0);
  const [inputs, targets, positions, slots] = [0, 1, 2, 3].map(() => new Int32Array(tokens)) as [Int32Array, Int32Array, Int32Array, Int32Array];
  let at = 0;
  lines.forEach((line, b) => {
    for (let t = 0; t < line.length; t++, at++) {
      inputs[at] = t === 0 ? start : line[t - 1]!;
      targets[at] = line[t]!;
      positions[at] = t;
      slots[at] = b * longest + t;
    }
  });
  const vector = (values: Int32Array) => tf.tensor1d(values, 'int32');
  const full = tokens === lines.length * longest;
  return {
    inputs: vector(inputs), targets: vector(targets), positions: vector(positions), tokens,
    layout: { lines: lines.length, longest, slots: full ? null : vector(slots) },
  };
}
