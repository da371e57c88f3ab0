/** `npm run reproduce [-- NOTEBOOK...]`: executes notebooks; writes reports/ and, only with --save, what git tracks. */
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { TIERS, type Tier } from '../../train/config';
import { oneOf, UserError, wholeNumber } from '../../util/errors';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import {
  CLAIMS_PAGE,
  claims,
  claimsText,
  keepExecution,
  knownExecutions,
  withClaims,
} from '../../report/claims';
import { abandon, CellError, execute, type Places, type Result } from '../jupyter/execute';
import { pairState, selectNotebooks } from '../jupyter/pair';
import { notebookNames } from '../../report/notebook-files';
import { bar, progressText, TerminalLine } from '../../report/terminal';
import { duration } from '../../util/format';
import type { TrainingProgress } from '../../train/observer';
import { main, parse } from './arguments';
import { exitCode, onStop } from '../setup/processes.cjs';

const USAGE = {
  command: 'reproduce',
  summary:
    'Executes notebooks and writes reports/NAME.html and reports/figures/. NOTEBOOK: its name, its number, or the start of its name; without one, all. The smoke tier writes to reports/smoke/.',
  positionals: '[NOTEBOOK...]',
  options: {
    tier: { type: 'string', help: `one of ${TIERS.join(', ')}`, default: 'quick' },
    seed: { type: 'string', help: 'whole number from 1', default: '1' },
    save: {
      type: 'boolean',
      help: 'put the executed notebook with its outputs into notebooks/ and its figures into figures/, and bring its .ts into line',
    },
  },
} as const;

/** A smoke run shows that all works, and no result: it never takes the place of one. */
function placesOf(tier: Tier): Places {
  const { notebooks, reports, figures, venv } = paths;
  return { notebooks, figures, venv, reports: tier === 'smoke' ? join(reports, 'smoke') : reports };
}

/** What the moving line says: this notebook's training and the time for all that is left, where it is known. */
export function statusLine(
  name: string,
  elapsedSeconds: number,
  at: TrainingProgress | null,
  laterSeconds: number | null,
): string {
  const later = laterSeconds ? `, then about ${duration(laterSeconds)} for the rest` : '';
  return at
    ? `${name} ${bar(at.step / at.steps, 16)} ${progressText(at)}${later}`
    : `${name}: ${duration(elapsedSeconds)} so far${later}`;
}

/** Name, minutes, verdicts, report. */
export function resultLine({ name, minutes, verdicts, report }: Result): string {
  const outcome = verdicts.length
    ? verdicts.map((v) => `${v.outcome} (${v.reason})`).join('; ')
    : 'no verdict';
  return `${name}  ${minutes.toFixed(1)} min  ${outcome}  ${relative(paths.root, report)}`;
}

/** Seconds for the notebooks that follow, from the last time; null where one has not run before. */
function secondsFor(names: string[], tier: Tier): number | null {
  const known = knownExecutions();
  const minutes = names.map((name) => known[`${tier} ${name}`]?.minutes);
  return minutes.every((m) => m !== undefined) ? minutes.reduce<number>((sum, m) => sum + 60 * m!, 0) : null;
}

/** In their order, but for the page of claims, which comes after those that it sums up. */
export const inOrder = (names: readonly string[]): string[] => [
  ...names.filter((name) => name !== CLAIMS_PAGE),
  ...names.filter((name) => name === CLAIMS_PAGE),
];

async function reproduce(names: string[], tier: Tier, seed: number, save: boolean): Promise<number> {
  const line = new TerminalLine();
  const places = placesOf(tier);
  let failed = 0;
  for (const [i, name] of names.entries()) {
    const state = pairState(name, places.notebooks);
    if (state.endsWith('newer'))
      line.print(
        `${name}: its .ipynb and .ts differ; the newer one is executed (${state}); --save brings them into line`,
      );
    const startedAt = performance.now();
    const rest = secondsFor(names.slice(i + 1), tier);
    if (!line.isLive) line.print(`${name}: started`);
    try {
      const result = await execute({ name, tier, seed, save, places }, (at) =>
        line.update(statusLine(name, (performance.now() - startedAt) / 1000, at, rest)),
      );
      line.clear();
      console.log(resultLine(result));
      keepExecution(tier, name, result);
      if (save && name === CLAIMS_PAGE)
        writeAtomically(paths.readme, withClaims(readFileSync(paths.readme, 'utf8'), claims(null)));
    } catch (error) {
      if (!(error instanceof CellError || error instanceof UserError)) throw error;
      failed++;
      line.print(error.message);
      console.log(`${name}  ${((performance.now() - startedAt) / 60_000).toFixed(1)} min  FAILED`);
    }
  }
  if (tier !== 'smoke') console.log(`\n${claimsText(claims(tier))}`);
  return failed;
}

/** On Ctrl-C nothing half done stays. */
export function abandonOnSignal(): void {
  onStop((signal) => {
    abandon();
    console.error(
      `\nreproduce: stopped; nothing half done was kept; training goes on from its last checkpoint when it is started again`,
    );
    process.exit(exitCode(null, signal));
  });
}

if (require.main === module) {
  main('reproduce', async (argv) => {
    const { values, positionals } = parse(USAGE, argv);
    const tier = oneOf('--tier', values.tier, TIERS);
    const seed = wholeNumber('--seed', values.seed, 1);
    if (tier === 'smoke' && values.save)
      throw new UserError(
        '--save: expected tier quick, desk or full; got smoke, whose outputs show no result',
      );
    const names = inOrder(selectNotebooks(positionals, notebookNames()));
    abandonOnSignal();
    const failed = await reproduce(names, tier, seed, values.save === true);
    if (failed) process.exitCode = 1;
  });
}
