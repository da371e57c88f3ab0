import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refusal } from '../../refusal';
import { gzipSync } from 'node:zlib';
import { STORIES } from '../../../lib/data/grammar/synthetic-entropy';
import { makeGenerated } from '../../../lib/data/text/generated';
import { verifyDataset } from '../../../lib/data/text/inventory';
import { datasetFolder, datasetHash } from '../../../lib/data/text/shards';
import { decode, encode } from '../../../lib/data/text/tokenizer';
import { FIXTURES, lines, scratch } from './made';

const made = scratch('text');
const jsonl = readFileSync(join(FIXTURES, 'documents.jsonl'), 'utf8');
const DOCUMENTS = jsonl
  .trim()
  .split('\n')
  .map((line) => (JSON.parse(line) as { text: string }).text);
const idsOf = (documents: string[]): number[] => documents.flatMap((text) => [...encode(text), 50256]);

/** By the rule as the data sheet states it. */
const isValidation = (text: string): boolean =>
  parseInt(createHash('sha256').update(text).digest('hex').slice(0, 8), 16) / 2 ** 32 < 0.005;
const TRAIN = DOCUMENTS.filter((text) => !isValidation(text));
const VALIDATION = DOCUMENTS.filter(isValidation);

const { make, refused } = made;

test('every format gives the ids of the same documents, split by their hashes', async () => {
  assert.ok(VALIDATION.length >= 3 && TRAIN.length > 100);
  const files = [
    join(FIXTURES, 'documents.jsonl'),
    made.file('documents.jsonl.gz', gzipSync(jsonl)),
    join(FIXTURES, 'documents.jsonl.zst'),
    join(FIXTURES, 'documents.parquet'),
  ];
  for (const file of files) {
    const { train, validation, meta } = await make(file);
    assert.deepEqual(train, idsOf(TRAIN), file);
    assert.deepEqual(validation, idsOf(VALIDATION), file);
    assert.deepEqual([meta.train.documents, meta.validation.documents], [TRAIN.length, VALIDATION.length]);
    assert.equal(
      meta.train.sha256,
      createHash('sha256')
        .update(Uint8Array.from(train.flatMap((id) => [id & 255, id >> 8])))
        .digest('hex'),
    );
  }
});

test('the first N tokens are taken, blank lines and a missing last line feed do not matter, copies follow their hash', async () => {
  const file = made.file(
    'copies.jsonl',
    `\n${lines([...TRAIN.slice(0, 5), VALIDATION[0]!, VALIDATION[1]!, VALIDATION[0]!, ...TRAIN.slice(5, 9)])}\r\n${JSON.stringify({ text: TRAIN[9] })}`,
  );
  const all = await make(file);
  assert.deepEqual(
    [all.train, all.validation],
    [idsOf(TRAIN.slice(0, 10)), idsOf([VALIDATION[0]!, VALIDATION[1]!, VALIDATION[0]!])],
  );
  const some = await make(file, { limits: { train: idsOf(TRAIN.slice(0, 6)).length + 3, validation: 10 } });
  assert.deepEqual(
    [some.train, some.validation],
    [all.train.slice(0, some.train.length), all.validation.slice(0, 10)],
  );
  assert.deepEqual(
    [some.meta.train.documents, some.meta.validation.documents, some.train.length],
    [7, 1, idsOf(TRAIN.slice(0, 6)).length + 3],
  );
});

test('given validation files are validation, and their documents are left out of training', async () => {
  const folder = join(made.folder, 'given');
  mkdirSync(join(folder, 'deep'), { recursive: true });
  writeFileSync(join(folder, 'b.jsonl'), lines(DOCUMENTS.slice(10, 20)));
  writeFileSync(join(folder, 'a.jsonl'), lines(DOCUMENTS.slice(0, 10)));
  writeFileSync(
    join(folder, 'deep', 'val-0.jsonl'),
    lines([...DOCUMENTS.slice(20, 23), DOCUMENTS[4]!, DOCUMENTS[11]!]),
  );
  const named = await make(folder);
  const kept = DOCUMENTS.slice(0, 20).filter((_, i) => i !== 4 && i !== 11);
  assert.deepEqual(
    [named.train, named.validation, named.meta.leftOut],
    [idsOf(kept), idsOf([...DOCUMENTS.slice(20, 23), DOCUMENTS[4]!, DOCUMENTS[11]!]), 2],
  );
  const given = await make(folder, { validation: join(folder, 'a.jsonl') });
  assert.deepEqual(
    [given.train, given.validation, given.meta.leftOut],
    [
      idsOf([...DOCUMENTS.slice(10, 20), ...DOCUMENTS.slice(20, 23), DOCUMENTS[11]!]),
      idsOf(DOCUMENTS.slice(0, 10)),
      1,
    ],
  );
  await refused(join(folder, 'a.jsonl'), ['--from: ', 'a.jsonl'], {
    validation: join(folder, 'a.jsonl'),
  });
});

test('a file of plain text is one document, a long one in parts the same', async () => {
  const folder = join(made.folder, 'plain');
  mkdirSync(folder);
  const long = Array.from({ length: 26_000 }, (_, i) => `${DOCUMENTS[i % 7]!.slice(0, 40)}${i}`).join('\n');
  assert.ok(Buffer.byteLength(long) > 2 ** 20);
  writeFileSync(join(folder, '1.txt'), long);
  writeFileSync(join(folder, '2.txt'), DOCUMENTS[0]!);
  writeFileSync(join(folder, 'val.txt'), DOCUMENTS[1]!);
  const { train, validation, meta } = await make(folder);
  assert.deepEqual(validation, idsOf([DOCUMENTS[1]!]));
  assert.ok(
    Buffer.from(Uint16Array.from(train).buffer).equals(
      Buffer.from(Uint16Array.from(idsOf([long, DOCUMENTS[0]!])).buffer),
    ),
  );
  assert.equal(meta.train.documents, 2);
});

test("nanoGPT's files of tokens are taken over as they are", async () => {
  const folder = join(made.folder, 'binary');
  mkdirSync(folder);
  for (const name of ['train.bin', 'val.bin'])
    writeFileSync(join(folder, name), readFileSync(join(FIXTURES, 'ids.bin')));
  const whole = await make(folder);
  assert.deepEqual(whole.train, [464, 6842, 13, 50256, 40, 716, 50256, 0, 50255]);
  assert.deepEqual([whole.meta.train.documents, whole.meta.validation.documents], [3, 3]);
  assert.ok(
    readFileSync(join(datasetFolder(whole.name), 'train.bin')).equals(
      readFileSync(join(FIXTURES, 'ids.bin')),
    ),
  );
  assert.deepEqual((await make(folder, { limits: { train: 4, validation: 5 } })).meta.train.documents, 1);
  writeFileSync(join(folder, 'train.bin'), Uint8Array.of(1, 0, 81, 196));
  await refused(folder, ['train.bin: ', 'token 1 is 50257']);
  writeFileSync(join(folder, 'train.bin'), Uint8Array.of(1, 0, 2));
  await refused(folder, ['train.bin: ', 'got 3 bytes']);
  await refused(join(folder, 'val.bin'), ['--from: ', 'val.bin']);
  await refused(made.file('tokens.bin', Uint8Array.of(1, 0)), ['--from: ', 'tokens.bin', '--validation']);
});

test('a smaller vocabulary: documents and tokens of a made data set alike, limits in its tokens, a hash of its own', async () => {
  const whole = await make(join(FIXTURES, 'documents.jsonl'));
  const cut = await make(join(FIXTURES, 'documents.jsonl'), { vocabulary: 300 });
  const converted = await make(datasetFolder(whole.name), { vocabulary: 300 });
  assert.deepEqual([converted.train, converted.validation], [cut.train, cut.validation]);
  assert.deepEqual([cut.meta.vocabulary, whole.meta.vocabulary], [300, undefined]);
  assert.equal(cut.meta.train.documents, whole.meta.train.documents);
  assert.equal(decode(cut.train, 300), decode(whole.train));
  assert.notEqual(datasetHash({ ...cut.meta, vocabulary: 301 }), cut.sha256);
  await verifyDataset(cut.name);
  const first = await make(datasetFolder(whole.name), {
    vocabulary: 300,
    limits: { train: 1000, validation: 500 },
  });
  assert.deepEqual(first.train, cut.train.slice(0, 1000));
  await refused(datasetFolder(cut.name), ['val.bin: ', 'vocabulary of 300'], { vocabulary: 257 });
});

test('asked for again, a set is found; asked for otherwise under its name, it is kept', async () => {
  const file = join(FIXTURES, 'documents.jsonl');
  const first = await make(file);
  const second = await make(file, { name: first.name });
  assert.deepEqual([first.isNew, second.isNew, second.sha256], [true, false, first.sha256]);
  await assert.rejects(
    make(file, { name: first.name, limits: { train: 100, validation: 100 } }),
    refusal(`data set ${first.name}: `, `npm run data -- remove ${first.name}`),
  );
  assert.deepEqual((await make(file, { name: first.name })).train, first.train);
});

test('of two that need one data set at once, one makes it and the other waits for it', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const options = { name: made.name(), limits: { train: 2000, validation: 500 }, seed: 1 };
  const both = await Promise.all([1, 2].map(() => makeGenerated(STORIES, options)));
  assert.deepEqual(both.map((one) => one.made).sort(), [false, true]);
  assert.deepEqual(both[0]!.meta, both[1]!.meta);
  assert.match(String(warn.mock.calls[0]!.arguments[0]), /is working on it; waiting until it ends$/);
});

test('a process that was stopped while it made a data set, and overtaken, puts nothing in place', async () => {
  const name = made.name();
  const parts = `${datasetFolder(name)}.part`;
  /** As another process takes over. */
  const overtake = () => {
    const [owner] = readdirSync(join(parts, 'lease')) as [string];
    renameSync(join(parts, 'lease', owner), join(parts, 'lease', 'other.machine.1.1.1'));
    rmSync(join(parts, `${owner}.part`), { recursive: true });
  };
  let isOvertaken = false;
  const making = makeGenerated(
    STORIES,
    { name, limits: { train: 2000, validation: 500 }, seed: 1 },
    () => isOvertaken || (overtake(), (isOvertaken = true)),
  );
  await assert.rejects(making, refusal(name, 'process 1 on other has taken it over'));
  assert.ok(!existsSync(datasetFolder(name)));
});

test('files that are cut off or damaged are refused', async () => {
  const parquet = readFileSync(join(FIXTURES, 'documents.parquet'));
  const zst = readFileSync(join(FIXTURES, 'documents.jsonl.zst'));
  const gz = gzipSync(jsonl);
  await refused(made.file('cut.jsonl.gz', gz.subarray(0, gz.length / 2)), [
    'cut.jsonl.gz: ',
    'unexpected end of file',
  ]);
  await refused(made.file('bad.jsonl.gz', jsonl), ['bad.jsonl.gz: ', 'incorrect header check']);
  await refused(made.file('cut.jsonl.zst', zst.subarray(0, zst.length / 2)), ['cut.jsonl.zst: ']);
  await refused(made.file('cut.parquet', parquet.subarray(0, parquet.length / 2)), [
    'cut.parquet: ',
    'Parquet',
  ]);
  const holed = Buffer.from(parquet);
  holed.fill(255, 4, 3000);
  await refused(made.file('holed.parquet', holed), ['holed.parquet: ', 'Parquet']);
  await refused(made.file('latin.jsonl', Buffer.from('{"text": "caf\xe9"}\n', 'latin1')), [
    'latin.jsonl, line 1: ',
    'UTF-8',
  ]);
  await refused(made.file('latin.txt', Buffer.from('caf\xe9', 'latin1')), ['latin.txt: ', 'UTF-8']);
});

test('rows without a text are refused by their number', async () => {
  await refused(
    join(FIXTURES, 'documents.parquet'),
    ['documents.parquet: ', '"body"', 'id, text', '--column'],
    { column: 'body' },
  );
  await refused(join(FIXTURES, 'documents.parquet'), ['documents.parquet, row 1: ', 'got "0"'], {
    column: 'id',
  });
  await refused(
    join(FIXTURES, 'documents.jsonl'),
    ['documents.jsonl, line 1: ', '"body"', 'id, text', '--column'],
    { column: 'body' },
  );
  await refused(made.file('number.jsonl', `${lines(['a', 'b'])}{"text": 7}\n`), [
    'number.jsonl, line 3: ',
    'got 7',
  ]);
  await refused(made.file('array.jsonl', '["a"]\n'), ['array.jsonl, line 1: ', 'got ["a"]']);
  const many = lines(Array.from({ length: 20_000 }, (_, i) => `A document of some length, number ${i}.`));
  await refused(made.file('broken.jsonl', `${many}{"text": \n`), [
    'broken.jsonl, line 20001: ',
    'JSON',
    '"{\\"text\\": "',
  ]);
});

test('too little text is refused', async () => {
  await refused(join(made.folder, 'absent'), ['--from: ', 'absent', 'ENOENT']);
  mkdirSync(join(made.folder, 'void'));
  await refused(join(made.folder, 'void'), ['--from: ', '.parquet', 'void']);
  await refused(made.file('notes.pdf', 'x'), ['--from: ', 'notes.pdf']);
  await refused(made.file('empty.jsonl', ''), ['data set ', 'empty.jsonl', 'none']);
  await refused(join(FIXTURES, 'documents.jsonl'), ['data set ', '90,000,000', 'documents.jsonl'], {
    limits: { train: 90e6, validation: 100 },
  });
  await refused(made.file('one.jsonl', lines([TRAIN[0]!])), ['data set ', 'one validation document']);
  await refused(FIXTURES, ['--from: ', 'documents.jsonl and documents.jsonl.zst']);
  for (const name of ['../x', '', 'a.b', 'downloads'])
    await assert.rejects(
      make(join(FIXTURES, 'documents.jsonl'), { name }),
      refusal('--name: ', `got "${name}"`),
    );
  assert.ok(!existsSync(datasetFolder('../x')));
});
