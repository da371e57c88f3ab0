/** GPT-2 (Radford et al. 2019), with the parameter names and layouts of Hugging Face's `GPT2LMHeadModel`. */
import type { Gpt2Config } from './config';
import * as ops from '../tensor/ops';
import { Parameter } from '../tensor/parameters';
import { Random } from '../util/random';
import type { Node, Tape } from '../tensor/tape';
import { LanguageModel, type Inputs, type LayerOptions, type OutputLayer } from './model';

/** Initial values of a parameter. */
type InitialValues = (name: string, shape: number[]) => Float32Array;

/** Names and shapes of the parameters in the order of initialisation. Weights of linear layers are `[in, out]`. */
export function gpt2Shapes({
  layers,
  width: C,
  context,
  vocabulary,
}: Gpt2Config): [name: string, shape: number[]][] {
  const norm = (name: string): [string, number[]][] => [
    [`${name}.weight`, [C]],
    [`${name}.bias`, [C]],
  ];
  const linear = (name: string, rows: number, columns: number): [string, number[]][] => [
    [`${name}.weight`, [rows, columns]],
    [`${name}.bias`, [columns]],
  ];
  const block = (h: string) => [
    ...norm(`${h}.ln_1`),
    ...linear(`${h}.attn.c_attn`, C, 3 * C),
    ...linear(`${h}.attn.c_proj`, C, C),
    ...norm(`${h}.ln_2`),
    ...linear(`${h}.mlp.c_fc`, C, 4 * C),
    ...linear(`${h}.mlp.c_proj`, 4 * C, C),
  ];
  return [
    ['wte.weight', [vocabulary, C]],
    ['wpe.weight', [context, C]],
    ...Array.from({ length: layers }, (_, i) => block(`h.${i}`)).flat(),
    ...norm('ln_f'),
  ];
}

/**
 * Initialisation: normal with std 0.02, projections into the residual stream 0.02 / √(2L), biases 0, gains 1. The scale of
 * the projections is from Radford et al. 2019, section 2.3; 0.02 for both embeddings is Hugging Face's `initializer_range`,
 * used by nanoGPT too (the original code draws `wpe` with 0.01).
 */
export function gpt2Initial({ layers }: Gpt2Config, seed: number): InitialValues {
  const random = new Random(seed, 'initialisation');
  return (name, shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    if (shape.length === 1) return new Float32Array(size).fill(name.endsWith('.weight') ? 1 : 0);
    return random.normals(size, name.endsWith('c_proj.weight') ? 0.02 / Math.sqrt(2 * layers) : 0.02);
  };
}

/** Pre-norm, tanh-GELU, learned positions, output tied to the embedding; dropout on embeddings, attention weights and branches. */
export class Gpt2 extends LanguageModel {
  readonly parameters: Parameter[];
  protected readonly output: OutputLayer;
  private readonly named: Map<string, Parameter>;

  /** @param values called once per parameter, in the order of `gpt2Shapes` */
  constructor(
    readonly config: Gpt2Config,
    values: InitialValues,
  ) {
    super();
    this.parameters = gpt2Shapes(config).map(
      ([name, shape]) => new Parameter(name, shape, values(name, shape)),
    );
    this.named = new Map(this.parameters.map((p) => [p.name, p]));
    this.output = { weight: this.get('wte.weight'), bias: null };
  }

  private get(name: string): Parameter {
    return this.named.get(name)!;
  }

  hidden(tape: Tape, batch: Inputs, { each, attend = ops.attention }: LayerOptions = {}): Node {
    const { layers, heads, dropout } = this.config;
    const norm = (name: string) => ({ gain: this.get(`${name}.weight`), bias: this.get(`${name}.bias`) });
    const linear = (x: Node, name: string) =>
      ops.linear(tape, x, this.get(`${name}.weight`), this.get(`${name}.bias`));
    const words = ops.embedding(tape, this.get('wte.weight'), batch.inputs);
    const places = ops.embedding(tape, this.get('wpe.weight'), batch.positions);
    const embedded = ops.dropout(tape, ops.add(tape, words, places), dropout);
    // Each sum with the norm that follows it: that of the next half block, at the end the last one.
    let { sum, normal, normalFloat32 } = ops.residualNorm(tape, embedded, null, norm('h.0.ln_1'));
    for (let i = 0; i < layers; i++) {
      const [h, isLast] = [`h.${i}`, i + 1 === layers];
      const qkv = linear(normal, `${h}.attn.c_attn`);
      const seen = attend(tape, qkv, batch.layout, heads, dropout);
      const attended = linear(seen, `${h}.attn.c_proj`);
      ({ sum, normal } = ops.residualNorm(tape, sum, attended, norm(`${h}.ln_2`), dropout));
      const up = ops.activation(tape, linear(normal, `${h}.mlp.c_fc`), 'gelu');
      const fed = linear(up, `${h}.mlp.c_proj`);
      const next = norm(isLast ? 'ln_f' : `h.${i + 1}.ln_1`);
      ({ sum, normal, normalFloat32 } = ops.residualNorm(tape, sum, fed, next, dropout, isLast));
      each?.(sum);
    }
    return normalFloat32;
  }
}
