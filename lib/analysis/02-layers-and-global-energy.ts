/** What notebook 02 shows: descent of the global energy by majorisation-minimisation, and the activations of a trained stack. */
import { layeredEnergy, layeredMemory, majorisers } from '../energy/layers';
import type { Matrix } from '../energy/matrix';
import { descend, randomBlock } from '../energy/energy-transformer';
import { openDataset } from '../data/text/shards';
import { Windows } from '../data/text/windows';
import { runId } from '../experiments/experiment';
import { arm, DECIDING_SEEDS, replica, runsWithWeights, type ReplicaConfig } from '../experiments/replica';
import { trainedModel } from '../experiments/run';
import { buildModel } from '../model/build';
import { windowBatch, type LanguageModel } from '../model/model';
import { chart, type Figure } from '../report/figure';
import { committedMeasure, isKept, keepMeasure, keptMeasure } from '../report/measure';
import { axis, COLOURS, endLabels } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { allLayers } from '../train/evaluate';
import { committedModel } from '../train/weights';
import { count, percent } from '../util/format';
import { Random } from '../util/random';
import { mean } from '../util/statistics';
import { normalRows } from './shared/memories';
import { recited, SMOKE_STARTS, STARTS } from './shared/recited';
import { lineTrace, MARKED, markerTrace, rangeBars } from './shared/traces';

export * from './shared/notebook';

/** A random stack, and states for it. */
function randomCase(random: Random): { layers: Matrix[]; states: Matrix; beta: number } {
  const width = 1 + random.int(24);
  const layers = Array.from({ length: 1 + random.int(5) }, () =>
    normalRows(1 + random.int(30), width, random, 1 + 2 * random.uniform()),
  );
  return { layers, states: normalRows(STATES, width, random, 2), beta: 0.1 + 3 * random.uniform() };
}

/** 220 stacks with 8 states each and 6 updates are 10,560 cases. */
const [STACKS, SMOKE_STACKS, STATES, STEPS] = [220, 10, 8, 6];

/** Over random stacks, along descents: the largest rise of the energy in an update, and the largest amounts by which the majorisers fail. In units of distance. */
export interface Violations {
  cases: number;
  rise: number;
  below: number;
  apart: number;
}

export function violations(tier: Tier, seed: number): Violations {
  const random = new Random(seed, 'stacks');
  const worst = { rise: -Infinity, below: -Infinity, apart: -Infinity };
  const stacks = tier === 'smoke' ? SMOKE_STACKS : STACKS;
  for (let i = 0; i < stacks; i++) {
    const { layers, states: start, beta } = randomCase(random);
    const memory = layeredMemory({ layers, beta });
    let states = start;
    let here = memory.energy(states);
    for (let step = 0; step < STEPS; step++) {
      const next = memory.update(states);
      const there = memory.energy(next);
      const at = majorisers({ layers, beta, at: states, states });
      const q = majorisers({ layers, beta, at: states, states: next });
      here.forEach((e, j) => {
        worst.rise = Math.max(worst.rise, there[j]! - e);
        worst.below = Math.max(worst.below, there[j]! - q.layers[j]!, there[j]! - q.quadratic[j]!);
        worst.apart = Math.max(worst.apart, Math.abs(at.layers[j]! - e), Math.abs(at.quadratic[j]! - e));
      });
      [states, here] = [next, there];
    }
  }
  return { cases: stacks, ...worst };
}

/** One step on a line, for the eye: the energy of three patterns, the bowl that touches it, and the bowl's lowest point. */
export function stepFigure(patterns = [-2, 0.2, 1.5], at = -0.75): Figure {
  const layers = patterns.map((p) => [[p]]);
  const memory = layeredMemory({ layers, beta: 1 });
  const energy = (x: number) => memory.energy([[x]])[0]!;
  const next = memory.update([[at]]).values[0]!;
  const xs = Array.from({ length: 161 }, (_, i) => -4 + i / 20);
  const bowl = xs.map((x) => majorisers({ layers, beta: 1, at: [[at]], states: [[x]] }).quadratic[0]!);
  const span = { low: -0.8, high: 2.2, pixels: 250 };
  return chart({
    title: 'One step of majorisation-minimisation',
    subtitle:
      'the bowl lies above the energy and touches it at the start; the step goes to its lowest point, where the energy is lower',
    x: axis('state', 'one dimension', { range: [-4, 4] }),
    y: axis('energy', 'units of distance', { range: [span.low, span.high] }),
    data: [
      lineTrace('energy', xs, xs.map(energy), { color: COLOURS.exact }),
      lineTrace('bowl', xs, bowl, { color: COLOURS.ours }),
      markerTrace('start and end', [at, next], [energy(at), energy(next)], {
        color: COLOURS.ours,
        size: 10,
        symbol: ['circle-open', 'circle'],
      }),
    ],
    showlegend: false,
    height: 360,
    annotations: endLabels(
      [{ text: 'energy', x: 4, y: Math.min(span.high, energy(4)), colour: COLOURS.exact }],
      span,
    ) as never,
  });
}

/** Of a model: energies of the states after each block. */
export interface Stack {
  name: string;
  /** Mean global energy after each block. */
  energies: number[];
  /** Share of states whose energy falls from one block to the next. */
  falling: number[];
}

/** Windows of training text, whose activations are the patterns of the layers, and of other text, whose activations are the states. */
export interface Texts {
  patterns: readonly ArrayLike<number>[];
  states: readonly ArrayLike<number>[];
}

/** Activations of both after every block. */
const activations = (
  model: LanguageModel,
  config: ReplicaConfig,
  { patterns, states }: Texts,
): [layers: Matrix[], states: Matrix[]] => {
  const of = (windows: readonly ArrayLike<number>[]) =>
    allLayers(model, config, [() => windowBatch(windows, config.model)]).slice(0, config.model.layers);
  return [of(patterns), of(states)];
};

/** Rows with mean 0 and variance 1, as the next block reads them but for a gain and a bias. */
function normed({ values, rows, width }: Matrix): Matrix {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) {
    const row = values.subarray(i * width, (i + 1) * width);
    const centre = mean(row);
    const deviation = Math.sqrt(mean(row.map((x) => (x - centre) ** 2)));
    out.set(
      row.map((x) => (x - centre) / deviation),
      i * width,
    );
  }
  return { values: out, rows, width };
}

/** The stack of a model: patterns of layer t are the activations of training tokens after block t. */
export function stackOf(
  name: string,
  model: LanguageModel,
  config: ReplicaConfig,
  texts: Texts,
  of: (activations: Matrix) => Matrix = (raw) => raw,
): Stack {
  const [layers, states] = activations(model, config, texts).map((each) => each.map(of)) as [
    Matrix[],
    Matrix[],
  ];
  const energies = states.map((x) => layeredEnergy({ layers, states: x, beta: 1 }).energies);
  return {
    name,
    energies: energies.map(mean),
    falling: sharePerPair(energies),
  };
}

/** A model whose block t has the weights of block `order[t]` of another. */
function rearranged(model: LanguageModel, config: ReplicaConfig, order: readonly number[]): LanguageModel {
  const copy = buildModel(config.model, config.seed);
  const from = new Map(model.parameters.map((p) => [p.name, p]));
  for (const p of copy.parameters) {
    const name = p.name.replace(/^h\.(\d+)/, (_, t: string) => `h.${order[Number(t)]}`);
    p.write(from.get(name)!.state().value);
  }
  return copy;
}

/** Most orders of the blocks that are tried. */
const MOST_ORDERS = 24;

/** All orders of so many blocks, or if there are too many, the true one and others at random. */
export function blockOrders(blocks: number, seed: number): number[][] {
  const all = (rest: number[]): number[][] =>
    rest.length ? rest.flatMap((t) => all(rest.filter((s) => s !== t)).map((order) => [t, ...order])) : [[]];
  const identity = Array.from({ length: blocks }, (_, t) => t);
  if (blocks <= 4) return all(identity);
  const random = new Random(seed, 'orders');
  const shuffled = () =>
    identity
      .map((t) => [random.uniform(), t])
      .sort(([a], [b]) => a! - b!)
      .map(([, t]) => t!);
  return [identity, ...Array.from({ length: MOST_ORDERS - 1 }, shuffled)];
}

/** What one seed gives: the trained stack, its controls, and the share of falling tokens for other orders of its blocks. */
export interface Stacks {
  seed: number;
  trained: Stack;
  untrained: Stack;
  /** The same two with normed activations, all of one length. */
  trainedNormed: Stack;
  untrainedNormed: Stack;
  /** The trained model with its second block in every place. */
  tied: Stack;
  /** An Energy Transformer block with random weights, applied again and again: it descends an energy of its own. */
  energyBlock: Stack;
  /** Steps of majorisation-minimisation on the patterns of the trained stack: they descend this very energy. */
  steps: Stack;
  /** Of every order of the blocks, the true one first. */
  orders: number[];
}

const sharePerPair = (energies: readonly Float64Array[]): number[] =>
  energies.slice(1).map((after, t) => mean(after.map((e, i) => Number(e < energies[t]![i]!))));

/** Tokens that one sequence of the Energy Transformer has, and how far it steps. */
const SEQUENCE = { length: 20, rate: 0.2 };

/** The two stacks that descend an energy by construction, from the trained model's activations after its first block. */
function descents(layers: Matrix[], states: Matrix, seed: number): Pick<Stacks, 'energyBlock' | 'steps'> {
  const steps = layers.length - 1;
  const block = randomBlock(states.width, new Random(seed, 'energy block'));
  const [patterns, held] = [layers[0]!, states].map(
    (rows) => descend(block, rows, { ...SEQUENCE, steps }).layers,
  );
  const memory = layeredMemory({ layers, beta: 1 });
  const path = [states];
  for (let t = 0; t < steps; t++) path.push(memory.update(path[t]!));
  const energies = (all: Matrix[], own: readonly Matrix[]) =>
    all.map((x) => layeredEnergy({ layers: own, states: x, beta: 1 }).energies);
  const stack = (name: string, all: Float64Array[]): Stack => ({
    name,
    energies: all.map(mean),
    falling: sharePerPair(all),
  });
  return {
    energyBlock: stack('Energy Transformer', energies(held!, patterns!)),
    steps: stack('MM steps', energies(path, layers)),
  };
}

/** Everything that is measured on the trained model of a run. */
function stacksOf(trained: LanguageModel, config: ReplicaConfig, texts: Texts): Stacks {
  const blocks = config.model.layers;
  const measure = (name: string, model: LanguageModel, of?: typeof normed): Stack => {
    try {
      return stackOf(name, model, config, texts, of);
    } finally {
      model.dispose();
    }
  };
  const orders = blockOrders(blocks, config.seed).map((order) =>
    mean(measure('', rearranged(trained, config, order)).falling),
  );
  const [layers, states] = activations(trained, config, texts);
  return {
    seed: config.seed,
    trained: stackOf('trained', trained, config, texts),
    untrained: measure('untrained', buildModel(config.model, config.seed)),
    trainedNormed: stackOf('trained, normed', trained, config, texts, normed),
    untrainedNormed: measure('untrained, normed', buildModel(config.model, config.seed), normed),
    tied: measure('one block, repeated', rearranged(trained, config, Array(blocks).fill(1))),
    ...descents(layers, states[0]!, config.seed),
    orders,
  };
}

/** How many of the orders, the true one included, let at least as many tokens fall as the true one. */
export const rankOf = ({ orders }: Pick<Stacks, 'orders'>): number =>
  orders.filter((share) => share >= orders[0]!).length;

/** Why the measure cannot see training; undefined: it does, for every seed. */
export function blindness(all: readonly Stacks[]): string | undefined {
  const share = (which: 'trained' | 'untrained') => all.map((one) => mean(one[which].falling));
  const seen = all.every(
    (one) =>
      mean(one.trained.falling) > mean(one.untrained.falling) && rankOf(one) <= 0.05 * one.orders.length,
  );
  return seen
    ? undefined
    : `an untrained stack scores ${percentRange(share('untrained'))}, the trained one ${percentRange(share('trained'))}; of ${all[0]!.orders.length} orders of the blocks the true one has rank ${[...new Set(all.map(rankOf))].join(', ')}`;
}

/** `5% to 7%` */
const percentRange = (values: readonly number[]): string =>
  [...new Set([Math.min(...values), Math.max(...values)].map((v) => percent(v)))].join(' to ');

const KINDS = {
  steps: { name: 'steps of the theory', colour: COLOURS.exact, dash: 'dot' },
  energyBlock: { name: 'Energy Transformer', colour: COLOURS.third, dash: 'solid' },
  trained: { name: 'trained', colour: COLOURS.ours, dash: 'solid' },
  trainedNormed: { name: 'trained, normed', colour: COLOURS.ours, dash: 'dash' },
  untrained: { name: 'untrained', colour: COLOURS.control, dash: 'solid' },
  untrainedNormed: { name: 'untrained, normed', colour: COLOURS.control, dash: 'dash' },
  tied: { name: 'one trained block, repeated', colour: COLOURS.second, dash: 'solid' },
} as const;
type KindOfStack = keyof typeof KINDS;
const DRAWN = (Object.keys(KINDS) as KindOfStack[]).filter((kind) => kind !== 'tied');

export function answer(all: readonly Stacks[]): string {
  const of = (kind: KindOfStack) => percentRange(all.map((one) => mean(one[kind].falling)));
  const blind = blindness(all);
  const places = [...new Set(all.map(rankOf))].sort((x, y) => x - y).join(' to ');
  return [
    blind
      ? `**The test cannot tell: from block to block the energy falls for ${of('trained')} of the tokens in a trained stack, and for ${of('untrained')} in one that was never trained.**`
      : `**From block to block the energy falls for ${of('trained')} of the tokens in a trained stack, and for ${of('untrained')} in an untrained one.**`,
    `That it can fall is shown by two stacks that are made to descend: an Energy Transformer, on an energy of its own (${of('energyBlock')}), and the steps of the theory (${of('steps')}).`,
    `In GPT-2 activations grow from block to block, trained or not, and distances with them; brought to one length (*normed*) they give ${of('trainedNormed')} and, without training, ${of('untrainedNormed')}.`,
    `Nor does the trained stack prefer its own order: of ${all[0]!.orders.length} orders of the blocks the true one has place ${places} by how often the energy falls (${all.length} seeds).`,
  ].join(' ');
}

export function stackFigure(all: readonly Stacks[]): Figure {
  const pairs = all[0]!.trained.falling.map((_, t) => t + 1);
  const span = { low: 0, high: 1.04, pixels: 290 };
  const means = (kind: KindOfStack) => pairs.map((_, t) => mean(all.map((one) => one[kind].falling[t]!)));
  return chart({
    title: blindness(all)
      ? 'Training does not show in how often the energy falls'
      : 'Share of tokens whose energy falls',
    subtitle: `share of held-out tokens whose global energy falls; lines: mean of ${all.length} seeds, bars: their range; band: our rule`,
    x: axis('from block to block', undefined, {
      tickvals: pairs,
      ticktext: pairs.map((t) => `${t} → ${t + 1}`),
      range: [0.9, pairs.length + 0.1],
    }),
    y: axis('tokens whose energy falls', undefined, { range: [span.low, span.high], tickformat: '.0%' }),
    data: DRAWN.map((kind) => {
      const groups = pairs.map((_, t) => {
        const values = all.map((one) => one[kind].falling[t]!);
        return { mean: mean(values), least: Math.min(...values), most: Math.max(...values) };
      });
      return lineTrace(
        KINDS[kind].name,
        pairs,
        means(kind),
        { color: KINDS[kind].colour, dash: KINDS[kind].dash },
        { ...MARKED, error_y: rangeBars(groups) },
      );
    }),
    showlegend: false,
    height: 420,
    margin: { r: 170 },
    shapes: [
      {
        type: 'rect',
        xref: 'paper',
        x0: 0,
        x1: 1,
        y0: DESCENDS,
        y1: 1,
        line: { width: 0 },
        fillcolor: COLOURS.paper,
        opacity: 0.12,
        layer: 'below',
      },
    ],
    annotations: endLabels(
      DRAWN.map((kind) => ({
        text: KINDS[kind].name,
        x: pairs.at(-1)!,
        y: means(kind).at(-1)!,
        colour: KINDS[kind].colour,
      })),
      span,
    ) as never,
  });
}

/** A row a stack: mean energies, shares of falling tokens pair by pair, and the mean over pairs. */
export const stackRows = (all: readonly Stacks[]): Row[] =>
  (Object.keys(KINDS) as KindOfStack[]).map((kind) => ({
    stack: KINDS[kind].name,
    ...Object.fromEntries(
      all[0]!.trained.falling.map((_, t) => [
        `falls ${t + 1} → ${t + 2}`,
        percentRange(all.map((one) => one[kind].falling[t]!)),
      ]),
    ),
    mean: percentRange(all.map((one) => mean(one[kind].falling))),
  }));

/** Where the true order of the blocks is among all orders, a row a seed. */
export const orderRows = (all: readonly Stacks[]): Row[] =>
  all.map((one) => ({
    seed: one.seed,
    'true order': percent(one.orders[0]!, 1),
    'best order': percent(Math.max(...one.orders), 1),
    'worst order': percent(Math.min(...one.orders), 1),
    'mean of all orders': percent(mean(one.orders), 1),
    'rank of the true one': `${rankOf(one)} of ${one.orders.length}`,
  }));

export function descentQuestions(
  { cases, rise, below, apart }: Violations,
  tier: Tier,
  seed: number,
): Question[] {
  const source = `arXiv 2405.08707, section 4.1; largest violation over ${count(cases)} random stacks, ${STATES} states and ${STEPS} updates each`;
  const question = (claim: string, value: number): Question => ({
    claim,
    kind: 'check',
    source,
    paper: 0,
    tolerance: 1e-4,
    relation: 'at most',
    unit: 'units of distance',
    ours: [{ seed, tier, value }],
  });
  return [
    question('No step of majorisation-minimisation raises the global energy.', rise),
    question('Both majorisers lie above the energy.', below),
    question('Both majorisers touch the energy where they are made.', apart),
  ];
}

/** "Descends", as a share of tokens, a mean over blocks; fixed before any run. */
const DESCENDS = 0.9;

/** "Layers of a Transformer descend one global energy". */
export const stackQuestion = (all: readonly Stacks[]): Question => {
  const blind = blindness(all);
  return {
    claim: 'The layers of a trained Transformer descend one global energy.',
    source: `arXiv 2405.08707, section 4.1 (layers as steps of majorisation-minimisation); share of held-out tokens whose energy falls from block to block, a mean over blocks; ${percent(DESCENDS)} is ours`,
    table: 'theory',
    paper: DESCENDS,
    tolerance: 0,
    relation: 'at least',
    unit: 'share of tokens',
    ...(blind ? { blind } : {}),
    ours: all.map(({ seed, trained }) => ({ seed, tier: 'desk', value: mean(trained.falling) })),
  };
};

const [PATTERN_WINDOWS, STATE_WINDOWS] = [16, 8];

/** Training text of a run, and text of other books. */
function booksOf(config: ReplicaConfig): Texts {
  const { train, validation } = openDataset(config.dataset);
  const windows = (what: string, source: typeof train, tokens: number, count: number) => {
    const all = new Windows(what, source, tokens, config.model.context);
    return all.spread(count).map((i) => all.read(i));
  };
  try {
    return {
      patterns: windows('training text', train, config.trainTokens, PATTERN_WINDOWS),
      states: windows('validation text', validation, validation.tokens, STATE_WINDOWS),
    };
  } finally {
    train.close();
    validation.close();
  }
}

const MEASURE = 'layers-stacks';

/** The measured stacks of the runs that learnt 47,488 tokens by heart, as they are committed; they need the books. */
export const stacks = (): Promise<Stacks[]> =>
  keptMeasure(MEASURE, () =>
    DECIDING_SEEDS.map((seed) => {
      const config = arm('desk', 'B', seed);
      const model = trainedModel(replica, config, 'last');
      try {
        return stacksOf(model, config, booksOf(config));
      } finally {
        model.dispose();
      }
    }),
  );

/** The committed weights of one of these runs, on training text that they give away, some of it patterns, some of it states. */
export async function ownStacks(tier: Tier): Promise<Stacks> {
  const [config] = runsWithWeights('desk') as [ReplicaConfig, ...ReplicaConfig[]];
  const model = await committedModel({ id: runId(replica, config), config });
  try {
    const windows = recited(model, config, tier === 'smoke' ? SMOKE_STARTS : STARTS);
    const states = Math.min(STATE_WINDOWS, Math.floor(windows.length / 3));
    return stacksOf(model, config, {
      states: windows.slice(0, states),
      patterns: windows.slice(states, states + PATTERN_WINDOWS),
    });
  } finally {
    model.dispose();
  }
}

const VIOLATIONS = 'layers-violations';

/** The largest violations in the quick tier, as they are committed: half a minute. Others are computed. */
function measuredViolations(tier: Tier, seed: number): Violations {
  if (tier !== 'quick' || seed !== 1) return violations(tier, seed);
  if (!isKept(VIOLATIONS)) keepMeasure(VIOLATIONS, violations(tier, seed));
  return committedMeasure(VIOLATIONS);
}

/** All questions of the notebook, to the committed measures. */
export const questions = (tier: Tier = 'quick', seed = 1): Question[] => [
  stackQuestion(committedMeasure(MEASURE)),
  ...descentQuestions(measuredViolations(tier, seed), tier, seed),
];
