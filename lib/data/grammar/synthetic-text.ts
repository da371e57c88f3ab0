/** Stories of the synthetic corpus as text. */
import { TOPICS } from './lexicon';
import {
  LEXICON,
  PEOPLE,
  TOWNS,
  type Hidden,
  type LexicalClass,
  type Sentence,
  type Story,
} from './synthetic';

export const PLAIN: Record<string, string> = { THE: 'the', AND: 'and', THAT: 'that', WAS: 'was' };
const CAPITAL = /^./;

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

const hasChoice = (name: string): boolean =>
  Object.hasOwn(LEXICON, name) || name === 'NAME' || name === 'OTHER' || name === 'OWNER';

function sentenceText(
  { classes, choices }: Sentence,
  hidden: Hidden,
  focusBefore: number,
): { text: string; focus: number } {
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
    return sentences
      .map((sentence) => {
        const { text, focus: after } = sentenceText(sentence, story, focus);
        focus = after;
        return text;
      })
      .join(' ');
  });
  return [titleLine(story), ...paragraphs].join('\n\n');
}
