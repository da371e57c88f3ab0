/** The page of claims: every verdict of the collection, from the executed notebooks alone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tier } from '../train/config';
import { UserError } from '../util/errors';
import { grouped } from '../util/groups';
import { writeAtomically } from '../util/files';
import { paths } from '../util/paths';
import { Display } from './display';
import { notebookNames, readNotebook, textOf, titleOf, verdictsOf, type Notebook } from './notebook-files';
import { htmlTable, textOfCell, textTable, type TableCell } from './table';
import {
  badge,
  claimantOf,
  expectedText,
  ownText,
  tableOf,
  TABLES,
  type TableName,
  type Verdict,
} from './verdict';

/** The notebook that shows the page; it is executed after the others. */
export const CLAIMS_PAGE = '00-claims';

/** What an execution of a notebook left. */
interface Execution {
  minutes: number;
}

const resultsFile = join(paths.cache, 'reproduce', 'results.json');

/** Executions on this machine, each by `tier notebook`. A damaged file counts as none: the committed notebooks are the source. */
export function knownExecutions(): Record<string, Execution> {
  try {
    return existsSync(resultsFile)
      ? (JSON.parse(readFileSync(resultsFile, 'utf8')) as Record<string, Execution>)
      : {};
  } catch {
    return {};
  }
}

export function keepExecution(tier: Tier, name: string, { minutes }: Execution): void {
  writeAtomically(resultsFile, JSON.stringify({ ...knownExecutions(), [`${tier} ${name}`]: { minutes } }));
}

export interface Claim {
  notebook: string;
  verdict: Verdict;
}

/** The verdicts that the committed notebooks show, in their order. */
export const claims = (): Claim[] =>
  notebookNames()
    .filter((name) => name !== CLAIMS_PAGE)
    .flatMap((notebook) => {
      const path = join(paths.notebooks, `${notebook}.ipynb`);
      return existsSync(path) ? verdictsOf(readNotebook(path)).map((verdict) => ({ notebook, verdict })) : [];
    });

/** The claims of each table that has some. */
export const byTable = (list: readonly Claim[]): [name: TableName, claims: Claim[]][] =>
  (Object.keys(TABLES) as TableName[])
    .map((name): [TableName, Claim[]] => [name, list.filter(({ verdict }) => tableOf(verdict) === name)])
    .filter(([, own]) => own.length > 0);

const CLAIM_COLUMNS = ['claim', 'by', 'holds if', 'found', 'verdict', 'in'];

/** @param href where the notebook's number leads, if anywhere */
export function claimCells({ notebook, verdict }: Claim, href?: string): TableCell[] {
  const number = notebook.split('-')[0]!;
  return [
    verdict.claim,
    claimantOf(verdict),
    expectedText(verdict),
    ownText(verdict),
    { text: verdict.outcome, html: badge(verdict) },
    href === undefined ? number : { text: number, html: `<a href="${href}">${number}</a>` },
  ];
}
const cells = (claim: Claim): string[] => claimCells(claim).map(textOfCell);

/** How many claims there are with each verdict, `3 REPRODUCED, 1 INCONCLUSIVE`. */
const countText = (list: readonly Claim[]): string =>
  grouped(list, ({ verdict }) => verdict.outcome)
    .map(([outcome, own]) => `${own.length} ${outcome}`)
    .join(', ');

const claimsText = (list: readonly Claim[]): string =>
  byTable(list)
    .map(([name, own]) => `${TABLES[name]}: ${countText(own)}\n${textTable(CLAIM_COLUMNS, own.map(cells))}`)
    .join('\n\n');

/** @param folder of the notebooks, as links see it */
export function claimsMarkdown(list: readonly Claim[], folder: string): string {
  const row = (texts: string[]) =>
    `| ${texts.map((text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  const linked = (claim: Claim) =>
    cells(claim).map((text, i) =>
      CLAIM_COLUMNS[i] === 'in'
        ? `[${text}](${folder}${claim.notebook}.ipynb)`
        : CLAIM_COLUMNS[i] === 'verdict'
          ? `**${text}**`
          : text,
    );
  return byTable(list)
    .map(([name, own]) =>
      [
        `**${TABLES[name]}**`,
        '',
        row(CLAIM_COLUMNS),
        row(CLAIM_COLUMNS.map(() => '---')),
        ...own.map((claim) => row(linked(claim))),
      ].join('\n'),
    )
    .join('\n\n');
}

/** A text with other content between the marks of a part of README. */
function between(text: string, part: string, content: string): string {
  const [begin, end] = [`<!-- ${part}: written by "npm run reproduce -- 00 --save" -->`, `<!-- /${part} -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from)
    throw new UserError(
      `README: expected the marks ${begin} and ${end}; found ${from < 0 ? 'none' : 'the first alone'}: restore them from git`,
    );
  return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}

/** Tables that README shows; the others are in notebook 00. */
const IN_README: readonly TableName[] = ['observations', 'predictions'];

/** A text with its tables of claims between its two marks. */
export const withClaims = (text: string, list: readonly Claim[]): string =>
  between(
    text,
    'claims',
    claimsMarkdown(
      list.filter(({ verdict }) => IN_README.includes(tableOf(verdict))),
      'notebooks/',
    ),
  );

/** What a notebook found: the sentence in bold type that its answer begins with, and the one after it. */
export function findingOf(notebook: Notebook): string | null {
  const said = notebook.cells[1]?.outputs?.[0]?.data?.['text/plain'];
  const text = said === undefined ? '' : textOf(said as string | string[]);
  return /^\*\*.+?\*\*( .+?[.?!](?= [A-Z0-9]|\n|$))?/.exec(text)?.[0] ?? null;
}

/** Title of every notebook, and what it found in a sentence, as a list in Markdown. */
export const findings = (): string =>
  notebookNames()
    .filter((name) => name !== CLAIMS_PAGE)
    .map((name) => {
      const notebook = readNotebook(join(paths.notebooks, `${name}.ipynb`));
      const title = titleOf(notebook);
      const [, lead = ''] = /^\*\*(.+?)\*\*/.exec(findingOf(notebook) ?? '') ?? [];
      return `- [${title}](${name}.ipynb)${title.endsWith('?') ? '' : ':'} ${lead}`;
    })
    .join('\n');

/** Numbers of the notebooks whose findings README tells. */
const TOLD = ['04', '08', '05', '06', '09'];

/** A text with the findings of some notebooks, as a list, between its two marks. */
export const withFindings = (text: string): string =>
  between(
    text,
    'findings',
    TOLD.flatMap((number) => {
      const name = notebookNames().find((notebook) => notebook.startsWith(number));
      const finding = name && findingOf(readNotebook(join(paths.notebooks, `${name}.ipynb`)));
      return finding
        ? [`- ${finding.replace(/\]\((?=\d\d-)/g, '](notebooks/')} [[${number}](notebooks/${name}.ipynb)]`]
        : [];
    }).join('\n'),
  );

/** Shows each table under its title. */
export function showClaims(list: readonly Claim[]): void {
  const html = byTable(list)
    .map(([name, own]) => {
      // The same way leads from notebooks/ and from reports/.
      const rows = own.map((claim) => claimCells(claim, `../notebooks/${claim.notebook}.ipynb`));
      return `<h3>${TABLES[name]}</h3><p>${countText(own)}.</p>${htmlTable(CLAIM_COLUMNS, rows)}`;
    })
    .join('');
  new Display().show({
    data: { 'text/markdown': claimsMarkdown(list, ''), 'text/html': html, 'text/plain': claimsText(list) },
  });
}
