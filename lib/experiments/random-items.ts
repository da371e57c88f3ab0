/** Uniformly random items: nothing can be learned but the items themselves. */
import { createHash } from 'node:crypto';
import { UserError } from '../util/errors';
import { Random } from '../util/random';

/**
 * `items` of `tokens` ids below `values`, uniform except that their first `prompt` tokens are distinct, so that what follows
 * them is determined. @returns `[items][tokens]`
 */
export function randomItems(
  { items, tokens, prompt, values }: { items: number; tokens: number; prompt: number; values: number },
  random: Random,
): Uint16Array[] {
  if (values ** prompt < 2 * items)
    throw new UserError(
      `random items: expected at least twice as many prompts as the ${items} items; ${prompt} tokens of ${values} make ${values ** prompt}: lengthen the prompt`,
    );
  const prompts = new Set<string>();
  return Array.from({ length: items }, () => {
    for (;;) {
      const item = Uint16Array.from({ length: tokens }, () => random.int(values));
      const key = item.subarray(0, prompt).join();
      if (prompts.has(key)) continue;
      prompts.add(key);
      return item;
    }
  });
}

/** SHA-256 of all ids in order, each as two bytes, little end first. */
export function itemsHash(items: readonly Uint16Array[]): string {
  const hash = createHash('sha256');
  for (const item of items) for (const id of item) hash.update(Buffer.from([id & 255, id >> 8]));
  return hash.digest('hex');
}
