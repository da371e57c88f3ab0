/** Pages of the project's own, such as the one in front of the reports: one file each that needs no network. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { escapeHtml } from './display';

/** @param css of this page, besides what all have (page.css) */
export function pageHtml(title: string, css: string, body: string): string {
  const shared = readFileSync(join(__dirname, 'page.css'), 'utf8');
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>
<style>
${shared}${css}</style>
${body}
</html>
`;
}
