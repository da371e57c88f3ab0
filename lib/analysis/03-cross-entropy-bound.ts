/** What notebook 03 shows: the partition function, the radius r*, the claimed bound on the cross-entropy, and what runs measured. */
import type { PlotMarker } from 'plotly.js';
import { layeredEnergy } from '../energy/layers';
import { claimedCrossEntropy, exactCase, logPartition, meanEnergy, radius } from '../energy/partition';
import type { CapacityConfig } from '../experiments/capacity';
import { questionFormation } from '../experiments/question-formation';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, endLabels, logAxis, referenceLine, title } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { allCommitted, type RunRecord } from '../train/record';
import { count, rangeText } from '../util/format';
import { grouped } from '../util/groups';
import { Random } from '../util/random';
import { crossing } from '../util/statistics';
import { CLAIMED_NATS, excepted, measured, type Measured } from './shared/bound';
import { FIGURE_1 } from './shared/memories';
import { ownValues } from './shared/runs';
import { isSettled } from './shared/settled';
import { lineTrace, MARKED, markerTrace } from './shared/traces';

export * from './shared/notebook';

const WIDTHS = [1, 2, 8, 13, 64, 512, 768, 1024, 1600];

/** r* and what the energy is there, width by width. */
export const radiusRows = (): Row[] =>
  WIDTHS.map((n) => {
    const r = radius(n);
    const logZ = logPartition({ n, r, d: 1 });
    return {
      n,
      'r*': r,
      '√(n/2πe)': Math.sqrt(n / (2 * Math.PI * Math.E)),
      'cross-entropy of data on the pattern: log Z at r*': logZ,
      'claimed: log Z + 1/Z': claimedCrossEntropy(logZ),
      'entropy of p: log Z + mean energy': logZ + meanEnergy({ n, r }),
    };
  });

/** log Z + 1/Z and the exact cross-entropy of data on one pattern, against log Z, as the radius of the ball around it grows. */
export function boundFigure(n = 2): Figure {
  const radii = Array.from({ length: 60 }, (_, i) => radius(n) * 10 ** (-0.9 + (1.6 * i) / 59));
  const logZ = radii.map((r) => logPartition({ n, r, d: 1 }));
  const span = { low: -1, high: 3, pixels: 270 };
  const inside = (values: number[]) => {
    const shown = values.map((y, i) => ({ x: logZ[i]!, y })).filter(({ x, y }) => y <= span.high && x <= 3);
    return shown.at(-1)!;
  };
  const curves = [
    { text: 'log Z + 1/Z', values: logZ.map(claimedCrossEntropy), colour: COLOURS.paper },
    { text: 'exact: log Z', values: logZ, colour: COLOURS.exact },
    {
      text: 'entropy of p',
      values: logZ.map((z, i) => z + meanEnergy({ n, r: radii[i]! })),
      colour: COLOURS.second,
    },
  ];
  return chart({
    title: 'The reconstructed bound is not the cross-entropy of the density',
    subtitle: `one pattern of width ${n}, p = exp(−E)/Z on a ball around it; the ball grows to the right`,
    x: axis('log Z', 'nats', { range: [-3, 3] }),
    y: axis('cross-entropy', 'nats', { range: [span.low, span.high] }),
    data: curves.map(({ text, values, colour }) =>
      lineTrace(text, logZ, values, { color: colour, dash: text === 'log Z + 1/Z' ? 'dash' : 'solid' }),
    ),
    showlegend: false,
    shapes: [referenceLine(CLAIMED_NATS, 'claimed bound 1', { end: 'left' })],
    annotations: endLabels(
      curves.map(({ text, values, colour }) => ({ text, ...inside(values), colour })),
      span,
    ) as never,
  });
}

/** The mean energy at r*, which the claimed form takes for 1, against the width. */
export function meanEnergyFigure(): Figure {
  const widths = Array.from({ length: 40 }, (_, i) => Math.round(10 ** ((3.25 * i) / 39)));
  return chart({
    title: 'The mean energy equals 1/Z near width 13 alone',
    subtitle: 'mean energy of p at the radius where Z = 1',
    x: logAxis('width of a pattern', undefined, [1, 2000]),
    y: logAxis('mean energy', 'nats', [0.2, 20]),
    data: [
      lineTrace(
        'mean energy at r*(n)',
        widths,
        widths.map((n) => meanEnergy({ n, r: radius(n) })),
        { color: COLOURS.ours },
        MARKED,
      ),
    ],
    shapes: [referenceLine(1, '1/Z at Z = 1', { end: 'left' })],
    height: 380,
  });
}

/** Few random patterns, exactly: the separation that the theory assumes, and what becomes of Z and the cross-entropy without it. */
export function smallCaseRows(tier: Tier, seed: number): Row[] {
  const random = new Random(seed, 'small-cases');
  const d = 4;
  return [1, 2, 3, 5].flatMap((n) =>
    [0.5, 2, 8].map((spread) => {
      const patterns = Array.from({ length: d }, () => Array.from(random.normals(n), (v) => spread * v));
      const r = radius(n);
      const exact = exactCase({ patterns, r, directions: tier === 'smoke' ? 50 : 400, seed });
      return {
        n,
        patterns: d,
        'spread of patterns': spread,
        'log Z, exact': exact.logZ,
        'log Z, far apart': logPartition({ n, r, d }),
        'mean energy': exact.meanEnergy,
        'cross-entropy, exact (nats)': exact.crossEntropy,
        'claimed log Z + 1/Z': claimedCrossEntropy(exact.logZ),
      };
    }),
  );
}

/** Figure 1's patterns, their first coordinates alone, and with a third one. */
const THREE: number[][][] = [FIGURE_1.map(([x]) => [x!]), FIGURE_1, FIGURE_1.map((p, i) => [...p, i - 1])];

/** Three patterns at the radius at which the whole Z, not each pattern's, is 1: the exact cross-entropy of data on them. */
export const threePatternRows = (tier: Tier, seed: number): Row[] =>
  THREE.map((patterns) => {
    const at = (r: number) => exactCase({ patterns, r, directions: tier === 'smoke' ? 50 : 2000, seed });
    const r = crossing((radius) => at(radius).logZ, 0, 1);
    const exact = at(r);
    return {
      n: patterns[0]!.length,
      'radius at which Z = 1': r,
      Z: Math.exp(exact.logZ),
      'mean energy': exact.meanEnergy,
      'cross-entropy, exact (nats)': exact.crossEntropy,
      'claimed log Z + 1/Z': claimedCrossEntropy(exact.logZ),
    };
  });

/** A table of contexts, each followed by one token: what the distance energy makes of it. */
const TABLE = { contexts: 200, width: 16, tokens: 20 } as const;

/** −log p of the token after each stored context, with p(t | x) = exp(−β E_t(x)) / Σ over the contexts before token t: a mean in nats per token. */
export function predictorLoss(beta: number, seed: number): number {
  const random = new Random(seed, 'predictor');
  const contexts = Array.from({ length: TABLE.contexts }, () => random.normals(TABLE.width));
  const next = contexts.map((_, i) => (i < TABLE.tokens ? i : random.int(TABLE.tokens)));
  const layers = Array.from({ length: TABLE.tokens }, (_, token) =>
    contexts.filter((_, i) => next[i] === token),
  );
  const { shares } = layeredEnergy({ layers, states: contexts, beta });
  return next.reduce((sum, token, i) => sum - Math.log(shares[token]![i]!), 0) / next.length;
}

/** The energy as a predictor of the next token, on its own patterns, for several β. */
export const predictorRows = (seed: number): Row[] =>
  [0.5, 1, 2, 4, 8].map((beta) => ({
    'β (per unit of distance)': beta,
    'cross-entropy of the next token, exact (nats)': predictorLoss(beta, seed),
  }));

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

/** Largest amount by which log Z + 1/Z falls below 1 over random Z. */
export function inequalityQuestion(tier: Tier, seed: number): Question {
  const cases = tier === 'smoke' ? 1000 : 100_000;
  const random = new Random(seed, 'log-z');
  const largest = Array.from(
    { length: cases },
    () => CLAIMED_NATS - claimedCrossEntropy(20 * random.normal()),
  ).reduce((a, b) => Math.max(a, b));
  return {
    claim: 'log Z + 1/Z is at least 1 for every Z.',
    kind: 'check',
    source: `the formula is our reconstruction of arXiv 2405.08707, section 5; largest violation over ${count(cases)} random Z`,
    paper: 0,
    tolerance: 1e-12,
    relation: 'at most',
    unit: 'nats of violation',
    ours: [{ seed, tier, value: Math.max(0, largest) }],
  };
}

/** Widths at which a single pattern is integrated ray by ray, E of its own definition. */
const EXACT_WIDTHS = [1, 2, 3, 5];

/** The cross-entropy of data on one pattern at Z = 1: the largest by size over the widths. */
export function optimumQuestion(tier: Tier, seed: number): Question {
  const exact = EXACT_WIDTHS.map(
    (n) => exactCase({ patterns: [Array(n).fill(0)], r: radius(n), directions: 50, seed }).crossEntropy,
  );
  return {
    claim: 'At Z = 1 the cross-entropy of the density on its patterns is 1.',
    kind: 'reconstruction',
    source: `our reconstruction of arXiv 2405.08707, section 5, whose displayed formulas we could not read; exact for one pattern of width ${EXACT_WIDTHS.join(', ')}: E = 0 on the pattern leaves log Z, which is 0`,
    paper: CLAIMED_NATS,
    tolerance: 0.05,
    unit: 'nats',
    ours: [{ seed, tier, value: exact.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a)) }],
  };
}

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
