import assert from 'node:assert/strict';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Gpt2, gpt2Initial } from '../../lib/model/gpt2';
import { readGpt2, writeGpt2 } from '../../lib/model/hugging-face';
import { windowBatch } from '../../lib/model/model';
import { SafetensorsFile } from '../../lib/util/safetensors';
import { paths } from '../../lib/util/paths';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { logitsOf } from '../model/passes';

const FIXTURE = join(paths.root, 'tests', 'fixtures', 'gpt2');
const ROOM = mkdtempSync(join(tmpdir(), 'safetensors-'));
after(() => rmSync(ROOM, { recursive: true }));
let serial = 0;
const INDEX = 'model.safetensors.index.json';
const SHARDS = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n';

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}
type Header = Record<string, Entry>;
type Tensors = Map<string, { dtype: string; shape: number[]; bytes: Buffer }>;

function taken(path: string): { header: Header; body: Buffer } {
  const file = readFileSync(path);
  const length = Number(file.readBigUInt64LE());
  const { __metadata__: _, ...header } = JSON.parse(file.toString('utf8', 8, 8 + length)) as Header;
  return { header, body: file.subarray(8 + length) };
}

function joined(header: unknown, body: Buffer, length?: number): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const first = Buffer.alloc(8);
  first.writeBigUInt64LE(BigInt(length ?? text.length));
  return Buffer.concat([first, text, body]);
}

/** A copy of the fixture's folder with other weights. */
function folderWith(weights: Buffer, config: Record<string, unknown> = {}): string {
  const folder = join(ROOM, String(serial++));
  mkdirSync(folder);
  writeFileSync(join(folder, 'model.safetensors'), weights);
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({ ...JSON.parse(readFileSync(join(FIXTURE, 'config.json'), 'utf8')), ...config }),
  );
  return folder;
}

/** Tensors in the order of their bytes, changed by hand and put together again without gaps. */
function rebuilt(change: (tensors: Tensors) => void): Buffer {
  const { header, body } = taken(join(FIXTURE, 'model.safetensors'));
  const tensors = new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, bytes: body.subarray(from, to) }],
    ),
  );
  change(tensors);
  return together(tensors);
}

/** A file of tensors without gaps. */
function together(tensors: Tensors): Buffer {
  let end = 0;
  const entries = [...tensors].map(([name, { dtype, shape, bytes }]) => [
    name,
    { dtype, shape, data_offsets: [end, (end += bytes.length)] },
  ]);
  return joined(Object.fromEntries(entries), Buffer.concat([...tensors.values()].map((t) => t.bytes)));
}

const WINDOW = [Array.from({ length: 20 }, (_, i) => (i * 37) % 101)];
const logits = (folder: string): Float32Array => {
  const model = readGpt2(folder);
  const values = logitsOf(model, () => windowBatch(WINDOW, model.config)).slice();
  model.dispose();
  return values;
};

for (const prefixed of [true, false]) {
  test(`a model written ${prefixed ? 'with' : 'without'} the prefix reads back bit for bit`, async () => {
    const config = {
      kind: 'gpt2',
      layers: 3,
      width: 12,
      heads: 3,
      context: 7,
      vocabulary: 19,
      dropout: 0.2,
    } as const;
    const model = new Gpt2(config, gpt2Initial(config, 5));
    const folder = join(ROOM, String(serial++));
    await writeGpt2(folder, model, { prefixed });
    const names = Object.keys(taken(join(folder, 'model.safetensors')).header);
    assert.equal(names[2], `${prefixed ? 'transformer.' : ''}h.0.ln_1.weight`);
    assert.equal(
      (8 + Number(readFileSync(join(folder, 'model.safetensors')).readBigUInt64LE())) % 8,
      0,
      'values begin at a multiple of 8',
    );
    const back = readGpt2(folder);
    assert.deepEqual(back.config, config);
    for (const [i, p] of model.parameters.entries())
      assert.deepEqual(back.parameters[i]!.state().value, p.state().value, p.name);
  });
}

test('what transformers wrote is written again with the same tensors, byte for byte', async () => {
  const folder = join(ROOM, String(serial++));
  const model = readGpt2(FIXTURE);
  await writeGpt2(folder, model);
  const [there, ours] = [taken(join(FIXTURE, 'model.safetensors')), taken(join(folder, 'model.safetensors'))];
  assert.deepEqual(Object.keys(ours.header).sort(), Object.keys(there.header).sort());
  for (const [
    name,
    {
      dtype,
      shape,
      data_offsets: [from, to],
    },
  ] of Object.entries(there.header)) {
    const entry = ours.header[name]!;
    assert.deepEqual([entry.dtype, entry.shape], [dtype, shape]);
    assert.ok(ours.body.subarray(...entry.data_offsets).equals(there.body.subarray(from, to)), name);
  }
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, unknown>;
  const original = JSON.parse(readFileSync(join(FIXTURE, 'config.json'), 'utf8')) as Record<string, unknown>;
  for (const field of Object.keys(config)) assert.deepEqual(config[field], original[field], field);
});

test('mask buffers of older files and an equal lm_head.weight change nothing', () => {
  const plain = rebuilt((tensors) => {
    for (const [name, tensor] of [...tensors]) {
      tensors.delete(name);
      tensors.set(name.replace('transformer.', ''), tensor);
    }
    tensors.set('h.0.attn.bias', { dtype: 'U8', shape: [1, 1, 32, 32], bytes: Buffer.alloc(1024) });
    tensors.set('h.1.attn.masked_bias', { dtype: 'F32', shape: [], bytes: Buffer.alloc(4) });
    tensors.set('lm_head.weight', tensors.get('wte.weight')!);
  });
  assert.deepEqual(logits(folderWith(plain)), logits(FIXTURE));
});

test('F16 and BF16 are read as the numbers that they are', () => {
  const bits: Record<string, [number, number][]> = {
    F16: [
      [0x3c00, 1],
      [0xc000, -2],
      [0x3555, 0.333251953125],
      [0x0001, 2 ** -24],
      [0x83ff, -1023 * 2 ** -24],
      [0x7bff, 65504],
      [0x7c00, Infinity],
      [0x8000, -0],
    ],
    BF16: [
      [0x3f80, 1],
      [0xc000, -2],
      [0x3eab, 0.333984375],
      [0x0080, 2 ** -126],
      [0x7f80, Infinity],
      [0x8000, -0],
    ],
  };
  for (const [dtype, pairs] of Object.entries(bits)) {
    const path = join(ROOM, `${dtype}.safetensors`);
    writeFileSync(
      path,
      joined(
        { x: { dtype, shape: [pairs.length], data_offsets: [0, 2 * pairs.length] } },
        Buffer.from(Uint16Array.from(pairs, ([b]) => b).buffer),
      ),
    );
    const file = new SafetensorsFile(path);
    assert.deepEqual(
      [...file.read('x')],
      pairs.map(([, value]) => value),
      dtype,
    );
    file.close();
  }
});

test('a whole model in BF16 computes nearly the same', () => {
  const halved = rebuilt((tensors) => {
    for (const tensor of tensors.values()) {
      const floats = new Uint32Array(new Uint8Array(tensor.bytes).buffer);
      tensor.dtype = 'BF16';
      tensor.bytes = Buffer.from(
        Uint16Array.from(floats, (bits) => (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16).buffer,
      );
    }
  });
  assertClose(logits(folderWith(halved)), logits(FIXTURE), { absolute: 0.05, what: 'logit' });
});

/** Reading throws one line that names the file and holds every part. */
const refused = (folder: string, ...parts: (string | number)[]): void =>
  assert.throws(() => readGpt2(folder), refusal(folder, ...parts));

test('missing, extra, wrongly shaped and wrongly typed tensors are refused by name', () => {
  const changed = (change: Parameters<typeof rebuilt>[0]) => folderWith(rebuilt(change));
  const bias = 'transformer.h.1.mlp.c_fc.bias';
  refused(
    changed((t) => {
      t.delete(bias);
    }),
    `${bias} [128]`,
    'none',
  );
  refused(
    changed((t) => {
      t.set('transformer.h.2.ln_1.bias', t.get('transformer.ln_f.bias')!);
    }),
    '2 layers',
    'transformer.h.2.ln_1.bias',
  );
  refused(
    changed((t) => {
      t.get(bias)!.shape = [64, 2];
    }),
    `${bias}: `,
    '[128]',
    '[64,2]',
  );
  refused(
    changed((t) => {
      t.get(bias)!.dtype = 'I32';
    }),
    `${bias}: `,
    'F32, F16, BF16',
    'I32',
  );
  refused(
    changed((t) => {
      t.get(bias)!.dtype = 'F16';
    }),
    `${bias}: `,
    'expected 256',
    512,
  );
  refused(
    changed((t) => {
      t.set('lm_head.weight', { ...t.get('transformer.wte.weight')!, bytes: Buffer.alloc(101 * 32 * 4) });
    }),
    'lm_head.weight: ',
    'wte.weight',
  );
});

test('broken headers and offsets are refused', () => {
  const { header, body } = taken(join(FIXTURE, 'model.safetensors'));
  const moved = (by: number, name = Object.keys(header)[3]!) => ({
    ...header,
    [name]: { ...header[name]!, data_offsets: header[name]!.data_offsets.map((x) => x + by) },
  });
  const bad = (weights: Buffer, ...parts: (string | number)[]) => refused(folderWith(weights), ...parts);
  bad(joined(header, body, 1e9), 'header', 1e9);
  bad(Buffer.concat([Buffer.alloc(8, 255), body]), 'header');
  bad(Buffer.alloc(5), 'expected at least 8', 'got 5');
  bad(joined('{"wte.weight": ', body), 'header', 'JSON');
  bad(joined('[1]', body), 'header');
  bad(joined(`{"a": ${'['.repeat(1e5)}${']'.repeat(1e5)}}`, body), 'a: expected dtype', 'too many others');
  bad(
    joined(
      { ...header, 'transformer.wte.weight': { dtype: 'F32', shape: [-1], data_offsets: [0, 4] } },
      body,
    ),
    'wte.weight: ',
    'data_offsets',
  );
  const first = Object.keys(header).find((name) => header[name]!.data_offsets[0] === 0)!;
  bad(joined(moved(4, first), body), `${first}: `, 'byte 0', 'gap');
  bad(joined(moved(-4), body), 'overlap');
  bad(joined(moved(1e7), body), `${Object.keys(header)[3]!}: `, body.length);
  bad(
    joined(header, Buffer.concat([body, Buffer.alloc(16)])),
    `expected ${body.length}`,
    `got ${body.length + 16}`,
  );
});

test('a file cut off at every tenth of its length is refused', () => {
  const folder = folderWith(readFileSync(join(FIXTURE, 'model.safetensors')));
  const path = join(folder, 'model.safetensors');
  const whole = statSync(path).size;
  for (let tenth = 9; tenth >= 0; tenth--) {
    truncateSync(path, Math.floor((whole * tenth) / 10));
    refused(folder, 'damaged');
  }
});

test('configs of models that are not computed here, and folders without files, are refused', () => {
  const weights = readFileSync(join(FIXTURE, 'model.safetensors'));
  refused(
    folderWith(weights, { activation_function: 'relu' }),
    'activation_function: ',
    '"gelu_new"',
    '"relu"',
  );
  refused(
    folderWith(weights, { layer_norm_epsilon: 1e-6 }),
    'layer_norm_epsilon: ',
    'expected 0.00001',
    'got 0.000001',
  );
  refused(folderWith(weights, { n_inner: 64 }), 'n_inner: ', 128, 'got 64');
  refused(folderWith(weights, { attn_pdrop: 0.5 }), 'attn_pdrop: ', 'resid_pdrop', 'got 0.5');
  refused(folderWith(weights, { n_head: 5 }), 'model.heads: ', 32, 'got 5');
  refused(folderWith(weights, { n_layer: undefined }), 'model.layers: ', 'undefined');
  // Far more than the memory would hold, if their shapes were listed.
  refused(folderWith(weights, { n_layer: 1e9 }), '1000000000 layers', 'model.safetensors: ');
  refused(folderWith(weights, { n_positions: 64 }), 'wpe.weight: ', '[64,32]', '[32,32]');
  refused(join(ROOM, 'nowhere'), 'config.json', 'ENOENT');
  const empty = folderWith(weights);
  rmSync(join(empty, 'model.safetensors'));
  refused(empty, 'model.safetensors', 'ENOENT');
});

test('a write that fails leaves what was there', async () => {
  const folder = join(ROOM, String(serial++));
  cpSync(FIXTURE, folder, { recursive: true });
  const model = readGpt2(folder);
  model.parameters[3]!.state = () => {
    throw new Error('ENOSPC: no space left on device');
  };
  await assert.rejects(writeGpt2(folder, model), refusal('model.safetensors: ', 'ENOSPC'));
  assert.ok(
    readFileSync(join(folder, 'model.safetensors')).equals(readFileSync(join(FIXTURE, 'model.safetensors'))),
  );
});

test('a Git LFS pointer in place of tensors is told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pointer-'));
  const path = join(folder, 'model.safetensors');
  writeFileSync(path, POINTER);
  assert.throws(
    () => new SafetensorsFile(path),
    refusal('model.safetensors', 'Git LFS pointer', 'git lfs pull'),
  );
  rmSync(folder, { recursive: true });
});

test("a config with another name of GPT-2's activation is read, one with another activation is not", () => {
  const folder = mkdtempSync(join(tmpdir(), 'activation-'));
  cpSync(join(__dirname, '..', 'fixtures', 'gpt2'), folder, { recursive: true });
  const path = join(folder, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  const read = (activation: string) => {
    writeFileSync(path, JSON.stringify({ ...config, activation_function: activation }));
    readGpt2(folder).dispose();
  };
  read('gelu_pytorch_tanh');
  assert.throws(() => read('gelu'), refusal('config.json', 'activation_function', 'gelu_new', '"gelu"'));
  rmSync(folder, { recursive: true });
});

/** Tensors of the fixture in two files by an index, as save_pretrained writes a large model. */
function shardedFolder(
  change: (parts: { map: Record<string, unknown>; files: Record<string, Tensors> }) => void = () => undefined,
): string {
  const { header, body } = taken(join(FIXTURE, 'model.safetensors'));
  const names = SHARDS.map((name) => [name, new Map()] as const);
  const parts = { map: {} as Record<string, unknown>, files: Object.fromEntries(names) };
  for (const [i, [name, entry]] of Object.entries(header).entries()) {
    const file = SHARDS[i % 2]!;
    parts.map[name] = file;
    const { dtype, shape, data_offsets: offsets } = entry;
    parts.files[file]!.set(name, { dtype, shape, bytes: body.subarray(...offsets) });
  }
  change(parts);
  const folder = folderWith(Buffer.alloc(0));
  rmSync(join(folder, 'model.safetensors'));
  for (const [name, tensors] of Object.entries(parts.files))
    writeFileSync(join(folder, name), together(tensors));
  writeFileSync(join(folder, INDEX), JSON.stringify({ metadata: {}, weight_map: parts.map }));
  return folder;
}

test('a model in several files by an index is the model in one file', () => {
  assert.deepEqual(logits(shardedFolder()), logits(FIXTURE));
  const tied = shardedFolder(({ map, files }) => {
    const embedding = 'transformer.wte.weight';
    const other = SHARDS.find((name) => name !== map[embedding])!;
    files[other]!.set('lm_head.weight', files[map[embedding] as string]!.get(embedding)!);
    map['lm_head.weight'] = other;
  });
  assert.deepEqual(logits(tied), logits(FIXTURE), 'lm_head.weight in another file than wte.weight');
});

test('files of tensors that are not what their index says are refused by name', () => {
  const bias = 'transformer.h.1.mlp.c_fc.bias';
  const [, second] = SHARDS;
  const missing = shardedFolder();
  rmSync(join(missing, second));
  refused(missing, second, INDEX, 'none');

  const twice = shardedFolder(({ map, files }) => {
    const other = SHARDS.find((name) => name !== map[bias])!;
    files[other]!.set(bias, files[map[bias] as string]!.get(bias)!);
  });
  refused(twice, bias, INDEX, ...SHARDS);
  refused(
    shardedFolder(({ map }) => {
      delete map[bias];
    }),
    bias,
    'nothing',
  );
  refused(
    shardedFolder(({ map, files }) => {
      files[map[bias] as string]!.delete(bias);
    }),
    bias,
    'none',
  );
  refused(
    shardedFolder(({ map, files }) => {
      files[map[bias] as string]!.delete(bias);
      delete map[bias];
    }),
    INDEX,
    `${bias} [128]`,
    'none',
  );
  const pointer = shardedFolder();
  writeFileSync(join(pointer, second), POINTER);
  refused(pointer, second, 'Git LFS pointer');
  const cutOff = shardedFolder();
  truncateSync(join(cutOff, second), 1000);
  refused(cutOff, second, 'damaged');
});

test('an index that is none is refused', () => {
  const folder = shardedFolder();
  const bad = (text: string, ...parts: string[]): void => {
    writeFileSync(join(folder, INDEX), text);
    refused(folder, ...parts);
  };
  bad('{"weight_map": ', 'JSON');
  bad('[1]', 'got [1]');
  bad('{"metadata": {}}', 'weight_map', 'nothing');
  bad('{"weight_map": {}}', 'weight_map', '{}');
  bad('{"weight_map": {"a": ".."}}', 'weight_map', '".."');
  bad('{"weight_map": {"a": 1}}', 'weight_map', 'got 1');
  bad('{"weight_map": {"a": "../a.safetensors"}}', 'weight_map', '../a.safetensors');
  bad(POINTER, 'Git LFS pointer');
  writeFileSync(join(folder, 'config.json'), POINTER);
  refused(folder, 'config.json', 'Git LFS pointer');
});

test('a folder in place of weights is told, and weights that PyTorch pickled are named', () => {
  const folder = folderWith(Buffer.alloc(0));
  const weights = join(folder, 'model.safetensors');
  rmSync(weights);
  mkdirSync(weights);
  refused(folder, weights, 'got a folder');
  rmSync(weights, { recursive: true });
  writeFileSync(join(folder, 'pytorch_model.bin'), 'PK');
  refused(folder, 'model.safetensors', 'got pytorch_model.bin');
});
