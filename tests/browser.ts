/** A headless Chromium for the tests, if the machine has one, and a JupyterLab for it. Neither asks the network for anything of its own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { labArguments } from '../lib/tools/cli/lab';
import { findChromium } from '../lib/tools/cli/test';
import { paths } from '../lib/util/paths';

const QUIET = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
];

export interface Visit {
  page: Page;
  /** Addresses asked for that are neither files nor on this machine. */
  outside: string[];
  /** Errors that the page wrote on its console or threw. */
  errors: string[];
}

const isLocal = (url: string): boolean =>
  /^(file|data|blob|about):/.test(url) || ['127.0.0.1', 'localhost'].includes(new URL(url).hostname);

/** Opens a page in a browser with an empty profile and a tall window; requests that would leave are noted and refused. */
export async function withPage(work: (visit: Visit) => Promise<void>, height = 1200): Promise<void> {
  const { chromium } = await import('playwright-core');
  const profile = mkdtempSync(join(tmpdir(), 'browser-'));
  let context: BrowserContext | undefined;
  try {
    context = await chromium.launchPersistentContext(profile, {
      executablePath: findChromium()!,
      headless: true,
      args: QUIET,
      viewport: { width: 1280, height },
    });
    const page = await context.newPage();
    const visit: Visit = { page, outside: [], errors: [] };
    await page.route('**/*', (route) => {
      const url = route.request().url();
      if (isLocal(url)) return route.continue();
      visit.outside.push(url);
      return route.abort();
    });
    page.on('pageerror', (error) => visit.errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') visit.errors.push(`${message.text()} (${message.location().url})`);
    });
    await work(visit);
  } finally {
    await context?.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** Opens a notebook in JupyterLab and waits for its kernel: cells run before it has answered make JupyterLab ask for one. */
export async function openNotebook(page: Page, address: string, timeout: number): Promise<void> {
  await page.goto(address);
  await page.locator('.jp-NotebookPanel').waitFor({ timeout });
  await page.getByText('TypeScript | Idle').first().waitFor({ timeout });
}

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

/**
 * JupyterLab as `npm run lab` starts it, with another root folder and a workspace of its own: the default one is the user's, and a
 * server would ask for the notebooks that another had open. `work` is given the address of a notebook in it.
 */
export async function withLab(
  { folder, env }: { folder: string; env: NodeJS.ProcessEnv },
  work: (addressOf: (notebook: string) => string) => Promise<void>,
): Promise<void> {
  const [port, token] = [await freePort(), 'token-of-this-test'];
  const args = labArguments(port, false).filter((arg) => !/root_dir|preferred_dir/.test(arg));
  const root = [`--ServerApp.root_dir=${folder}`, `--IdentityProvider.token=${token}`];
  const workspaces = mkdtempSync(join(tmpdir(), 'workspaces-'));
  let server: ChildProcess | undefined;
  try {
    const program = join(paths.venv, 'bin', 'jupyter-lab');
    server = spawn(program, [...args, ...root], {
      cwd: folder,
      env: { ...env, JUPYTERLAB_WORKSPACES_DIR: workspaces },
      stdio: 'ignore',
    });
    const base = `http://127.0.0.1:${port}`;
    while (
      !(await fetch(`${base}/api`).then(
        (r) => r.ok,
        () => false,
      ))
    ) {
      assert.equal(server.exitCode, null, 'JupyterLab ended before it answered');
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    await work((notebook) => `${base}/lab/tree/${notebook}?token=${token}`);
  } finally {
    const ended =
      server && server.exitCode === null ? new Promise((resolve) => server!.once('close', resolve)) : null;
    server?.kill('SIGTERM');
    await ended;
    rmSync(workspaces, { recursive: true, force: true });
  }
}
