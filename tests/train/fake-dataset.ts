import type { Dataset } from '../../lib/data/text/shards';
import { Random } from '../../lib/util/random';

/** A data set in memory; `closed` counts its files that were closed. */
export function fakeDataset(
  train: ArrayLike<number>,
  validation: ArrayLike<number>,
): Dataset & { closed: number } {
  const dataset = { name: 'fake', meta: {}, sha256: 'f'.repeat(64), closed: 0 };
  const file = (ids: ArrayLike<number>) => ({
    tokens: ids.length,
    read: (start: number, count: number) => Uint16Array.from({ length: count }, (_, i) => ids[start + i]!),
    close: () => {
      dataset.closed++;
    },
  });
  return Object.assign(dataset, {
    train: file(train),
    validation: file(validation),
  }) as unknown as Dataset & { closed: number };
}

/** Ids in which each follows from the one before it three times out of four. */
export function textLike(tokens: number, vocabulary: number, seed: number): Uint16Array {
  const random = new Random(seed, 'text');
  const ids = new Uint16Array(tokens);
  for (let t = 1; t < tokens; t++)
    ids[t] = random.uniform() < 0.75 ? (5 * ids[t - 1]! + 1) % vocabulary : random.int(vocabulary);
  return ids;
}
