/** The page of claims: every verdict of the collection, from the executed notebooks alone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TIERS, type Tier } from '../train/config';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { paths } from '../util/paths';
import { Display } from './display';
import { notebookNames, readNotebook, verdictsOf } from './notebook-files';
import { htmlTable, textTable } from './table';
import { expectedText, ownText, type Verdict } from './verdict';

/** The notebook that shows the page; it is executed after the others. */
export const CLAIMS_PAGE = '00-claims';

/** What an execution of a notebook left. */
interface Execution {
  minutes: number;
  verdicts: Verdict[];
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

export function keepExecution(tier: Tier, name: string, { minutes, verdicts }: Execution): void {
  writeAtomically(
    resultsFile,
    JSON.stringify({ ...knownExecutions(), [`${tier} ${name}`]: { minutes, verdicts } }),
  );
}

export interface Claim {
  notebook: string;
  verdict: Verdict;
}

/** The fullest tier among them, and how many of their runs have it. */
function fullness(verdicts: readonly Verdict[]): [tier: number, runs: number] {
  const tiers = verdicts.flatMap(({ ours }) => ours.map(({ tier }) => TIERS.indexOf(tier)));
  const most = Math.max(-1, ...tiers);
  return [most, tiers.filter((tier) => tier === most).length];
}

/** What was executed here, unless the committed verdicts rest on a fuller tier or on more runs: neither a quick look nor an old execution hides them. */
export function fuller(executed: readonly Verdict[], committed: readonly Verdict[]): readonly Verdict[] {
  const [here, there] = [fullness(executed), fullness(committed)];
  return there[0] > here[0] || (there[0] === here[0] && there[1] > here[1]) ? committed : executed;
}

/** All verdicts in the order of the notebooks: of the last execution in this tier on this machine, or as committed. */
export function claims(tier: Tier | null): Claim[] {
  const known = tier ? knownExecutions() : {};
  return notebookNames()
    .filter((name) => name !== CLAIMS_PAGE)
    .flatMap((notebook) => {
      const path = join(paths.notebooks, `${notebook}.ipynb`);
      const committed = existsSync(path) ? verdictsOf(readNotebook(path)) : [];
      const executed = known[`${tier} ${notebook}`]?.verdicts;
      const verdicts = executed ? fuller(executed, committed) : committed;
      return verdicts.map((verdict) => ({ notebook, verdict }));
    });
}

const CLAIM_COLUMNS = ['claim', 'notebook', 'paper', 'ours', 'verdict'];

function cells({ notebook, verdict }: Claim): string[] {
  const { claim, outcome, reason } = verdict;
  return [claim, notebook, expectedText(verdict), ownText(verdict), `${outcome}: ${reason}`];
}

const claimsText = (list: readonly Claim[]): string => textTable(CLAIM_COLUMNS, list.map(cells));

/** @param folder of the notebooks, as links see it */
export function claimsMarkdown(list: readonly Claim[], folder: string): string {
  const row = (texts: string[]) =>
    `| ${texts.map((text) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  const linked = list.map((claim) =>
    cells(claim).map((text, i) =>
      i === 1
        ? `[${text.split('-')[0]}](${folder}${text}.ipynb)`
        : i === 4
          ? text.replace(/^[A-Z ]+/, (outcome) => `**${outcome}**`)
          : text,
    ),
  );
  return [row(CLAIM_COLUMNS), row(CLAIM_COLUMNS.map(() => '---')), ...linked.map(row)].join('\n');
}

const [FROM, TO] = ['<!-- claims: written by "npm run reproduce -- 00 --save" -->', '<!-- /claims -->'];

/** A text with the table of claims between its two marks. */
export function withClaims(text: string, list: readonly Claim[]): string {
  const [from, to] = [text.indexOf(FROM), text.indexOf(TO)];
  if (from < 0 || to < from)
    throw new UserError(
      `README: expected the marks ${FROM} and ${TO}; found ${from < 0 ? 'none' : 'the first alone'}: restore them from git`,
    );
  return `${text.slice(0, from + FROM.length)}\n${claimsMarkdown(list, 'notebooks/')}\n${text.slice(to)}`;
}

export function showClaims(list: readonly Claim[]): void {
  // The same way leads from notebooks/ and from reports/.
  const linked = (html: string, name: string) =>
    html.replaceAll(`>${name}<`, `><a href="../notebooks/${name}.ipynb">${name}</a><`);
  const html = [...new Set(list.map(({ notebook }) => notebook))].reduce(
    linked,
    htmlTable(CLAIM_COLUMNS, list.map(cells)),
  );
  new Display().show({
    data: { 'text/markdown': claimsMarkdown(list, ''), 'text/html': html, 'text/plain': claimsText(list) },
  });
}
