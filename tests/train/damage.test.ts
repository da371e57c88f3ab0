/** Random damages of what a run leaves and of what a model is read from: what is under a checksum is read right or not at all. */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { after, test } from 'node:test';
import { questionFormation } from '../../lib/experiments/question-formation';
import { readGpt2 } from '../../lib/model/hugging-face';
import type { Parameter } from '../../lib/tensor/parameters';
import { checkpointState, loadCheckpoint, saveCheckpoint } from '../../lib/train/checkpoint';
import { configHash, readRecord } from '../../lib/train/record';
import { paths } from '../../lib/util/paths';
import { SafetensorsFile } from '../../lib/util/safetensors';
import { DAMAGES, readDamaged } from '../damage';
import { begunRecord } from './checkpoints';

const FOLDER = mkdtempSync(join(tmpdir(), 'damage-'));
after(() => rmSync(FOLDER, { recursive: true }));
const GPT2 = join(paths.root, 'tests', 'fixtures', 'gpt2');

function written(name: string, content: Uint8Array): string {
  const path = join(FOLDER, name);
  writeFileSync(path, content);
  return path;
}

test(`a record: ${DAMAGES} damages are the record or one line`, async () => {
  const names = readdirSync(paths.runs).filter((file) => file.endsWith('.json'));
  // A record of format 1 has no hash of its own.
  const name = names.find((file) => readRecord(join(paths.runs, file)).format === 2)!;
  const [path, id] = [join(paths.runs, name), basename(name, '.json')];
  const [bytes, right] = [readFileSync(path), readRecord(path)];
  mkdirSync(join(FOLDER, id));
  const read = (content: Uint8Array) => readRecord(written(join(id, 'record.json'), content));
  await readDamaged('record', bytes, ['record '], read, (record) => isDeepStrictEqual(record, right));
});

test(`a checkpoint: ${DAMAGES} damages are the run's state and numbers or one line`, async () => {
  const config = questionFormation.tiers.smoke;
  const numbers = { value: new Float32Array([1, 2, 3]), m: new Float32Array(3), v: new Float32Array(3) };
  let got: unknown;
  const restore = (restored: unknown) => {
    got = restored;
  };
  const parameters = [{ name: 'w', shape: [3], state: () => numbers, restore }] as unknown as Parameter[];
  const path = join(FOLDER, 'last.safetensors');
  const since = { steps: 1, tokens: 4, nats: 4, gradientNorms: 1 };
  const state = { step: 1, tokensSeen: 4, record: begunRecord('run', config), since };
  await saveCheckpoint(path, state, parameters);
  await readDamaged(
    'checkpoint',
    readFileSync(path),
    [`checkpoint ${path}: `],
    (content) => {
      checkpointState(written('last.safetensors', content));
      return loadCheckpoint(path, configHash(config), parameters);
    },
    (read) => isDeepStrictEqual(read, state) && isDeepStrictEqual(got, numbers),
  );
});

test(`safetensors: ${DAMAGES} damages of the file and of its header alone are tensors or one line`, async () => {
  const bytes = readFileSync(join(GPT2, 'model.safetensors'));
  const end = 8 + Number(bytes.readBigUInt64LE());
  const read = (content: Uint8Array) => {
    const file = new SafetensorsFile(written('model.safetensors', content));
    try {
      for (const { name, shape } of file.entries.values()) {
        file.check(name, shape);
        file.read(name);
      }
      return file.entries.size;
    } finally {
      file.close();
    }
  };
  await readDamaged('tensors', bytes, ['model.safetensors: '], read, (tensors) => tensors > 0);
  const withHeader = (header: Uint8Array) => read(Buffer.concat([header, bytes.subarray(end)]));
  await readDamaged('header', bytes.subarray(0, end), ['model.safetensors: '], withHeader, (n) => n > 0);
});

test(`a config and an index: ${DAMAGES} damages of each are a model of the same size or one line`, async () => {
  const [folder, sharded] = [join(FOLDER, 'gpt2'), join(FOLDER, 'sharded')];
  for (const place of [folder, sharded]) mkdirSync(place);
  copyFileSync(join(GPT2, 'model.safetensors'), join(folder, 'model.safetensors'));
  copyFileSync(join(GPT2, 'model.safetensors'), join(sharded, 'model-1.safetensors'));
  copyFileSync(join(GPT2, 'config.json'), join(sharded, 'config.json'));
  const file = new SafetensorsFile(join(GPT2, 'model.safetensors'));
  file.close();
  const map = Object.fromEntries([...file.entries.keys()].map((name) => [name, 'model-1.safetensors']));
  const read = (place: string, name: string) => (content: Uint8Array) => {
    writeFileSync(join(place, name), content);
    const model = readGpt2(place);
    model.dispose();
    return model.config;
  };
  const {
    dropout: _,
    heads: __,
    ...right
  } = read(folder, 'config.json')(readFileSync(join(GPT2, 'config.json')));
  const same = ({ dropout, heads, ...config }: ReturnType<ReturnType<typeof read>>) =>
    isDeepStrictEqual(config, right) && dropout < 1 && config.width % heads === 0;
  const config = readFileSync(join(GPT2, 'config.json'));
  await readDamaged('config', config, ['gpt2/'], read(folder, 'config.json'), same);
  const index = Buffer.from(JSON.stringify({ weight_map: map }, null, 1));
  const readIndex = read(sharded, 'model.safetensors.index.json');
  await readDamaged('index', index, ['sharded/'], readIndex, same);
});
