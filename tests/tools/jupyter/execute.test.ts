import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { pathToFileURL } from 'node:url';
import { paths } from '../../../lib/util/paths';
import { CellError, execute, planned, type Places } from '../../../lib/tools/jupyter/execute';
import { readNotebook } from '../../../lib/report/notebook-files';
import { percentCells, sourceCells } from '../../../lib/tools/jupyter/pair';
import { refusal } from '../../refusal';

let folder: string;
let places: Places;
before(() => {
  mkdirSync(paths.local, { recursive: true });
  folder = mkdtempSync(join(paths.local, 'execute-'));
  places = {
    notebooks: join(folder, 'notebooks'),
    reports: join(folder, 'reports'),
    figures: join(folder, 'figures'),
    venv: paths.venv,
  };
  mkdirSync(places.notebooks);
});
after(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, ...cells: string[]): void =>
  writeFileSync(join(places.notebooks, `${name}.ts`), cells.map((cell) => `// %%\n${cell}\n`).join('\n'));
const job = (name: string, save = false) => ({ name, tier: 'quick' as const, seed: 7, save, places });
const workFolders = (name: string): string[] =>
  readdirSync(join(paths.cache, 'reproduce')).filter((entry) => entry.startsWith(`${name}-`));

test('tier and seed reach the cells; saving writes the pair, executed', async () => {
  write('01-pair', `console.log(process.env.TIER, process.env.SEED);`);
  const { report } = await execute(job('01-pair', true));
  const notebook = readNotebook(join(places.notebooks, '01-pair.ipynb'));
  assert.deepEqual(
    notebook.cells.map(({ execution_count, outputs }) => [
      execution_count,
      outputs?.map(({ text }) => String(text)),
    ]),
    [[1, ['quick 7\n']]],
  );
  const code = 'console.log(process.env.TIER, process.env.SEED);';
  assert.deepEqual(notebook.metadata.memorization, { code: createHash('sha256').update(code).digest('hex') });
  assert.deepEqual(
    percentCells(readFileSync(join(places.notebooks, '01-pair.ts'), 'utf8')),
    sourceCells(notebook),
  );
  assert.match(readFileSync(report, 'utf8'), /quick 7/);
  assert.deepEqual(workFolders('01-pair'), []);
});

test('figures go to reports/figures, and to figures/ only when saving', async () => {
  write(
    '05-figure',
    `import { saveFigure } from './lib/report/figure';\nawait saveFigure('a', { data: [{ y: [1, 2] }] });`,
  );
  const files = (at: string) => (existsSync(at) ? readdirSync(at).sort() : []);
  await execute(job('05-figure'));
  assert.deepEqual(files(join(places.reports, 'figures')), ['a.json', 'a.png']);
  assert.deepEqual(files(places.figures), []);
  assert.ok(!existsSync(join(places.notebooks, '05-figure.ipynb')));
  await execute(job('05-figure', true));
  assert.deepEqual(files(places.figures), ['a.json', 'a.png']);
});

test('where only Markdown has changed since the outputs were made, here or at HEAD, they are kept', async () => {
  const input = join(folder, 'input.txt');
  const at = { ...places, inputs: [input] };
  const file = join(places.notebooks, '06-text.ipynb');
  const text = (sentence: string) =>
    writeFileSync(
      join(places.notebooks, '06-text.ts'),
      `// %% [markdown]\n// ${sentence}\n\n// %%\nconsole.log('Tier quick, seed 7.', process.pid, process.hrtime.bigint());\n`,
    );
  const isKept = async (more: object = {}) => {
    const settings = { tier: 'quick', seed: 7, save: true, execute: false, places: at, ...more } as const;
    return (await planned(['06-text'], settings))[0]!.keep;
  };
  const outputs = () => readNotebook(file).cells[1]!.outputs;
  writeFileSync(input, '1');
  text('One.');
  await execute({ ...job('06-text', true), places: at });
  const made = outputs();
  assert.equal(await isKept(), false, 'nothing has changed');
  text('Two.');
  assert.equal(await isKept(), true, 'before the first commit');
  for (const more of [{ execute: true }, { seed: 8 }, { tier: 'desk' }, { save: false }])
    assert.equal(await isKept(more), false, JSON.stringify(more));
  const { report } = await execute({ ...job('06-text', true), places: at, keep: true });
  assert.deepEqual(outputs(), made);
  assert.equal(readNotebook(file).cells[0]!.source.toString(), 'Two.');
  assert.match(readFileSync(report, 'utf8'), /Two\./);
  writeFileSync(input, '2');
  text('Three.');
  assert.equal(await isKept(), false, 'a file that cells read has changed');

  rmSync(join(places.reports, '.saved'), { recursive: true });
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b.c', ...args]);
  git('init', '-q');
  text('Two.');
  git('add', 'input.txt', 'notebooks/06-text.ipynb', 'notebooks/06-text.ts');
  git('commit', '-qm', 'one');
  text('Three.');
  assert.equal(await isKept(), true, 'outputs and input are those of HEAD');
  writeFileSync(input, '3');
  assert.equal(await isKept(), false, 'a file that cells read is not that of HEAD');
});

test('a notebook that is edited while it runs is left as it is', async () => {
  const file = join(places.notebooks, '07-busy.ts');
  write('07-busy', `import { appendFileSync } from 'node:fs';\nappendFileSync('${file}', '// edited');`);
  await assert.rejects(execute(job('07-busy', true)), refusal('07-busy.ts', 'edited'));
  assert.match(readFileSync(file, 'utf8'), /edited$/);
  assert.ok(!existsSync(join(places.notebooks, '07-busy.ipynb')));
});

test('a notebook that was edited in JupyterLab is brought back into its .ts', async () => {
  write('02-edited', `const a = 1;`);
  await execute(job('02-edited', true));
  const file = join(places.notebooks, '02-edited.ipynb');
  const notebook = readNotebook(file);
  notebook.cells[0]!.source = 'const a = 2;';
  writeFileSync(file, JSON.stringify(notebook));
  await execute({ ...job('02-edited', true), from: 'ipynb' });
  assert.deepEqual(percentCells(readFileSync(join(places.notebooks, '02-edited.ts'), 'utf8')), [
    { kind: 'code', source: 'const a = 2;' },
  ]);
  assert.deepEqual(sourceCells(readNotebook(file)), [{ kind: 'code', source: 'const a = 2;' }]);
});

test('a failing cell is named, and neither report nor figure of the notebook is put in place', async () => {
  write(
    '03-failing',
    `import { saveFigure } from './lib/report/figure';\nawait saveFigure('half', { data: [{ y: [1, 2] }] });`,
    `throw new Error('on purpose');`,
  );
  await assert.rejects(
    execute(job('03-failing', true)),
    (error: Error) =>
      error instanceof CellError &&
      error.source === `throw new Error('on purpose');` &&
      error.output.startsWith('Error: on purpose'),
  );
  assert.ok(!existsSync(join(places.reports, '03-failing.html')));
  assert.ok(!existsSync(join(places.reports, 'figures', 'half.png')));
  assert.ok(!existsSync(join(places.notebooks, '03-failing.ipynb')));
  assert.deepEqual(workFolders('03-failing'), []);
});

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

const until = async (what: string, holds: () => boolean): Promise<void> => {
  for (let i = 0; i < 1200 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(holds(), what);
};

test('Ctrl-C ends the kernel and leaves nothing half written', async () => {
  const pidFile = join(folder, 'pid');
  write(
    '04-slow',
    `import { writeFileSync } from 'node:fs';\nwriteFileSync('${pidFile}', String(process.pid));\nawait new Promise((resolve) => setTimeout(resolve, 600000));`,
  );
  const script = `require('./lib/tools/cli/reproduce').abandonOnSignal(); require('./lib/tools/jupyter/execute').execute(${JSON.stringify(job('04-slow', true))});`;
  const child = spawn(
    process.execPath,
    ['--import', pathToFileURL(require.resolve('tsx')).href, '-e', script],
    { cwd: paths.root, stdio: 'ignore' },
  );
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await until('the kernel should start', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '');
  child.kill('SIGINT');
  assert.equal(await ended, 130);
  await until('the kernel should end with its parent', () => !isAlive(Number(readFileSync(pidFile, 'utf8'))));
  assert.deepEqual(workFolders('04-slow'), []);
  assert.deepEqual(
    readdirSync(places.notebooks).filter((file) => file.startsWith('04-')),
    ['04-slow.ts'],
  );
  assert.ok(!existsSync(join(places.reports, '04-slow.html')));
});

test('a kernel that dies is one line with the signal and the cell; what a killed command left is removed', async () => {
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  const left = join(paths.cache, 'reproduce', `08-dies-${ended}-abcdef`);
  mkdirSync(left, { recursive: true });
  write(
    '08-dies',
    `console.log('alive');`,
    `process.kill(process.pid, 'SIGKILL');\nawait new Promise(() => {});`,
  );
  await assert.rejects(
    execute(job('08-dies')),
    refusal('08-dies', 'the kernel died (signal 9) in cell 2', 'memory'),
  );
  assert.ok(!existsSync(left));
});
