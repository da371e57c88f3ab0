import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runsTable, runsTablePath } from '../../../lib/analysis/shared/runs-table';
import { gpt2Parameters } from '../../../lib/model/config';
import type { Gpt2Config } from '../../../lib/model/config';
import { allCommitted, type RunRecord } from '../../../lib/train/record';
import { assertClose } from '../../assert-close';

const records = allCommitted();
const parsed = (text: string): Record<string, string>[] => {
  const [head, ...rows] = text.trimEnd().split('\n');
  const columns = head!.split(',');
  return rows.map((row) => {
    // Commas outside quotes: an even number of these comes after each.
    const cells = row.split(/,(?=(?:[^"]*"[^"]*")*[^"]*$)/);
    assert.equal(cells.length, columns.length, row);
    return Object.fromEntries(columns.map((name, i) => [name, cells[i]!]));
  });
};

test('data/runs.csv is what the committed records say: "npm run data -- runs" writes it', () => {
  assert.equal(readFileSync(runsTablePath, 'utf8'), runsTable(records));
});

test('a row has the numbers of its record', () => {
  const rows = parsed(runsTable(records));
  assert.deepEqual(
    rows.map(({ id }) => id),
    records.map(({ id }) => id),
  );
  const of = (start: string): [Record<string, string>, RunRecord] => {
    const i = records.findIndex(({ id }) => id.startsWith(start));
    assert.ok(i >= 0, start);
    return [rows[i]!, records[i]!];
  };
  const [items, record] = of('capacity-desk-2-layers-width-64-31584-associations');
  assert.deepEqual(
    [items.D, items.D_unit, items.data_tokens, items.data_bits, items.N],
    ['31584', 'items', '31584', String(31584 * 6), '105280'],
  );
  const { withoutEmbeddings } = gpt2Parameters(record.config.model as Gpt2Config);
  assert.equal(items.N_without_embeddings, String(withoutEmbeddings));
  // Five tokens of each of 1,024 associations a step, forwards and twice that backwards.
  assert.equal(items.flops, String(6 * withoutEmbeddings * Number(items.steps) * 1024 * 5));
  const [lines] = of('plateau-intervention-desk-4-layers-width-128-grammar-0.6-100000-lines-seed-1-');
  assertClose([Number(lines.exposures)], [(6000 * 32) / 100_000], { relative: 1e-5, what: 'passes' });
  assertClose(
    [Number(lines.data_bits) / Number(lines.data_tokens)],
    [Number(lines.entropy_nats) / Math.LN2],
    { relative: 5e-3, what: 'bits a token: tokens are those that were drawn' },
  );
  const [text, book] = of('overfitting-9m-desk-12-layers');
  assert.deepEqual(
    [text.D_unit, text.entropy_nats, text.memorised_bits],
    ['tokens', '', ''],
    'what is not known is empty',
  );
  assertClose([Number(text.held_out_loss_lowest)], [Math.min(...book.curve.map((p) => p.heldOutLossNats))], {
    relative: 1e-5,
    what: 'lowest held-out loss',
  });
});

test('a text with a comma or a quote stays one cell', () => {
  const record = { ...records[0]!, commit: 'a "b", c' };
  assert.match(runsTable([record]), /,"a ""b"", c"\n$/);
});
