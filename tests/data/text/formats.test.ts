/** Every format gives the right text or is refused in one line: archives, encodings, rows, Parquet. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { crc32 } from '../../../lib/util/crc32';
import { encode } from '../../../lib/data/text/tokenizer';
import { FIXTURES, lines, scratch } from './made';

const made = scratch('formats');
const { make, refused } = made;
const DOCUMENTS = readFileSync(join(FIXTURES, 'documents.jsonl'), 'utf8')
  .trim()
  .split('\n')
  .map((line) => (JSON.parse(line) as { text: string }).text);
const idsOf = (documents: readonly string[]): number[] =>
  documents.flatMap((text) => [...encode(text), 50256]);

/** Validation of its own, so that all documents of a file are training. */
const apart = (end = 'jsonl') => ({
  validation: made.file(`apart.${end}`, end === 'txt' ? 'Apart.' : lines(['Apart.'])),
});
const parquet = (name: string) => join(FIXTURES, 'parquet', `${name}.parquet`);

async function gives(file: string, documents: readonly string[], withoutText = 0, options = apart()) {
  const { train, meta, notices } = await make(file, options);
  assert.deepEqual(train, idsOf(documents), file);
  assert.equal(meta.withoutText, withoutText, file);
  return notices;
}

test('crc32 is that of the standard, in pieces too', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 37) & 255);
  for (const cut of [0, 1, 2, 3, 5, 500])
    assert.equal(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut))), crc32(bytes));
});

test('gzip: members in a row, all fields of the header, padding; checksum and length are verified', async () => {
  const text = lines(DOCUMENTS);
  const [one, two] = [gzipSync(text.slice(0, 5000)), gzipSync(text.slice(5000))];
  await gives(made.file('members.jsonl.gz', Buffer.concat([one, two])), DOCUMENTS);
  const head = Buffer.concat([
    Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3, 2, 0, 1, 2]),
    Buffer.from('a.jsonl\0note\0'),
  ]);
  const sum = Buffer.alloc(2);
  sum.writeUInt16LE(crc32(head) & 0xffff);
  const trailer = two.subarray(-8);
  const full = Buffer.concat([head, sum, deflateRawSync(text.slice(5000)), trailer]);
  await gives(made.file('fields.jsonl.gz', Buffer.concat([one, full])), DOCUMENTS);
  const notices = await gives(
    made.file('padded.jsonl.gz', Buffer.concat([one, two, Buffer.from('\0\0\n')])),
    DOCUMENTS,
  );
  assert.deepEqual([notices.length, notices[0]!.includes('padded.jsonl.gz: 3 bytes')], [1, true]);
  await gives(made.file('large.jsonl.gz', gzipSync(lines(['a '.repeat(1 << 21)]))), ['a '.repeat(1 << 21)]);
  const changed = (at: number) =>
    Buffer.from(two).fill(two.at(at)! ^ 1, two.length + at, two.length + at + 1);
  for (const [what, bytes, why] of [
    ['sum', changed(-5), 'data check'],
    ['length', changed(-1), 'length check'],
    ['follows', Buffer.concat([one, Buffer.from('more')]), 'other bytes follow'],
    ['second', Buffer.concat([one, two.subarray(0, 9)]), 'unexpected end of file'],
    ['trailer', two.subarray(0, -3), 'unexpected end of file'],
  ] as const)
    await refused(made.file(`${what}.jsonl.gz`, bytes), [`${what}.jsonl.gz: `, why], apart());
});

test('Zstandard: frames in a row and skippable ones; checksums are verified, large windows and dictionaries refused', async () => {
  const bytes = readFileSync(join(FIXTURES, 'frames.jsonl.zst'));
  await gives(join(FIXTURES, 'frames.jsonl.zst'), DOCUMENTS.slice(0, 6));
  assert.equal(
    (
      await gives(
        made.file('padded.jsonl.zst', Buffer.concat([bytes, Buffer.from('\n')])),
        DOCUMENTS.slice(0, 6),
      )
    ).length,
    1,
  );
  const changed = Buffer.from(bytes);
  changed[changed.length - 1]! ^= 1;
  await refused(made.file('sum.jsonl.zst', changed), ['sum.jsonl.zst: ', 'checksum does not match'], apart());
  for (const length of [3, 5, 20, 300, bytes.length - 2])
    await refused(made.file('cut.jsonl.zst', bytes.subarray(0, length)), ['cut.jsonl.zst: '], apart());
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  const block = [1, 0, 0];
  await refused(
    made.file('window.jsonl.zst', Uint8Array.from([...magic, 0, 18 << 3, ...block])),
    ['256 MB', '--long'],
    apart(),
  );
  await refused(
    made.file('dictionary.jsonl.zst', Uint8Array.from([...magic, 1, 0, 7, ...block])),
    ['dictionary'],
    apart(),
  );
});

test('what a file is must be what its name says', async () => {
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n';
  const page = '\n<!DOCTYPE html>\n<html><body>Not found</body></html>';
  for (const end of ['txt', 'jsonl', 'jsonl.gz', 'jsonl.zst', 'parquet']) {
    await refused(made.file(`pointer.${end}`, pointer), [
      `pointer.${end}: `,
      'Git LFS pointer',
      'git lfs pull',
    ]);
    await refused(made.file(`page.${end}`, page), [`page.${end}: `, 'HTML page']);
    await refused(
      made.file(`error.${end}`, '<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>'),
      ['XML error'],
    );
  }
  await refused(made.file('packed.jsonl', gzipSync('{}')), ['packed.jsonl: ', 'gzip', '.jsonl.gz']);
  await refused(made.file('packed.txt', readFileSync(parquet('none'))), ['packed.txt: ', 'Parquet']);
  await refused(made.file('twice.jsonl.gz', gzipSync(gzipSync('{}'))), ['twice.jsonl.gz: ', 'gzip']);
  await refused(made.file('page2.jsonl.gz', gzipSync(page)), ['page2.jsonl.gz: ', 'HTML page']);
  await refused(made.file('array.txt', Buffer.from('\x93NUMPY', 'latin1')), ['array.txt: ', 'NumPy']);
  await refused(made.file('doc.txt', '%PDF-1.7'), ['doc.txt: ', 'PDF']);
});

/** UTF-32, with a mark. */
function utf32(text: string, littleEndian: boolean): Uint8Array {
  const points = [0xfeff, ...Array.from(text, (c) => c.codePointAt(0)!)];
  const view = new DataView(new ArrayBuffer(4 * points.length));
  points.forEach((c, i) => view.setUint32(4 * i, c, littleEndian));
  return new Uint8Array(view.buffer);
}
const utf16 = (text: string, littleEndian = true) => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return littleEndian ? bytes : bytes.swap16();
};

test('encodings with a byte order mark are read, wherever the mark is; without one UTF-8 is expected', async () => {
  const text = 'Zoë saw 東京 🙂 \ufeff and a sea.\n\ufeff line\n';
  const clean = text.replace('\n\ufeff', '\n');
  const variants: [string, Uint8Array][] = [
    ['utf8', Buffer.from(text)],
    ['marked', Buffer.from(`\ufeff${text}`)],
    ['16le', utf16(text)],
    ['16be', utf16(text, false)],
    ['32le', utf32(text, true)],
    ['32be', utf32(text, false)],
  ];
  const several = [DOCUMENTS[0]!, 'a \ufeffb', DOCUMENTS[1]!];
  for (const [name, bytes] of variants)
    await gives(made.file(`${name}.txt`, bytes), [clean], 0, apart('txt'));
  for (const [name, convert] of [
    ['16le', utf16],
    ['32be', (t: string) => utf32(t, false)],
    ['marked', (t: string) => Buffer.from(`\ufeff${t}`)],
  ] as const) {
    await gives(made.file(`${name}.jsonl`, convert(lines(several))), several);
    await gives(made.file(`${name}.jsonl.gz`, gzipSync(convert(lines(several)))), several);
  }
  // As cat makes of files with marks, with and without a line feed at their end.
  const joined = `\ufeff${lines([DOCUMENTS[0]!])}\ufeff${lines([DOCUMENTS[1]!]).trim()}\ufeff${lines([DOCUMENTS[2]!])}`;
  await gives(made.file('cat.jsonl', joined), DOCUMENTS.slice(0, 3));
  const long = `${'Zoë saw the sea. 🙂 '.repeat(80_000)}end`;
  await gives(made.file('long16.txt', utf16(long)), [long], 0, apart('txt'));
});

test('text in no encoding that can be told, or with NUL characters, is refused', async () => {
  const text = 'The old sea.';
  await refused(made.file('nomark.txt', Buffer.from(text, 'utf16le')), [
    'nomark.txt: ',
    'NUL',
    'byte order mark',
  ]);
  await refused(made.file('nomark32.txt', utf32(text, false).subarray(4)), ['nomark32.txt: ', 'NUL']);
  await refused(made.file('nomark.jsonl', Buffer.from(lines([text]), 'utf16le')), ['nomark.jsonl: ', 'NUL']);
  await refused(made.file('nul.jsonl', `${lines(['a'])}{"text": "b\\u0000"}\n`), [
    'nul.jsonl, line 2: ',
    'NUL',
  ]);
  await refused(made.file('odd.txt', utf16(text).subarray(0, -1)), ['odd.txt: ', 'UTF-16']);
  await refused(made.file('lone.txt', Buffer.from([0xff, 0xfe, 0, 0xd8, 65, 0])), ['lone.txt: ', 'UTF-16']);
  await refused(made.file('large.txt', Buffer.from([0xff, 0xfe, 0, 0, 0, 0, 0x11, 0])), [
    'large.txt: ',
    'UTF-32',
  ]);
  await refused(made.file('latin.jsonl.gz', gzipSync(Buffer.from('{"text": "caf\xe9"}\n', 'latin1'))), [
    'latin.jsonl.gz, line 1: ',
    'UTF-8',
  ]);
});

test('rows: NaN elsewhere, duplicate keys, missing texts, lone surrogates, names of objects, groups', async () => {
  const [a, b, c] = DOCUMENTS as [string, string, string];
  const row = (text: string) => JSON.stringify(text);
  const content = [
    `{"text": ${row(a)}, "score": NaN, "other": [Infinity, -Infinity, {"text": NaN}]}`,
    `{"text": "first", "text": ${row(b)}}\r`,
    '{"text": null}',
    '{"text": NaN}',
    '{"other": 1}',
    '{"text": ""}',
    `{"note": "a \\"NaN\\" and \\\\", "x": NaN, "text": ${row(c)}}`,
    '{"text": "a \\ud800b"}',
  ].join('\n');
  await gives(made.file('rows.jsonl', content), [a, b, c, 'a \ufffdb'], 4);
  assert.deepEqual([...encode('a \ud800b')], [...encode('a \ufffdb')]);
  for (const column of ['toString', '__proto__', 'constructor'])
    await refused(
      made.file('plain.jsonl', lines([a])),
      ['plain.jsonl, line 1: ', `"${column}"`, 'got text'],
      { column },
    );
  const named = made.file('named.jsonl', '{"toString": "a b", "meta": {"text": "c d"}, "meta.id": "e f"}\n');
  for (const [column, text] of [
    ['toString', 'a b'],
    ['meta.text', 'c d'],
    ['meta.id', 'e f'],
  ] as const) {
    const own = {
      column,
      validation: made.file(
        'own.jsonl',
        JSON.stringify({ toString: 'x', meta: { text: 'x' }, 'meta.id': 'x' }),
      ),
    };
    assert.deepEqual((await make(named, own)).train, idsOf([text]));
  }
  // The first of two files has the column, the second has not.
  writeFileSync(join(made.folder, 'x.jsonl'), '');
  made.file('two/a.jsonl', lines([a]));
  made.file('two/b.jsonl', '{"content": "x"}\n');
  await refused(join(made.folder, 'two'), ['b.jsonl, line 1: ', 'got content'], apart());
  await refused(made.file('bad.jsonl', '{"text": {"NaN": NaN, }}\n'), ['bad.jsonl, line 1: ', 'JSON']);
  await refused(made.file('list.jsonl', '{"text": ["a"]}\n'), ['list.jsonl, line 1: ', 'got ["a"]']);
  const deep = `${'['.repeat(1e5)}${']'.repeat(1e5)}`;
  await refused(made.file('deep.jsonl', `{"text": ${deep}}\n`), ['deep.jsonl, line 1: ', 'too many others']);
  const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`c${i}`, i])));
  await refused(made.file('wide.jsonl', wide), ['wide.jsonl, line 1: ', 'got c0, c1', 'c19, …: name it']);
});

const SIX = [DOCUMENTS[0]!, DOCUMENTS[1]!, DOCUMENTS[2]!, DOCUMENTS[3]!];
/** The same with a column inside groups. */
const apartIn = (column: string) => {
  const row = column.split('.').reduceRight<unknown>((value, name) => ({ [name]: value }), 'Apart.');
  return { column, validation: made.file(`${column}.jsonl`, JSON.stringify(row)) };
};

test('Parquet: every codec, encoding, version of pages and kind of text column gives the same documents', async () => {
  const before = apart();
  for (const name of [
    'none',
    'snappy',
    'gzip',
    'brotli',
    'zstd',
    'lz4',
    'v2',
    'pages',
    'large',
    'dictionary',
    'delta_length_byte_array',
    'delta_byte_array',
    'binary',
    'groups',
  ]) {
    const { train, meta } = await make(parquet(name), before);
    assert.deepEqual(train, idsOf(SIX), name);
    assert.equal(meta.withoutText, 2, name);
  }
  const nested = await make(parquet('nested'), apartIn('doc.meta.text'));
  assert.deepEqual([nested.train, nested.meta.withoutText], [idsOf(SIX), 2]);
  const fallback = await make(parquet('fallback'), before);
  assert.deepEqual(fallback.train, idsOf([0, 1, 2, 3].flatMap(() => DOCUMENTS.slice(0, 4))));
});

test('Parquet: what cannot be text is refused, and so is damage that a checksum tells', async () => {
  await refused(parquet('latin'), ['latin.parquet: ', 'UTF-8', '"text"'], apart());
  await refused(parquet('list'), ['list.parquet: ', 'a list', '--column'], apartIn('text.list.element'));
  await refused(parquet('nested'), ['nested.parquet: ', '"doc"', 'doc.meta.text'], apartIn('doc'));
  await refused(parquet('empty'), ['empty.parquet', 'none']);
  const bytes = readFileSync(parquet('none'));
  const at = bytes.indexOf(DOCUMENTS[3]!.slice(0, 20));
  bytes[at]! ^= 1;
  await refused(made.file('flipped.parquet', bytes), ['flipped.parquet: ', 'checksum of a page'], apart());
});
