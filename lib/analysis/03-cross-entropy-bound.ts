/** What notebook 03 shows: the partition function, the radius r*, the claimed bound on the cross-entropy, and what runs measured. */
import type { PlotMarker } from 'plotly.js';
import type { CapacityConfig } from '../experiments/capacity';
import { questionFormation } from '../experiments/question-formation';
import { type Figure } from '../report/figure';
import { COLOURS, logAxis, title } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { allCommitted, type RunRecord } from '../train/record';
import { rangeText } from '../util/format';
import { grouped } from '../util/groups';
import { inequalityQuestion, optimumQuestion } from './03-theory';
import { CLAIMED_NATS, excepted, measured, type Measured } from './shared/bound';
import { ownValues } from './shared/runs';
import { isSettled } from './shared/settled';
import { markerTrace } from './shared/traces';

export * from './shared/notebook';
export * from './03-theory';

/** The kinds of data, from most to least memorised, and which committed runs are on each. */
interface Group {
  name: string;
  found: (Measured & { record: RunRecord })[];
}

/** What is said of a run's data in the strip plot. */
function groupName({ config }: RunRecord, { entropy }: Measured): string {
  if ('items' in config) return `random ${(config as CapacityConfig).what}`;
  if ('trainTokens' in config) return 'English books';
  return config.experiment === questionFormation.name
    ? `question formation, entropy ${entropy!.toFixed(2)}`
    : `grammar of entropy ${entropy!.toFixed(2)}`;
}

export const groups = (records: readonly RunRecord[] = allCommitted()): Group[] => {
  const found = records.map((record) => ({ ...measured(record), record }));
  const of = grouped(found, (run) => groupName(run.record, run)).map(([name, runs]) => ({
    name,
    found: runs,
  }));
  const order = ({ name, found: [first] }: Group) =>
    name.startsWith('random') ? -2 : name.startsWith('English') ? -1 : first!.entropy!;
  return of.sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name));
};

/** The least that counts as "about 1". */
const LEAST = CLAIMED_NATS - 0.05;
/** Above so many parameters per token the paper's exception could be claimed; these runs have fewer than half a one. */
const FEW_PARAMETERS = 1;

/**
 * The runs that can only be explained by the data: their grammar's entropy is below the bound, they have settled, and with at
 * most one parameter per token they cannot have memorised their lines.
 */
const isClean = ({ entropy, evaluated, tokens, record }: Group['found'][number]): boolean =>
  'trainLines' in record.config &&
  evaluated &&
  entropy! < LEAST &&
  record.parameters / tokens <= FEW_PARAMETERS &&
  isSettled(record, 'loss');

export const cleanRuns = (records?: readonly RunRecord[]): Group['found'] =>
  groups(records).flatMap(({ found }) => found.filter(isClean));

/** Runs on random data below the bound although they have fewer parameters per token than the paper's exception. */
const memorisingRuns = (records?: readonly RunRecord[]): Group['found'] =>
  groups(records)
    .flatMap(({ found }) => found)
    .filter(
      ({ record, tokens, nats }) =>
        'items' in record.config && excepted(record.parameters, tokens) === undefined && nats < LEAST,
    );

const two = (values: readonly number[]): string => rangeText(values, (x) => x.toFixed(2));

export function answer(records?: readonly RunRecord[]): string {
  const clean = cleanRuns(records);
  const entropies = clean.map(({ entropy }) => entropy!);
  return [
    `**No: ${clean.length} Transformers that cannot have memorised their data end below 1, at ${two(clean.map(({ nats }) => nats))} nats per token, because the entropy of the data is that low (${two(entropies)}).**`,
    `Their loss on lines that they were not trained on is as low (${two(clean.map(({ record }) => record.curve.at(-1)!.heldOutLossNats))}), with ${two(clean.map(({ record, tokens }) => record.parameters / tokens))} parameters per training token.`,
    `Others get below 1 by memorising; ${memorisingRuns(records).length} of these learnt random data, with fewer parameters per token than the paper's own over-parameterised example.`,
    `The formula log Z + 1/Z, which is at least 1, is not the cross-entropy of the density as we reconstruct it: that is log Z (Z makes the density sum to 1).`,
  ].join(' ');
}

/** The left edge of the strip plot; what is further left is drawn there as an arrow. */
const EDGE = 1e-3;

/** Every committed run by its training loss, a row a kind of data. */
export function lossesFigure(records?: readonly RunRecord[]): Figure {
  const all = groups(records);
  const points = all.flatMap(({ name, found }) =>
    found.map((run) => ({ name, run, clean: isClean(run), inside: run.nats >= EDGE })),
  );
  const strip = (chosen: typeof points, marker: Partial<PlotMarker>) =>
    markerTrace(
      '',
      chosen.map(({ run }) => Math.max(EDGE, run.nats)),
      chosen.map(({ name }) => name) as never,
      { size: 9, color: COLOURS.ours, ...marker },
    );
  return {
    data: [
      // Nothing is drawn of the first trace: it gives the rows their order.
      strip(points, { opacity: 0 }),
      markerTrace(
        '',
        all.map(({ found }) => found[0]!.entropy ?? NaN),
        all.map(({ name }) => name) as never,
        { symbol: 'line-ns', size: 18, line: { width: 2.5, color: COLOURS.exact } },
      ),
      strip(
        points.filter(({ clean, inside }) => inside && !clean),
        { symbol: 'circle-open', color: COLOURS.control },
      ),
      strip(
        points.filter(({ inside }) => !inside),
        { symbol: 'triangle-left-open', color: COLOURS.control },
      ),
      strip(
        points.filter(({ clean }) => clean),
        { symbol: 'circle' },
      ),
    ],
    layout: {
      title: title(
        'Where the entropy of the data is well below 1, so is the loss',
        `blue: runs that cannot have memorised; black: entropy; right: how many end below ${LEAST}`,
      ),
      height: 110 + 34 * all.length,
      showlegend: false,
      margin: { l: 240 },
      xaxis: logAxis('training loss', 'nats per token', [EDGE, 8], {
        range: [Math.log10(EDGE * 0.85), Math.log10(8)],
      }),
      yaxis: { autorange: 'reversed', tickformat: '' },
      shapes: [
        {
          type: 'rect',
          yref: 'paper',
          x0: LEAST,
          x1: CLAIMED_NATS + 0.05,
          y0: 0,
          y1: 1,
          line: { width: 0 },
          fillcolor: COLOURS.paper,
          opacity: 0.2,
          layer: 'below',
          label: {
            text: 'claimed bound',
            textposition: 'top left',
            font: { size: 12, color: COLOURS.paper },
          },
        },
      ],
      annotations: all.map(({ name, found }) => ({
        text: `${found.filter(({ nats }) => nats < LEAST).length} of ${found.length} below`,
        xref: 'paper',
        x: 1.01,
        xanchor: 'left',
        y: name,
        showarrow: false,
        font: { size: 13 },
      })) as never,
    },
  };
}

/** The runs that decide, a row a grammar; seeds as a range. */
export const cleanRows = (): Row[] =>
  grouped(cleanRuns(), ({ data }) => data).map(([data, found]) => ({
    data,
    runs: found.length,
    'entropy of the data': found[0]!.entropy!.toFixed(3),
    'training loss': two(found.map(({ nats }) => nats)),
    'held-out loss': two(found.map(({ record }) => record.curve.at(-1)!.heldOutLossNats)),
    'all memorised': found[0]!.memory!.toFixed(3),
    'parameters per token': two(found.map(({ record, tokens }) => record.parameters / tokens)),
  }));

/** All committed runs, a row a kind of data. */
export const groupRows = (): Row[] =>
  groups().map(({ name, found }) => ({
    data: name,
    runs: found.length,
    'below 0.95': found.filter(({ nats }) => nats < LEAST).length,
    'training loss (nats)': two(found.map(({ nats }) => nats)),
    'of it evaluated after the last step': found.filter(({ evaluated }) => evaluated).length,
    'parameters per token': two(found.map(({ record, tokens }) => record.parameters / tokens)),
    'floor of memorisation (nats)':
      found[0]!.memory === null ? null : two(found.map(({ memory }) => memory!)),
  }));

/** "No trained Transformer is below about 1", put to the runs that cannot have memorised and whose data allow less. */
const practiceQuestion = (records?: readonly RunRecord[]): Question => {
  const clean = cleanRuns(records);
  return {
    claim: "No Transformer's cross-entropy is below about 1, unless severely over-parameterised.",
    source: `arXiv 2405.08707, version 1, abstract and Remark 1; evaluated training loss of settled runs with at most ${FEW_PARAMETERS} parameter per token on grammars of entropy below ${LEAST}`,
    table: 'theory',
    paper: CLAIMED_NATS,
    tolerance: 0.05,
    relation: 'at least',
    unit: 'nats per token',
    universal: true,
    leastTier: 'desk',
    ours: ownValues(
      clean.map(({ record }) => record),
      (record) => measured(record).nats,
    ),
  };
};

/** All questions of the notebook; the last one is put to committed runs. */
export const questions = (tier: Tier = 'quick', seed = 1): Question[] => [
  inequalityQuestion(tier, seed),
  optimumQuestion(tier, seed),
  practiceQuestion(),
];
