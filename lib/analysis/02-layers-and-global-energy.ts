/** What notebook 02 shows: descent of the global energy by majorisation-minimisation, and the activations of a trained stack. */
import { distanceGradient } from '../energy/distance';
import { layeredEnergy, layeredMemory, majorisers } from '../energy/layers';
import { row, type Matrix } from '../energy/matrix';
import {
  questionFormation,
  QuestionFormationTask,
  type QuestionFormationConfig,
} from '../experiments/question-formation';
import { trainedModel } from '../experiments/run';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { allLayers } from '../train/evaluate';
import { count, percent } from '../util/format';
import { Random } from '../util/random';
import { mean } from '../util/statistics';
import { FIGURE_1, normalRows } from './shared/memories';
import { lineTrace, MARKED } from './shared/traces';

export * from './shared/notebook';
export { layersDemo } from '../experiments/question-formation';
export { questionFormation };

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
    for (let step = 0; step < STEPS; step++) {
      const next = memory.update(states);
      const [here, there] = [memory.energy(states), memory.energy(next)];
      const at = majorisers({ layers, beta, at: states, states });
      const q = majorisers({ layers, beta, at: states, states: next });
      here.forEach((e, j) => {
        worst.rise = Math.max(worst.rise, there[j]! - e);
        worst.below = Math.max(worst.below, there[j]! - q.layers[j]!, there[j]! - q.quadratic[j]!);
        worst.apart = Math.max(worst.apart, Math.abs(at.layers[j]! - e), Math.abs(at.quadratic[j]! - e));
      });
      states = next;
    }
  }
  return { cases: stacks, ...worst };
}

/** Energy and both majorisers along one descent in the plane of Figure 1, whose patterns are three layers of one each. */
export function descentFigure(start: readonly number[], patterns = FIGURE_1, steps = 8): Figure {
  const layers = patterns.map((p) => [p]);
  const memory = layeredMemory({ layers, beta: 1 });
  const path: (readonly number[])[] = [start];
  for (let i = 0; i < steps; i++) path.push(Array.from(row(memory.update([path.at(-1)!]), 0)));
  const energies = path.map((x) => memory.energy([x])[0]!);
  const bound = path.slice(1).map((x, i) => majorisers({ layers, beta: 1, at: [path[i]!], states: [x] }));
  const updates = path.map((_, i) => i);
  const later = updates.slice(1);
  return chart({
    title: 'Descent of the global energy',
    subtitle: `three layers with one pattern each, start (${start.join(', ')}), β = 1`,
    x: axis('update', 'MM steps'),
    y: axis('energy', 'units of distance'),
    data: [
      lineTrace('energy E', updates, energies, { color: COLOURS.ours, dash: 'solid' }, MARKED),
      lineTrace(
        'majoriser over layers, touching at the step before',
        later,
        bound.map((b) => b.layers[0]!),
        { color: COLOURS.second, dash: 'dot' },
        MARKED,
      ),
      lineTrace(
        'quadratic majoriser, touching at the step before',
        later,
        bound.map((b) => b.quadratic[0]!),
        { color: COLOURS.third, dash: 'dash' },
        MARKED,
      ),
    ],
    height: 380,
  });
}

/** Lines whose activations are patterns, and held-out lines whose activations are states. */
const PATTERN_LINES = 60;
const STATE_LINES = 30;

/** Of a model: energies of held-out activations after each block, and how far a block's step points down the energy. */
export interface Stack {
  name: string;
  /** Mean global energy after each block. */
  energies: number[];
  /** Share of held-out tokens whose energy falls from one block to the next. */
  falling: number[];
  /** Mean cosine between a block's step and the direction of descent of the energy of the next block's patterns. */
  alignment: number[];
}

/** Mean cosine of the rows of two matrices. */
function cosine(a: Matrix, b: Matrix): number {
  const of = (x: Float32Array, y: Float32Array) => {
    const [xy, xx, yy] = x.reduce(
      ([p, q, r], v, k) => [p! + v * y[k]!, q! + v * v, r! + y[k]! ** 2],
      [0, 0, 0],
    ) as [number, number, number];
    return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
  };
  return mean(Array.from({ length: a.rows }, (_, i) => of(row(a, i), row(b, i))));
}

const difference = (a: Matrix, b: Matrix): Matrix => ({
  ...a,
  values: a.values.map((v, i) => v - b.values[i]!),
});

/** The stack of a model on question formation: patterns of layer t are the activations of training tokens after block t. */
export function stackOf(name: string, model: LanguageModel, config: QuestionFormationConfig): Stack {
  const task = new QuestionFormationTask({
    ...config,
    batchLines: PATTERN_LINES,
    evaluationLines: STATE_LINES,
  });
  const blocks = model.config.layers;
  const layers = allLayers(model, config, task.batches(1)).slice(0, blocks);
  const states = allLayers(model, config, task.heldOutBatches()).slice(0, blocks);
  task.dispose();
  const energies = states.map((x) => layeredEnergy({ layers, states: x, beta: 1 }).energies);
  const pairs = states.slice(1);
  return {
    name,
    energies: energies.map(mean),
    falling: pairs.map((_, t) => mean(energies[t + 1]!.map((e, i) => Number(e < energies[t]![i]!)))),
    alignment: pairs.map(
      (x, t) =>
        -cosine(
          difference(x, states[t]!),
          distanceGradient({ patterns: layers[t + 1]!, states: states[t]!, beta: 1 }),
        ),
    ),
  };
}

/** The trained model of a run, and one with the weights that it began with. */
export function stacks(config: QuestionFormationConfig): Stack[] {
  const models = {
    trained: trainedModel(questionFormation, config, 'last'),
    untrained: buildModel(config.model, config.seed),
  };
  try {
    return Object.entries(models).map(([name, model]) => stackOf(name, model, config));
  } finally {
    for (const model of Object.values(models)) model.dispose();
  }
}

export const stackFigure = (
  stacks: readonly Stack[],
  { model, steps, tier, seed }: QuestionFormationConfig,
): Figure =>
  chart({
    title: 'Global energy of held-out activations from block to block',
    subtitle: `question formation, ${model.layers} layers × ${model.width}, ${count(steps)} steps, tier ${tier}, seed ${seed}`,
    x: axis('block', undefined, { dtick: 1 }),
    y: axis('mean energy', 'units of distance'),
    data: stacks.map(({ name, energies }, i) =>
      lineTrace(
        name,
        energies.map((_, t) => t + 1),
        energies,
        { color: [COLOURS.ours, COLOURS.faint][i]! },
        MARKED,
      ),
    ),
    height: 380,
  });

export const stackRows = (stacks: readonly Stack[]): Row[] =>
  stacks.flatMap(({ name, energies, falling, alignment }) =>
    falling.map((share, t) => ({
      model: name,
      from: t + 1,
      to: t + 2,
      'energy before': energies[t]!,
      'energy behind': energies[t + 1]!,
      'tokens whose energy falls': percent(share, 1),
      'cosine with descent': alignment[t]!,
    })),
  );

export function descentQuestions(
  { cases, rise, below, apart }: Violations,
  tier: Tier,
  seed: number,
): Question[] {
  const source = `arXiv 2405.08707, section 4.1; largest violation over ${count(cases)} random stacks, ${STATES} states and ${STEPS} updates each`;
  const question = (claim: string, value: number): Question => ({
    claim,
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

/** "Layers of a Transformer descend one global energy", as a share of tokens and blocks; fixed before any run. */
export function stackQuestion(stack: Stack, tier: Tier, seed: number): Question {
  return {
    claim:
      'The layers of a trained Transformer together descend one global energy: from block to block it falls, here for at least 90% of held-out tokens on average.',
    source: 'arXiv 2405.08707, section 4.1 (layers as MM steps); 90% is ours',
    paper: 0.9,
    tolerance: 0,
    relation: 'at least',
    unit: 'share of tokens',
    leastTier: 'desk',
    ours: [{ seed, tier, value: mean(stack.falling) }],
  };
}
