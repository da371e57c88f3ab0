/** What notebook 00 shows: every verdict of the collection, and the runs that they rest on. */
import { EXPERIMENTS, experimentOf } from '../experiments/index';
import type { Claim } from '../report/claims';
import type { Figure } from '../report/figure';
import { axis, COLOURS, BADGES, title } from '../report/style';
import type { Row } from '../report/table';
import { answerOf, unfitness, type OwnValue, type Question } from '../report/verdict';
import { deviations, type Tier, type TrainingConfig } from '../train/config';
import { allCommitted } from '../train/record';
import { count, layersByWidth, significant } from '../util/format';
import { sum } from '../util/statistics';
import { circles } from './shared/traces';
import { grouped } from '../util/groups';
import { hardwareText } from './shared/runs';

export { claims, showClaims } from '../report/claims';
export { saveFigure, show } from '../report/figure';
export { openNotebook } from '../report/notebook';
export { showTable } from '../report/table';

/** Longest label of a claim, characters. */
const LABEL = 50;

/** A run's distance from the paper's number in tolerances, ±5 at most; where the number is a bound, a run that keeps it with room to spare is at the inner edge. */
function distance({ value }: OwnValue, { paper, tolerance, relation }: Question): number {
  const tolerances = value === paper ? 0 : Math.max(-5, Math.min(5, (value - paper) / tolerance));
  if (relation === 'at least') return Math.min(1, tolerances);
  return relation === 'at most' ? Math.max(-1, tolerances) : tolerances;
}

const answer = (v: Claim['verdict']): keyof typeof BADGES => {
  const holds = answerOf(v);
  return holds === null ? 'open' : holds ? 'yes' : 'no';
};

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
      colour: BADGES[answer(verdict)],
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
          symbol: circles(points, (p) => p.fit),
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

/** Runs of one experiment, tier and size of model are together. */
const group = ({ experiment, tier, model }: TrainingConfig): string =>
  `${experiment} ${tier} ${layersByWidth(model)}`;
const listed = (values: readonly number[]): string =>
  [...new Set(values)]
    .sort((a, b) => a - b)
    .map(count)
    .join(', ');

/** The committed runs, a row a group. */
export const runRows = (): Row[] =>
  grouped(allCommitted(), ({ config }) => group(config)).map(([, runs]) => {
    const { config, parameters } = runs[0]!;
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
  });

/**
 * Every field in which runs depart from the published ones, with all values that it takes: those of this tier, and the
 * committed ones, a row a group, seeds apart. What replaces the published text is in `dataset`.
 */
export function deviationRows(tier: Tier): Row[] {
  const ofTier = EXPERIMENTS.map(({ tiers }) => tiers[tier]);
  return grouped([...ofTier, ...allCommitted().map(({ config }) => config)], group).map(([, configs]) => {
    const { experiment, tier: own, model } = configs[0]!;
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
  });
}
