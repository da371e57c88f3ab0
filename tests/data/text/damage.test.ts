/** Random damages of each format of text: what comes out is the right text or one line. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { jobsOf } from '../../../lib/data/text/documents';
import type { Format } from '../../../lib/data/text/sources';
import { tokenise } from '../../../lib/data/text/tokenise';
import { DAMAGES, readDamaged } from '../../damage';
import { FIXTURES, scratch } from './made';

const made = scratch('damage');
const lines = readFileSync(join(FIXTURES, 'documents.jsonl'), 'utf8').split('\n').slice(0, 8).join('\n');
const parquet = (name: string) => readFileSync(join(FIXTURES, 'parquet', `${name}.parquet`));

/** With `checked` every byte of the text is under a checksum. */
const KINDS: [what: string, format: Format, bytes: Uint8Array, checked: boolean][] = [
  ['gzip', 'jsonl.gz', Buffer.concat([gzipSync(lines.slice(0, 1500)), gzipSync(lines.slice(1500))]), true],
  ['Zstandard', 'jsonl.zst', readFileSync(join(FIXTURES, 'frames.jsonl.zst')), true],
  ['Parquet, plain', 'parquet', parquet('none'), true],
  ['Parquet, several pages and row groups', 'parquet', parquet('pages'), true],
  ['Parquet, dictionary with fallback', 'parquet', parquet('fallback'), true],
  ['Parquet, Zstandard and pages of version 2', 'parquet', parquet('v2'), true],
  ['JSON Lines', 'jsonl', Buffer.from(lines), false],
  ['plain text', 'txt', Buffer.from(lines), false],
  ['UTF-16', 'txt', Buffer.from(`\ufeff${lines}`, 'utf16le'), false],
];

async function idsIn(path: string, format: Format): Promise<Buffer> {
  const file = { path, name: `damaged.${format}`, bytes: readFileSync(path).length, format };
  const reading = { onBytes: () => undefined, onNotice: () => undefined };
  const rule = { all: 'train' } as const;
  const parts: Buffer[] = [];
  for await (const { train } of tokenise(jobsOf([file], 'text', rule, reading), rule, () => ({
    train: true,
    validation: false,
  })))
    parts.push(Buffer.from(train.ids.buffer, 0, train.ids.byteLength));
  return Buffer.concat(parts);
}

for (const [what, format, bytes, checked] of KINDS)
  test(`${what}: ${DAMAGES} damages give the right text or one line`, async () => {
    let i = 0;
    const read = (content: Uint8Array) => {
      // A name of its own for each: a Parquet file that was opened is kept open.
      const path = join(made.folder, `${i++}.${format}`);
      writeFileSync(path, content);
      return idsIn(path, format);
    };
    const right = await read(bytes);
    await readDamaged(what, bytes, [`.${format}`], read, (ids) => !checked || ids.equals(right));
  });
