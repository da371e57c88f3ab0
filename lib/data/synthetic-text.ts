/** Stories of the synthetic corpus as text, and back. */
import { TOPICS } from './lexicon';
import { LEXICON, PEOPLE, TOWNS, type Hidden, type LexicalClass, type Sentence, type Story } from './synthetic';

const PLAIN: Record<string, string> = { THE: 'the', AND: 'and', THAT: 'that', WAS: 'was' };
const CAPITAL = /^./;

export const article = (word: string): string => (/^([aeio]|u(?!ni))/.test(word) ? 'an' : 'a');
const person = ({ cast }: Hidden, place: number) => PEOPLE[cast[place]!]!;

/** The first line: all that is hidden, in words. */
export function titleLine(hidden: Hidden): string {
  const names = hidden.cast.map((_, i) => person(hidden, i).name);
  const thing = LEXICON.NOUN[hidden.thing]!;
  return `This is the story of ${names.slice(0, -1).join(', ')} and ${names.at(-1)}, of the ${TOPICS[hidden.topic]!.title} at ${TOWNS[hidden.town]}, and of ${article(thing)} ${thing}.`;
}

/** Text of a class; `focus` is whom pronouns mean. The indefinite article waits for its word. */
function wordOf(name: string, choice: number, hidden: Hidden, focus: number): string {
  switch (name) {
    case 'NAME': case 'OTHER': return person(hidden, choice).name;
    case 'OWNER': return `${person(hidden, choice).name}'s`;
    case 'PRONOUN': return person(hidden, focus).she ? 'she' : 'he';
    case 'THEIR': return person(hidden, focus).she ? 'her' : 'his';
    case 'TOWN': return `at ${TOWNS[hidden.town]}`;
    case 'INDEFINITE': return '';
    case 'OPENER': return `${LEXICON.OPENER[choice]},`;
    default: return PLAIN[name] ?? LEXICON[name as LexicalClass][choice]!;
  }
}

const hasChoice = (name: string): boolean => Object.hasOwn(LEXICON, name) || name === 'NAME' || name === 'OTHER' || name === 'OWNER';

function sentenceText({ classes, choices }: Sentence, hidden: Hidden, focusBefore: number): { text: string; focus: number } {
  let [focus, next] = [focusBefore, 0];
  const words = classes.map((name) => {
    const choice = hasChoice(name) ? choices[next++]! : -1;
    if (name === 'NAME') focus = choice;
    return wordOf(name, choice, hidden, focus);
  });
  const text = words.map((word, i) => word || article(words[i + 1]!)).join(' ');
  return { text: `${text.replace(CAPITAL, (c) => c.toUpperCase())}.`, focus };
}

export function storyText(story: Story): string {
  const paragraphs = story.paragraphs.map((sentences) => {
    let focus = 0;
    return sentences.map((sentence) => {
      const { text, focus: after } = sentenceText(sentence, story, focus);
      focus = after;
      return text;
    }).join(' ');
  });
  return [titleLine(story), ...paragraphs].join('\n\n');
}

/** Class and index of each word that stands for itself. */
const KNOWN = new Map<string, [string, number | null]>([
  ...Object.entries(LEXICON).flatMap(([name, list]) => (name === 'OPENER' ? [] : list.map((word, i) => [word, [name, i]] as [string, [string, number]]))),
  ...Object.entries(PLAIN).map(([name, word]) => [word, [name, null]] as [string, [string, null]]),
  ...['a', 'an'].map((word) => [word, ['INDEFINITE', null]] as [string, [string, null]]),
  ...['he', 'she'].map((word) => [word, ['PRONOUN', null]] as [string, [string, null]]),
  ...['his', 'her'].map((word) => [word, ['THEIR', null]] as [string, [string, null]]),
]);

function parseTitle(line: string): Hidden | null {
  const [, names, title, town, thing] = /^This is the story of (.+), of the (\S+) at (\S+), and of an? (\S+)\.$/.exec(line) ?? [];
  if (names === undefined) return null;
  return {
    topic: TOPICS.findIndex((topic) => topic.title === title), town: TOWNS.indexOf(town!), thing: LEXICON.NOUN.indexOf(thing!),
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
  text.slice(opener ? opener.length + 2 : 0).split(' ').forEach((word, i) => {
    const member = names.indexOf(word.replace(/'s$/, ''));
    if (member >= 0) add(word.endsWith("'s") ? 'OWNER' : i === 0 ? 'NAME' : 'OTHER', member);
    else if (word === 'at') add('TOWN', null);
    else if (word !== TOWNS[hidden.town]) add(...(KNOWN.get(i === 0 && !opener ? word.toLowerCase() : word) ?? (['?', null] as [string, null])));
  });
  return sentence;
}

/** Longer phrases first: one could begin another. */
const OPENERS_FIRST = [...LEXICON.OPENER].sort((a, b) => b.length - a.length);

/** The one story whose text this is, null where there is none. */
export function parseStory(text: string): Story | null {
  const [title, ...paragraphs] = text.split('\n\n');
  const hidden = parseTitle(title!);
  if (!hidden || [hidden.topic, hidden.town, hidden.thing, ...hidden.cast].some((index) => index < 0)) return null;
  const story = { ...hidden, paragraphs: paragraphs.map((paragraph) => paragraph.replace(/\.$/, '').split('. ').map((sentence) => parseSentence(sentence, hidden))) };
  const known = story.paragraphs.every((sentences) => sentences.every(({ classes }) => !classes.includes('?')));
  // What was read loosely is right only if it says the same again.
  return known && storyText(story) === text ? story : null;
}
