/** What notebook 03 shows: the partition function, the radius r*, the claimed bound on the cross-entropy, and what runs measured. */
import { layeredEnergy } from '../energy/layers';
import { claimedCrossEntropy, exactCase, logPartition, meanEnergy, radius } from '../energy/partition';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, referenceLine } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { allCommitted } from '../train/record';
import { count } from '../util/format';
import { Random } from '../util/random';
import { crossing } from '../util/statistics';
import { boundQuestion, CLAIMED_NATS, measured, measuredName } from './shared/bound';
import { FIGURE_1 } from './shared/memories';
import { lineTrace, MARKED } from './shared/traces';

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

/** log Z + 1/Z, the exact cross-entropy of data on one pattern, and the entropy of p, against log Z, for one width. */
export function boundFigure(n = 2): Figure {
  const radii = Array.from({ length: 60 }, (_, i) => radius(n) * 10 ** (-0.9 + (1.6 * i) / 59));
  const logZ = radii.map((r) => logPartition({ n, r, d: 1 }));
  return chart({
    title: 'The claimed bound and two exact quantities',
    subtitle: `one pattern, n = ${n}, p = exp(−E)/Z on a ball of radius r, which moves along the curves`,
    x: axis('log Z', 'nats'),
    y: axis('cross-entropy', 'nats', { range: [-4, 6] }),
    data: [
      lineTrace('claimed: log Z + 1/Z', logZ, logZ.map(claimedCrossEntropy), {
        color: COLOURS.ours,
        dash: 'solid',
      }),
      lineTrace('exact: cross-entropy of data on the pattern, log Z', logZ, logZ, {
        color: COLOURS.second,
        dash: 'solid',
      }),
      lineTrace(
        'entropy of p: log Z + mean energy',
        logZ,
        logZ.map((z, i) => z + meanEnergy({ n, r: radii[i]! })),
        { color: COLOURS.third, dash: 'dash' },
      ),
    ],
    shapes: [referenceLine(CLAIMED_NATS, 'claimed lower bound 1', { end: 'left' })],
  });
}

/** The mean energy at r*, which the claimed form takes for 1, against the width. */
export function meanEnergyFigure(): Figure {
  const widths = Array.from({ length: 40 }, (_, i) => Math.round(10 ** ((3.25 * i) / 39)));
  return chart({
    title: 'The term that the bound takes for 1/Z',
    subtitle: 'mean energy of p at the radius where Z = 1',
    x: axis('n', 'width of a pattern, log scale', { type: 'log' }),
    y: axis('mean energy', 'nats', { type: 'log' }),
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
    ...TABLE,
    'cross-entropy of the next token, exact (nats)': predictorLoss(beta, seed),
    'entropy of the data (nats)': 0,
    'claimed bound (nats)': CLAIMED_NATS,
  }));

/** Training losses of all committed runs with every floor: of the data, of memorisation, and the claimed one. */
export const measuredRows = (): Row[] =>
  allCommitted().map((record) => {
    const found = measured(record);
    return {
      run: measuredName(record, found),
      'parameters per token': record.parameters / found.tokens,
      'measured training loss': found.nats,
      'entropy of the data': found.entropy,
      'floor of memorisation': found.memory,
      'claimed bound': CLAIMED_NATS,
    };
  });

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
    source: `arXiv 2405.08707, section 5 (recalled); largest violation over ${count(cases)} random Z`,
    paper: 0,
    tolerance: 1e-12,
    relation: 'at most',
    unit: 'nats',
    ours: [{ seed, tier, value: largest }],
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
    claim: 'The cross-entropy that p = exp(−E)/Z attains on its patterns is log Z + 1/Z, 1 at Z = 1.',
    source: `arXiv 2405.08707, section 5 (recalled); exact for one pattern of width ${EXACT_WIDTHS.join(', ')}; E = 0 on the pattern leaves log Z, which is 0 at every width`,
    paper: CLAIMED_NATS,
    tolerance: 0.05,
    unit: 'nats',
    ours: [{ seed, tier, value: exact.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a)) }],
  };
}

/** All questions of the notebook; the last one is put to every committed run. */
export const questions = (tier: Tier, seed: number): Question[] => [
  inequalityQuestion(tier, seed),
  optimumQuestion(tier, seed),
  boundQuestion(
    allCommitted(),
    'No trained Transformer has a cross-entropy below about 1 (the paper excepts severely over-parameterised models).',
  ),
];
