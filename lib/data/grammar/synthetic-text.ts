/** Stories of the synthetic corpus as text. */
import { TOPICS } from './lexicon';
import {
  hasChoice,
  LEXICON,
  PEOPLE,
  TOWNS,
  type Hidden,
  type LexicalClass,
  type Sentence,
  type Story,
} from './synthetic';

export const PLAIN: Record<string, string> = { THE: 'the', AND: 'and', THAT: 'that', WAS: 'was' };

export const article = (word: string): string => (/^([aeio]|u(?!ni))/.test(word) ? 'an' : 'a');
export const person = ({ cast }: Hidden, place: number) => PEOPLE[cast[place]!]!;

/** The first line, which names all latent variables. */
function titleLine(hidden: Hidden): string {
  const names = hidden.cast.map((_, i) => person(hidden, i).name);
  const thing = LEXICON.NOUN[hidden.thing]!;
  return `This is the story of ${names.slice(0, -1).join(', ')} and ${names.at(-1)}, of the ${TOPICS[hidden.topic]!.title} at ${TOWNS[hidden.town]}, and of ${article(thing)} ${thing}.`;
}

/** Text of a class; `focus` is the referent of pronouns. The indefinite article is empty: it depends on the next word. */
function wordOf(name: string, choice: number, hidden: Hidden, focus: number): string {
  switch (name) {
    case 'NAME':
    case 'OTHER':
      return person(hidden, choice).name;
    case 'OWNER':
      return `${person(hidden, choice).name}'s`;
    case 'PRONOUN':
      return person(hidden, focus).she ? 'she' : 'he';
    case 'THEIR':
      return person(hidden, focus).she ? 'her' : 'his';
    case 'TOWN':
      return `at ${TOWNS[hidden.town]}`;
    case 'INDEFINITE':
      return '';
    case 'OPENER':
      return `${LEXICON.OPENER[choice]},`;
    default:
      return PLAIN[name] ?? LEXICON[name as LexicalClass][choice]!;
  }
}

function paragraphText(sentences: readonly Sentence[], hidden: Hidden): string {
  let focus = 0;
  const texts = sentences.map(({ classes, choices }) => {
    let next = 0;
    const words = classes.map((name) => {
      const choice = hasChoice(name) ? choices[next++]! : -1;
      if (name === 'NAME') focus = choice;
      return wordOf(name, choice, hidden, focus);
    });
    const text = words.map((word, i) => word || article(words[i + 1]!)).join(' ');
    return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
  });
  return texts.join(' ');
}

export const storyText = (story: Story): string =>
  [titleLine(story), ...story.paragraphs.map((paragraph) => paragraphText(paragraph, story))].join('\n\n');
