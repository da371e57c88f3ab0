/** Predictions: what was said before the runs, beside what came. One that fails stays in the table. */
import { showTable } from './table';

export interface Prediction {
  prediction: string;
  expected: string;
  /** null: its runs are not there, or not settled. */
  value: number | null;
  holds: boolean | null;
}

/** @param value null or undefined where no settled runs decide it */
export const prediction = (
  text: string,
  expected: string,
  value: number | null | undefined,
  holds: (value: number) => boolean,
): Prediction => ({
  prediction: text,
  expected,
  value: value ?? null,
  holds: value === undefined || value === null ? null : holds(value),
});

export function showPredictions(all: readonly Prediction[]): void {
  showTable(
    all.map(({ prediction: text, expected, value, holds }) => ({
      prediction: text,
      expected,
      found: value,
      outcome: holds === null ? 'undecided' : holds ? 'holds' : 'FAILED',
    })),
  );
}
