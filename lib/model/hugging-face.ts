/** Reads and writes GPT-2 in Hugging Face's format: a folder with `config.json` and `model.safetensors`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkModel, type Gpt2Config } from './config';
import { UserError } from '../util/errors';
import { writeAtomically, writePartsAtomically } from '../util/files';
import { Gpt2, gpt2Shapes } from './gpt2';
import { SafetensorsFile, safetensorsParts } from '../util/safetensors';

const WEIGHTS = 'model.safetensors';
const CONFIG = 'config.json';

/** Prefix of names in `GPT2LMHeadModel`; names in `GPT2Model` and in OpenAI's published files have none. */
const PREFIX = 'transformer.';

/** Buffers in files of older versions: the causal mask and its value. */
const isMask = (name: string): boolean => /^h\.\d+\.attn\.(bias|masked_bias)$/.test(name);

/** Fields of `GPT2Config` that change the computation, and their supported values (the defaults). */
const FIXED: Record<string, readonly unknown[]> = {
  model_type: ['gpt2'],
  // Three names of one function, GELU by tanh.
  activation_function: ['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast', undefined],
  layer_norm_epsilon: [1e-5, undefined],
  scale_attn_weights: [true, undefined],
  scale_attn_by_inverse_layer_idx: [false, undefined],
  add_cross_attention: [false, undefined],
  tie_word_embeddings: [true, undefined],
};

/** @param path of a `config.json` */
function readConfig(path: string): Gpt2Config {
  let c: Record<string, unknown>;
  try {
    c = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new UserError(
      `${path}: expected the JSON of a GPT-2 config; ${(error as Error).message}: download it again`,
    );
  }
  const refuse = (field: string, expected: string): never => {
    throw new UserError(
      `${path}: ${field}: expected ${expected}; got ${JSON.stringify(c[field]) ?? 'nothing'}: models of this kind are not supported`,
    );
  };
  for (const [field, known] of Object.entries(FIXED))
    if (!known.includes(c[field])) refuse(field, JSON.stringify(known[0]));
  if (c.n_inner !== undefined && c.n_inner !== null && c.n_inner !== 4 * (c.n_embd as number))
    refuse('n_inner', `null or ${4 * (c.n_embd as number)}`);
  const dropout = c.resid_pdrop ?? 0.1;
  for (const field of ['embd_pdrop', 'attn_pdrop'])
    if ((c[field] ?? 0.1) !== dropout) refuse(field, `${String(dropout)}, as resid_pdrop`);
  const number = (field: string) => c[field] as number;
  const config: Gpt2Config = {
    kind: 'gpt2',
    layers: number('n_layer'),
    width: number('n_embd'),
    heads: number('n_head'),
    context: number('n_positions'),
    vocabulary: number('vocab_size'),
    dropout: dropout as number,
  };
  try {
    checkModel(config);
  } catch (error) {
    throw new UserError(`${path}: ${(error as Error).message}`);
  }
  return config;
}

/** Names in the file by parameter names. Throws, before anything is read, for tensors that are missing, unexpected, or of another shape or dtype. */
function fileNames(file: SafetensorsFile, config: Gpt2Config): Map<string, string> {
  const there = [...file.entries.keys()];
  const prefix = there.some((name) => name.startsWith(PREFIX)) ? PREFIX : '';
  const shapes = gpt2Shapes(config);
  const names = new Map(shapes.map(([name]) => [name, prefix + name]));
  for (const [name, shape] of shapes) file.check(prefix + name, shape);
  const wanted = new Set(names.values());
  for (const name of there) {
    if (wanted.has(name) || (name.startsWith(prefix) && isMask(name.slice(prefix.length)))) continue;
    if (name !== 'lm_head.weight')
      throw new UserError(
        `${file.path}: expected the tensors of GPT-2 with ${config.layers} layers; got ${name} too: the file is of another model or config`,
      );
    if (!file.equal(name, names.get('wte.weight')!))
      throw new UserError(
        `${file.path}: lm_head.weight: expected the values of wte.weight, to which GPT-2's output is tied; got others: models of this kind are not supported`,
      );
  }
  return names;
}

/** Reads a model, one tensor at a time. */
export function readGpt2(folder: string): Gpt2 {
  const config = readConfig(join(folder, CONFIG));
  const file = new SafetensorsFile(join(folder, WEIGHTS));
  try {
    const names = fileNames(file, config);
    return new Gpt2(config, (name) => file.read(names.get(name)!));
  } finally {
    file.close();
  }
}

/** Writes a model as `GPT2LMHeadModel.save_pretrained` does; with `prefixed: false` by the names of OpenAI's published files. */
export async function writeGpt2(folder: string, model: Gpt2, { prefixed = true } = {}): Promise<void> {
  const { layers, width, heads, context, vocabulary, dropout } = model.config;
  const path = join(folder, WEIGHTS);
  const tensors = model.parameters.map(({ name, shape }) => ({
    name: (prefixed ? PREFIX : '') + name,
    shape,
  }));
  await writePartsAtomically(path, safetensorsParts(tensors, model.values()));
  const config = {
    architectures: [prefixed ? 'GPT2LMHeadModel' : 'GPT2Model'],
    model_type: 'gpt2',
    n_layer: layers,
    n_embd: width,
    n_head: heads,
    n_positions: context,
    vocab_size: vocabulary,
    n_inner: null,
    activation_function: 'gelu_new',
    layer_norm_epsilon: 1e-5,
    resid_pdrop: dropout,
    embd_pdrop: dropout,
    attn_pdrop: dropout,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
    tie_word_embeddings: true,
    initializer_range: 0.02,
  };
  writeAtomically(join(folder, CONFIG), `${JSON.stringify(config, null, 2)}\n`);
}
