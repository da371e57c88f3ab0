/** `npm run reproduce [-- NOTEBOOK...]`: executes notebooks; writes reports/ and, only with --save, what git tracks. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { decides, TIERS, type Tier } from '../../train/config';
import { oneOf, UserError, wholeNumber } from '../../util/errors';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import {
  CLAIMS_PAGE,
  claims,
  keepExecution,
  knownExecutions,
  withClaims,
  withFindings,
} from '../../report/claims';
import {
  abandon,
  CellError,
  execute,
  PAIR_FILES,
  planned,
  type Places,
  type Plan,
  type Result,
} from '../jupyter/execute';
import { selectNotebooks } from '../jupyter/pair';
import { notebookNames, readNotebook, verdictsOf } from '../../report/notebook-files';
import { answerOf, ownText, type Verdict } from '../../report/verdict';
import { TerminalLine } from '../../report/terminal';
import { count, duration } from '../../util/format';
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
      help: 'put the executed notebook with its outputs into notebooks/ and its figures into figures/; where only Markdown has changed, keep the outputs and execute nothing',
    },
    execute: { type: 'boolean', help: 'with --save, execute also where only Markdown has changed' },
    from: {
      type: 'string',
      help: `${PAIR_FILES.join(' or ')}: which of the two files of a notebook counts where their cells differ; without it the one that was edited since they last agreed in git`,
    },
  },
} as const;

/** A smoke run shows that all works, and no result: it never takes the place of one. */
function placesOf(tier: Tier): Places {
  const { notebooks, reports, figures, venv } = paths;
  return { notebooks, figures, venv, reports: tier === 'smoke' ? join(reports, 'smoke') : reports };
}

/** What the moving line says of a notebook: its training while that lasts, or else the time so far. Two and the rest fit 80 columns. */
export function statusLine(name: string, elapsedSeconds: number, at: TrainingProgress | null): string {
  const number = name.split('-')[0]!;
  return at && at.step < at.steps
    ? `${number} step ${count(at.step)} of ${count(at.steps)}, loss ${at.lossNats.toFixed(3)}, ${duration(at.secondsLeft)} left`
    : `${number}: ${duration(elapsedSeconds)} so far`;
}

const restText = (seconds: number | null): string[] =>
  seconds ? [`the rest about ${duration(seconds)}`] : [];

const WIDTH = 100;

/** Report, minutes, counts of verdicts: at most 100 columns. */
export function resultLine({ minutes, verdicts, report }: Result): string {
  const counts = (
    [
      ['hold', true],
      ['do not', false],
      ['open', null],
    ] as const
  ).flatMap(([word, answer]) => {
    const n = verdicts.filter((v) => answerOf(v) === answer).length;
    return n ? `${word}: ${n}` : [];
  });
  const where = relative(paths.root, report);
  return `${where}  ${minutes.toFixed(1)} min  ${counts.join(', ') || 'no verdict'}`;
}

/** A line for each claim whose verdict, or else whose values, are not the committed ones. */
export function changedVerdicts(
  name: string,
  executed: readonly Verdict[],
  committed: readonly Verdict[],
): string[] {
  const claims = new Set([...executed, ...committed].map(({ claim }) => claim));
  return [...claims].flatMap((claim) => {
    const [before, after] = [committed, executed].map((list) => list.find((v) => v.claim === claim));
    const [old, now] =
      before && after && before.outcome === after.outcome
        ? [ownText(before), ownText(after)]
        : [before?.outcome ?? 'new', after?.outcome ?? 'gone'];
    return old === now ? [] : `${name.split('-')[0]}  ${old} → ${now}: ${claim}`.slice(0, WIDTH);
  });
}

const committedVerdicts = (name: string, folder: string): Verdict[] => {
  const file = join(folder, `${name}.ipynb`);
  try {
    return existsSync(file) ? verdictsOf(readNotebook(file)) : [];
  } catch {
    // A merge conflict, of which the plan tells.
    return [];
  }
};

/** Seconds for the notebooks that wait, from the last time; null where one has not run before. */
function secondsFor(names: string[], tier: Tier): number | null {
  const known = knownExecutions();
  const minutes = names.map((name) => known[`${tier} ${name}`]?.minutes);
  return minutes.every((m) => m !== undefined)
    ? minutes.reduce<number>((sum, m) => sum + (60 * m!) / atOnce(tier), 0)
    : null;
}

/** In their order, but for the page of claims, which comes after those that it sums up. */
export const inOrder = (names: readonly string[]): string[] => [
  ...names.filter((name) => name !== CLAIMS_PAGE),
  ...names.filter((name) => name === CLAIMS_PAGE),
];

/** Which files count and what is executed, for all notebooks before the first one runs; one that cannot be decided ends the command. */
async function plansOf(names: string[], settings: Settings): Promise<Plan[]> {
  const plans = await planned(names, settings);
  const refused = plans.flatMap(({ error }) => error ?? []);
  if (refused.length) throw new UserError(refused.join('\n'));
  return plans;
}

type Settings = Parameters<typeof planned>[1];

/** Below the desk tier much of the time is work of one thread: starting kernels, checking types, drawing. */
const atOnce = (tier: Tier): number => (decides(tier) ? 1 : 2);

async function reproduce(names: string[], settings: Settings): Promise<number> {
  const { tier, save } = settings;
  const line = new TerminalLine();
  let failed = 0;
  const changed: string[] = [];
  const running = new Map<string, string>();
  const waiting = await plansOf(names, settings);
  const one = async ({ name, note, keep }: Plan): Promise<void> => {
    if (note) line.print(note);
    if (keep)
      line.print(
        `${name}: only Markdown has changed: its outputs are kept, nothing is executed (--execute does)`,
      );
    const startedAt = performance.now();
    const seconds = (): number => (performance.now() - startedAt) / 1000;
    const committed = committedVerdicts(name, settings.places.notebooks);
    const rest = secondsFor(
      waiting.map((plan) => plan.name),
      tier,
    );
    if (!line.isLive) line.print(`${name}: started`);
    try {
      const result = await execute({ name, keep, ...settings }, (at) => {
        running.set(name, statusLine(name, seconds(), at));
        line.update([...running.values(), ...restText(rest)].join(' | '));
      });
      line.clear();
      console.log(resultLine(result));
      changed.push(...changedVerdicts(name, result.verdicts, committed));
      if (!keep) keepExecution(tier, name, result);
      if (save && name === CLAIMS_PAGE)
        writeAtomically(paths.readme, withFindings(withClaims(readFileSync(paths.readme, 'utf8'), claims())));
    } catch (error) {
      if (!(error instanceof CellError || error instanceof UserError)) throw error;
      failed++;
      line.print(error.message);
      console.log(`${name}  ${(seconds() / 60).toFixed(1)} min  FAILED`);
    } finally {
      running.delete(name);
    }
  };
  const next = async (): Promise<void> => {
    while (waiting.length && waiting[0]!.name !== CLAIMS_PAGE) await one(waiting.shift()!);
  };
  await Promise.all(Array.from({ length: atOnce(tier) }, next));
  if (waiting.length) await one(waiting.shift()!);
  if (tier !== 'smoke')
    console.log(
      changed.length
        ? `\nverdicts and values that differ from the committed ones:\n${changed.sort().join('\n')}`
        : '\nno verdict and no value differs from the committed ones',
    );
  console.log(`all reports: ${relative(paths.root, settings.places.reports)}/index.html`);
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
    const from = values.from === undefined ? null : oneOf('--from', values.from, PAIR_FILES);
    const [save, execute] = [values.save === true, values.execute === true];
    if (tier === 'smoke' && save)
      throw new UserError(
        '--save: expected tier quick, desk or full; got smoke, whose outputs show no result',
      );
    const names = inOrder(selectNotebooks(positionals, notebookNames()));
    abandonOnSignal();
    const failed = await reproduce(names, { tier, seed, save, from, execute, places: placesOf(tier) });
    if (failed) process.exitCode = 1;
  });
}
