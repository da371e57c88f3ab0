import { MARKERS, toLine } from '../../../lib/data/grammar/question-formation';
import type { Line } from '../../../lib/data/grammar/question-formation';
import type { Grammar } from '../../../lib/data/grammar/grammar';

export interface Derivation {
  words: string[];
  probability: number;
  marked: boolean;
  /** Where a constituent named in `record` begins (the last such one). */
  begins: Map<string, number>;
}

/** Every derivation of a table, expanded word by word straight from the rules: the slow oracle of these tests. */
export function derivations(grammar: Grammar, symbol = grammar.start): Derivation[] {
  const words = grammar.words[symbol]?.split(' ');
  if (words)
    return words.map((word) => ({
      words: [word],
      probability: 1 / words.length,
      marked: false,
      begins: new Map(),
    }));
  const rules = grammar.rules.filter(([, left]) => left === symbol);
  const total = rules.reduce((sum, [weight]) => sum + weight, 0);
  return rules.flatMap(([weight, , right, mark]) => {
    let begun: Derivation[] = [
      { words: [], probability: weight / total, marked: mark !== undefined, begins: new Map() },
    ];
    for (const child of right.split(' ')) {
      const tails = derivations(grammar, child);
      begun = begun.flatMap((head) =>
        tails.map((tail) => ({
          words: [...head.words, ...tail.words],
          probability: head.probability * tail.probability,
          marked: head.marked || tail.marked,
          begins: new Map([
            ...head.begins,
            ...[...tail.begins].map(([k, at]) => [k, at + head.words.length] as const),
            [child, head.words.length],
          ]),
        })),
      );
    }
    return begun;
  });
}

/** Every line that occurs, with its probability after the rejection rule. */
export function enumerateLines(grammar: Grammar): { line: Line; probability: number }[] {
  const lines = new Map<string, { line: Line; probability: number }>();
  for (const { words, probability, marked } of derivations(grammar)) {
    for (const marker of MARKERS) {
      if (marked && marker === 'quest') continue;
      const key = `${words.join(' ')} ${marker}`;
      const old = lines.get(key)?.probability ?? 0;
      lines.set(key, { line: toLine(words, marker, grammar), probability: old + probability / 2 });
    }
  }
  const kept = [...lines.values()].reduce((sum, { probability }) => sum + probability, 0);
  return [...lines.values()].map(({ line, probability }) => ({ line, probability: probability / kept }));
}

export const entropy = (probabilities: readonly number[]): number =>
  probabilities.reduce((sum, p) => sum - p * Math.log(p), 0);
