/** A review of small repositories made here, and of this one. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { toPng, type PlainFigure } from '../../../lib/report/static-image';
import { VERDICT_MIME, verdict, type Question } from '../../../lib/report/verdict';
import { findChromium } from '../../../lib/tools/cli/test';
import { changesBetween } from '../../../lib/tools/review/changes';
import { faultsOf } from '../../../lib/tools/review/faults';
import { reviewPage } from '../../../lib/tools/review/page';
import { summaryMarkdown, type Review } from '../../../lib/tools/review/summary';
import { twoTrees, workingTree } from '../../../lib/tools/review/trees';
import { allCommitted } from '../../../lib/train/record';
import { withPage } from '../../browser';
import { refusal } from '../../refusal';

const folder = mkdtempSync(join(tmpdir(), 'review-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const git = (root: string, ...args: string[]): string =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
    cwd: root,
    encoding: 'utf8',
  });

const SIZE = [300, 200, 1.5] as const;
const figureOf = (y: number[]): PlainFigure => ({
  data: [{ type: 'scatter', y } as object],
  layout: { height: SIZE[1] },
});

const question = (value: number): Question => ({
  claim: 'It settles near 1.',
  source: 'section 6',
  paper: 1,
  tolerance: 0.05,
  unit: 'nats',
  ours: [{ seed: 1, tier: 'desk', value }],
});

const madeFrom = (code: string): object => ({
  memorization: { code: createHash('sha256').update(code).digest('hex') },
});
const ipynb = (source: string, outputs: object[], more: object = {}): string => {
  const metadata = { kernelspec: { name: 'tslab' }, ...madeFrom(source), ...more };
  const cell = { cell_type: 'code', id: 'cell-1', metadata: {}, source, execution_count: 1, outputs };
  return `${JSON.stringify({ cells: [cell], metadata, nbformat: 4, nbformat_minor: 5 }, null, 1)}\n`;
};
const output = (data: object): object => ({ output_type: 'display_data', data, metadata: {} });

type Files = Record<string, string | Buffer | null>;

/** A project with one notebook, its figure and a record. */
async function project(value: number, y: number[], seed = 1): Promise<Files> {
  const png = await toPng(figureOf(y), ...SIZE);
  const outputs = [
    output({ 'text/plain': `the loss is ${value}`, [VERDICT_MIME]: verdict(question(value)) }),
    output({ 'image/png': png.toString('base64') }),
  ];
  const config = { experiment: 'question-formation', tier: 'desk', seed, model: { layers: seed } };
  const curve = [{ step: 10, trainLossNats: value, heldOutLossNats: value }];
  return {
    'notebooks/04-a.ipynb': ipynb(`show(${value});`, outputs),
    'notebooks/04-a.ts': `// %%\nshow(${value});\n`,
    'figures/a.json': `${JSON.stringify(figureOf(y))}\n`,
    'figures/a.png': png,
    [`data/runs/question-formation-desk-seed-${seed}.json`]: JSON.stringify({
      id: `question-formation-desk-seed-${seed}`,
      config,
      curve,
    }),
  };
}

function write(root: string, files: Files): string {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (content === null) rmSync(join(root, path), { force: true });
    else writeFileSync(join(root, path), content);
  }
  return root;
}

/** A repository whose only commit has these files. */
function repository(name: string, files: Files): string {
  const root = join(folder, name);
  mkdirSync(root);
  git(root, 'init', '-q', '-b', 'main');
  write(root, files);
  git(root, 'add', '-A');
  git(root, 'commit', '-qm', 'start');
  return root;
}

let [start, sound]: [Files, string] = [{}, ''];
before(async () => {
  start = await project(1.2, [1, 2, 3]);
  sound = repository('sound', start);
});

/** A review of the working tree, but for records and verdicts, which here are of no experiment. */
async function reviewOf(root: string, base?: string, head?: string): Promise<Review> {
  const trees = twoTrees(base, head, root);
  return { ...trees, ...(await changesBetween(trees.base, trees.head)), faults: [] };
}

test('nothing changed: nothing is said to have changed', async () => {
  const { verdicts, figures, cells, records } = await reviewOf(sound);
  assert.deepEqual(
    { verdicts, figures, cells, records },
    { verdicts: [], figures: [], cells: [], records: [] },
  );
});

test('a verdict, its record, a figure and a cell that changed: each is told, from git alone', async () => {
  const root = repository('changed', start);
  git(root, 'checkout', '-qb', 'feature');
  write(root, { ...(await project(1.01, [1, 2, 9], 1)) });
  const review = await reviewOf(root);
  const [changed] = review.verdicts;
  assert.deepEqual([changed?.before?.outcome, changed?.after?.outcome], ['NOT REPRODUCED', 'REPRODUCED']);
  assert.deepEqual(changed?.records, ['question-formation-desk-seed-1']);
  assert.equal(changed?.weight, 'verdict');
  const { different, pixels } = review.figures[0]!.difference!;
  assert.ok(different > 100 && different < pixels / 2, `${different} of ${pixels}`);
  assert.deepEqual(
    review.cells[0]!.source.flat().map((line) => line.map(({ kind, text }) => `${kind} ${text}`)),
    [['same // %%'], ['same show(', 'old 1.2', 'new 1.01', 'same );']],
  );
  assert.ok(review.records[0]!.fields.some(({ field }) => field === 'first point that differs'));
  assert.match(
    summaryMarkdown(review),
    /1\.2 \(desk, seed 1\) → 1\.01 \(desk, seed 1\) \| NOT REPRODUCED → REPRODUCED/,
  );

  git(root, 'add', '-A');
  git(root, 'commit', '-qm', 'change');
  const later = await reviewOf(root, 'main', 'feature');
  assert.deepEqual(later.verdicts, review.verdicts);
});

test('a value that is not finite is none on the page', async () => {
  const root = repository('infinite', start);
  const file = 'notebooks/04-a.ipynb';
  write(root, { [file]: (await project(Infinity, [1, 2, 3]))[file]! });
  assert.match(reviewPage(await reviewOf(root)), /none \(desk, seed 1\)/);
});

test('a record that replaces another is next to it, field by field', async () => {
  const root = repository('replaced', start);
  write(root, {
    ...(await project(1.2, [1, 2, 3], 2)),
    'data/runs/question-formation-desk-seed-1.json': null,
  });
  const { records } = await reviewOf(root);
  assert.deepEqual(
    records.map(({ id, next, replaces, fields }) => [
      id.at(-1),
      next?.at(-1),
      replaces,
      fields.map(({ field }) => field),
    ]),
    [
      ['1', undefined, false, []],
      ['2', '1', true, ['seed', 'model.layers']],
    ],
  );
});

test('equal data give equal pixels, however the JSON is written', async () => {
  const root = repository('formatted', start);
  write(root, { 'figures/a.json': JSON.stringify(figureOf([1, 2, 3]), null, 2) });
  const { figures } = await reviewOf(root);
  assert.deepEqual(
    figures.map(({ name, difference }) => [name, difference?.different]),
    [['a', 0]],
  );
});

test('no git, no clone, an unknown BASE or COMMIT, a shallow clone: one line each', () => {
  const archive = write(join(folder, 'archive'), start);
  assert.throws(() => twoTrees(undefined, undefined, archive), refusal('git clone', archive));
  assert.throws(() => twoTrees('nowhere', undefined, sound), refusal('BASE', 'nowhere', 'git fetch'));
  assert.throws(() => twoTrees('main', 'nowhere', sound), refusal('COMMIT', 'nowhere'));
  assert.throws(() => twoTrees('--all', undefined, sound), refusal('BASE', '--all'));

  const { PATH } = process.env;
  try {
    process.env.PATH = '/nowhere';
    assert.throws(() => twoTrees(undefined, undefined, sound), refusal('git on PATH', 'install'));
  } finally {
    process.env.PATH = PATH;
  }

  const grown = repository('grown', start);
  git(grown, 'checkout', '-q', '--orphan', 'other');
  git(grown, 'commit', '-qm', 'unrelated');
  assert.throws(() => twoTrees('main', undefined, grown), refusal('have in common', 'git fetch'));
  const shallow = join(folder, 'shallow');
  git(folder, 'clone', '-q', '--depth', '1', '--no-single-branch', pathToFileURL(grown).href, shallow);
  assert.throws(() => twoTrees('origin/main', undefined, shallow), refusal('git fetch --unshallow'));
});

/** What is wrong after a change of the sound project, without verdicts that need the project's analyses. */
async function wrong(files: Files): Promise<string[]> {
  const root = write(join(folder, `wrong-${process.hrtime.bigint()}`), { ...start, ...files });
  const found = await faultsOf(workingTree(root), { verdicts: false });
  return found
    .filter(({ where }) => !where.startsWith('data/'))
    .map(({ where, what }) => `${where}: ${what}`);
}

test('a sound project has no fault', async () => assert.deepEqual(await wrong({}), []));

test('each fault is one line with its file', async () => {
  const source = 'show(1.2);';
  const shown: object[] = JSON.parse(String(start['notebooks/04-a.ipynb'])).cells[0].outputs;
  const withOutput = (more: object): string => ipynb(source, [...shown, more]);
  const other = await toPng(figureOf([3, 2, 1]), ...SIZE);
  const cases: [files: Files, file: string, what: RegExp][] = [
    [{ 'notebooks/04-a.ipynb': '{"cells": [' }, 'notebooks/04-a.ipynb', /expected JSON/],
    [{ 'notebooks/04-a.ipynb': '[]' }, 'notebooks/04-a.ipynb', /expected cells/],
    [
      { 'notebooks/04-a.ipynb': ipynb(source, shown, { kernelspec: { name: 'python3' } }) },
      'notebooks/04-a.ipynb',
      /kernel tslab; got python3/,
    ],
    [
      { 'notebooks/04-a.ts': '// %%\nshow(1.3);\n' },
      'notebooks/04-a.ipynb',
      /\.ts differs from it in cell 1/,
    ],
    [
      {
        'notebooks/04-a.ipynb': ipynb(source, shown, madeFrom('show(1.1);')),
      },
      'notebooks/04-a.ipynb',
      /made from other code/,
    ],
    [
      { 'notebooks/04-a.ipynb': ipynb(source, shown, { memorization: undefined }) },
      'notebooks/04-a.ipynb',
      /do not say which code/,
    ],
    [{ 'notebooks/04-a.ts': '<<<<<<< HEAD\n// %%\n' }, 'notebooks/04-a.ipynb', /merge conflict/],
    [
      { 'notebooks/04-a.ipynb': '{\n<<<<<<< HEAD\n "cells": []\n=======\n>>>>>>> other\n}' },
      'notebooks/04-a.ipynb',
      /merge conflict/,
    ],
    [{ 'notebooks/04-a.ts': null }, 'notebooks/04-a.ipynb', /no \.ts/],
    [
      { 'notebooks/04-a.ipynb': withOutput({ output_type: 'error', ename: 'E' }) },
      'notebooks/04-a.ipynb',
      /cell 1 is an error/,
    ],
    [
      { 'notebooks/04-a.ipynb': withOutput({ output_type: 'stream', text: ['see /home/ada/runs'] }) },
      'notebooks/04-a.ipynb',
      /\/home\/ada/,
    ],
    [
      { 'notebooks/04-a.ipynb': withOutput({ output_type: 'stream', text: 'x'.repeat(1_000_001) }) },
      'notebooks/04-a.ipynb',
      /1\.0\d MB; at most 1 MB/,
    ],
    [{ 'figures/a.png': other }, 'figures/a.png', /not what its JSON draws/],
    [
      { 'figures/a.png': other, 'figures/a.json': JSON.stringify(figureOf([3, 2, 1])) },
      'figures/a.png',
      /no notebook shows it/,
    ],
    [{ 'figures/a.png': null }, 'figures/a.png', /without its PNG/],
    [{ 'figures/a.json': null }, 'figures/a.png', /without its JSON/],
    [{ 'figures/a.json': 'null' }, 'figures/a.png', /expected the JSON of a figure/],
    [{ 'figures/a.png': 'no image' }, 'figures/a.png', /expected/],
  ];
  for (const [files, file, what] of cases) {
    const lines = await wrong(files);
    assert.equal(lines.length, 1, `${Object.keys(files).join()}: ${lines.join('; ')}`);
    assert.ok(lines[0]!.startsWith(`${file}: `), lines[0]);
    assert.match(lines[0]!, what);
    assert.equal(lines[0]!.split('\n').length, 1);
  }
});

test('of two trees a figure is drawn where it differs', async () => {
  const other = { 'figures/a.png': await toPng(figureOf([3, 2, 1]), ...SIZE) };
  const faults = async (root: string) => {
    const { base, head } = twoTrees('main', undefined, root);
    return (await faultsOf(head, { base, verdicts: false })).map(({ what }) => what);
  };
  const drawing = /not what its JSON draws/;
  assert.ok(
    (await faults(write(repository('figure-edited', start), other))).some((what) => drawing.test(what)),
  );
  assert.ok(
    !(await faults(repository('figure-old', { ...start, ...other }))).some((what) => drawing.test(what)),
  );
});

test('a record that is damaged, and one that is missing while a list names it, are faults', async () => {
  const [gone] = allCommitted();
  const found = await faultsOf(workingTree(sound), { gone: [gone!], verdicts: false });
  assert.deepEqual(
    found.map(({ where }) => where),
    ['data/runs/question-formation-desk-seed-1.json', `data/runs/${gone!.id}.json`],
  );
  assert.match(found[0]!.what, /expected format 1 or 2/);
  assert.match(found[1]!.what, /missing/);
});

test('notebooks, figures and records of this project have no fault', async () =>
  assert.deepEqual(await faultsOf(workingTree(), { verdicts: false }), []));

test(
  'the page opens without a network; a click swipes',
  { skip: findChromium() ? false : 'no Chromium on PATH' },
  async () => {
    const root = repository('page', start);
    write(root, await project(1.01, [1, 2, 9], 1));
    const path = join(folder, 'index.html');
    writeFileSync(path, reviewPage(await reviewOf(root)));
    await withPage(async ({ page, outside, errors }) => {
      await page.goto(pathToFileURL(path).href);
      assert.equal(await page.locator('.compare figure:visible').count(), 3);
      await page.getByRole('button', { name: 'swipe' }).click();
      const [old, now] = [
        await page.locator('.old img').boundingBox(),
        await page.locator('.new img').boundingBox(),
      ];
      assert.deepEqual(now, old);
      await page.locator('input.at').fill('30');
      const clip = await page.locator('.new img').evaluate((image) => getComputedStyle(image).clipPath);
      assert.match(clip, /30%/);
      assert.deepEqual([outside, errors], [[], []]);
    });
  },
);
