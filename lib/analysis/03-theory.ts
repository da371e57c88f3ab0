/** The theory behind the bound of notebook 03, computed exactly: the partition function, the radius r*, and the cross-entropy that log Z + 1/Z stands for. */
import { layeredEnergy } from '../energy/layers';
import { claimedCrossEntropy, exactCase, logPartition, meanEnergy, radius } from '../energy/partition';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, endLabels, logAxis, referenceLine } from '../report/style';
import type { Row } from '../report/table';
import { RECONSTRUCTED, type Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { count } from '../util/format';
import { Random } from '../util/random';
import { crossing } from '../util/statistics';
import { CLAIMED_NATS } from './shared/bound';
import { FIGURE_1 } from './shared/memories';
import { lineTrace, MARKED } from './shared/traces';

const WIDTHS = [1, 2, 8, 13, 64, 512, 768, 1024, 1600];

/** r* and what the energy is there, width by width. */
export const radiusRows = (): Row[] =>
  WIDTHS.map((n) => {
    const r = radius(n);
    // What double precision leaves of 0.
    const exact = logPartition({ n, r, d: 1 });
    const logZ = Math.abs(exact) < 1e-9 ? 0 : exact;
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
    claimedBy: RECONSTRUCTED,
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
