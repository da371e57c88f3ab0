/** Predictions that are registered before the runs that decide them. */

/** The number that decides, and its only statement: texts print it, verdicts compare with it. */
export interface DecisionRule {
  quantity: string;
  atLeast?: number;
  atMost?: number;
  unit: string;
}

/** `B's training loss at the end: at most 0.1 nats a token` */
export function ruleText({ quantity, atLeast, atMost, unit }: DecisionRule): string {
  const bounds =
    atLeast === undefined
      ? `at most ${atMost}`
      : atMost === undefined
        ? `at least ${atLeast}`
        : atLeast === atMost
          ? `${atMost}`
          : `from ${atLeast} to ${atMost}`;
  return `${quantity}: ${bounds} ${unit}`.trimEnd();
}

/** A value that is not a number is outside. */
export const isWithin = (value: number, { atLeast = -Infinity, atMost = Infinity }: DecisionRule): boolean =>
  value >= atLeast && value <= atMost;

export interface RegisteredPrediction {
  id: string;
  claim: string;
  by: 'the article' | 'ours';
  rule: DecisionRule;
}

/** One that is decided by the runs of several seeds. */
export interface SeededPrediction<R> extends RegisteredPrediction {
  seeds: readonly number[];
  /** What the runs of a seed say, infinite for what never happens; null: runs are missing. */
  value(records: readonly R[], seed: number): number | null;
}

/** What it is called when all seeds, none, or some are within the rule. */
const WORDS = {
  'the article': { all: 'REPRODUCED', none: 'NOT REPRODUCED', some: 'INCONCLUSIVE' },
  ours: { all: 'held', none: 'failed', some: 'open' },
} as const;
type Words = (typeof WORDS)[keyof typeof WORDS];

export interface Judgement {
  values: { seed: number; value: number | null; within: boolean | null }[];
  /** Null: no verdict, since runs are missing. */
  outcome: Words[keyof Words] | null;
}

export function judge<R>({ by, rule, seeds, value }: SeededPrediction<R>, records: readonly R[]): Judgement {
  const values = seeds.map((seed) => {
    const found = value(records, seed);
    return { seed, value: found, within: found === null ? null : isWithin(found, rule) };
  });
  const within = values.filter((seed) => seed.within).length;
  const outcome = values.some((seed) => seed.within === null)
    ? null
    : WORDS[by][within === seeds.length ? 'all' : within === 0 ? 'none' : 'some'];
  return { values, outcome };
}
