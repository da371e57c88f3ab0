/** Which files a folder gives, and when a data set is another one. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refusal } from '../../refusal';
import { Sources } from '../../../lib/data/text/identity';
import { datasetFolder } from '../../../lib/data/text/shards';
import { inputFiles } from '../../../lib/data/text/sources';
import { encode } from '../../../lib/data/text/tokenizer';
import { lines, scratch } from './made';

const made = scratch('sources');
const { make, refused } = made;
const BOOK = 'The whale said nothing of the old sea. '.repeat(300);
const DOCUMENTS = Array.from({ length: 60 }, (_, i) => `Document ${i} of a number of them. `.repeat(4));

function walked(folder: string): { names: string[]; notice: string } {
  const notices: string[] = [];
  const files = inputFiles('--from', folder, (text) => notices.push(text));
  assert.ok(notices.length <= 1);
  return { names: files.map(({ name }) => name), notice: notices[0] ?? '' };
}

test('each file is read once; what is hidden, empty, of another kind or a link that leads back is passed over and counted', () => {
  const folder = join(made.folder, 'walk');
  for (const name of [
    'b.txt',
    'a.TXT',
    'deep/c.txt',
    '.hidden.txt',
    '.git/d.txt',
    '._b.txt',
    'deep/.ipynb_checkpoints/e.txt',
  ])
    made.file(join('walk', name), 'text');
  made.file('walk/README.md', 'x');
  made.file('walk/empty.txt', '');
  made.file('outside/f.txt', 'text');
  symlinkSync('.', join(folder, 'again'));
  symlinkSync('..', join(folder, 'up'));
  symlinkSync(join(folder, 'deep'), join(folder, 'A'));
  symlinkSync('/nowhere', join(folder, 'gone'));
  symlinkSync('loop', join(folder, 'loop'));
  symlinkSync('b.txt', join(folder, '0.txt'));
  symlinkSync('../outside', join(folder, 'linked'));
  symlinkSync('../outside/f.txt', join(folder, 'g.txt'));
  const { names, notice } = walked(folder);
  // The file outside has two links: it is read under the name that comes first.
  assert.deepEqual(names, ['a.TXT', 'b.txt', 'deep/c.txt', 'g.txt']);
  for (const part of [
    '4 hidden',
    '1 empty (empty.txt)',
    '1 of other kinds (README.md)',
    '2 links to nowhere (gone, loop)',
    'links to what is read already (0.txt, A, again, …)',
  ])
    assert.ok(notice.includes(part), notice);
});

test('a folder with nothing to read says what it passed over', () => {
  made.file('nothing/.hidden.txt', 'text');
  assert.throws(() => walked(join(made.folder, 'nothing')), refusal('--from: ', '.parquet', '1 hidden'));
  assert.throws(() => walked(join(made.folder, 'none')), refusal('--from: ', 'ENOENT'));
  assert.deepEqual(walked(made.file('ONE.JSONL', '{}')).names, ['ONE.JSONL']);
});

test('validation by name is a whole word; a file for tests among training files is told', async () => {
  const names = [
    'valley.txt',
    'Valentine.txt',
    'val-0.txt',
    'validation.txt',
    'VAL.txt',
    'val/a.txt',
    'b.txt',
  ];
  for (const name of names) made.file(join('words', name), `Text of ${name}.`);
  const { train, meta, notices } = await make(join(made.folder, 'words'));
  const kept = ['Valentine.txt', 'b.txt', 'valley.txt'];
  assert.deepEqual(
    train,
    kept.flatMap((name) => [...encode(`Text of ${name}.`), 50256]),
  );
  assert.deepEqual([meta.validation.documents, notices.length], [4, 1]);
  assert.ok(notices[0]!.includes('VAL.txt, val-0.txt, val/a.txt, …'));
  for (const name of ['train.jsonl', 'test-0.jsonl', 'testament.jsonl'])
    made.file(join('tests', name), lines(DOCUMENTS));
  const tests = await make(join(made.folder, 'tests'));
  assert.deepEqual([tests.notices.length, tests.notices[0]!.includes('test-0.jsonl;')], [1, true]);
});

test('a pipe, and a file that changes while it is read, are refused', async () => {
  const pipe = join(made.folder, 'pipe.txt');
  execFileSync('mkfifo', [pipe]);
  await refused(pipe, ['--from: ', 'pipe.txt', 'a device or a pipe']);
  const path = made.file('changing.txt', `${'The old sea. '.repeat(90_000)}end`);
  const file = inputFiles('--from', path, () => undefined)[0]!;
  const options = { name: 'x', from: path, column: 'text', limits: { train: Infinity, validation: 1 } };
  const sources = new Sources(
    options,
    () => undefined,
    () => undefined,
  );
  sources.read(sources.train[0]!, 'a');
  assert.throws(
    () => sources.read(sources.train[0]!, 'b'),
    refusal(`${file.name}: `, 'changed while it was read'),
  );
});

test('identity is content: other bytes of the same name, size and time are another source, the same bytes elsewhere are not', async () => {
  const path = made.file('stale/a.jsonl', lines(DOCUMENTS));
  const folder = join(made.folder, 'stale');
  const { mtime, size } = statSync(path);
  const first = await make(folder);
  assert.equal((await make(folder, { name: first.name })).isNew, false);
  writeFileSync(path, lines(DOCUMENTS).replace('Document 7', 'Document 8'));
  utimesSync(path, mtime, mtime);
  assert.equal(statSync(path).size, size);
  await assert.rejects(
    make(folder, { name: first.name }),
    refusal(`data set ${first.name}: `, 'a.jsonl has changed', `npm run data -- remove ${first.name}`),
  );
  const moved = made.file('moved/b.jsonl', lines(DOCUMENTS));
  assert.deepEqual((({ isNew, sha256 }) => [isNew, sha256])(await make(moved, { name: first.name })), [
    false,
    first.sha256,
  ]);
  made.file('moved/c.jsonl', lines(['More.']));
  await assert.rejects(make(join(made.folder, 'moved'), { name: first.name }), refusal('without b.jsonl'));
  unlinkSync(path);
  await assert.rejects(
    make(moved, { name: first.name, validationShare: 0.1 }),
    refusal('validationShare', 0.005, 0.1),
  );
});

test('a data set that says only names and sizes of its sources is used if those are the same, which is said', async () => {
  const path = made.file('old/a.jsonl', lines(DOCUMENTS));
  const { name, meta, sha256 } = await make(path);
  const { train: _, ...settings } = meta.request;
  const { inputs: __, ...rest } = meta;
  const write = (from: string) =>
    writeFileSync(
      join(datasetFolder(name), 'meta.json'),
      JSON.stringify({ ...rest, request: { from, ...settings } }),
    );
  write(`a.jsonl ${readFileSync(path).length}`);
  const again = await make(path, { name });
  assert.deepEqual([again.isNew, again.sha256, again.notices.length], [false, sha256, 1]);
  assert.ok(again.notices[0]!.includes(`npm run data -- remove ${name}`));
  write(`a.jsonl ${readFileSync(path).length + 1}`);
  await assert.rejects(make(path, { name }), refusal(`data set ${name}: `, 'a.jsonl'));
});

test('copies of validation documents are left out of training, whatever their size, format and outer white space', async () => {
  const long = Array.from({ length: 60_000 }, (_, i) => `${i} of the old sea`).join('\n');
  assert.ok(long.length > 2 ** 20);
  for (const name of ['val/long.txt', 'train/copy.txt']) made.file(join('copied', name), long);
  made.file('copied/train/spaced.txt', `\ufeff\n${long}\r\n`);
  made.file('copied/train/wide.txt', Buffer.from(`\ufeff${long}`, 'utf16le'));
  made.file('copied/val/small.txt', BOOK);
  made.file('copied/train/small.txt', `${BOOK}\n`);
  made.file('copied/train/other.txt', 'Another text.');
  const txt = await make(join(made.folder, 'copied/train'), { validation: join(made.folder, 'copied/val') });
  assert.deepEqual([txt.train, txt.meta.leftOut], [[...encode('Another text.'), 50256], 4]);
  made.file('mixed/val.jsonl', lines([long, BOOK]));
  const mixed = await make(join(made.folder, 'copied/train'), {
    validation: join(made.folder, 'mixed/val.jsonl'),
  });
  assert.deepEqual([mixed.train, mixed.meta.leftOut], [txt.train, 4]);
  made.file('mixed/train.jsonl', lines([`${long}\n`, BOOK, 'Another text.']));
  const rows = await make(join(made.folder, 'mixed'));
  assert.deepEqual([rows.train, rows.meta.leftOut], [txt.train, 2]);
});

test('few documents: at least one is in each split, the same on every run; a single one is divided at its end', async () => {
  const few = DOCUMENTS.slice(0, 12);
  const first = await make(made.file('few.jsonl', lines(few)));
  assert.deepEqual([first.meta.train.documents, first.meta.validation.documents], [11, 1]);
  const reversed = await make(made.file('reversed.jsonl', lines([...few].reverse())));
  assert.deepEqual(reversed.validation, first.validation);
  const most = await make(made.file('few.jsonl', lines(few)), { validationShare: 0.9999 });
  assert.deepEqual([most.meta.train.documents, most.meta.validation.documents], [1, 11]);
  const copies = await make(made.file('copies.jsonl', lines([...few, ...few])));
  assert.deepEqual(copies.validation, [...first.validation, ...first.validation]);

  const [whole, cut] = [[...encode(BOOK), 50256], await make(made.file('one.txt', BOOK))];
  assert.deepEqual([...cut.train, ...cut.validation], whole);
  assert.ok(Math.abs(cut.validation.length / whole.length - 0.1) < 0.01);
  const share = await make(made.file('one.txt', BOOK), { validationShare: 0.3 });
  assert.ok(Math.abs(share.validation.length / whole.length - 0.3) < 0.01);
  const row = await make(made.file('one.jsonl', lines([BOOK])));
  assert.deepEqual([row.train, row.validation], [cut.train, cut.validation]);
  const long = 'A longer text of many words. '.repeat(90_000);
  const parts = await make(made.file('long.txt', long));
  assert.ok(
    Buffer.from(Uint16Array.from([...parts.train, ...parts.validation]).buffer).equals(
      Buffer.from(Uint16Array.from([...encode(long), 50256]).buffer),
    ),
  );
  assert.ok(Math.abs(parts.validation.length / (parts.train.length + parts.validation.length) - 0.1) < 0.01);
  await refused(made.file('short.txt', 'Too short.'), ['one validation document', '--validation FILE']);
  const helped = await make(made.file('short.txt', 'Too short.'), {
    validation: made.file('other.txt', 'Other.'),
  });
  assert.equal(helped.meta.validation.documents, 1);
});

test('files of tokens of another tokenizer are refused, and taken where they are said to be GPT-2’s', async () => {
  const characters = Uint8Array.from({ length: 4000 }, (_, i) => (i % 2 ? 0 : i % 65));
  for (const name of ['train.bin', 'val.bin']) made.file(join('characters', name), characters);
  const folder = join(made.folder, 'characters');
  await refused(folder, ['val.bin: ', 'largest of 2,000 ids is 64', '--gpt2-ids']);
  assert.equal((await make(folder, { gpt2Ids: true })).train.length, 2000);
  const own = Uint16Array.from({ length: 120_000 }, (_, i) => i % 32_000);
  for (const name of ['train.bin', 'val.bin']) made.file(join('own', name), new Uint8Array(own.buffer));
  await refused(join(made.folder, 'own'), ['val.bin: ', 'is 31999']);
  // As NumPy writes int32 and int64, and llm.c.
  const usual = Array.from({ length: 200 }, (_, i) => (i * 251) % 50_257);
  for (const [name, bytes] of [
    ['int32', Int32Array.from(usual)],
    ['int64', BigInt64Array.from(usual, BigInt)],
  ] as const) {
    for (const file of ['train.bin', 'val.bin']) made.file(join(name, file), new Uint8Array(bytes.buffer));
    await refused(join(made.folder, name), ['val.bin: ', '2 bytes', 'uint16']);
  }
  for (const file of ['train.bin', 'val.bin'])
    made.file(join('llmc', file), Buffer.from('88d834010100', 'hex'));
  await refused(join(made.folder, 'llmc'), ['train.bin: ', 'llm.c', '1,024']);
  const gpt2 = Uint16Array.from([464, 6842, 13, 50256]);
  for (const name of ['train.bin', 'val.bin']) made.file(join('pickled', name), new Uint8Array(gpt2.buffer));
  made.file('pickled/meta.pkl', 'x');
  await refused(join(made.folder, 'pickled'), ['val.bin: ', 'meta.pkl']);
  mkdirSync(join(made.folder, 'pointers'));
  for (const name of ['train.bin', 'val.bin'])
    made.file(
      join('pointers', name),
      'version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n\n',
    );
  await refused(join(made.folder, 'pointers'), ['train.bin: ', 'Git LFS pointer', 'git lfs pull']);
});
