/** What git shows after a notebook was opened, saved and edited in JupyterLab. Skipped where there is no Chromium. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import type { Page } from 'playwright-core';
import { childEnvironment } from '../lib/tools/setup/environment.cjs';
import { findChromium } from '../lib/tools/cli/test';
import { readNotebook, textOf } from '../lib/report/notebook-files';
import { percentCells, sourceCells } from '../lib/tools/jupyter/pair';
import { paths } from '../lib/util/paths';
import { openNotebook, withLab, withPage } from './browser';

const NAME = '03-cross-entropy-bound';
const PATIENCE = { timeout: 180_000 };
const skip = findChromium() ? false : 'no Chromium on PATH; install one, or name it in CHROMIUM';

let folder: string;
const git = (...args: string[]): string =>
  execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
    encoding: 'utf8',
  });
const inNotebooks = (file: string) => join(folder, 'notebooks', file);

/** Lines that differ from the last commit, file by file. */
const changes = (): Record<string, string[]> =>
  Object.fromEntries(
    git('diff', '-U0')
      .split(/^diff --git a\/notebooks\/.* b\/notebooks\//m)
      .slice(1)
      .map((part) => {
        const [file, ...lines] = part.split('\n');
        return [file!, lines.filter((line) => /^[+-](?![+-])/.test(line))];
      }),
  );

/** Takes effect when the page is loaded. */
function autosaveEvery(seconds: number): void {
  const settings = join(folder, 'settings', '@jupyterlab', 'docmanager-extension');
  mkdirSync(settings, { recursive: true });
  writeFileSync(join(settings, 'plugin.jupyterlab-settings'), JSON.stringify({ autosaveInterval: seconds }));
}

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'saving-'));
  mkdirSync(join(folder, 'notebooks'));
  for (const end of ['ts', 'ipynb'])
    copyFileSync(join(paths.notebooks, `${NAME}.${end}`), inNotebooks(`${NAME}.${end}`));
  autosaveEvery(1000);
  writeFileSync(join(folder, '.gitignore'), 'settings\n.ipynb_checkpoints\n');
  git('init', '-q');
  git('add', '.');
  git('commit', '-qm', 'one');
});
after(() => rmSync(folder, { recursive: true, force: true }));

const open = (page: Page, address: string) => openNotebook(page, address, PATIENCE.timeout);

const answerTo = (page: Page, method: string, end: RegExp) =>
  page.waitForResponse(
    (response) => response.request().method() === method && end.test(new URL(response.url()).pathname),
    PATIENCE,
  );

/** Saves as a user does; the server's answer. A save ends with its checkpoint, and until then JupyterLab takes no other. */
async function save(page: Page): Promise<number> {
  const [saved, checkpoint] = [
    answerTo(page, 'PUT', /ipynb$/),
    answerTo(page, 'POST', /ipynb\/checkpoints$/),
  ];
  checkpoint.catch(() => undefined);
  await page.keyboard.press('Control+s');
  const status = (await saved).status();
  if (status === 200) await (await checkpoint).finished();
  return status;
}

/** Types at the end of a cell. */
async function type(page: Page, kind: 'MarkdownCell' | 'CodeCell', text: string): Promise<void> {
  const cell = page.locator(`.jp-${kind}`).first();
  if (kind === 'MarkdownCell') await cell.dblclick();
  await cell.locator('.cm-content').click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(text);
}

/** Lines of both files that differ once `text` has been added at the end of a line `before`. */
const added = (before: string, text: string, kind: 'markdown' | 'code') => ({
  [`${NAME}.ipynb`]: [`-    ${JSON.stringify(before)}`, `+    ${JSON.stringify(before + text)}`],
  [`${NAME}.ts`]: ['-', '+'].map(
    (sign) => `${sign}${kind === 'markdown' ? '// ' : ''}${before}${sign === '+' ? text : ''}`,
  ),
});

/** The last line of the first cell of a kind. */
function lastLine(kind: 'markdown' | 'code'): string {
  const { cells } = readNotebook(inNotebooks(`${NAME}.ipynb`));
  return textOf(cells.find(({ cell_type }) => cell_type === kind)!.source)
    .split('\n')
    .pop()!;
}

async function until<T>(what: string, probe: () => Promise<T> | T, wanted: T): Promise<void> {
  for (let i = 0; i < 600 && JSON.stringify(await probe()) !== JSON.stringify(wanted); i++)
    await new Promise((resolve) => setTimeout(resolve, 300));
  assert.deepEqual(await probe(), wanted, what);
}

test('JupyterLab writes the canonical form, and git shows what was edited', { skip }, async () => {
  const env = { ...childEnvironment(), JUPYTERLAB_SETTINGS_DIR: join(folder, 'settings') };
  const [ts, ipynb] = [`${NAME}.ts`, `${NAME}.ipynb`].map(inNotebooks) as [string, string];
  await withLab({ folder, env }, (addressOf) =>
    withPage(async ({ page }) => {
      const address = addressOf(`notebooks/${NAME}.ipynb`);
      await open(page, address);
      assert.equal(await save(page), 200);
      assert.equal(git('status', '--porcelain'), '', 'opened and saved');

      const sentence = added(lastLine('markdown'), ' One more.', 'markdown');
      await type(page, 'MarkdownCell', ' One more.');
      assert.equal(await save(page), 200);
      assert.deepEqual(changes(), sentence);

      // The line would begin a new cell in the .ts. It stays in the browser, and both files as they are.
      await type(page, 'MarkdownCell', '\n%% x');
      assert.equal(await save(page), 400);
      await page.getByText(/cell 1: the line "%% x" would begin a new cell/).waitFor(PATIENCE);
      assert.deepEqual(changes(), sentence);
      git('checkout', '-q', '.');

      autosaveEvery(10);
      const comment = added(lastLine('code'), ' // by itself', 'code');
      await open(page, address);
      await type(page, 'CodeCell', ' // by itself');
      await until('saved by itself', changes, comment);
      git('checkout', '-q', '.');
      autosaveEvery(1000);

      // An edited .ts is what JupyterLab shows; with the .ipynb edited too, neither is taken.
      const edit = (file: string, from: string, to: string) => {
        const text = readFileSync(file, 'utf8');
        assert.ok(text.includes(from), `${file} has "${from}"`);
        writeFileSync(file, text.replace(from, to));
      };
      edit(ts, '## Method', '## Edited');
      await open(page, address);
      await page.getByRole('heading', { name: 'Edited' }).waitFor(PATIENCE);
      assert.equal(await save(page), 200);
      assert.deepEqual(Object.keys(changes()), [`${NAME}.ipynb`, `${NAME}.ts`]);
      edit(ts, '## Edited', '## Here');
      edit(ipynb, '## Edited', '## There');
      await page.goto(address);
      await page.getByText(/both have changed since commit .* --from ts or --from ipynb/).waitFor(PATIENCE);

      // Of a merge that left its marks in the .ipynb, the merged .ts is shown.
      edit(ipynb, '{', '<<<<<<< HEAD\n{');
      await open(page, address);
      await page.getByRole('heading', { name: 'Here' }).waitFor(PATIENCE);
      assert.equal(await save(page), 200);
      assert.deepEqual(sourceCells(readNotebook(ipynb)), percentCells(readFileSync(ts, 'utf8')));
    }, 3200),
  );
});
