/** Question formation: its grammar, lines, vocabulary, splits and hash. */
import { createHash } from 'node:crypto';
import { UserError } from '../../util/errors';
import { Random } from '../../util/random';
import { classOf, sampleSentence, sentenceProbability, wordClasses } from './grammar';
import type { Grammar } from './grammar';

const SUBJECT_CLAUSE = 'relative clause on the subject';

/**
 * Grammar of question formation (McCoy, Frank & Linzen 2020, arXiv:2001.03632; used by Murty et al. 2023,
 * arXiv:2305.18741). Marked are the sentences with a relative clause on the subject.
 */
export const GRAMMAR: Grammar = {
  start: 'ROOT',
  rules: [
    [1, 'ROOT', 'S Stop'],
    [1, 'S', 'NP_M_S VP_M_S'],
    [1, 'S', 'NP_M_P VP_M_P'],
    [1, 'NP_M_S', 'Det N_S'],
    [1, 'NP_M_S', 'Det N_S Prep Det N'],
    [1, 'NP_M_S', 'Det N_S RC_S', SUBJECT_CLAUSE],
    [1, 'NP_M_P', 'Det N_P'],
    [1, 'NP_M_P', 'Det N_P Prep Det N'],
    [1, 'NP_M_P', 'Det N_P RC_P', SUBJECT_CLAUSE],
    [1, 'NP_O', 'Det N_S'],
    [1, 'NP_O', 'Det N_P'],
    [1, 'NP_O', 'Det N_S Prep Det N'],
    [1, 'NP_O', 'Det N_P Prep Det N'],
    [1, 'NP_O', 'Det N_S RC_S'],
    [1, 'NP_O', 'Det N_P RC_P'],
    [1, 'N', 'N_S'],
    [1, 'N', 'N_P'],
    [1, 'VP_M_S', 'Aux_S V_intrans'],
    [1, 'VP_M_S', 'Aux_S V_trans NP_O'],
    [1, 'VP_M_P', 'Aux_P V_intrans'],
    [1, 'VP_M_P', 'Aux_P V_trans NP_O'],
    [2, 'RC_S', 'Rel Aux_S V_intrans'],
    [1, 'RC_S', 'Rel Det N_S Aux_S V_trans'],
    [1, 'RC_S', 'Rel Det N_P Aux_P V_trans'],
    [2, 'RC_S', 'Rel Aux_S V_trans Det N'],
    [2, 'RC_P', 'Rel Aux_P V_intrans'],
    [1, 'RC_P', 'Rel Det N_S Aux_S V_trans'],
    [1, 'RC_P', 'Rel Det N_P Aux_P V_trans'],
    [2, 'RC_P', 'Rel Aux_P V_trans Det N'],
  ],
  words: {
    Det: 'the some my your our her',
    N_S: 'newt orangutan peacock quail raven salamander tyrannosaurus unicorn vulture walrus xylophone yak zebra',
    N_P: 'newts orangutans peacocks quails ravens salamanders tyrannosauruses unicorns vultures walruses xylophones yaks zebras',
    V_intrans: 'giggle smile sleep swim wait move change read eat',
    V_trans: 'entertain amuse high_five applaud confuse admire accept remember comfort',
    Aux_S: "does doesn't",
    Aux_P: "do don't",
    Prep: 'around near with upon by behind above below',
    Rel: 'who that',
    Stop: '.',
  },
};

export const MARKERS = ['decl', 'quest'] as const;
export type Marker = (typeof MARKERS)[number];
/** End token of every line; models that need a start token use it too. */
const END = '<end>';

export interface Line {
  /** Words of the sentence with its full stop, then the marker. */
  input: string[];
  /** The sentence again (decl) or the question (quest). */
  output: string[];
  marker: Marker;
}

/** Number of predicted tokens of a line: input, output and the end token, the first word included. */
export const lineTokens = (line: Line): number => line.input.length + line.output.length + 1;

/** Whether the subject of a sentence has a relative clause. Throws a UserError for a sentence outside the language. */
export function hasSubjectClause(sentence: readonly string[], grammar: Grammar = GRAMMAR): boolean {
  const [without, withClause] = sentenceProbability(grammar, sentence);
  if (without + withClause === 0)
    throw new UserError(
      `question formation: expected a sentence of the language; got "${sentence.join(' ')}"`,
    );
  return withClause > 0;
}

/** Positions of the first and of the main auxiliary; they differ where the subject has a relative clause. */
export function auxiliaries(
  sentence: readonly string[],
  grammar: Grammar = GRAMMAR,
): { first: number; main: number } {
  const isAuxiliary = (word: string): boolean => /^Aux_/.test(classOf(grammar, word) ?? '');
  const first = sentence.findIndex(isAuxiliary);
  // A relative clause has one auxiliary; the main one follows it.
  const main = hasSubjectClause(sentence, grammar)
    ? sentence.findIndex((word, i) => i > first && isAuxiliary(word))
    : first;
  return { first, main };
}

/** Fronts the main auxiliary; "." becomes "?". */
export function toQuestion(sentence: readonly string[], grammar: Grammar = GRAMMAR): string[] {
  const { main } = auxiliaries(sentence, grammar);
  return [sentence[main]!, ...sentence.slice(0, main), ...sentence.slice(main + 1, -1), '?'];
}

export function toLine(sentence: readonly string[], marker: Marker, grammar: Grammar = GRAMMAR): Line {
  const output = marker === 'decl' ? [...sentence] : toQuestion(sentence, grammar);
  return { input: [...sentence, marker], output, marker };
}

/** Ids of the word types of a grammar's lines, in the order of its table, then of "?", the markers and the end token. */
export class Vocabulary {
  readonly words: readonly string[];
  readonly end: number;
  private readonly ids: Map<string, number>;

  constructor(readonly grammar: Grammar = GRAMMAR) {
    this.words = [...wordClasses(grammar).flatMap((c) => c.words), '?', ...MARKERS, END];
    this.ids = new Map(this.words.map((word, id) => [word, id]));
    if (this.ids.size < this.words.length)
      throw new UserError(
        `question formation: expected a grammar without the words ? ${MARKERS.join(' ')} ${END}: rename them`,
      );
    this.end = this.id(END);
  }

  get size(): number {
    return this.words.length;
  }

  id(word: string): number {
    const id = this.ids.get(word);
    if (id === undefined)
      throw new UserError(`question formation: unknown word "${word}"; known: ${this.words.join(' ')}`);
    return id;
  }

  /** @returns ids of input, output and end token, `[lineTokens(line)]` */
  encode(line: Line): Uint16Array {
    return Uint16Array.from([...line.input, ...line.output, END], (word) => this.id(word));
  }

  /** Position in `encode(line)` of the first word of a question, and the ids of its two candidates: main and first auxiliary. */
  probe(line: Line): { position: number; main: number; first: number } {
    const sentence = line.input.slice(0, -1);
    const { first, main } = auxiliaries(sentence, this.grammar);
    return { position: line.input.length, main: this.id(sentence[main]!), first: this.id(sentence[first]!) };
  }
}

/** `SENTENCE MARKER<TAB>OUTPUT`, the published format. */
export function formatLine(line: Line): string {
  return `${line.input.join(' ')}\t${line.output.join(' ')}`;
}

export function parseLine(text: string): Line {
  const halves = text.split('\t');
  if (halves.length !== 2)
    throw new UserError(`expected "SENTENCE MARKER<TAB>OUTPUT" with one tab; got "${text}"`);
  const input = halves[0]!.split(' ');
  const marker = MARKERS.find((m) => m === input.at(-1));
  if (!marker) throw new UserError(`expected ${MARKERS.join(' or ')} before the tab; got "${input.at(-1)}"`);
  return { input, output: halves[1]!.split(' '), marker };
}

/** Draws an i.i.d. line: a sentence, a marker with equal odds; rejects questions with a relative clause on the subject. */
export function sampleLine(grammar: Grammar, random: Random): Line {
  for (;;) {
    const { words, marked } = sampleSentence(grammar, random);
    const marker = MARKERS[random.int(2)]!;
    if (!(marked && marker === 'quest')) return toLine(words, marker, grammar);
  }
}

export const LINE_SPLITS = ['train', 'dev', 'test', 'generalisation'] as const;
type Splits = Record<(typeof LINE_SPLITS)[number], Line[]>;

/** The published numbers of lines. */
export const PUBLISHED_LINES = { train: 100_000, dev: 1_000, test: 10_000, generalisation: 10_000 } as const;

/**
 * Draws lines with distinct inputs and splits them at random into train, dev and test, so that the three follow one law.
 * The generalisation lines are the questions that the others reject.
 * Trap: short sentences run out, so unique lines are longer than i.i.d. ones, the more so the more of them are drawn.
 */
export function sampleSplits(
  grammar: Grammar,
  options: { seed: number } & Partial<Record<keyof Splits, number>>,
): Splits {
  const { seed, ...sizes } = { ...PUBLISHED_LINES, ...options };
  const { train, dev, test, generalisation } = sizes;
  const lines = sampleUniqueLines(grammar, train + dev + test, seed);
  const order = new Random(seed, 'question-formation/splits').permutation(lines.length);
  const part = (from: number, count: number): Line[] =>
    Array.from({ length: count }, (_, i) => lines[order[from + i]!]!);
  const random = new Random(seed, 'question-formation/generalisation');
  const rejected = (): Line | null => {
    const { words, marked } = sampleSentence(grammar, random);
    return marked ? toLine(words, 'quest', grammar) : null;
  };
  return {
    train: part(0, train),
    dev: part(train, dev),
    test: part(train + dev, test),
    generalisation: drawUnique(generalisation, rejected),
  };
}

/** The first `count` distinct lines of an i.i.d. sequence, in order. */
export function sampleUniqueLines(grammar: Grammar, count: number, seed: number): Line[] {
  const random = new Random(seed, 'question-formation/lines');
  return drawUnique(count, () => sampleLine(grammar, random));
}

/** Draws until there are `count` lines with distinct inputs; a draw may yield null. Throws when the language seems too small. */
function drawUnique(count: number, draw: () => Line | null): Line[] {
  const lines = new Map<string, Line>();
  const mostDraws = 1000 + 300 * count;
  for (let draws = 0; lines.size < count; draws++) {
    if (draws === mostDraws)
      throw new UserError(
        `question formation: expected ${count} distinct lines; got ${lines.size} in ${mostDraws} draws: ask for fewer, or use a larger grammar`,
      );
    const line = draw();
    if (!line) continue;
    const key = line.input.join(' ');
    if (!lines.has(key)) lines.set(key, line);
  }
  return [...lines.values()];
}

/** SHA-256 of all splits in order: name and size of a split, then its lines in the published format, each on a line of its own. */
export function dataHash(splits: Splits): string {
  const hash = createHash('sha256');
  for (const split of LINE_SPLITS) {
    hash.update(`${split} ${splits[split].length}\n`);
    for (const line of splits[split]) hash.update(`${formatLine(line)}\n`);
  }
  return hash.digest('hex');
}
