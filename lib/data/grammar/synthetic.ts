/**
 * A synthetic corpus of English-like stories whose probabilities are known exactly. A document draws its hidden part
 * first: a topic, which makes some words more frequent; a town; a cast, whose first member is named most often; and a
 * thing that comes back. The first line names all four. Then come paragraphs of sentences from a grammar; "she" and "her"
 * mean whoever was the last subject with a name. So context helps far beyond a sentence, and a text has one derivation.
 */
import type { Random } from '../../util/random';
import { sampleSentence, sentenceProbability, type Grammar, type Rule } from './grammar';
import { FIXED, GENERAL, NAMES, OPENERS, PLACES, TOPICS } from './lexicon';

const words = (text: string): string[] => text.split(' ');
const byTopic = (part: 'nouns' | 'verbs' | 'adjectives'): string[] => [
  ...words(GENERAL[part]),
  ...TOPICS.flatMap((topic) => words(topic[part])),
];

/** Words of each class that has a choice of its own. */
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

/** Sentences; each class is one symbol here, its words are drawn apart. */
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

/** The first sentence of a paragraph says whom the pronouns of the others mean. */
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

/** How many there are of each: uniform over the range. */
export const PARAGRAPHS = { least: 8, most: 24 };
export const SENTENCES = { least: 3, most: 8 };
/** Probability of each size of the cast, and weight of each of its members. */
export const CAST_SIZES = [0, 0, 0.3, 0.4, 0.3];
const CAST_WEIGHTS = [4, 2, 1, 1];
/** A word's weight is 1 / (rank + ZIPF), times BOOST in its own topic; the thing that comes back has a share of the nouns. */
const ZIPF = 2.7;
const BOOST = 10;
export const KEY_SHARE = 0.15;

/** What a document draws first. Numbers are indices into TOPICS, TOWNS, PEOPLE and LEXICON.NOUN. */
export interface Hidden {
  topic: number;
  town: number;
  cast: number[];
  thing: number;
}
/** Classes of a sentence and, for those with a choice, what was chosen: a word's index, or a place in the cast. */
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

/** Probabilities of the words of a class in documents of a topic, the thing that comes back left out of account. */
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

/** Of the members of a cast, all or all but one. */
export function castProbabilities(size: number, except: number | null): number[] {
  return normalised(CAST_WEIGHTS.slice(0, size).map((w, i) => (i === except ? 0 : w)));
}

const isLexical = (name: string): name is LexicalClass => Object.hasOwn(LEXICON, name);

/** Probabilities of what can stand for a class here; null where nothing is chosen. `focus` is the place of the last named subject. */
function choicesOf(name: string, { topic, cast, thing }: Hidden, focus: number): number[] | null {
  if (name === 'NOUN')
    return wordProbabilities(name, topic).map((p, i) => (1 - KEY_SHARE) * p + (i === thing ? KEY_SHARE : 0));
  if (isLexical(name)) return wordProbabilities(name, topic);
  if (name === 'NAME' || name === 'OWNER') return castProbabilities(cast.length, null);
  return name === 'OTHER' ? castProbabilities(cast.length, focus) : null;
}

function draw(probabilities: readonly number[], random: Random): number {
  let left = random.uniform();
  let last = 0;
  for (let i = 0; i < probabilities.length; i++) {
    if (probabilities[i] === 0) continue;
    last = i;
    if ((left -= probabilities[i]!) < 0) break;
  }
  return last;
}

const range = ({ least, most }: { least: number; most: number }, random: Random): number =>
  least + random.int(most - least + 1);

function drawHidden(random: Random): Hidden {
  const topic = random.int(TOPICS.length);
  const town = random.int(TOWNS.length);
  const size = draw(CAST_SIZES, random);
  const cast: number[] = [];
  while (cast.length < size) {
    const person = random.int(PEOPLE.length);
    if (!cast.includes(person)) cast.push(person);
  }
  return { topic, town, cast, thing: draw(wordProbabilities('NOUN', topic), random) };
}

/** Goes through the choices of a paragraph; `choose` is asked in order and gives each. */
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
      const choice = draw(probabilities, random);
      sentences[s]!.choices.push(choice);
      return choice;
    });
    return sentences;
  });
  return { ...hidden, paragraphs };
}

const logUniform = ({ least, most }: { least: number; most: number }, n: number): number =>
  n >= least && n <= most ? -Math.log(most - least + 1) : -Infinity;

/** ln P of what a document draws first. */
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

/** ln P of a document in nats, its end included; −∞ for one that cannot be drawn. */
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
