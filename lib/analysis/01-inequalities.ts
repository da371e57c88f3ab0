/** The mathematics of notebook 01: inequalities and identities of single energies, each by its largest violation over random cases. */
import { distanceEnergy, nearestNeighbours, softMinBounds } from '../energy/distance';
import { modernHopfield } from '../energy/hopfield';
import { row, type Matrix } from '../energy/matrix';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { Tier } from '../train/config';
import { count } from '../util/format';
import { Random } from '../util/random';
import { squaredDistance } from '../util/statistics';
import { MEMORIES, normalRows, spinPatterns } from './shared/memories';

/** Random sets of patterns; with each, this many states: 250 × 40 are 10,000 cases. */
const SETS: Record<Tier, number> = { smoke: 5, quick: 250, desk: 1000, full: 1000 };
const STATES = 40;
/** Of each state; the last ones are near a fixed point, where rounding would show. */
const UPDATES = 4;

const casesText = (tier: Tier): string =>
  `${count(SETS[tier] * STATES)} random cases (${SETS[tier]} sets of patterns, ${STATES} states each)`;

/** The largest of all. A value that is not a number stays one, so that it cannot vanish. */
const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((a, b) => Math.max(a, b), -Infinity);

/** A claim that the largest violation over random cases is 0, up to rounding. */
const violationQuestion = (
  question: Omit<Question, 'paper' | 'ours'>,
  tier: Tier,
  seed: number,
  value: number,
): Question => ({ ...question, kind: 'check', paper: 0, ours: [{ seed, tier, value }] });

/** Largest violation over `SETS` random cases, each with a set of patterns and states of its own. */
const overSets = (tier: Tier, random: Random, violations: (random: Random) => ArrayLike<number>): number =>
  largest(Array.from({ length: SETS[tier] }, () => largest(violations(random))));

/** g − β⁻¹ log d ≤ E ≤ g: the largest amount by which either fails. */
export function softMinQuestion(tier: Tier, seed: number): Question {
  const worst = overSets(tier, new Random(seed, 'soft-min'), (random) => {
    const [d, n, beta] = [1 + random.int(200), 1 + random.int(256), 10 ** (3 * random.uniform() - 1.5)];
    const patterns = normalRows(d, n, random, 1);
    const states = normalRows(STATES, n, random, 1 + random.uniform());
    const { distances } = nearestNeighbours({ patterns, states });
    return distanceEnergy({ patterns, states, beta }).map((e, j) => {
      const { lower, upper } = softMinBounds({ g: distances[j]!, d, beta });
      return Math.max(lower - e, e - upper);
    });
  });
  return violationQuestion(
    {
      claim: 'The distance-based energy is within log(d)/β below the nearest distance.',
      source: `arXiv 2405.08707, section 4, proposition 2; largest violation over ${casesText(tier)}, up to 200 patterns of width 256, float32 distances`,
      tolerance: 1e-4,
      relation: 'at most',
      unit: 'units of distance',
    },
    tier,
    seed,
    worst,
  );
}

/** Of a memory, the largest rise of its energy under its own update, as a share of 1 + |E|. */
export interface Rise {
  model: string;
  rise: number;
}

export const rises = (tier: Tier, seed: number): Rise[] =>
  MEMORIES.map(({ name, make, real }) => ({
    model: name,
    rise: overSets(tier, new Random(seed, `rise/${name}`), (random) => {
      const [d, n] = [1 + random.int(20), 2 + random.int(23)];
      const memory = make(spinPatterns(d, n, random));
      let states = real ? normalRows(STATES, n, random, 1.5) : spinPatterns(STATES, n, random);
      return Array.from({ length: UPDATES }, () => {
        const next = memory.update(states);
        const [before, after] = [memory.energy(states), memory.energy(next)];
        states = next;
        return largest(before.map((e, j) => (after[j]! - e) / (1 + Math.abs(e))));
      });
    }),
  }));

export const riseRows = (all: readonly Rise[], tier: Tier): Row[] =>
  all.map(({ model, rise }) => ({
    model,
    cases: SETS[tier] * STATES,
    'largest rise in an update (share of 1 + |E|)': rise,
  }));

export const riseQuestion = (all: readonly Rise[], tier: Tier, seed: number): Question =>
  violationQuestion(
    {
      claim: 'The energy of each memory never rises under its own update.',
      claimedBy: 'Hopfield 1982 and others',
      table: 'others',
      source: `Hopfield 1982; Krotov & Hopfield 2016; Demircigil et al. 2017; Ramsauer et al. 2020, theorem 1; for the distance-based energy MM; largest rise of ${all.length} memories, ${casesText(tier)} and ${UPDATES} updates each`,
      tolerance: 1e-5,
      relation: 'at most',
      unit: 'share of 1 + |E|',
    },
    tier,
    seed,
    largest(all.map(({ rise }) => rise)),
  );

/** −β⁻¹ log Σ_i exp(−(β/2) ‖x − ρ_i‖²), in float64 from the differences. */
function squaredDistanceEnergy(patterns: Matrix, x: Float32Array, beta: number): number {
  const squares = Array.from({ length: patterns.rows }, (_, i) => squaredDistance(row(patterns, i), x));
  const least = Math.min(...squares);
  return least / 2 - Math.log(squares.reduce((sum, s) => sum + Math.exp((beta / 2) * (least - s)), 0)) / beta;
}

/** Largest |difference| of MCHN and its squared-distance form on patterns of one norm. */
export function equalNormQuestion(tier: Tier, seed: number): Question {
  const worst = overSets(tier, new Random(seed, 'equal-norms'), (random) => {
    const [d, n, beta] = [1 + random.int(8), 1 + random.int(64), 0.2 + 2 * random.uniform()];
    const [patterns, states] = [spinPatterns(d, n, random), normalRows(STATES, n, random, 1)];
    const energies = modernHopfield({ patterns, beta }).energy(states);
    return energies.map((e, j) =>
      Math.abs(e - Math.log(d) / beta - squaredDistanceEnergy(patterns, row(states, j), beta)),
    );
  });
  return violationQuestion(
    {
      claim: 'On patterns of one norm the modern energy is one of squared distances.',
      source: `arXiv 2405.08707, section 4; largest difference over ${casesText(tier)}, float32`,
      tolerance: 1e-4,
      unit: 'squared units',
    },
    tier,
    seed,
    worst,
  );
}

/** All of them. @param found of `rises` */
export const inequalityQuestions = (found: readonly Rise[], tier: Tier, seed: number): Question[] => [
  softMinQuestion(tier, seed),
  riseQuestion(found, tier, seed),
  equalNormQuestion(tier, seed),
];
