/** Reports and JupyterLab as a reader sees them. Skipped where there is no Chromium. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before, describe } from 'node:test';
import { pathToFileURL } from 'node:url';
import { childEnvironment } from '../lib/tools/setup/environment.cjs';
import { paths } from '../lib/util/paths';
import { execute, type Result } from '../lib/tools/jupyter/execute';
import { findChromium } from '../lib/tools/cli/test';
import { openNotebook, withLab, withPage, type Visit } from './browser';

const FIXTURE = '90-parts';
const fixtures = join(paths.root, 'tests', 'fixtures');
const skip = findChromium() ? false : 'no Chromium on PATH; install one, or name it in CHROMIUM';

/** Texts that only plotly.js has; a file with one copy of it has each once per copy. */
const countOf = (text: string, part: string): number => text.split(part).length - 1;

describe('a report opened from the disk', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'report-'));
  let result: Result;
  before(async () => {
    const places = { notebooks: fixtures, reports: folder, figures: folder, venv: paths.venv };
    result = await execute({ name: FIXTURE, tier: 'smoke', seed: 1, save: false, places });
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('draws every figure with Plotly, asks nothing of the network, logs no error', async () => {
    await withPage(async ({ page, outside, errors }) => {
      await page.goto(pathToFileURL(result.report).href);
      await page.waitForFunction(() => document.querySelectorAll('.js-plotly-plot .main-svg').length > 0);
      assert.equal(await page.locator('.js-plotly-plot').count(), 3);
      assert.equal(await page.locator('img').count(), 0);
      assert.deepEqual(outside, []);
      assert.deepEqual(errors, []);
    });
  });

  test('answers the mouse with the values under it', async () => {
    await withPage(async ({ page }) => {
      await page.goto(pathToFileURL(result.report).href);
      const heat = page.locator('.js-plotly-plot').last();
      await heat.scrollIntoViewIfNeeded();
      const plot = heat.locator('.nsewdrag').first();
      await plot.hover();
      const label = await heat.locator('.hoverlayer .hovertext').first().textContent();
      assert.match(label ?? '', /x: 1[45].*y: (9|10).*z: −?0\.\d/s);
    });
  });

  test('typesets formulas', async () => {
    await withPage(async ({ page }) => {
      await page.goto(pathToFileURL(result.report).href);
      await page.waitForSelector('mjx-container svg');
      assert.ok(!(await page.locator('body').innerText()).includes('$E(x)'));
    });
  });

  test('folds its code until the switch opens it', async () => {
    await withPage(async ({ page }) => {
      await page.goto(pathToFileURL(result.report).href);
      const code = page.locator('.jp-CodeCell .jp-InputArea');
      assert.ok((await code.count()) > 0);
      assert.equal(await page.locator('.jp-CodeCell .jp-InputArea:visible').count(), 0);
      await page.getByLabel('code').check();
      assert.equal(await page.locator('.jp-CodeCell .jp-InputArea:visible').count(), await code.count());
    });
  });

  test('on a phone and on paper nothing is wider than the page, and figures with a PNG are pictures', async () => {
    await withPage(async ({ page }) => {
      await page.goto(pathToFileURL(result.report).href);
      await page.waitForSelector('.js-plotly-plot .main-svg');
      const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      for (const width of [390, 720]) {
        await page.setViewportSize({ width, height: 800 });
        if (width === 720) await page.emulateMedia({ media: 'print' });
        assert.ok((await overflow()) <= 0, `${width}: ${await overflow()}`);
        const pictures = await page.locator('.still:visible').count();
        assert.ok(pictures > 0);
        assert.equal(await page.locator('.jp-RenderedPlotly:has(.still) .js-plotly-plot:visible').count(), 0);
      }
    });
  });

  test('index.html next to it leads to it', async () => {
    await withPage(async ({ page, outside, errors }) => {
      await page.goto(pathToFileURL(join(folder, 'index.html')).href);
      await page.locator('article a').first().click();
      await page.waitForSelector('nav.collection');
      assert.equal(page.url(), pathToFileURL(result.report).href);
      assert.deepEqual([outside, errors], [[], []]);
    });
  });

  test('holds plotly.js once', () => {
    const html = readFileSync(result.report, 'utf8');
    const library = readFileSync(join(paths.cache, 'plotly.min.js'), 'utf8');
    assert.equal(countOf(html, 'Plotly.newPlot('), 3);
    const sample = library.slice(1_000_000, 1_000_080);
    assert.equal(countOf(library, sample), 1);
    assert.equal(countOf(html, sample), 1);
  });
});

/** JupyterLab in a folder with the fixture. */
async function withFixture(work: (address: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-'));
  // Slow enough that a busy machine draws some of the curve's states.
  const env = { ...childEnvironment(), TIER: 'smoke', SEED: '1', FIGURES: folder, PACE: '250' };
  const [from, to] = [join(fixtures, `${FIXTURE}.ts`), join(folder, `${FIXTURE}.ipynb`)];
  execFileSync(join(paths.venv, 'bin', 'jupytext'), ['--quiet', '--to', 'ipynb', '--output', to, from], {
    env,
  });
  try {
    await withLab({ folder, env }, (addressOf) => work(addressOf(`${FIXTURE}.ipynb`)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Lengths of the live figure's first curve as they change, until the notebook's last cell has its output. */
async function watchLiveCurve({ page }: Visit): Promise<number[]> {
  await page.evaluate(() => {
    const seen: number[] = ((window as any).seen = []);
    setInterval(() => {
      const length = (document.querySelector('.jp-RenderedPlotly') as any)?.data?.[0]?.x?.length;
      if (length !== undefined && seen[seen.length - 1] !== length) seen.push(length);
    }, 20);
  });
  await page.getByRole('menuitem', { name: 'Run', exact: true }).click();
  await page.getByRole('menuitem', { name: 'Run All Cells', exact: true }).click();
  await page.getByText('smoke runs are too small to decide').first().waitFor({ timeout: 180_000 });
  return page.evaluate(() => (window as any).seen);
}

describe('JupyterLab', { skip }, () => {
  test('"Run All Cells": the live curve grows in place, all figures are interactive, the console is silent', async () => {
    await withFixture((address) =>
      withPage(async (visit) => {
        const { page, outside, errors } = visit;
        await openNotebook(page, address, 120_000);
        const lengths = await watchLiveCurve(visit);
        assert.deepEqual(
          lengths,
          [...lengths].sort((a, b) => a - b),
        );
        assert.ok(
          lengths.length >= 3,
          `expected the curve to grow at least twice; its lengths were ${lengths.join(', ')}`,
        );
        assert.equal(lengths[lengths.length - 1], 8);
        assert.equal(await page.locator('.jp-RenderedPlotly.js-plotly-plot').count(), 3);
        assert.equal(await page.locator('.jp-OutputArea-output img').count(), 0);
        assert.deepEqual(outside, []);
        assert.deepEqual(errors, []);
        if (process.env.SCREENSHOTS)
          await page.screenshot({ path: join(process.env.SCREENSHOTS, 'lab.png') });
      }, 3200),
    );
  });
});
