import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { exportLines, type ExportedFloors } from '../../../lib/data/grammar/export';
import { FAMILY } from '../../../lib/data/grammar/grammar-family';
import { parseLine, sampleSplits, Vocabulary } from '../../../lib/data/grammar/question-formation';
import { paths } from '../../../lib/util/paths';
import { assertClose } from '../../assert-close';

const parent = mkdtempSync(join(tmpdir(), 'export-'));
after(() => rmSync(parent, { recursive: true }));
const folder = join(parent, 'lines');
const floors = exportLines(folder, '0.6', { seed: 3, train: 2000 });

test('the files hold the lines that runs see, and the floors as they were computed', () => {
  const splits = sampleSplits(FAMILY['0.6'], { seed: 3, train: 2000 });
  for (const split of ['train', 'dev', 'test', 'generalisation'] as const) {
    const rows = readFileSync(join(folder, `${split}.txt`), 'utf8')
      .trimEnd()
      .split('\n');
    assert.deepEqual(rows.map(parseLine), splits[split]);
    assert.equal(rows.length, floors.lines[split]);
  }
  const written = JSON.parse(readFileSync(join(folder, 'floors.json'), 'utf8')) as ExportedFloors;
  assert.deepEqual(written, floors);
});

test('positions add up to the line; the drawn lines cost about the entropy; memorised ones ln D', () => {
  const { positions, unique, surprisal, memorised } = floors;
  assertClose([positions.reduce((all, { nats }) => all + nats, 0)], [unique.nats], {
    relative: 1e-9,
    what: 'nats of all positions',
  });
  assertClose([positions.reduce((all, { share }) => all + share, 0)], [unique.tokensPerLine], {
    relative: 1e-9,
    what: 'tokens a line',
  });
  assertClose([surprisal.test.natsPerToken], [unique.natsPerToken], { relative: 0.02, what: 'test lines' });
  assertClose([memorised.nats], [Math.log(2000)], { absolute: 1e-9, what: 'memorised' });
});

test('the Python reader of the README reads them as it is written there', () => {
  const readme = readFileSync(join(paths.root, 'README.md'), 'utf8');
  const code = /```python\n(import json[\s\S]*?)```/.exec(readme)![1]!;
  assert.ok(code.includes('Path("FOLDER")'));
  const printed = execFileSync('python3', ['-c', code.replace('"FOLDER"', JSON.stringify(folder))], {
    encoding: 'utf8',
  });
  const excess = Math.log(new Vocabulary(FAMILY['0.6']).size) - floors.surprisal.dev.natsPerToken;
  assert.equal(
    printed,
    `entropy ${floors.unique.natsPerToken.toFixed(3)}, memorised ${floors.memorised.natsPerToken.toFixed(3)}\n` +
      `2000 lines; a uniform guess is ${excess.toFixed(3)} nats a token above the best\n`,
  );
});

test('a folder that holds something is refused in a line and left as it is', () => {
  const before = readdirSync(folder);
  assert.throws(
    () => exportLines(folder, '0.8', { seed: 1, train: 10 }),
    /^UserError: --export: expected a new or empty folder; .*lines holds dev\.txt: choose another or empty it$/,
  );
  assert.deepEqual(readdirSync(folder), before);
  const file = join(parent, 'file');
  writeFileSync(file, '');
  assert.throws(() => exportLines(file, '0.8', { seed: 1, train: 10 }), /holds a file of that name/);
});
