/** The Transformer of 2017 as a decoder-only language model with the settings of Murty et al. 2023 (arXiv 2305.18741). */
import type { VanillaConfig } from './config';
import * as K from '../tensor/kernels';
import * as ops from '../tensor/ops';
import { Parameter } from '../tensor/parameters';
import { Random } from '../util/random';
import { Node, type Tape } from '../tensor/tape';
import { tf, type Tensor } from '../tensor/engine';
import { LanguageModel, type Inputs, type LayerOptions, type OutputLayer } from './model';

/** sin and cos of position / 10000^(2i/C), interleaved (Vaswani et al. 2017, section 3.5). @returns `[positions, C]`, row-major */
function sinusoids(positions: number, width: number): Float32Array {
  const table = new Float32Array(positions * width);
  for (let t = 0; t < positions; t++)
    for (let i = 0; i < width; i++) {
      const angle = t / 10000 ** ((i - (i % 2)) / width);
      table[t * width + i] = i % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
    }
  return table;
}

interface Block {
  qkvWeight: Parameter;
  qkvBias: Parameter;
  outWeight: Parameter;
  outBias: Parameter;
  norm1Gain: Parameter;
  norm1Bias: Parameter;
  norm2Gain: Parameter;
  norm2Bias: Parameter;
  upWeight: Parameter;
  upBias: Parameter;
  downWeight: Parameter;
  downBias: Parameter;
}

/** Post-norm, ReLU, sinusoidal positions, embeddings × √C, untied output; dropout on embeddings, attention weights, hidden units and residual branches. */
export class Vanilla extends LanguageModel {
  readonly parameters: Parameter[] = [];
  private readonly table: Parameter;
  private readonly blocks: Block[];
  protected readonly output: OutputLayer;
  private readonly positions: Tensor;

  /**
   * Initialisation: Xavier-uniform matrices, zero biases; embeddings normal with std C^−½, so that scaled ones have unit
   * variance; output normal with std 0.01, so that the first loss is near ln V.
   */
  constructor(
    readonly config: VanillaConfig,
    seed: number,
  ) {
    super();
    const { layers, width: C, feedForward: F, vocabulary: V, context } = config;
    const random = new Random(seed, 'initialisation');
    const make = (name: string, shape: number[], values: Float32Array): Parameter => {
      const p = new Parameter(name, shape, values);
      this.parameters.push(p);
      return p;
    };
    const constant = (name: string, n: number, value: number) =>
      make(name, [n], new Float32Array(n).fill(value));
    const xavier = (name: string, rows: number, columns: number, fanIn = rows, fanOut = columns) => {
      const bound = Math.sqrt(6 / (fanIn + fanOut));
      return make(
        name,
        [rows, columns],
        Float32Array.from({ length: rows * columns }, () => bound * (2 * random.uniform() - 1)),
      );
    };
    this.table = make('embedding.weight', [V, C], random.normals(V * C, C ** -0.5));
    this.blocks = Array.from({ length: layers }, (_, i) => ({
      qkvWeight: xavier(`block.${i}.attention.qkv.weight`, C, 3 * C, C, C),
      qkvBias: constant(`block.${i}.attention.qkv.bias`, 3 * C, 0),
      outWeight: xavier(`block.${i}.attention.out.weight`, C, C),
      outBias: constant(`block.${i}.attention.out.bias`, C, 0),
      norm1Gain: constant(`block.${i}.norm1.gain`, C, 1),
      norm1Bias: constant(`block.${i}.norm1.bias`, C, 0),
      upWeight: xavier(`block.${i}.mlp.up.weight`, C, F),
      upBias: constant(`block.${i}.mlp.up.bias`, F, 0),
      downWeight: xavier(`block.${i}.mlp.down.weight`, F, C),
      downBias: constant(`block.${i}.mlp.down.bias`, C, 0),
      norm2Gain: constant(`block.${i}.norm2.gain`, C, 1),
      norm2Bias: constant(`block.${i}.norm2.bias`, C, 0),
    }));
    this.output = {
      weight: make('head.weight', [V, C], random.normals(V * C, 0.01)),
      bias: constant('head.bias', V, 0),
    };
    this.positions = tf.keep(tf.tensor2d(sinusoids(context, C), [context, C]));
  }

  /** Last-layer activations. @returns `[N, C]` */
  hidden(tape: Tape, batch: Inputs, { each, attend = ops.attention }: LayerOptions = {}): Node {
    const { width: C, dropout, heads } = this.config;
    const words = ops.embedding(tape, this.table, batch.inputs, Math.sqrt(C));
    const places = new Node(K.gather(this.positions, batch.positions));
    let residual = ops.dropout(tape, ops.add(tape, words, places), dropout);
    let normal = residual;
    this.blocks.forEach((b) => {
      const qkv = ops.linear(tape, normal, b.qkvWeight, b.qkvBias);
      const seen = attend(tape, qkv, batch.layout, heads, dropout);
      const attended = ops.linear(tape, seen, b.outWeight, b.outBias);
      const norm1 = { gain: b.norm1Gain, bias: b.norm1Bias };
      ({ normal, normalFloat32: residual } = ops.residualNorm(
        tape,
        residual,
        attended,
        norm1,
        dropout,
        true,
      ));
      const up = ops.activation(tape, ops.linear(tape, normal, b.upWeight, b.upBias), 'relu', dropout);
      const fed = ops.linear(tape, up, b.downWeight, b.downBias);
      const norm2 = { gain: b.norm2Gain, bias: b.norm2Bias };
      ({ normal, normalFloat32: residual } = ops.residualNorm(tape, residual, fed, norm2, dropout, true));
      each?.(residual);
    });
    return residual;
  }

  dispose(): void {
    super.dispose();
    this.positions.dispose();
  }
}
