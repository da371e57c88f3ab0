/** Base class of the language models, and the batches that they read. */
import type { ModelConfig } from './config';
import { UserError } from '../util/errors';
import * as K from '../tensor/kernels';
import { crossEntropy, rows, type attention, type TokenLoss } from '../tensor/ops';
import type { Parameter } from '../tensor/parameters';
import type { Layout } from '../tensor/functional';
import type { Node, Tape } from '../tensor/tape';
import { tf, type Tensor } from '../tensor/engine';

/** Tokens to read, `[N]` int32: the tokens of all lines concatenated, without padding. */
export interface Inputs {
  inputs: Tensor;
  /** Position of each token in its line, from 0. */
  positions: Tensor;
  layout: Layout;
}

/** Tokens to read and to predict. */
export interface Batch extends Inputs {
  /** `[n]` int32: indices into `inputs` of the tokens whose next token is predicted; null means all. */
  predicted: Tensor | null;
  /** `[n]` int32. */
  targets: Tensor;
  /** `[]` float32: one over the predicted tokens of the whole step. */
  inverseTokens: Tensor;
  /** Predicted tokens, n. */
  tokens: number;
}

/** Weight `[V, C]` and bias `[V]` of the output layer. */
export interface OutputLayer {
  weight: Parameter;
  bias: Parameter | null;
}

/** Of a pass through the layers. */
export interface LayerOptions {
  /** Called with the output of each block, `[N, C]`, in order. */
  each?: (block: Node) => void;
  /** In place of causal attention of the batch to itself; called once per layer, in order. */
  attend?: typeof attention;
}

/** A decoder-only language model. */
export abstract class LanguageModel {
  abstract readonly config: ModelConfig;
  /** In the order of initialisation. */
  abstract readonly parameters: Parameter[];
  protected abstract readonly output: OutputLayer;

  /** Activations of the last layer. @returns `[N, C]` */
  abstract hidden(tape: Tape, batch: Inputs, options?: LayerOptions): Node;

  /** Logits from activations of the last layer. @param x `[n, C]` @returns `[n, V]` */
  head(tape: Tape, x: Node): Tensor {
    const { weight, bias } = this.output;
    const product = K.float32(K.matMul(tape.operand(x.value), tape.parameter(weight).operand, false, true));
    return bias ? K.add(product, tape.parameter(bias).value) : product;
  }

  /** @returns `[N, V]` */
  logits(tape: Tape, batch: Inputs): Tensor {
    return this.head(tape, this.hidden(tape, batch));
  }

  /** Mean cross-entropy, and each token's. */
  loss(tape: Tape, batch: Batch): TokenLoss {
    const { weight, bias } = this.output;
    return crossEntropy(
      tape,
      rows(tape, this.hidden(tape, batch), batch.predicted),
      weight,
      bias,
      batch.targets,
      batch.inverseTokens,
    );
  }

  /** Of the parameters, one at a time in memory. */
  *values(): Generator<Float32Array> {
    for (const p of this.parameters) yield p.state().value;
  }

  dispose(): void {
    for (const p of this.parameters) p.dispose();
  }
}

const vector = (values: Int32Array): Tensor => tf.tensor1d(values, 'int32');

/**
 * Batch of lines of unequal length. Each token is predicted from those before it, the first from the token `start`. The
 * tensors belong to the caller's `tidy`.
 */
export function batchOf(lines: readonly ArrayLike<number>[], start: number, config: ModelConfig): Batch {
  if (lines.length === 0 || lines.some((line) => line.length === 0))
    throw new UserError(
      `lines: expected one or more, each of one or more tokens; got lengths ${lines.map((line) => line.length).join(', ') || 'of nothing'}: leave empty lines out`,
    );
  checkTokens(lines, config);
  checkTokens([[start]], config);
  const tokens = lines.reduce((n, line) => n + line.length, 0);
  const longest = lines.reduce((n, line) => Math.max(n, line.length), 0);
  const [inputs, targets, positions, padded] = [0, 1, 2, 3].map(() => new Int32Array(tokens)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const starts = new Int32Array(lines.length + 1);
  let at = 0;
  lines.forEach((line, b) => {
    starts[b + 1] = at + line.length;
    for (let t = 0; t < line.length; t++, at++) {
      inputs[at] = t === 0 ? start : line[t - 1]!;
      targets[at] = line[t]!;
      positions[at] = t;
      padded[at] = b * longest + t;
    }
  });
  return {
    inputs: vector(inputs),
    predicted: null,
    targets: vector(targets),
    positions: vector(positions),
    inverseTokens: tf.scalar(1 / tokens),
    tokens,
    layout: { lines: lines.length, longest, starts: vector(starts), padded: vector(padded) },
  };
}

/** Throws a UserError unless every sequence fits the model's context and every id its vocabulary. */
export function checkTokens(
  sequences: readonly ArrayLike<number>[],
  { context, vocabulary }: ModelConfig,
): void {
  for (const sequence of sequences) {
    if (sequence.length > context)
      throw new UserError(
        `tokens: expected at most ${context}, the model's context; got a sequence of ${sequence.length}: shorten it or use a model with a longer context`,
      );
    for (let t = 0; t < sequence.length; t++) {
      const id = sequence[t]!;
      if (!(Number.isInteger(id) && id >= 0 && id < vocabulary))
        throw new UserError(
          `tokens: expected ids from 0 to ${vocabulary - 1}, the model's vocabulary; got ${id} at position ${t}: check that the text was encoded for this model`,
        );
    }
  }
}

/** Sequences of one length that begin at position `from`. The tensors belong to the caller's `tidy`. */
export function inputsOf(sequences: readonly ArrayLike<number>[], from = 0): Inputs {
  const [lines, longest] = [sequences.length, sequences[0]!.length];
  const [inputs, positions] = [new Int32Array(lines * longest), new Int32Array(lines * longest)];
  sequences.forEach((sequence, b) => {
    inputs.set(sequence, b * longest);
    for (let t = 0; t < longest; t++) positions[b * longest + t] = from + t;
  });
  const starts = vector(Int32Array.from({ length: lines + 1 }, (_, b) => b * longest));
  return {
    inputs: vector(inputs),
    positions: vector(positions),
    layout: { lines, longest, starts, padded: null },
  };
}

/**
 * Batch of windows `[B][T + 1]` of a text: the first T tokens are read and the last `predicted` tokens are predicted.
 * Default: T.
 */
export function windowBatch(
  windows: readonly ArrayLike<number>[],
  config: ModelConfig,
  predicted?: number,
): Batch {
  const T = (windows[0]?.length ?? 0) - 1;
  if (T < 1 || windows.some((w) => w.length !== T + 1))
    throw new UserError(
      `windows: expected one or more of one length, at least 2 tokens; got lengths ${windows.map((w) => w.length).join(', ') || 'of nothing'}`,
    );
  const n = predicted ?? T;
  const [heads, tails] = [
    windows.map((w) => Array.prototype.slice.call(w, 0, T) as number[]),
    windows.map((w) => Array.prototype.slice.call(w, T + 1 - n) as number[]),
  ];
  checkTokens(heads, config);
  checkTokens(tails, config);
  const tokens = windows.length * n;
  const indices =
    n === T
      ? null
      : vector(
          Int32Array.from(
            windows.flatMap((_, b) => Array.from({ length: n }, (_, t) => (b + 1) * T - n + t)),
          ),
        );
  return {
    ...inputsOf(heads),
    predicted: indices,
    targets: vector(Int32Array.from(tails.flat())),
    inverseTokens: tf.scalar(1 / tokens),
    tokens,
  };
}
