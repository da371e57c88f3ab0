import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { createCanvas } from '@napi-rs/canvas';
import type { Notebook } from '../../../lib/report/notebook-files';
import { VERDICT_MIME, verdict } from '../../../lib/report/verdict';
import { linkedReport, writeIndex } from '../../../lib/tools/jupyter/collection';

const folder = mkdtempSync(join(tmpdir(), 'collection-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const notebooks = join(folder, 'notebooks');
mkdirSync(notebooks);

const png = createCanvas(900, 450).toBuffer('image/png').toString('base64');

function notebook(title: string, found: string): Notebook {
  const question = { claim: `${title} < 1.`, source: 'section 1', paper: 1, tolerance: 0.1, unit: 'nats' };
  const shown = verdict({ ...question, ours: [{ seed: 1, tier: 'desk', value: 1.02 }] });
  const outputs = [
    { 'text/html': `<p style="color: red">${found}</p><p>more</p>` },
    { 'image/png': png },
    { [VERDICT_MIME]: [shown] },
  ].map((data) => ({ output_type: 'display_data', data }));
  const cells: Notebook['cells'] = [
    { cell_type: 'markdown', metadata: {}, source: `# ${title}\n\ntext` },
    { cell_type: 'code', metadata: {}, source: 'a.showAnswer(1)', outputs },
  ];
  return { cells, metadata: {}, nbformat: 4, nbformat_minor: 5 };
}

const names = ['01-a', '02-b', '03-c'];
for (const name of names)
  writeFileSync(join(notebooks, `${name}.ipynb`), JSON.stringify(notebook(`${name} committed`, 'then')));
const html =
  '<html><body class="x"><a href="03-c.ipynb">c</a><a href="../notebooks/09-z.ipynb">z</a></body></html>';
const report = () =>
  linkedReport(
    html,
    '02-b',
    notebook('b & executed', 'see <a href="01-a.ipynb">a</a>'),
    { tier: 'quick', seed: 7, minutes: 1.26 },
    names,
  );

test('a report leads to its neighbours, to the index and to the reports of notebooks that it names', async () => {
  const links = [...(await report()).matchAll(/<a href="([^"]*)"/g)].map((match) => match[1]);
  assert.deepEqual(links, ['01-a.html', 'index.html', '03-c.html', '03-c.html', '../notebooks/09-z.ipynb']);
});

test('the index: executed notebooks with tier, seed, minutes and a link, others as committed; every verdict', async () => {
  writeFileSync(join(folder, '02-b.html'), await report());
  writeFileSync(join(folder, '03-c.html'), 'a report of another version');
  const index = readFileSync(await writeIndex(folder, notebooks), 'utf8');
  const cards = index.split('<article>').slice(1);
  assert.equal(cards.length, 3);
  const [first, second, third] = cards as [string, string, string];
  assert.match(first, /01-a committed.*then.*as committed.*npm run reproduce -- 01/s);
  assert.match(
    second,
    /<a href="02-b.html">b &amp; executed<\/a>.*see <a href="01-a.html">.*quick tier, seed 7 .*1\.3 minutes · commit /s,
  );
  assert.match(third, /03-c committed.*as committed/s);
  const [, picture] = /<img alt="" src="data:image\/png;base64,([^"]*)"/.exec(second)!;
  assert.equal(Buffer.from(picture!, 'base64').readUInt32BE(16), 480);
  assert.equal(index.split('REPRODUCED').length - 1, 6, 'each verdict in its card and in the table');
  assert.match(index, /<td>b &amp; executed &lt; 1\.<\/td>/);
  assert.ok(!/https?:\/\//.test(index), 'needs no network');
});
