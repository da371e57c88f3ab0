/**
 * A synthetic corpus of English-like stories whose probabilities are known exactly. A document first draws its latent
 * variables: a topic, which makes some words more frequent; a town; a cast, whose first member is named most often; and a
 * recurring object. The first line names all four. Paragraphs of sentences from a grammar follow; "she" and "her" refer to
 * the last subject with a name. So context helps far beyond a sentence, and a text has one derivation.
 */
import type { Random } from '../../util/random';
import { sampleSentence, sentenceProbability, type Grammar, type Rule } from './grammar';
import { FIXED, GENERAL, NAMES, OPENERS, PLACES, TOPICS } from './lexicon';

const words = (text: string): string[] => text.split(' ');
const byTopic = (part: 'nouns' | 'verbs' | 'adjectives'): string[] => [
  ...words(GENERAL[part]),
  ...TOPICS.flatMap((topic) => words(topic[part])),
];

/** Words of each lexical class. */
export const LEXICON = {
  NOUN: byTopic('nouns'),
  VT: byTopic('verbs'),
  ADJ: byTopic('adjectives'),
  ...(Object.fromEntries(Object.entries(FIXED).map(([name, text]) => [name, words(text)])) as Record<
    keyof typeof FIXED,
    string[]
  >),
  OPENER: [...OPENERS] as string[],
};
export type LexicalClass = keyof typeof LEXICON;
const BY_TOPIC: Partial<Record<LexicalClass, 'nouns' | 'verbs' | 'adjectives'>> = {
  NOUN: 'nouns',
  VT: 'verbs',
  ADJ: 'adjectives',
};

export const PEOPLE = [
  ...words(NAMES.she).map((name) => ({ name, she: true })),
  ...words(NAMES.he).map((name) => ({ name, she: false })),
];
export const TOWNS = words(PLACES);

/** Rules of sentences. Each class is a single symbol here; its words are drawn separately. */
const PREDICATES: readonly Rule[] = [
  [3, 'PREDICATE', 'VT NP'],
  [2, 'PREDICATE', 'VT NP PP'],
  [1, 'PREDICATE', 'VT NP AND VT NP'],
  [1, 'PREDICATE', 'VI'],
  [1.5, 'PREDICATE', 'VI ADV'],
  [1.5, 'PREDICATE', 'VI PP'],
  [2, 'PREDICATE', 'VN OTHER'],
  [1.5, 'PREDICATE', 'SAY THAT NP WAS ADJ'],
  [3, 'PP', 'PREP NP'],
  [1, 'PP', 'TOWN'],
  [1, 'NP', 'DET NOUN'],
  [1, 'NP', 'DET ADJ NOUN'],
  [5, 'DET', 'THE'],
  [2.5, 'DET', 'INDEFINITE'],
  [1.5, 'DET', 'THEIR'],
  [1, 'DET', 'OWNER'],
  [4, 'S', 'SUBJECT PREDICATE'],
  [1, 'S', 'OPENER SUBJECT PREDICATE'],
];
const CLASSES = [
  ...Object.keys(LEXICON),
  'TOWN',
  'OTHER',
  'THAT',
  'WAS',
  'AND',
  'THE',
  'INDEFINITE',
  'THEIR',
  'OWNER',
  'NAME',
];
const grammar = (subjects: readonly Rule[], classes: string[]): Grammar => ({
  start: 'S',
  rules: [...PREDICATES, ...subjects],
  words: Object.fromEntries(classes.map((name) => [name, name])),
});

/** The first sentence of a paragraph has a name as its subject, so that pronouns in the others have a referent. */
export const GRAMMARS = {
  first: grammar([[1, 'SUBJECT', 'NAME']], CLASSES),
  later: grammar(
    [
      [4, 'SUBJECT', 'NAME'],
      [3, 'SUBJECT', 'PRONOUN'],
      [3, 'SUBJECT', 'NP'],
    ],
    [...CLASSES, 'PRONOUN'],
  ),
};

/** Number of paragraphs of a document, and of sentences of a paragraph: uniform over the range. */
export const PARAGRAPHS = { least: 8, most: 24 };
export const SENTENCES = { least: 3, most: 8 };
/** Probability of each size of the cast, and weight of each member. */
export const CAST_SIZES = [0, 0, 0.3, 0.4, 0.3];
const CAST_WEIGHTS = [4, 2, 1, 1];
/** A word's weight is 1 / (rank + ZIPF), times BOOST in its own topic; a noun is the recurring object with probability KEY_SHARE. */
const ZIPF = 2.7;
const BOOST = 10;
export const KEY_SHARE = 0.15;

/** Latent variables of a document: indices into TOPICS, TOWNS, PEOPLE and LEXICON.NOUN. */
export interface Hidden {
  topic: number;
  town: number;
  cast: number[];
  thing: number;
}
/** Classes of a sentence and, for those with a choice, what was chosen: the index of a word or of a member of the cast. */
export interface Sentence {
  classes: string[];
  choices: number[];
}
export interface Story extends Hidden {
  paragraphs: Sentence[][];
}

const normalised = (weights: number[]): number[] => {
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
};

const wordTables = new Map<string, number[]>();

/** Probabilities of the words of a class in documents of a topic, without the extra share of the recurring object. */
export function wordProbabilities(name: LexicalClass, topic: number): number[] {
  const part = BY_TOPIC[name];
  const key = part ? `${name} ${topic}` : name;
  let table = wordTables.get(key);
  if (!table) {
    const own = new Set(part ? words(TOPICS[topic]![part]) : []);
    table = normalised(LEXICON[name].map((word, rank) => (own.has(word) ? BOOST : 1) / (rank + ZIPF)));
    wordTables.set(key, table);
  }
  return table;
}

/** Probabilities of the members of a cast, of all or of all but one. */
export function castProbabilities(size: number, except: number | null): number[] {
  return normalised(CAST_WEIGHTS.slice(0, size).map((w, i) => (i === except ? 0 : w)));
}

const isLexical = (name: string): name is LexicalClass => Object.hasOwn(LEXICON, name);
/** Whether a class has several members of which one is chosen. */
export const hasChoice = (name: string): boolean =>
  isLexical(name) || ['NAME', 'OTHER', 'OWNER'].includes(name);

/** Probabilities of the choices of a class; null for a class without a choice. `focus` is the index in the cast of the last named subject. */
function choicesOf(name: string, { topic, cast, thing }: Hidden, focus: number): number[] | null {
  if (name === 'NOUN')
    return wordProbabilities(name, topic).map((p, i) => (1 - KEY_SHARE) * p + (i === thing ? KEY_SHARE : 0));
  if (isLexical(name)) return wordProbabilities(name, topic);
  if (name === 'NAME' || name === 'OWNER') return castProbabilities(cast.length, null);
  return name === 'OTHER' ? castProbabilities(cast.length, focus) : null;
}

const range = ({ least, most }: { least: number; most: number }, random: Random): number =>
  least + random.int(most - least + 1);

function drawHidden(random: Random): Hidden {
  const topic = random.int(TOPICS.length);
  const town = random.int(TOWNS.length);
  const size = random.weighted(CAST_SIZES, 1);
  const cast: number[] = [];
  while (cast.length < size) {
    const person = random.int(PEOPLE.length);
    if (!cast.includes(person)) cast.push(person);
  }
  return { topic, town, cast, thing: random.weighted(wordProbabilities('NOUN', topic), 1) };
}

/** Visits the choices of a paragraph in order; `choose` returns each. */
function walk(
  hidden: Hidden,
  sentences: readonly { classes: string[] }[],
  choose: (probabilities: number[], sentence: number) => number,
): void {
  let focus = 0;
  sentences.forEach(({ classes }, s) => {
    for (const name of classes) {
      const probabilities = choicesOf(name, hidden, focus);
      if (!probabilities) continue;
      const choice = choose(probabilities, s);
      if (name === 'NAME') focus = choice;
    }
  });
}

export function drawStory(random: Random): Story {
  const hidden = drawHidden(random);
  const paragraphs = Array.from({ length: range(PARAGRAPHS, random) }, () => {
    const sentences = Array.from({ length: range(SENTENCES, random) }, (_, s): Sentence => ({
      classes: sampleSentence(s === 0 ? GRAMMARS.first : GRAMMARS.later, random).words,
      choices: [],
    }));
    walk(hidden, sentences, (probabilities, s) => {
      const choice = random.weighted(probabilities, 1);
      sentences[s]!.choices.push(choice);
      return choice;
    });
    return sentences;
  });
  return { ...hidden, paragraphs };
}

const logUniform = ({ least, most }: { least: number; most: number }, n: number): number =>
  n >= least && n <= most ? -Math.log(most - least + 1) : -Infinity;

/** ln P of the latent variables. */
function logProbHidden({ topic, cast, thing }: Hidden): number {
  const people = cast.reduce((sum, _, i) => sum - Math.log(PEOPLE.length - i), 0);
  return (
    -Math.log(TOPICS.length) -
    Math.log(TOWNS.length) +
    Math.log(CAST_SIZES[cast.length] ?? 0) +
    people +
    Math.log(wordProbabilities('NOUN', topic)[thing]!)
  );
}

/** ln P of a document, its end included; −∞ for one that cannot be drawn. */
export function storyLogProb(story: Story): number {
  let sum = logProbHidden(story) + logUniform(PARAGRAPHS, story.paragraphs.length);
  for (const sentences of story.paragraphs) {
    sum += logUniform(SENTENCES, sentences.length);
    sentences.forEach(({ classes }, s) => {
      sum += Math.log(sentenceProbability(s === 0 ? GRAMMARS.first : GRAMMARS.later, classes)[0]);
    });
    const next = sentences.map(() => 0);
    walk(story, sentences, (probabilities, s) => {
      const choice = sentences[s]!.choices[next[s]!++]!;
      sum += Math.log(probabilities[choice] ?? 0);
      return choice;
    });
  }
  return sum;
}
