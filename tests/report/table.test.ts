import assert from 'node:assert/strict';
import test from 'node:test';
import { cellText, htmlTable, rowsOf, textTable, varying } from '../../lib/report/table';

test('numbers: thousands apart, digits that matter, small ones with an exponent', () => {
  assert.deepEqual(
    [1.02345678, 12.3456, 1234.5, 5120000, 0.00012345, 0, NaN, null, 'a', true].map(cellText),
    ['1.0235', '12.35', '1,235', '5,120,000', '1.23e-4', '0', 'NaN', '–', 'a', 'true'],
  );
});

test('columns become rows, in the order of their labels', () => {
  assert.deepEqual(rowsOf({ paper: { steps: 10, rate: 1 }, ours: { rate: 2, steps: 5 } }), [
    { '': 'steps', paper: 10, ours: 5 },
    { '': 'rate', paper: 1, ours: 2 },
  ]);
  assert.deepEqual(rowsOf({}), []);
});

test('columns of numbers stand to the right', () => {
  const [columns, rows] = [
    ['model', 'loss (nats)'],
    [
      ['ours', '1.02'],
      ['the paper', '–'],
    ],
  ];
  assert.equal(
    textTable(columns, rows),
    'model      loss (nats)\n─────────  ───────────\nours              1.02\nthe paper            –',
  );
  const html = htmlTable(columns, rows);
  assert.match(html, /text-align: left[^>]*>model<[^]*text-align: right[^>]*>loss \(nats\)</);
});

test('short values stay on one line, headings and sentences break', () => {
  const html = htmlTable(['bits per parameter'], [['2 × 128'], ['a sentence of many words']]);
  assert.deepEqual(
    [...html.matchAll(/<t[dh] ([^>]*)>([^<]*)/g)].map(([, style, text]) => [text, style!.includes('nowrap')]),
    [
      ['bits per parameter', false],
      ['2 × 128', true],
      ['a sentence of many words', false],
    ],
  );
});

test('text in a table is escaped', () => assert.ok(htmlTable(['a'], [['<b>&']]).includes('&lt;b&gt;&amp;')));

test('a column in which all rows agree is said once, unless it is the first or there is one row', () => {
  const rows = [
    { run: 'a', tier: 'desk', loss: 1 },
    { run: 'a', tier: 'desk', loss: 2 },
  ];
  assert.deepEqual(varying(rows), { columns: ['run', 'loss'], constant: ['tier: desk'] });
  assert.deepEqual(varying(rows.slice(1)), { columns: ['run', 'tier', 'loss'], constant: [] });
});
