/** What notebook 03 shows: the partition function, the radius r*, the claimed bound on the cross-entropy, and what was measured. */
import type { CapacityRecord } from '../experiments/capacity';
import type { PlateauRecord } from '../experiments/plateau-intervention';
import type { TextRecord } from '../experiments/text-task';
import type { Tier } from '../train/config';
import { layeredEnergy } from '../energy/layers';
import { claimedCrossEntropy, exactCase, logPartition, meanEnergy, radius } from '../energy/partition';
import { Random } from '../util/random';
import type { Figure } from '../report/figure';
import { axis, COLOURS, referenceLine, title } from '../report/style';
import { showTable } from '../report/table';
import { crossing } from '../util/statistics';
import type { Question } from '../report/verdict';
import { allCommitted, type RunRecord } from '../train/record';
import { dataFloor, memoryFloor, trainTokens, type LineSet } from './shared/floors';
import { FIGURE_1 } from './01-memories';
import { plateau } from './04-plateau';
import { short } from './shared/text-runs';

export const CLAIMED_NATS = 1;
const WIDTHS = [1, 2, 8, 13, 64, 512, 768, 1024, 1600];

/** r* and what the energy is there, width by width. */
export function showRadii(): void {
  showTable(
    WIDTHS.map((n) => {
      const r = radius(n);
      return {
        n,
        'r*': r,
        '√(n/2πe)': Math.sqrt(n / (2 * Math.PI * Math.E)),
        'cross-entropy of data on the pattern: log Z at r*': logPartition({ n, r, d: 1 }),
        'claimed: log Z + 1/Z': claimedCrossEntropy(logPartition({ n, r, d: 1 })),
        'entropy of p: log Z + mean energy': logPartition({ n, r, d: 1 }) + meanEnergy({ n, r }),
      };
    }),
  );
}

/** log Z + 1/Z beside the exact cross-entropy of data on one pattern and the entropy of p, against log Z, for one width. */
export function boundFigure(n = 2): Figure {
  const radii = Array.from({ length: 60 }, (_, i) => radius(n) * 10 ** (-0.9 + (1.6 * i) / 59));
  const logZ = radii.map((r) => logPartition({ n, r, d: 1 }));
  const line = (name: string, y: number[], color: string, dash: 'solid' | 'dot' | 'dash') => ({
    type: 'scatter' as const,
    mode: 'lines' as const,
    name,
    x: logZ,
    y,
    line: { color, dash },
  });
  return {
    data: [
      line('claimed: log Z + 1/Z', logZ.map(claimedCrossEntropy), COLOURS.ours, 'solid'),
      line('exact: cross-entropy of data on the pattern, log Z', logZ, COLOURS.second, 'solid'),
      line(
        'entropy of p: log Z + mean energy',
        logZ.map((z, i) => z + meanEnergy({ n, r: radii[i]! })),
        COLOURS.third,
        'dash',
      ),
    ],
    layout: {
      title: title(
        'The claimed bound and two exact quantities',
        `one pattern, n = ${n}, p = exp(−E)/Z on a ball of radius r, which moves along the curves`,
      ),
      xaxis: axis('log Z', 'nats'),
      yaxis: axis('cross-entropy', 'nats', { range: [-4, 6] }),
      shapes: [referenceLine(CLAIMED_NATS, 'claimed lower bound 1', { end: 'left' })],
    },
  };
}

/** The mean energy at r*, which the claimed form takes for 1, against the width. */
export function meanEnergyFigure(): Figure {
  const widths = Array.from({ length: 40 }, (_, i) => Math.round(10 ** ((3.25 * i) / 39)));
  return {
    data: [
      {
        type: 'scatter',
        mode: 'lines+markers',
        name: 'mean energy at r*(n)',
        x: widths,
        y: widths.map((n) => meanEnergy({ n, r: radius(n) })),
        line: { color: COLOURS.ours },
      },
    ],
    layout: {
      title: title('The term that the bound takes for 1/Z', 'mean energy of p at the radius where Z = 1'),
      xaxis: axis('n', 'width of a pattern, log scale', { type: 'log' }),
      yaxis: axis('mean energy', 'nats', { type: 'log' }),
      shapes: [referenceLine(1, '1/Z at Z = 1', { end: 'left' })],
      height: 380,
    },
  };
}

/** Few random patterns, exactly: the separation that the theory assumes, and what becomes of Z and the cross-entropy without it. */
export function showSmallCases(tier: Tier, seed: number): void {
  const random = new Random(seed, 'small-cases');
  showTable(
    [1, 2, 3, 5].flatMap((n) =>
      [0.5, 2, 8].map((spread) => {
        const d = 4;
        const patterns = Array.from({ length: d }, () => Array.from(random.normals(n), (v) => spread * v));
        const r = radius(n);
        const {
          logZ,
          crossEntropy,
          meanEnergy: energy,
        } = exactCase({ patterns, r, directions: tier === 'smoke' ? 50 : 400, seed });
        return {
          n,
          patterns: d,
          'spread of patterns': spread,
          'log Z, exact': logZ,
          'log Z, far apart': logPartition({ n, r, d }),
          'mean energy': energy,
          'cross-entropy, exact (nats)': crossEntropy,
          'claimed log Z + 1/Z': claimedCrossEntropy(logZ),
        };
      }),
    ),
  );
}

/** Figure 1's patterns, their first coordinates alone, and with a third one. */
const THREE: number[][][] = [FIGURE_1.map(([x]) => [x!]), FIGURE_1, FIGURE_1.map((p, i) => [...p, i - 1])];

/** Three patterns at the radius at which the whole Z, not each pattern's, is 1: the exact cross-entropy of data on them. */
export function showThreePatterns(tier: Tier, seed: number): void {
  showTable(
    THREE.map((patterns) => {
      const at = (r: number) => exactCase({ patterns, r, directions: tier === 'smoke' ? 50 : 2000, seed });
      const r = crossing((radius) => at(radius).logZ, 0, 1);
      const { logZ, meanEnergy: energy, crossEntropy } = at(r);
      return {
        n: patterns[0]!.length,
        'radius at which Z = 1': r,
        Z: Math.exp(logZ),
        'mean energy': energy,
        'cross-entropy, exact (nats)': crossEntropy,
        'claimed log Z + 1/Z': claimedCrossEntropy(logZ),
      };
    }),
  );
}

/** A table of contexts, each followed by one token: what the distance energy makes of it. */
const TABLE = { contexts: 200, width: 16, tokens: 20 } as const;

/** −log p of the token behind each stored context, with p(t | x) = exp(−β E_t(x)) / Σ over the contexts before token t: a mean in nats per token. */
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
export function showPredictor(seed: number): void {
  showTable(
    [0.5, 1, 2, 4, 8].map((beta) => ({
      'β (per unit of distance)': beta,
      ...TABLE,
      'cross-entropy of the next token, exact (nats)': predictorLoss(beta, seed),
      'entropy of the data (nats)': 0,
      'claimed bound (nats)': CLAIMED_NATS,
    })),
  );
}

/** Parameters per training token of the run that the paper calls over-parameterised: GPT-2 small on 9M tokens. */
const EXCEPTED_RATIO = 124.4 / 9;

/** Why the paper excepts a run from its bound; undefined: it does not. */
export function excepted(parameters: number, tokens: number): string | undefined {
  const ratio = parameters / tokens;
  return ratio < EXCEPTED_RATIO
    ? undefined
    : `over-parameterised: ${ratio.toFixed(1)} parameters per token; the paper's own example has ${EXCEPTED_RATIO.toFixed(1)}`;
}

/** A run as the bound sees it: what it was trained on, its loss there at its end, and the floors, in nats per token; null: not known. */
interface Measured {
  run: string;
  tokens: number;
  nats: number;
  entropy: number | null;
  memory: number;
}

function measured(record: RunRecord): Measured {
  const { experiment, model } = record.config;
  const name = `${experiment}, ${model.layers} × ${model.width}`;
  switch (experiment) {
    case 'question-formation':
    case 'plateau-intervention': {
      const { config, curve } = record as PlateauRecord;
      const set: LineSet = { ...config, grammar: config.grammar ?? '1.0' };
      // Without dropout where the run measured that.
      const nats = curve.at(-1)!.trainLinesLossNats ?? plateau(record).trainLossNats;
      const run = `${name}, grammar ${set.grammar}, D = ${config.trainLines.toLocaleString('en')} lines, seed ${config.seed}`;
      return { run, tokens: trainTokens(set), nats, entropy: dataFloor(set), memory: memoryFloor(set) };
    }
    case 'capacity': {
      const { config, curve } = record as CapacityRecord;
      const tokens = config.items * (config.what === 'sequences' ? config.itemTokens : 1);
      const entropy = Math.log(config.model.vocabulary - 1);
      return {
        run: `${name}, D = ${config.items.toLocaleString('en')} ${config.what}, seed ${config.seed}`,
        tokens,
        nats: curve.at(-1)!.trainLossNats,
        entropy,
        memory: 0,
      };
    }
    default: {
      const { config, curve } = record as TextRecord;
      return {
        run: `${name}, D = ${short(config.trainTokens)} tokens, seed ${config.seed}`,
        tokens: config.trainTokens,
        nats: curve.at(-1)!.trainLossNats,
        entropy: null,
        memory: 0,
      };
    }
  }
}

/** Measured training losses beside every floor: of the data, of memorisation, and the claimed one. */
export function showMeasured(): void {
  showTable(
    allCommitted().map((record) => {
      const { run, tokens, nats, entropy, memory } = measured(record);
      return {
        run,
        'parameters per token': record.parameters / tokens,
        'measured training loss': nats,
        'entropy of the data': entropy,
        'floor of memorisation': memory,
        'claimed bound': CLAIMED_NATS,
      };
    }),
  );
}

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
    source: `arXiv 2405.08707, section 5 (recalled); largest violation over ${cases.toLocaleString('en')} random Z`,
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

/** The bound as a sentence on every run: the training loss of each at its end. */
export function boundQuestion(records: readonly RunRecord[], claim: string): Question {
  return {
    claim,
    source:
      'arXiv 2405.08707, version 1, abstract and section 5; training loss at the end of each run; Remark 1 excepts severely over-parameterised models without a number',
    paper: CLAIMED_NATS,
    tolerance: 0.05,
    relation: 'at least',
    unit: 'nats per token',
    universal: true,
    leastTier: 'desk',
    ours: records.map((record) => {
      const { tokens, nats } = measured(record);
      const unfit = excepted(record.parameters, tokens);
      return { tier: record.config.tier, seed: record.config.seed, value: nats, ...(unfit ? { unfit } : {}) };
    }),
  };
}

/** Every committed run. */
export const practiceQuestion = (): Question =>
  boundQuestion(
    allCommitted(),
    'No trained Transformer has a cross-entropy below about 1 (the paper excepts severely over-parameterised models).',
  );
