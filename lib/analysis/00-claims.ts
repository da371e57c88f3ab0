/** What notebook 00 shows: every verdict of the collection, and the runs that they rest on. */
import { EXPERIMENTS, experimentOf } from '../experiments/index';
import { byTable, findings, type Claim } from '../report/claims';
import type { Figure } from '../report/figure';
import { COLOURS, title } from '../report/style';
import type { Row } from '../report/table';
import {
  answerOf,
  expectedText,
  ownText,
  tableOf,
  TABLES,
  unfitness,
  type OwnValue,
  type Question,
  type TableName,
  type Verdict,
} from '../report/verdict';
import { deviations, type Tier, type TrainingConfig } from '../train/config';
import { allCommitted } from '../train/record';
import { count, layersByWidth } from '../util/format';
import { grouped } from '../util/groups';
import { sum } from '../util/statistics';
import { hardwareText } from './shared/runs';
import { markerTrace } from './shared/traces';

export { claims, showClaims } from '../report/claims';
export { showFigure } from '../report/figure';
export { openNotebook, showAnswer } from '../report/notebook';
export { showFolded } from '../report/table';

/** Letters of a line of a claim, which is broken between words. */
const LINE = 42;

/** A text in lines of at most so many letters, for a label. */
function wrapped(text: string, most = LINE): string {
  const lines = text.split(' ').reduce(
    (all, word) => {
      const last = all.at(-1)!;
      return last && last.length + word.length + 1 > most
        ? [...all, word]
        : [...all.slice(0, -1), last ? `${last} ${word}` : word];
    },
    [''],
  );
  return lines.join('<br>');
}

/** Where the scale of the figure ends, in tolerances; what is further out is an arrow there. */
const MOST_AWAY = 3;

/** A run's place: 0 is the claimed number, ±1 the edge of the tolerance; of a bound 0 is the bound itself, and what keeps it is on its side. */
function place({ value }: OwnValue, { paper, tolerance, relation }: Question): number {
  const scale = tolerance || Math.abs(paper) || 1;
  if (relation === 'at most') return (value - paper - tolerance) / scale;
  if (relation === 'at least') return (value - paper + tolerance) / scale;
  return (value - paper) / scale;
}

const ROW = 56;
/** Left edge of the claims, in widths of the strip. */
const LEFT = -1.13;
const tablesInFigure: readonly TableName[] = ['observations', 'predictions'];

/** The claims on trained models that the README shows: the claim at the left, the runs in the middle, claimed, found and verdict at the right. */
export function claimsFigure(list: readonly Claim[]): Figure {
  const rows = byTable(list)
    .filter(([name]) => tablesInFigure.includes(name))
    .flatMap(([name, own]) => [
      { title: TABLES[name], claim: undefined },
      ...own.map((claim) => ({ title: undefined, claim })),
    ]);
  const colourOf = (v: Claim['verdict']) => {
    const answer = answerOf(v);
    return answer === null ? COLOURS.control : answer ? COLOURS.ours : COLOURS.outside;
  };
  const points = rows.flatMap(({ claim }, y) =>
    claim
      ? claim.verdict.ours
          .filter(({ value }) => Number.isFinite(value))
          .map((run) => {
            const at = place(run, claim.verdict);
            return {
              x: Math.max(-MOST_AWAY, Math.min(MOST_AWAY, at)),
              y,
              colour: colourOf(claim.verdict),
              fit: unfitness(run, claim.verdict) === undefined,
              symbol: at > MOST_AWAY ? 'triangle-right' : at < -MOST_AWAY ? 'triangle-left' : 'circle',
            };
          })
      : [],
  );
  const text = (x: number, y: number, words: string, font: object = {}, xanchor = 'left') => ({
    text: words,
    x,
    y,
    xref: 'paper',
    yref: 'y',
    xanchor,
    align: xanchor,
    showarrow: false,
    font: { size: 13, ...font },
  });
  return {
    data: [
      markerTrace(
        '',
        points.map((p) => p.x),
        points.map((p) => p.y),
        {
          size: 9,
          color: points.map((p) => p.colour),
          symbol: points.map(({ fit, symbol }) => (fit ? symbol : `${symbol}-open`)),
        } as never,
      ),
    ],
    layout: {
      title: {
        ...(title(
          'What was claimed, and what was found',
          'each row on its own scale; grey: the claim holds; dots: runs, hollow if not counted; arrow: further out',
        ) as object),
        xref: 'container',
        x: 0.01,
      } as never,
      width: 860,
      height: 110 + ROW * rows.length,
      margin: { l: 300, r: 300, t: 100, b: 10 },
      showlegend: false,
      xaxis: { range: [-MOST_AWAY - 0.3, MOST_AWAY + 0.3], visible: false },
      yaxis: { range: [rows.length - 0.5, -0.5], visible: false },
      shapes: rows.flatMap(({ claim }, y) => {
        if (!claim) return [];
        const { relation } = claim.verdict;
        const [x0, x1] =
          relation === 'at most'
            ? [-MOST_AWAY - 0.2, 0]
            : relation === 'at least'
              ? [0, MOST_AWAY + 0.2]
              : [-1, 1];
        const look = { type: 'rect' as const, x0, x1, y0: y - 0.22, y1: y + 0.22, line: { width: 0 } };
        return [{ ...look, fillcolor: COLOURS.paper, opacity: 0.15, layer: 'below' as const }];
      }),
      annotations: rows.flatMap(({ title: heading, claim }, y) => {
        if (!claim) return [text(LEFT, y, `<b>${heading}</b>`, { size: 15 })];
        const { verdict, notebook } = claim;
        const found = `holds if ${expectedText(verdict)}<br>found ${ownText(verdict).replace(/ \(.*/, '')}<br><b>${verdict.outcome}</b>`;
        return [
          text(LEFT, y, wrapped(`${notebook.split('-')[0]} · ${verdict.claim}`)),
          text(1.02, y, found, { size: 12, color: colourOf(verdict) }),
        ];
      }) as never,
    },
  };
}

/** Sentences on the whole, counted from the verdicts. */
export function answer(list: readonly Claim[]): string {
  const [observations, theory, predictions] = (['observations', 'theory', 'predictions'] as const).map(
    (name) => list.filter(({ verdict }) => tableOf(verdict) === name).map(({ verdict }) => verdict),
  );
  const counts = (verdicts: readonly Verdict[]) => {
    const answers = verdicts.map(answerOf);
    return {
      all: verdicts.length,
      yes: answers.filter((a) => a === true).length,
      small: verdicts.filter((v) => v.kind === 'miniature' && answerOf(v) === true).length,
      no: answers.filter((a) => a === false).length,
      open: answers.filter((a) => a === null).length,
    };
  };
  const text = (verdicts: readonly Verdict[]) => {
    const { all, yes, small, no, open } = counts(verdicts);
    const parts = [
      yes && `${yes} hold${yes === 1 ? 's' : ''}${small ? ` (${small} of them at a smaller scale)` : ''}`,
      no && `${no} ${no === 1 ? 'does' : 'do'} not`,
      open && `${open} ${open === 1 ? 'is' : 'are'} open`,
    ];
    return `of ${all}, ${parts.filter(Boolean).join(', ')}`;
  };
  return [
    `**The paper's observations on trained models: ${text(observations!)}.**`,
    `Its theory, checked numerically: ${text(theory!)}.`,
    ...(predictions!.length
      ? [`Our own predictions, the last ones for each question: ${text(predictions!)}.`]
      : []),
  ]
    .join(' ')
    .concat(`\n${findings()}`);
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
