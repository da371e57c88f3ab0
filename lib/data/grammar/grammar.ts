/** Weighted context-free grammars of finite languages: checking a table, sampling sentences, exact probabilities. */
import { UserError } from '../../util/errors';
import type { Random } from '../../util/random';

/**
 * One rule `left → right`; the symbols of `right` are separated by spaces. Alternatives of one left side are drawn in
 * proportion to weight. A derivation is *marked* when it uses a rule with a fourth entry, which names what the rule adds.
 */
export type Rule = readonly [weight: number, left: string, right: string, mark?: string];

/**
 * Grammar as data. `words` maps each word class to its words, separated by spaces, which are equally likely; a word
 * belongs to one class only, so that a sentence determines its classes.
 * Trap: what is computed from a table is cached per object, so make another (`{ ...GRAMMAR, words }`) instead of
 * changing one.
 */
export interface Grammar {
  start: string;
  rules: readonly Rule[];
  words: Readonly<Record<string, string>>;
}

export interface WordClass {
  kind: 'class';
  name: string;
  words: string[];
  /** One character that stands for the class in keys. */
  letter: string;
}

interface NonTerminal {
  kind: 'rules';
  name: string;
  alternatives: { probability: number; right: Symbol[]; marked: boolean }[];
}

export type Symbol = WordClass | NonTerminal;

/** Probability of unmarked and of marked derivations. */
type Masses = readonly [unmarked: number, marked: number];

/** Computes a value once per grammar. */
export function perGrammar<T>(compute: (grammar: Grammar) => T): (grammar: Grammar) => T {
  const known = new WeakMap<Grammar, { value: T }>();
  return (grammar) => {
    if (!known.has(grammar)) known.set(grammar, { value: compute(grammar) });
    return known.get(grammar)!.value;
  };
}

function refuse(problem: string): never {
  throw new UserError(`grammar: ${problem}`);
}

const split = (text: string): string[] => text.split(/\s+/).filter(Boolean);

const compiled = perGrammar((grammar) => {
  const classes = readClasses(grammar);
  const symbols = new Map<string, Symbol>(classes.map((c) => [c.name, c]));
  const start = readRules(grammar, symbols);
  checkReachable(start, symbols);
  return {
    start,
    classes,
    classOf: new Map(classes.flatMap((c) => c.words.map((word) => [word, c] as const))),
    parses: new Map<string, Masses>(),
  };
});

function readClasses(grammar: Grammar): WordClass[] {
  const seen = new Map<string, string>();
  return Object.entries(grammar.words).map(([name, text], i) => {
    const words = split(text);
    if (words.length === 0)
      refuse(`expected at least one word in class ${name}; got none: add words or drop the class`);
    for (const word of words) {
      const other = seen.get(word);
      if (other !== undefined)
        refuse(`expected each word once; "${word}" is in ${other} and in ${name}: rename one of the two`);
      seen.set(word, name);
    }
    return { kind: 'class', name, words, letter: String.fromCharCode(256 + i) };
  });
}

/** Adds a symbol for every left side to `symbols`, with its alternatives, and returns the start symbol. */
function readRules({ rules, start: startName }: Grammar, symbols: Map<string, Symbol>): NonTerminal {
  if (rules.length === 0) refuse('expected at least one rule [weight, left, right]; got an empty table');
  const totals = new Map<string, number>();
  for (const [weight, left, right] of rules) {
    if (!(weight > 0 && Number.isFinite(weight)))
      refuse(
        `expected a positive weight for ${left} → ${right}; got ${weight}: drop the rule if it is not to be used`,
      );
    if (symbols.get(left)?.kind === 'class')
      refuse(`${left} is a word class and has a rule: rename one of the two`);
    symbols.set(left, { kind: 'rules', name: left, alternatives: [] });
    totals.set(left, (totals.get(left) ?? 0) + weight);
  }
  for (const [weight, left, right, mark] of rules) {
    const names = split(right);
    if (names.length === 0)
      refuse(
        `expected at least one symbol on the right of ${left}; got none: write the shorter form as a rule of its own`,
      );
    (symbols.get(left) as NonTerminal).alternatives.push({
      probability: weight / totals.get(left)!,
      right: names.map(
        (name) =>
          symbols.get(name) ??
          refuse(`unknown symbol ${name} in ${left} → ${right}; known: ${[...symbols.keys()].join(', ')}`),
      ),
      marked: mark !== undefined,
    });
  }
  const start = symbols.get(startName);
  if (start?.kind === 'rules') return start;
  return refuse(
    `expected a rule for the start symbol; got none for ${startName}; left sides: ${[...totals.keys()].join(', ')}`,
  );
}

/** Throws unless the language is finite (no symbol contains itself) and every symbol is in use. */
function checkReachable(start: NonTerminal, symbols: Map<string, Symbol>): void {
  const reached = new Set<string>();
  const visit = (symbol: Symbol, path: string[]): void => {
    if (reached.has(symbol.name)) return;
    if (path.includes(symbol.name)) {
      const chain = [...path.slice(path.indexOf(symbol.name)), symbol.name].join(' → ');
      refuse(`expected a finite language; ${symbol.name} contains itself (${chain}): unroll the recursion`);
    }
    if (symbol.kind === 'rules')
      for (const { right } of symbol.alternatives)
        for (const child of right) visit(child, [...path, symbol.name]);
    reached.add(symbol.name);
  };
  visit(start, []);
  const unused = [...symbols.keys()].filter((name) => !reached.has(name));
  if (unused.length > 0)
    refuse(
      `expected every symbol to be reachable from ${start.name}; not so: ${unused.join(', ')}: use or drop them`,
    );
}

/** The root of all derivations. Throws a UserError for the first fault of a table, as every function here does. */
export const startSymbol = (grammar: Grammar): NonTerminal => compiled(grammar).start;

/** Word classes in the order of the table. */
export const wordClasses = (grammar: Grammar): readonly WordClass[] => compiled(grammar).classes;

export const classOf = (grammar: Grammar, word: string): string | undefined =>
  compiled(grammar).classOf.get(word)?.name;

/** Draws one sentence and says whether its derivation is marked. */
export function sampleSentence(grammar: Grammar, random: Random): { words: string[]; marked: boolean } {
  const words: string[] = [];
  const expand = (symbol: Symbol): boolean => {
    if (symbol.kind === 'class') {
      words.push(symbol.words[random.int(symbol.words.length)]!);
      return false;
    }
    const { alternatives } = symbol;
    let left = random.uniform();
    let i = 0;
    while (i < alternatives.length - 1 && (left -= alternatives[i]!.probability) >= 0) i++;
    let { marked } = alternatives[i]!;
    for (const child of alternatives[i]!.right) if (expand(child)) marked = true;
    return marked;
  };
  return { marked: expand(startSymbol(grammar)), words };
}

/**
 * Exact probability of a sentence, summed over its unmarked and over its marked derivations; [0, 0] outside the language.
 *   inside(A, i, j) = Σ_{A → B₁…B_k} P(rule) Σ_{i<j₁<…<j} Π inside(B_m, j_{m−1}, j_m), memoised over (A, i)
 * Words enter by class only, so one result serves every sentence of the same classes.
 */
export function sentenceProbability(grammar: Grammar, sentence: readonly string[]): Masses {
  const { start, classOf: classes, parses } = compiled(grammar);
  let key = '';
  for (const word of sentence) {
    const wordClass = classes.get(word);
    if (!wordClass) return [0, 0];
    key += wordClass.letter;
  }
  let masses = parses.get(key);
  if (!masses) {
    masses = inside(start, 0, key, new Map()).get(key.length) ?? [0, 0];
    parses.set(key, masses);
  }
  return masses;
}

/** Every position at which `symbol` can end when it begins at `from`, with the probability of getting there. */
function inside(
  symbol: Symbol,
  from: number,
  key: string,
  memo: Map<string, Map<number, Masses>>,
): Map<number, Masses> {
  if (symbol.kind === 'class')
    return new Map(key[from] === symbol.letter ? [[from + 1, [1 / symbol.words.length, 0] as const]] : []);
  const place = `${symbol.name} ${from}`;
  const known = memo.get(place);
  if (known) return known;
  const ends = new Map<number, Masses>();
  const add = (sums: Map<number, Masses>, end: number, [q0, q1]: Masses): void => {
    const [p0, p1] = sums.get(end) ?? [0, 0];
    sums.set(end, [p0 + q0, p1 + q1]);
  };
  for (const { probability, right, marked } of symbol.alternatives) {
    let reached = new Map<number, Masses>([[from, marked ? [0, probability] : [probability, 0]]]);
    for (const child of right) {
      const next = new Map<number, Masses>();
      for (const [at, [p0, p1]] of reached)
        for (const [end, [q0, q1]] of inside(child, at, key, memo))
          add(next, end, [p0 * q0, p0 * q1 + p1 * (q0 + q1)]);
      reached = next;
    }
    for (const [end, masses] of reached) add(ends, end, masses);
  }
  memo.set(place, ends);
  return ends;
}
