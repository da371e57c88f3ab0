import { UserError } from '../../util/errors';
import type { Random } from '../../util/random';

/**
 * One rule `left → right` (symbols of `right` apart by spaces). Alternatives of one left side are drawn in proportion to
 * weight. A derivation is *marked* when it uses at least one rule with a fourth entry, which names what the rule adds.
 */
export type Rule = readonly [weight: number, left: string, right: string, mark?: string];

/**
 * Weighted context-free grammar of a finite language, as data. `words` maps each word class to its words (apart by
 * spaces), which are equally likely; a word belongs to one class only, so that a line fixes its classes.
 * Trap: what is derived from a table is kept with it, so make another table (`{ ...GRAMMAR, words }`) instead of changing one.
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

export interface NonTerminal {
  kind: 'rules';
  name: string;
  alternatives: { probability: number; right: Symbol[]; marked: boolean }[];
}

export type Symbol = WordClass | NonTerminal;

/** Probability of unmarked and of marked derivations. */
export type Masses = readonly [unmarked: number, marked: number];

interface Compiled {
  start: NonTerminal;
  classes: WordClass[];
  classOf: Map<string, WordClass>;
  parses: Map<string, Masses>;
}

const compiledTables = new WeakMap<Grammar, Compiled>();

function compile(grammar: Grammar): Compiled {
  const known = compiledTables.get(grammar);
  if (known) return known;
  const classes = readClasses(grammar);
  const symbols = new Map<string, Symbol>(classes.map((c) => [c.name, c]));
  const start = readRules(grammar, symbols);
  refuseCycles(start, [], new Set());
  refuseUnused(start, symbols);
  const classOf = new Map(classes.flatMap((c) => c.words.map((w) => [w, c] as const)));
  const compiled = { start, classes, classOf, parses: new Map() };
  compiledTables.set(grammar, compiled);
  return compiled;
}

function readClasses(grammar: Grammar): WordClass[] {
  const seen = new Map<string, string>();
  return Object.entries(grammar.words).map(([name, text], i) => {
    const words = text.split(/\s+/).filter(Boolean);
    if (words.length === 0)
      throw new UserError(
        `grammar: expected at least one word in class ${name}; got none: add words or drop the class`,
      );
    for (const word of words) {
      const other = seen.get(word);
      if (other !== undefined)
        throw new UserError(
          `grammar: expected each word once; "${word}" is in ${other} and in ${name}: rename one of the two`,
        );
      seen.set(word, name);
    }
    return { kind: 'class', name, words, letter: String.fromCharCode(256 + i) };
  });
}

/** Adds a symbol for every left side to `symbols`, with its alternatives, and returns the start symbol. */
function readRules(grammar: Grammar, symbols: Map<string, Symbol>): NonTerminal {
  if (grammar.rules.length === 0)
    throw new UserError('grammar: expected at least one rule [weight, left, right]; got an empty table');
  const totals = new Map<string, number>();
  for (const [weight, left, right] of grammar.rules) {
    if (!(weight > 0 && Number.isFinite(weight))) {
      throw new UserError(
        `grammar: expected a positive weight for ${left} → ${right}; got ${weight}: drop the rule if it is not to be used`,
      );
    }
    if (symbols.get(left)?.kind === 'class')
      throw new UserError(`grammar: ${left} is a word class and has a rule: rename one of the two`);
    symbols.set(left, { kind: 'rules', name: left, alternatives: [] });
    totals.set(left, (totals.get(left) ?? 0) + weight);
  }
  for (const [weight, left, right, mark] of grammar.rules) {
    const names = right.split(/\s+/).filter(Boolean);
    if (names.length === 0)
      throw new UserError(
        `grammar: expected at least one symbol on the right of ${left}; got none: write the shorter form as a rule of its own`,
      );
    const symbolsOfRight = names.map((name) => {
      const symbol = symbols.get(name);
      if (!symbol)
        throw new UserError(
          `grammar: unknown symbol ${name} in ${left} → ${right}; known: ${[...symbols.keys()].join(', ')}`,
        );
      return symbol;
    });
    const probability = weight / totals.get(left)!;
    (symbols.get(left) as NonTerminal).alternatives.push({
      probability,
      right: symbolsOfRight,
      marked: mark !== undefined,
    });
  }
  const start = symbols.get(grammar.start);
  if (start?.kind !== 'rules')
    throw new UserError(
      `grammar: expected a rule for the start symbol; got none for ${grammar.start}; left sides: ${[...totals.keys()].join(', ')}`,
    );
  return start;
}

/** The language must be finite: no symbol may contain itself, on the left or anywhere else. */
function refuseCycles(symbol: Symbol, path: string[], done: Set<string>): void {
  if (symbol.kind === 'class' || done.has(symbol.name)) return;
  const from = path.indexOf(symbol.name);
  const chain = [...path.slice(Math.max(from, 0)), symbol.name];
  if (from >= 0)
    throw new UserError(
      `grammar: expected a finite language; ${symbol.name} contains itself (${chain.join(' → ')}): unroll the recursion`,
    );
  for (const { right } of symbol.alternatives)
    for (const child of right) refuseCycles(child, [...path, symbol.name], done);
  done.add(symbol.name);
}

function refuseUnused(start: NonTerminal, symbols: Map<string, Symbol>): void {
  const used = new Set<string>();
  const visit = (symbol: Symbol): void => {
    if (used.has(symbol.name)) return;
    used.add(symbol.name);
    if (symbol.kind === 'rules') for (const { right } of symbol.alternatives) right.forEach(visit);
  };
  visit(start);
  const unused = [...symbols.keys()].filter((name) => !used.has(name));
  if (unused.length > 0)
    throw new UserError(
      `grammar: expected every symbol to be reachable from ${start.name}; not so: ${unused.join(', ')}: use or drop them`,
    );
}

/** The symbol that every sentence is derived from, with all below it; throws a UserError for the first thing wrong with a table, as every function here does. */
export function startSymbol(grammar: Grammar): NonTerminal {
  return compile(grammar).start;
}

/** Word classes in the order of the table. */
export function wordClasses(grammar: Grammar): readonly WordClass[] {
  return compile(grammar).classes;
}

export function classOf(grammar: Grammar, word: string): string | undefined {
  return compile(grammar).classOf.get(word)?.name;
}

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
    let marked = alternatives[i]!.marked;
    for (const child of alternatives[i]!.right) if (expand(child)) marked = true;
    return marked;
  };
  return { marked: expand(compile(grammar).start), words };
}

/**
 * Exact probability of a sentence, summed over its derivations, unmarked and marked ones apart; [0, 0] outside the language.
 *   inside(A, i, j) = Σ_{A → B₁…B_k} P(rule) Σ_{i<j₁<…<j} Π inside(B_m, j_{m−1}, j_m), memoised over (A, i)
 * Words enter by class only, so one result serves every sentence of the same classes.
 */
export function sentenceProbability(grammar: Grammar, sentence: readonly string[]): Masses {
  const { start, classOf: classes, parses } = compile(grammar);
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
  for (const { probability, right, marked } of symbol.alternatives) {
    let reached = new Map<number, Masses>([[from, marked ? [0, probability] : [probability, 0]]]);
    for (const child of right) {
      const next = new Map<number, Masses>();
      for (const [at, before] of reached) {
        for (const [end, masses] of inside(child, at, key, memo)) add(next, end, joinMasses(before, masses));
      }
      reached = next;
    }
    for (const [end, masses] of reached) add(ends, end, masses);
  }
  memo.set(place, ends);
  return ends;
}

/** Masses of two parts in sequence: the whole is marked when either part is. */
function joinMasses([p0, p1]: Masses, [q0, q1]: Masses): Masses {
  return [p0 * q0, p0 * q1 + p1 * (q0 + q1)];
}

function add<K>(sums: Map<K, Masses>, key: K, [q0, q1]: Masses): void {
  const [p0, p1] = sums.get(key) ?? [0, 0];
  sums.set(key, [p0 + q0, p1 + q1]);
}
