/** Summaries over runs: groups of rows and the statistics of each, by danfojs. */
import { engine } from '../../tensor/engine';

/** Of the values of a group. The standard deviation is that of a sample, 0 for one value. */
interface Summary {
  count: number;
  mean: number;
  std: number;
  least: number;
  most: number;
}

/**
 * Rows with equal values in the columns `by` together, in the order in which they come, or sorted by one of these columns.
 * Trap: danfojs is loaded after the engine, so that it takes the native one instead of starting a second; and only here, for it
 * takes a second.
 */
export function summaries<R extends { value: number }, K extends keyof R & string>(
  rows: readonly R[],
  by: readonly K[],
  sortedBy?: K,
): (Pick<R, K> & Summary)[] {
  if (!rows.length) return [];
  engine();
  const { DataFrame } = require('danfojs-node') as typeof import('danfojs-node');
  const columns = [...by, 'value'];
  const table = new DataFrame(rows.map((row) => columns.map((name) => row[name as keyof R])) as number[][], {
    columns,
  });
  const groups = table.groupby([...by]).agg({ value: ['count', 'mean', 'std', 'min', 'max'] });
  const sorted = sortedBy === undefined ? groups : groups.sortValues(sortedBy);
  return (sorted.values as number[][]).map((values) => {
    const [count, mean, std, least, most] = values.slice(by.length) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const keys = Object.fromEntries(by.map((name, i) => [name, values[i]])) as Pick<R, K>;
    return { ...keys, count, mean, std, least, most };
  });
}
