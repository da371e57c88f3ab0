/** Predictions: what was said before the runs, and what came of it. One that fails stays in the table. */
import { UserError } from '../util/errors';
import { showTable } from './table';

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

/** A prediction in the table that ends a notebook. */
export interface PredictionRow {
  id: string;
  /** With its number and tolerance. */
  prediction: string;
  /** The commit that registered it, before the runs that decide it. */
  registered: string;
  /** What the runs gave; null while they are missing. */
  found: string | null;
  /** `held`, `failed` or `open`. */
  outcome: string;
}

/** Rows of predictions with a statistic of their own. @param found how a value is written, or that there is none */
export const predictionRows = (
  all: Predictions,
  commitOf: (id: string) => string,
  found: (value: number | null) => string | null,
): PredictionRow[] =>
  Object.entries(all).map(([id, { claim, expected, value, holds }]) => ({
    id,
    prediction: `${claim} (${expected})`,
    registered: commitOf(id),
    found: found(value),
    outcome: holds === null ? 'open' : holds ? 'held' : 'failed',
  }));

/** All predictions of a notebook in one table, in the order in which they were made. One without a commit is refused. */
export function showPredictions(all: readonly PredictionRow[]): void {
  for (const { id, registered } of all)
    if (!/^[0-9a-f]{7,40}$/.test(registered))
      throw new UserError(
        `prediction ${id}: expected the commit that registered it; got "${registered}": commit it before its runs`,
      );
  showTable(
    all.map(({ id, prediction, registered, found, outcome }) => ({
      id,
      prediction,
      'registered in': registered.slice(0, 7),
      found: found ?? 'no runs yet',
      outcome,
    })),
  );
}
