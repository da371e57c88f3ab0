/** Lists in parts: by a key, or of at most so many items. */

/** Items by key, in the order of the first item of each. */
export function grouped<T, K extends string | number>(
  items: readonly T[],
  keyOf: (item: T) => K,
): [key: K, items: T[]][] {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return [...groups];
}

/** Items in groups of at most `size`. */
export function inGroups<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
