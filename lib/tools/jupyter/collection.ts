/** Reports as a collection: what each says of itself, links between them, and index.html, the page in front of them. */
import { existsSync, readFileSync } from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import { createCanvas, loadImage } from '@napi-rs/canvas';
import { byTable, claimCells, CLAIMS_PAGE, type Claim } from '../../report/claims';
import { escapeHtml } from '../../report/display';
import { pageHtml } from '../../report/page';
import {
  notebookNames,
  readNotebook,
  textOf,
  titleOf,
  verdictsOf,
  type Notebook,
} from '../../report/notebook-files';
import { htmlOfCell } from '../../report/table';
import { badge, TABLES, type TableName, type Verdict } from '../../report/verdict';
import type { Tier } from '../../train/config';
import { writeAtomically } from '../../util/files';
import { count } from '../../util/format';
import { paths } from '../../util/paths';
import { sourceCommit } from '../../util/source';
import { hasGpu } from '../setup/environment.cjs';

/** What the index shows of a notebook. */
interface Entry {
  title: string;
  /** HTML of what was found. */
  answer: string;
  verdicts: Verdict[];
  /** PNG as base64. */
  thumbnail?: string;
  /** Of the execution; a notebook that was not executed here is shown as it was committed. */
  execution?: { tier: Tier; seed: number; minutes: number; at: string; commit: string; hardware: string };
}

const THUMBNAIL_WIDTH = 480;

async function thumbnailOf(png: string): Promise<string> {
  const image = await loadImage(Buffer.from(png, 'base64'));
  const canvas = createCanvas(THUMBNAIL_WIDTH, Math.round((image.height * THUMBNAIL_WIDTH) / image.width));
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas.toBuffer('image/png').toString('base64');
}

async function entryOf(notebook: Notebook): Promise<Entry> {
  const outputs = notebook.cells.flatMap((cell) => cell.outputs ?? []);
  const text = (type: string, from = outputs): string | undefined => {
    const content = from.find(({ data }) => data?.[type] !== undefined)?.data?.[type];
    return content === undefined ? undefined : textOf(content as string | string[]);
  };
  const answering = notebook.cells.find(({ source }) => textOf(source).includes('.showAnswer('));
  const answer = /<p[^>]*>(.*?)<\/p>/s.exec(text('text/html', answering?.outputs ?? []) ?? '')?.[1] ?? '';
  const png = text('image/png');
  return {
    title: titleOf(notebook),
    answer,
    verdicts: verdictsOf(notebook),
    thumbnail: png && (await thumbnailOf(png)),
  };
}

const hardware = (): string =>
  `${os.cpus().length} × ${os.cpus()[0]?.model.trim() ?? 'unknown CPU'}${hasGpu() ? ' and a GPU' : ''}`;

const executionText = ({
  tier,
  seed,
  minutes,
  at,
  commit,
  hardware,
}: NonNullable<Entry['execution']>): string =>
  `${tier} tier, seed ${seed} · ${at.slice(0, 16).replace('T', ' ')} UTC, ${minutes.toFixed(1)} minutes · commit ${commit.replace(/[0-9a-f]{40}/, (hash) => hash.slice(0, 9))} · ${hardware}`;

const [FROM, TO] = ['<script type="application/json" id="entry">', '</script>'];

/** Links to notebooks lead to their reports. */
const linkedToReports = (html: string, names: readonly string[]): string =>
  html.replace(/href="(?:\.\.\/notebooks\/)?([\w-]+)\.ipynb"/g, (link, name: string) =>
    names.includes(name) ? `href="${name}.html"` : link,
  );

/** A report with links to its neighbours, a switch for its code, and what the index needs to know of it. */
export async function linkedReport(
  html: string,
  name: string,
  notebook: Notebook,
  { tier, seed, minutes }: Pick<NonNullable<Entry['execution']>, 'tier' | 'seed' | 'minutes'>,
  names: readonly string[],
): Promise<string> {
  const execution = {
    tier,
    seed,
    minutes,
    at: new Date().toISOString(),
    commit: sourceCommit(),
    hardware: hardware(),
  };
  const entry: Entry = { ...(await entryOf(notebook)), execution };
  const at = names.indexOf(name);
  const link = (to: string | undefined, text: string) => (to ? `<a href="${to}.html">${text}</a>` : '');
  const links = [
    link(names[at - 1], `← ${names[at - 1]}`),
    link('index', 'all notebooks'),
    link(names[at + 1], `${names[at + 1]} →`),
  ];
  const head = `<nav class="collection">${links.join('')}<label><input type="checkbox" id="show-code"> code</label></nav>`;
  const foot = `<footer class="collection">${escapeHtml(executionText(execution))}</footer>${FROM}${JSON.stringify(entry).replaceAll('<', '\\u003c')}${TO}`;
  return linkedToReports(html, names)
    .replace(/<body[^>]*>/, (body) => body + head)
    .replace(/<\/body>(?![\s\S]*<\/body>)/, () => `${foot}</body>`);
}

/** What a report says of itself; null where there is none, or one that another version wrote. */
function entryIn(report: string): Entry | null {
  if (!existsSync(report)) return null;
  const html = readFileSync(report, 'utf8');
  const from = html.lastIndexOf(FROM);
  try {
    return from < 0 ? null : (JSON.parse(html.slice(from + FROM.length, html.indexOf(TO, from))) as Entry);
  } catch {
    return null;
  }
}

function cardHtml(name: string, { title, answer, verdicts, thumbnail, execution }: Entry): string {
  const heading = execution ? `<a href="${name}.html">${escapeHtml(title)}</a>` : escapeHtml(title);
  const outcomes = [...new Set(verdicts.map(({ outcome }) => outcome))].map((outcome) => {
    const those = verdicts.filter((v) => v.outcome === outcome);
    return `${those.length > 1 ? `${count(those.length)} ` : ''}${badge(those[0]!)}`;
  });
  const facts = execution
    ? escapeHtml(executionText(execution))
    : `as committed; to execute it: <code>npm run reproduce -- ${name.split('-')[0]}</code>`;
  const picture = thumbnail ? `<img alt="" src="data:image/png;base64,${thumbnail}">` : '';
  return `<article><div>${picture}</div><div><h2>${heading}</h2>${answer && `<p>${answer}</p>`}<p>${outcomes.join(', ')}</p><p class="facts">${facts}</p></div></article>`;
}

function verdictTable(name: TableName, claims: readonly Claim[], executed: ReadonlySet<string>): string {
  const row = (tag: string, cells: readonly string[]) =>
    `<tr>${cells.map((html) => `<${tag}>${html}</${tag}>`).join(' ')}</tr>`;
  const head = row('th', ['claim', 'claimed by', 'holds if', 'found', 'verdict', 'notebook']);
  const rows = claims.map((claim) => {
    const href = executed.has(claim.notebook) ? `${claim.notebook}.html` : undefined;
    return row('td', claimCells(claim, href).map(htmlOfCell));
  });
  return `<h3>${escapeHtml(TABLES[name])}</h3><table>${head}${rows.join('')}</table>`;
}

/** Writes index.html among reports: every notebook, executed here or as committed, and all verdicts. */
export async function writeIndex(reports: string, notebooks: string): Promise<string> {
  const entries: [string, Entry][] = [];
  for (const name of notebookNames(notebooks)) {
    const committed = join(notebooks, `${name}.ipynb`);
    const entry =
      entryIn(join(reports, `${name}.html`)) ??
      (existsSync(committed) ? await entryOf(readNotebook(committed)) : null);
    if (entry) entries.push([name, entry]);
  }
  const css = readFileSync(join(__dirname, 'template', 'index.css'), 'utf8');
  const { name, description } = JSON.parse(readFileSync(join(paths.root, 'package.json'), 'utf8'));
  const names = entries.map(([notebook]) => notebook);
  const cards = entries
    .map(([notebook, entry]) => linkedToReports(cardHtml(notebook, entry), names))
    .join('\n');
  const executed = new Set(entries.flatMap(([notebook, { execution }]) => (execution ? [notebook] : [])));
  const claims = entries
    .filter(([notebook]) => notebook !== CLAIMS_PAGE)
    .flatMap(([notebook, { verdicts }]) => verdicts.map((verdict) => ({ notebook, verdict })));
  const tables = byTable(claims)
    .map(([table, own]) => verdictTable(table, own, executed))
    .join('\n');
  const body = `<h1>${name}</h1><p>${escapeHtml(description)}</p>
${cards}
<h2 id="verdicts">Verdicts</h2>
${tables}`;
  const index = join(reports, 'index.html');
  writeAtomically(index, pageHtml(name, css, body));
  return index;
}
