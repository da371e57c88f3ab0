import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DAMAGES, readDamaged } from '../../damage';
import { refusal } from '../../refusal';
import { datasetFolder, openDataset, TokenFile } from '../../../lib/data/text/shards';
import { FIXTURES, lines, scratch } from './made';

const made = scratch('shards');

test('a file that numpy wrote as nanoGPT writes its shards is read by window', () => {
  const file = TokenFile.open(join(FIXTURES, 'ids.bin'));
  assert.equal(file.tokens, 9);
  assert.deepEqual([...file.read(0, 9)], [464, 6842, 13, 50256, 40, 716, 50256, 0, 50255]);
  assert.deepEqual([...file.read(7, 2)], [0, 50255]);
  assert.deepEqual([...file.read(9, 0)], []);
  for (const [start, count] of [
    [-1, 2],
    [8, 2],
    [0, 10],
    [NaN, 1],
  ] as const)
    assert.throws(() => file.read(start, count), { name: 'RangeError', message: /ids\.bin: [^\n]*$/ });
  file.close();
});

test('files that are empty, cut off or gone are refused', () => {
  assert.throws(
    () => TokenFile.open(made.file('odd.bin', new Uint8Array(7))),
    refusal('odd.bin: ', 'got 7 bytes'),
  );
  assert.throws(() => TokenFile.open(made.file('empty.bin', '')), refusal('empty.bin: ', 'empty'));
  assert.throws(() => TokenFile.open(join(made.folder, 'none.bin')), refusal('none.bin: ', 'ENOENT'));
  const path = made.file('shrinks.bin', new Uint8Array(20));
  const file = TokenFile.open(path);
  truncateSync(path, 10);
  assert.equal(file.read(0, 5).length, 5);
  assert.throws(() => file.read(4, 2), refusal('shrinks.bin: ', 'expected 10 tokens'));
  file.close();
});

test('a data set that is not there names the command that makes it', () => {
  const commands = {
    'openwebtext-123.456m': 'openwebtext --tokens 123.456M',
    'openwebtext-7k': 'openwebtext --tokens 7k',
    'test-none': 'text --from FOLDER_OR_FILE --name test-none',
    'test-2048': 'text --from FOLDER_OR_FILE --vocabulary 2048 --name test-2048',
  };
  for (const [name, command] of Object.entries(commands))
    assert.throws(() => openDataset(name), refusal(`data set ${name}: `, `npm run data -- ${command}`));
});

test('a shard whose length meta.json does not have is refused', () => {
  const name = made.name();
  const folder = datasetFolder(name);
  mkdirSync(folder, { recursive: true });
  const bytes = readFileSync(join(FIXTURES, 'ids.bin'));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const shard = { documents: 1, tokens: 9, sha256 };
  writeFileSync(
    join(folder, 'meta.json'),
    JSON.stringify({
      kind: 'text',
      request: {},
      source: '',
      revision: null,
      leftOut: 0,
      train: shard,
      validation: shard,
    }),
  );
  for (const file of ['train.bin', 'val.bin']) writeFileSync(join(folder, file), bytes);
  const dataset = openDataset(name);
  assert.deepEqual(
    [dataset.name, dataset.train.tokens, dataset.validation.read(4, 1)[0], dataset.sha256.length],
    [name, 9, 40, 64],
  );
  dataset.train.close();
  dataset.validation.close();
  appendFileSync(join(folder, 'val.bin'), 'xx');
  assert.throws(
    () => openDataset(name),
    refusal(`data set ${name}: `, 'expected 9', 'val.bin', 'got 10', `npm run data -- remove ${name}`),
  );
  const meta = join(folder, 'meta.json');
  for (const [text, part] of [
    ['{', 'expected JSON'],
    ['null', 'expected an object; got null'],
    [
      '{"kind":"text","request":{},"source":"","train":{"documents":1,"tokens":"9"}}',
      'train.tokens: expected',
    ],
  ] as const) {
    writeFileSync(meta, text);
    assert.throws(() => openDataset(name), refusal('meta.json: ', part, `npm run data -- remove ${name}`));
  }
  rmSync(meta);
  mkdirSync(meta);
  assert.throws(() => openDataset(name), refusal('meta.json: ', 'EISDIR', `npm run data -- remove ${name}`));
});

test('a shard that was changed in place, with valid ids, is refused when it is opened; one whose times alone changed is not', async () => {
  const { name } = await made.make(
    made.file('documents.jsonl', lines(Array.from({ length: 50 }, (_, i) => `Document ${i}.`))),
    { validationShare: 0.5 },
  );
  const path = join(datasetFolder(name), 'train.bin');
  const close = () => {
    const { train, validation } = openDataset(name);
    train.close();
    validation.close();
  };
  utimesSync(path, 1, 1);
  close();
  const bytes = readFileSync(path);
  [bytes[0], bytes[1]] = [bytes[2]!, bytes[3]!];
  writeFileSync(path, bytes);
  utimesSync(path, 1, 1);
  assert.throws(() => openDataset(name), refusal(name, 'train.bin', 'it has changed', 'data -- remove'));
});

test(`${DAMAGES} damages of meta.json and of a shard are the data set or one line`, async () => {
  const { name, sha256 } = await made.make(
    made.file('some.jsonl', lines(Array.from({ length: 50 }, (_, i) => `Document ${i}.`))),
    { validationShare: 0.5 },
  );
  const open = () => {
    const dataset = openDataset(name);
    dataset.train.close();
    dataset.validation.close();
    return dataset;
  };
  open();
  for (const file of ['meta.json', 'train.bin']) {
    const path = join(datasetFolder(name), file);
    const bytes = readFileSync(path);
    const read = (content: Uint8Array) => {
      writeFileSync(path, content);
      return open();
    };
    await readDamaged(file, bytes, [name, 'again'], read, (set) => set.sha256 === sha256);
    writeFileSync(path, bytes);
  }
});
