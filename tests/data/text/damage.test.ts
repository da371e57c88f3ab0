/** 500 random damages of each format: cut off, bits flipped, pieces swapped, overwritten or repeated. What comes out is the right text or one line. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { jobsOf } from '../../../lib/data/text/documents';
import type { Format } from '../../../lib/data/text/sources';
import { tokenise } from '../../../lib/data/text/tokenise';
import { UserError } from '../../../lib/util/errors';
import { Random } from '../../../lib/util/random';
import { assertOneLine } from '../../refusal';
import { FIXTURES, scratch } from './made';

const made = scratch('damage');
const DAMAGES = 500;
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

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const out = Buffer.from(bytes);
  const at = () => random.int(out.length);
  const piece = () => {
    const from = at();
    return [from, Math.min(out.length, from + 1 + random.int(64))] as const;
  };
  const [from, to] = piece();
  switch (random.int(5)) {
    case 0:
      return out.subarray(0, at());
    case 1:
      for (let n = 1 + random.int(3); n > 0; n--) out[at()]! ^= 1 << random.int(8);
      return out;
    case 2: {
      const part = Buffer.from(out.subarray(from, to));
      const other = Math.min(at(), out.length - part.length);
      out.copyWithin(from, other, other + part.length);
      out.set(part, other);
      return out;
    }
    case 3:
      for (let i = from; i < to; i++) out[i] = random.int(256);
      return out;
    default:
      return Buffer.concat([out.subarray(0, to), out.subarray(from)]);
  }
}

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
    const random = new Random(1, `damage/${what}`);
    const path = (i: number) => join(made.folder, `${i}.${format}`);
    writeFileSync(path(0), bytes);
    const right = await idsIn(path(0), format);
    let [refused, read] = [0, 0];
    for (let i = 1; i <= DAMAGES; i++) {
      const content = damaged(bytes, random);
      writeFileSync(path(i), content);
      try {
        const ids = await idsIn(path(i), format);
        read++;
        if (checked && !ids.equals(right))
          assert.fail(`damage ${i}: another text: ${content.length} bytes for ${bytes.length}`);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        assertOneLine(error.message, `.${format}`);
        refused++;
      }
    }
    assert.ok(refused > 0 && refused + read === DAMAGES);
  });
