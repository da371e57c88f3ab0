/** A story from its text: that there is one and no other is what makes the entropy of the story that of the text. */
import { TOPICS } from '../../../lib/data/grammar/lexicon';
import {
  LEXICON,
  PEOPLE,
  TOWNS,
  type Hidden,
  type Sentence,
  type Story,
} from '../../../lib/data/grammar/synthetic';
import { person, PLAIN, storyText } from '../../../lib/data/grammar/synthetic-text';

/** Class and index of each word that stands for itself. */
const KNOWN = new Map<string, [string, number | null]>([
  ...Object.entries(LEXICON).flatMap(([name, list]) =>
    name === 'OPENER' ? [] : list.map((word, i) => [word, [name, i]] as [string, [string, number]]),
  ),
  ...Object.entries(PLAIN).map(([name, word]) => [word, [name, null]] as [string, [string, null]]),
  ...['a', 'an'].map((word) => [word, ['INDEFINITE', null]] as [string, [string, null]]),
  ...['he', 'she'].map((word) => [word, ['PRONOUN', null]] as [string, [string, null]]),
  ...['his', 'her'].map((word) => [word, ['THEIR', null]] as [string, [string, null]]),
]);

function parseTitle(line: string): Hidden | null {
  const [, names, title, town, thing] =
    /^This is the story of (.+), of the (\S+) at (\S+), and of an? (\S+)\.$/.exec(line) ?? [];
  if (names === undefined) return null;
  return {
    topic: TOPICS.findIndex((topic) => topic.title === title),
    town: TOWNS.indexOf(town!),
    thing: LEXICON.NOUN.indexOf(thing!),
    cast: names.split(/, | and /).map((name) => PEOPLE.findIndex((other) => other.name === name)),
  };
}

function parseSentence(text: string, hidden: Hidden): Sentence {
  const sentence: Sentence = { classes: [], choices: [] };
  const add = (name: string, choice: number | null): void => {
    sentence.classes.push(name);
    if (choice !== null) sentence.choices.push(choice);
  };
  const opener = OPENERS_FIRST.find((phrase) => text.startsWith(`${phrase}, `));
  if (opener) add('OPENER', LEXICON.OPENER.indexOf(opener));
  const names = hidden.cast.map((_, i) => person(hidden, i).name);
  text
    .slice(opener ? opener.length + 2 : 0)
    .split(' ')
    .forEach((word, i) => {
      const member = names.indexOf(word.replace(/'s$/, ''));
      if (member >= 0) add(word.endsWith("'s") ? 'OWNER' : i === 0 ? 'NAME' : 'OTHER', member);
      else if (word === 'at') add('TOWN', null);
      else if (word !== TOWNS[hidden.town])
        add(
          ...(KNOWN.get(i === 0 && !opener ? word.toLowerCase() : word) ?? (['?', null] as [string, null])),
        );
    });
  return sentence;
}

/** Longer phrases first: one could begin another. */
const OPENERS_FIRST = [...LEXICON.OPENER].sort((a, b) => b.length - a.length);

/** The one story whose text this is, null where there is none. */
export function parseStory(text: string): Story | null {
  const [title, ...paragraphs] = text.split('\n\n');
  const hidden = parseTitle(title!);
  if (!hidden || [hidden.topic, hidden.town, hidden.thing, ...hidden.cast].some((index) => index < 0))
    return null;
  const story = {
    ...hidden,
    paragraphs: paragraphs.map((paragraph) =>
      paragraph
        .replace(/\.$/, '')
        .split('. ')
        .map((sentence) => parseSentence(sentence, hidden)),
    ),
  };
  const known = story.paragraphs.every((sentences) =>
    sentences.every(({ classes }) => !classes.includes('?')),
  );
  // What was read loosely is right only if it says the same again.
  return known && storyText(story) === text ? story : null;
}
