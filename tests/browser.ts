/** A headless Chromium for the tests, if the machine has one. It asks the network for nothing of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { findChromium } from '../lib/tools/cli/test';

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
