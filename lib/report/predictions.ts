/** Predictions: what was said before the runs, and what came of it. One that fails stays in the table. */
import type { Row } from './table';

interface Prediction {
  claim: string;
  expected: string;
  /** null: its runs are missing, or have not settled. */
  value: number | null;
  holds: boolean | null;
}

/** The predictions of a notebook by their ids, `P1`, `P2`, …, in the order in which they were made. */
export type Predictions = Record<`P${number}`, Prediction>;

/** @param value null or undefined where no settled runs decide it */
export const prediction = (
  claim: string,
  expected: string,
  value: number | null | undefined,
  holds: (value: number) => boolean,
): Prediction => ({
  claim,
  expected,
  value: value ?? null,
  holds: value === undefined || value === null ? null : holds(value),
});

export const predictionRows = (all: Predictions): Row[] =>
  Object.entries(all).map(([id, { claim, expected, value, holds }]) => ({
    prediction: `${id} ${claim}`,
    expected,
    found: value,
    outcome: holds === null ? 'undecided' : holds ? 'holds' : 'FAILED',
  }));
