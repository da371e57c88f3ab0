/**
 * Reads and writes GPT-2 in Hugging Face's format: a folder with `config.json` and `model.safetensors`, or with several files
 * of tensors and `model.safetensors.index.json`, whose `weight_map` names the file of each tensor.
 */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { checkModel, type Gpt2Config } from './config';
import { excerpt, lfsPointer, UserError } from '../util/errors';
import { writeAtomically, writePartsAtomically } from '../util/files';
import { Gpt2, gpt2Shapes } from './gpt2';
import { SafetensorsFile, safetensorsParts } from '../util/safetensors';

const WEIGHTS = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
/** What PyTorch writes, which only Python reads. */
const PICKLED = 'pytorch_model.bin';
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

/** Reads an object of JSON. @param what it is, for errors */
function readObject(path: string, what: string): Record<string, unknown> {
  const refuse = (got: string): never => {
    throw new UserError(`${path}: expected the JSON of ${what}; ${got}: download it again`);
  };
  let text = '';
  let json: unknown;
  try {
    text = readFileSync(path, 'utf8').replace(/^\ufeff/, '');
    json = JSON.parse(text);
  } catch (error) {
    if (text.startsWith('version https://git-lfs')) throw lfsPointer(path, `the JSON of ${what}`);
    return refuse((error as Error).message);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return refuse(`got ${text.trim().slice(0, 20)}`);
  return json as Record<string, unknown>;
}

/** @param path of a `config.json` */
function readConfig(path: string): Gpt2Config {
  const c = readObject(path, 'a GPT-2 config');
  const refuse = (field: string, expected: string): never => {
    throw new UserError(
      `${path}: ${field}: expected ${expected}; got ${excerpt(c[field])}: models of this kind are not supported`,
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

/** The tensors of a folder, whether in one file or in several. As in transformers, the one file counts before an index. */
class TensorFolder {
  /** Of the one file, or of the index. */
  readonly path: string;
  readonly fileOf = new Map<string, SafetensorsFile>();
  private readonly files: SafetensorsFile[] = [];

  constructor(folder: string) {
    const [single, index] = [join(folder, WEIGHTS), join(folder, INDEX)];
    const isSharded = !existsSync(single) && existsSync(index);
    this.path = isSharded ? index : single;
    if (!existsSync(this.path) && existsSync(join(folder, PICKLED)))
      throw new UserError(
        `${folder}: expected ${WEIGHTS}; got ${PICKLED}: convert it, as transformers' save_pretrained does`,
      );
    try {
      if (isSharded) this.openShards();
      else for (const name of this.open(single).entries.keys()) this.fileOf.set(name, this.files[0]!);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private open(path: string): SafetensorsFile {
    const file = new SafetensorsFile(path);
    this.files.push(file);
    return file;
  }

  /** Opens the files of the index. Throws a UserError unless each has the tensors that the index says, and no others. */
  private openShards(): void {
    const { weight_map: map } = readObject(this.path, 'an index of tensors');
    const fileNames = new Map(Object.entries(map ?? {}));
    const odd = [...fileNames.values()].find((name) => !/^[^/\\]+\.safetensors$/.test(String(name)));
    if (fileNames.size === 0 || odd !== undefined)
      throw new UserError(
        `${this.path}: weight_map: expected names of tensors with the file next to it that has them; got ${excerpt(odd ?? map)}: download it again`,
      );
    for (const fileName of new Set(fileNames.values() as Iterable<string>)) {
      const path = join(dirname(this.path), fileName);
      if (!existsSync(path))
        throw new UserError(`${path}: expected a file, which ${INDEX} names; there is none: download it too`);
      const { entries } = this.open(path);
      for (const name of entries.keys())
        if (fileNames.get(name) !== fileName)
          throw new UserError(
            `${path}: ${name}: expected a tensor that ${INDEX} says is in this file; it says ${String(fileNames.get(name) ?? 'nothing')}: files and index are of different models; download them again`,
          );
    }
    for (const [name, fileName] of fileNames) {
      const file = this.files.find(({ path }) => basename(path) === fileName)!;
      if (!file.entries.has(name))
        throw new UserError(
          `${file.path}: expected a tensor ${name}, as ${INDEX} says; got none: files and index are of different models; download them again`,
        );
      this.fileOf.set(name, file);
    }
  }

  check(name: string, shape: readonly number[]): void {
    const file = this.fileOf.get(name);
    if (!file)
      throw new UserError(
        `${this.path}: expected a tensor ${name} [${shape}]; got none: the file is of another model`,
      );
    file.check(name, shape);
  }

  read(name: string): Float32Array {
    return this.fileOf.get(name)!.read(name);
  }

  equal(name: string, other: string): boolean {
    return this.fileOf.get(name)!.equal(name, this.fileOf.get(other)!, other);
  }

  close(): void {
    for (const file of this.files) file.close();
  }
}

/** Names of tensors by parameter names. Throws, before anything is read, for tensors that are missing, unexpected, or of another shape or dtype. */
function tensorNames(weights: TensorFolder, config: Gpt2Config): Map<string, string> {
  const there = [...weights.fileOf.keys()];
  if (config.layers > there.length)
    throw new UserError(
      `${weights.path}: expected the tensors of GPT-2 with ${config.layers} layers; got ${there.length} tensors: the file is of another model or config`,
    );
  const prefix = there.some((name) => name.startsWith(PREFIX)) ? PREFIX : '';
  const shapes = gpt2Shapes(config);
  const names = new Map(shapes.map(([name]) => [name, prefix + name]));
  for (const [name, shape] of shapes) weights.check(prefix + name, shape);
  const wanted = new Set(names.values());
  for (const name of there) {
    if (wanted.has(name) || (name.startsWith(prefix) && isMask(name.slice(prefix.length)))) continue;
    if (name !== 'lm_head.weight')
      throw new UserError(
        `${weights.path}: expected the tensors of GPT-2 with ${config.layers} layers; got ${name} too: the file is of another model or config`,
      );
    if (!weights.equal(name, names.get('wte.weight')!))
      throw new UserError(
        `${weights.path}: lm_head.weight: expected the values of wte.weight, to which GPT-2's output is tied; got others: models of this kind are not supported`,
      );
  }
  return names;
}

/** Reads a model, one tensor at a time. */
export function readGpt2(folder: string): Gpt2 {
  const config = readConfig(join(folder, CONFIG));
  const weights = new TensorFolder(folder);
  try {
    const names = tensorNames(weights, config);
    return new Gpt2(config, (name) => weights.read(names.get(name)!));
  } finally {
    weights.close();
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
