/** Notebook 02: the steps of majorisation-minimisation on random stacks, and one of them drawn. */
import { layeredMemory, majorisers } from '../energy/layers';
import type { Matrix } from '../energy/matrix';
import { chart, type Figure } from '../report/figure';
import { committedMeasure, isKept, keepMeasure } from '../report/measure';
import { axis, COLOURS, endLabels } from '../report/style';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { count } from '../util/format';
import { Random } from '../util/random';
import { normalRows } from './shared/memories';
import { lineTrace, markerTrace } from './shared/traces';

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
      'the bowl lies above the energy and touches it at the start; a step goes to its lowest point, with less energy',
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

const VIOLATIONS = 'layers-violations';

/** The largest violations of 220 stacks, as they are committed: half a minute. */
export function measuredViolations(): Violations {
  if (!isKept(VIOLATIONS)) keepMeasure(VIOLATIONS, violations('quick', 1));
  return committedMeasure(VIOLATIONS);
}
