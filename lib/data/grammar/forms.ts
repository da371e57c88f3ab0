/** Sums over all sentences of a grammar: in closed form, and form by form. */
import { UserError } from '../../util/errors';
import { perGrammar, startSymbol } from './grammar';
import type { Symbol, WordClass } from './grammar';

/** Sums over sentences of probability p: `mass` Σ p, `surprisalNats` Σ −p ln p, `words` Σ p · number of words. */
export interface Moments {
  mass: number;
  surprisalNats: number;
  words: number;
}

const NONE: Moments = { mass: 0, surprisalNats: 0, words: 0 };

export function plus(a: Moments, b: Moments): Moments {
  return {
    mass: a.mass + b.mass,
    surprisalNats: a.surprisalNats + b.surprisalNats,
    words: a.words + b.words,
  };
}

function times(a: Moments, b: Moments): Moments {
  return {
    mass: a.mass * b.mass,
    surprisalNats: a.surprisalNats * b.mass + a.mass * b.surprisalNats,
    words: a.words * b.mass + a.mass * b.words,
  };
}

/**
 * Moments of the unmarked and of the marked sentences, in closed form by recursion over the rules:
 *   M(A) = Σ_rules P · M(B₁) ⊗ … ⊗ M(B_k),   (m, s, w) ⊗ (m′, s′, w′) = (mm′, sm′ + ms′, wm′ + mw′)
 * Source: expectation semiring, Li & Eisner 2009, section 2. The two surprisals add up to the entropy of a sentence.
 * Trap: the recursion counts derivations, so it needs a grammar with one per sentence; `sentenceForms` refuses others.
 */
export const sentenceMoments = perGrammar((grammar): readonly [unmarked: Moments, marked: Moments] => {
  sentenceForms(grammar);
  const memo = new Map<Symbol, readonly [Moments, Moments]>();
  const of = (symbol: Symbol): readonly [Moments, Moments] => {
    if (symbol.kind === 'class')
      return [{ mass: 1, surprisalNats: Math.log(symbol.words.length), words: 1 }, NONE];
    const known = memo.get(symbol);
    if (known) return known;
    let sums: readonly [Moments, Moments] = [NONE, NONE];
    for (const { probability, right, marked } of symbol.alternatives) {
      const rule: Moments = {
        mass: probability,
        surprisalNats: -probability * Math.log(probability),
        words: 0,
      };
      let [m0, m1] = marked ? [NONE, rule] : [rule, NONE];
      for (const [c0, c1] of right.map(of))
        [m0, m1] = [times(m0, c0), plus(times(m0, c1), times(m1, plus(c0, c1)))];
      sums = [plus(sums[0], m0), plus(sums[1], m1)];
    }
    memo.set(symbol, sums);
    return sums;
  };
  return of(startSymbol(grammar));
});

/** A sequence of word classes. Its sentences are equally likely: `mass` / `sentences` each. */
interface SentenceForm {
  classes: readonly WordClass[];
  mass: number;
  marked: boolean;
  /** Product of the sizes of the classes. */
  sentences: number;
}

type PartialForm = Omit<SentenceForm, 'sentences'>;

const MOST_FORMS = 200_000;

/**
 * Every form of the language, by expanding the rules down to word classes. A word has one class, so a sentence has one
 * derivation exactly when its form has; throws a UserError for a form that has two.
 */
export const sentenceForms = perGrammar((grammar): readonly SentenceForm[] => {
  const seen = new Set<string>();
  return expand(startSymbol(grammar), new Map()).map((form) => {
    const key = form.classes.map((c) => c.letter).join('');
    if (seen.has(key))
      throw new UserError(
        `grammar: expected one derivation per sentence; "${form.classes.map((c) => c.name).join(' ')}" has more: change or drop one of the rules that lead to it`,
      );
    seen.add(key);
    return { ...form, sentences: form.classes.reduce((n, c) => n * c.words.length, 1) };
  });
});

function expand(symbol: Symbol, memo: Map<Symbol, PartialForm[]>): PartialForm[] {
  if (symbol.kind === 'class') return [{ classes: [symbol], mass: 1, marked: false }];
  const known = memo.get(symbol);
  if (known) return known;
  const forms: PartialForm[] = symbol.alternatives.flatMap(({ probability, right, marked }) =>
    right.reduce<PartialForm[]>(
      (heads, child) => concatenations(heads, expand(child, memo)),
      [{ classes: [], mass: probability, marked }],
    ),
  );
  memo.set(symbol, forms);
  return forms;
}

function concatenations(heads: PartialForm[], tails: PartialForm[]): PartialForm[] {
  if (heads.length * tails.length > MOST_FORMS)
    throw new UserError(
      `grammar: expected at most ${MOST_FORMS} forms of sentences; got more: use fewer alternatives`,
    );
  return heads.flatMap((head) =>
    tails.map((tail) => ({
      classes: [...head.classes, ...tail.classes],
      mass: head.mass * tail.mass,
      marked: head.marked || tail.marked,
    })),
  );
}
