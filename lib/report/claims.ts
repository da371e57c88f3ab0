/** The page of claims: every verdict of the collection, from the executed notebooks alone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TIERS, deviations, type Tier, type TrainingConfig } from '../train/config';
import { EXPERIMENTS, experimentOf } from '../experiments';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { count, layersByWidth, significant } from '../util/format';
import { paths } from '../util/paths';
import { sum } from '../util/statistics';
import { allCommitted, grouped, hardwareText, type RunRecord } from '../train/record';
import { Display } from './display';
import type { Figure } from './figure';
import { notebookNames, readNotebook, verdictsOf } from './notebook-files';
import { axis, COLOURS, OUTCOME_COLOURS, title } from './style';
import { htmlTable, showTable, textTable } from './table';
import { expectedText, unfitness, type OwnValue, type Question, type Verdict } from './verdict';

/** The notebook that shows the page; it is executed after the others. */
export const CLAIMS_PAGE = '00-claims';

/** What an execution of a notebook left. */
export interface Execution {
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

/** What was executed here, unless fuller or more runs stand behind what is committed: neither a quick look nor an old execution hides them. */
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

/** `1.013 (desk, seed 1)`, `0.98 to 1.02 (desk, 3 seeds)`; runs that cannot decide stand in brackets where there is no other. */
export function ownText(question: Pick<Question, 'ours' | 'leastTier'>): string {
  const { ours } = question;
  const fit = ours.filter((run) => unfitness(run, question) === undefined);
  const shown = fit.length ? fit : ours;
  if (!shown.length) return 'no run';
  const values = shown.map(({ value }) => value).sort((a, b) => a - b);
  const range = [...new Set([values[0]!, values.at(-1)!].map((x) => significant(x, 4)))].join(' to ');
  const seeds = [...new Set(shown.map(({ seed }) => seed))];
  const runs = `${[...new Set(shown.map(({ tier }) => tier))].join(', ')}, ${seeds.length === 1 ? `seed ${seeds[0]}` : `${seeds.length} seeds`}`;
  return fit.length ? `${range} (${runs})` : `[${range}] (${runs}: cannot decide)`;
}

const COLUMNS = ['claim', 'notebook', 'paper', 'ours', 'verdict'];

function cells({ notebook, verdict }: Claim): string[] {
  const { claim, outcome, reason } = verdict;
  return [claim, notebook, expectedText(verdict), ownText(verdict), `${outcome}: ${reason}`];
}

export const claimsText = (list: readonly Claim[]): string => textTable(COLUMNS, list.map(cells));

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
  return [row(COLUMNS), row(COLUMNS.map(() => '---')), ...linked.map(row)].join('\n');
}

const [FROM, TO] = ['<!-- claims: written by "npm run reproduce -- 00 --save" -->', '<!-- /claims -->'];

/** A text with the table of claims in place of what stands between its two marks. */
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
    htmlTable(COLUMNS, list.map(cells)),
  );
  new Display().show({
    data: { 'text/markdown': claimsMarkdown(list, ''), 'text/html': html, 'text/plain': claimsText(list) },
  });
}

/** Longest label of a claim, characters. */
const LABEL = 50;

/** A run's distance from the paper's number in tolerances, ±5 at most; where the number is a bound, what keeps it with room to spare stands at the inner edge. */
function distance({ value }: OwnValue, { paper, tolerance, relation }: Question): number {
  const tolerances = value === paper ? 0 : Math.max(-5, Math.min(5, (value - paper) / tolerance));
  return relation === 'at least'
    ? Math.min(1, tolerances)
    : relation === 'at most'
      ? Math.max(-1, tolerances)
      : tolerances;
}

/** Every run of every claim, as its distance from the paper's number. */
export function claimsFigure(list: readonly Claim[]): Figure {
  const labels = list.map(
    ({ notebook, verdict: { claim } }) =>
      `${notebook.split('-')[0]} ${claim.length > LABEL ? `${claim.slice(0, LABEL - 1)}…` : claim}`,
  );
  const points = list.flatMap(({ verdict }, i) =>
    verdict.ours.map((run) => ({
      x: distance(run, verdict),
      y: labels[i]!,
      colour: OUTCOME_COLOURS[verdict.outcome],
      fit: unfitness(run, verdict) === undefined,
      text: `${significant(run.value, 4)} (${run.tier}, seed ${run.seed})`,
    })),
  );
  return {
    data: [
      {
        type: 'scatter',
        mode: 'markers',
        showlegend: false,
        x: points.map((p) => p.x),
        y: points.map((p) => p.y),
        text: points.map((p) => p.text),
        marker: {
          size: 9,
          color: points.map((p) => p.colour),
          symbol: points.map((p) => (p.fit ? 'circle' : 'circle-open')),
        },
      },
    ],
    layout: {
      title: title(
        "Every claim: ours beside the paper's number",
        'one mark a run, ±5 at most; hollow: cannot decide; all that keeps a bound lies in the band',
      ),
      height: 150 + 26 * list.length,
      width: 900,
      margin: { l: 360 },
      xaxis: axis('ours − paper', 'tolerances', { range: [-5.4, 5.4] }),
      yaxis: { autorange: 'reversed', categoryorder: 'array', categoryarray: labels },
      shapes: [
        {
          type: 'rect',
          xref: 'x',
          yref: 'paper',
          x0: -1,
          x1: 1,
          y0: 0,
          y1: 1,
          line: { width: 0 },
          fillcolor: COLOURS.third,
          opacity: 0.12,
          layer: 'below',
        },
      ],
    },
  };
}

const size = ({ experiment, tier, model }: TrainingConfig): string =>
  `${experiment} ${tier} ${layersByWidth(model)}`;
const listed = (values: readonly number[]): string =>
  [...new Set(values)]
    .sort((a, b) => a - b)
    .map(count)
    .join(', ');

/** The committed runs; those of one experiment, tier and size of model share a row. */
export function showRuns(): void {
  showTable(
    grouped(allCommitted(), ({ config }) => size(config)).map(([, runs]) => {
      const [{ config, parameters }] = runs as [RunRecord];
      return {
        experiment: config.experiment,
        tier: config.tier,
        'layers × width': layersByWidth(config.model),
        'parameters (M)': parameters / 1e6,
        runs: runs.length,
        seeds: listed(runs.map((r) => r.config.seed)),
        steps: listed(runs.map((r) => r.config.steps)),
        'minutes, together': Math.round(sum(runs.map((r) => r.minutes))),
        hardware: hardwareText(runs),
      };
    }),
  );
}

/**
 * Every field in which runs depart from the published ones, with all values that it takes: those of this tier, and the
 * committed ones, grouped as above, seeds apart. What the published text itself is replaced by stands in `dataset`.
 */
export function showDeviations(tier: Tier): void {
  const ofTier = EXPERIMENTS.map(({ tiers }) => tiers[tier]);
  showTable(
    grouped([...ofTier, ...allCommitted().map(({ config }) => config)], size).map(([, configs]) => {
      const [{ experiment, tier: own, model }] = configs as [TrainingConfig];
      const found = configs.flatMap((config) =>
        deviations(config, experimentOf(config).tiers.full).map(
          (text) => text.split(' → ') as [string, string],
        ),
      );
      const merged = grouped(found, ([published]) => published).map(
        ([published, all]) => `${published} → ${[...new Set(all.map(([, ours]) => ours))].join(', ')}`,
      );
      return {
        experiment,
        run: `${own}, ${layersByWidth(model)}`,
        'departs from the published run in': merged.join('; ') || 'nothing',
      };
    }),
  );
}
