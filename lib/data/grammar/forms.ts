import { UserError } from '../../util/errors';
import { product, startSymbol } from './grammar';
import type { Grammar, Masses, Symbol, WordClass } from './grammar';

/** Sums over derivations of probability p: `mass` Σ p, `surprisalNats` Σ −p ln p, `words` Σ p · number of words. */
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
 * Moments of the unmarked and of the marked derivations, in closed form by recursion over the rules:
 *   M(A) = Σ_rules P · M(B₁) ⊗ … ⊗ M(B_k),   (m, s, w) ⊗ (m′, s′, w′) = (mm′, sm′ + ms′, wm′ + mw′)
 * Source: expectation semiring, Li & Eisner 2009, section 2. The two surprisals add up to the entropy of a derivation.
 * Trap: that is the entropy of a sentence only where every sentence has one derivation; see `sentenceMoments`.
 */
export function derivationMoments(grammar: Grammar): readonly [unmarked: Moments, marked: Moments] {
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
}

/** All sentences of the same word classes in the same order. They are equally likely: `mass` / `sentences` each. */
export interface SentenceForm {
  classes: readonly WordClass[];
  mass: number;
  marked: boolean;
  derivations: number;
  /** Product of the sizes of the classes. */
  sentences: number;
}

/** A form of some symbol, before it is known to be marked or not. */
interface PartialForm {
  classes: readonly WordClass[];
  masses: Masses;
  derivations: number;
}

type PartialForms = Map<string, PartialForm>;

const MOST_FORMS = 200_000;
const momentsOfTables = new WeakMap<Grammar, readonly [Moments, Moments]>();
const formsOfTables = new WeakMap<Grammar, readonly SentenceForm[]>();

/**
 * Every form of the language, by exhaustive expansion down to word classes. A word has one class, so sentences of
 * different forms differ: the language is unambiguous exactly when every form has one derivation.
 */
export function sentenceForms(grammar: Grammar): readonly SentenceForm[] {
  const known = formsOfTables.get(grammar);
  if (known) return known;
  const forms = [...expand(startSymbol(grammar), new Map()).values()].map(
    ({ classes, masses, derivations }) => {
      if (masses[0] > 0 && masses[1] > 0) {
        throw new UserError(
          `grammar: expected each sentence to be marked or not; "${classes.map((c) => c.name).join(' ')}" is both: mark all of its derivations or none`,
        );
      }
      const sentences = classes.reduce((n, c) => n * c.words.length, 1);
      return { classes, mass: masses[0] + masses[1], marked: masses[1] > 0, derivations, sentences };
    },
  );
  formsOfTables.set(grammar, forms);
  return forms;
}

function expand(symbol: Symbol, memo: Map<Symbol, PartialForms>): PartialForms {
  if (symbol.kind === 'class')
    return new Map([[symbol.letter, { classes: [symbol], masses: [1, 0], derivations: 1 }]]);
  const known = memo.get(symbol);
  if (known) return known;
  const forms: PartialForms = new Map();
  for (const { probability, right, marked } of symbol.alternatives) {
    let begun: PartialForms = new Map([
      ['', { classes: [], masses: marked ? [0, probability] : [probability, 0], derivations: 1 }],
    ]);
    for (const child of right) begun = concatenations(begun, expand(child, memo));
    for (const [key, form] of begun) merge(forms, key, form);
  }
  memo.set(symbol, forms);
  return forms;
}

function concatenations(heads: PartialForms, tails: PartialForms): PartialForms {
  const joined: PartialForms = new Map();
  for (const [headKey, head] of heads) {
    for (const [tailKey, tail] of tails) {
      const classes = [...head.classes, ...tail.classes];
      merge(joined, headKey + tailKey, {
        classes,
        masses: product(head.masses, tail.masses),
        derivations: head.derivations * tail.derivations,
      });
    }
  }
  return joined;
}

function merge(
  forms: PartialForms,
  key: string,
  { classes, masses: [q0, q1], derivations }: PartialForm,
): void {
  if (forms.size >= MOST_FORMS)
    throw new UserError(
      `grammar: expected fewer than ${MOST_FORMS} forms of sentences; got more: use fewer alternatives`,
    );
  const old = forms.get(key);
  const [p0, p1] = old?.masses ?? [0, 0];
  forms.set(key, { classes, masses: [p0 + q0, p1 + q1], derivations: derivations + (old?.derivations ?? 0) });
}

/** How many class sequences the language has, and how many of them have more than one derivation. */
export function ambiguity(grammar: Grammar): { forms: number; derivations: number; ambiguousForms: number } {
  const forms = sentenceForms(grammar);
  const derivations = forms.reduce((sum, form) => sum + form.derivations, 0);
  return {
    forms: forms.length,
    derivations,
    ambiguousForms: forms.filter((form) => form.derivations > 1).length,
  };
}

/**
 * Moments of the unmarked and of the marked sentences. Without ambiguity those of the derivations, in closed form;
 * with it summed over forms.
 */
export function sentenceMoments(grammar: Grammar): readonly [unmarked: Moments, marked: Moments] {
  let moments = momentsOfTables.get(grammar);
  if (!moments) {
    moments = ambiguity(grammar).ambiguousForms === 0 ? derivationMoments(grammar) : formMoments(grammar);
    momentsOfTables.set(grammar, moments);
  }
  return moments;
}

/** The same moments summed over forms, which counts each sentence once with the probability of all its derivations. */
export function formMoments(grammar: Grammar): readonly [unmarked: Moments, marked: Moments] {
  const sums: [Moments, Moments] = [NONE, NONE];
  for (const { classes, mass, marked, sentences } of sentenceForms(grammar)) {
    const i = marked ? 1 : 0;
    sums[i] = plus(sums[i], {
      mass,
      surprisalNats: mass * Math.log(sentences / mass),
      words: mass * classes.length,
    });
  }
  return sums;
}
