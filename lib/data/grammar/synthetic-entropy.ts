/** The synthetic corpus as a generator of documents, and its entropy in closed form. */
import { createHash } from 'node:crypto';
import type { Random } from '../../util/random';
import { mean, sum } from '../../util/statistics';
import { sentenceForms } from './forms';
import { OPENERS, TOPICS } from './lexicon';
import {
  CAST_SIZES,
  castProbabilities,
  drawStory,
  GRAMMARS,
  KEY_SHARE,
  LEXICON,
  storyLogProb,
  PARAGRAPHS,
  PEOPLE,
  SENTENCES,
  TOWNS,
  wordProbabilities,
  type LexicalClass,
} from './synthetic';
import { article, storyText } from './synthetic-text';

const information = (p: number): number => (p > 0 ? -p * Math.log(p) : 0);
const entropyOf = (probabilities: readonly number[]): number =>
  probabilities.reduce((sum, p) => sum + information(p), 0);
/** Number of tokens of a text. */
type TokensIn = (text: string) => number;
const topics = TOPICS.map((_, topic) => topic);

/** Σ over sizes of the cast of P(size) f(size). */
const overCasts = (f: (size: number) => number): number =>
  sum(CAST_SIZES.map((p, size) => (p > 0 ? p * f(size) : 0)));

/** Entropy of a noun given the latent variables, nats. */
function nounEntropy(): number {
  return mean(
    topics.map((topic) => {
      const p = wordProbabilities('NOUN', topic);
      const others = p.map((q) => information((1 - KEY_SHARE) * q));
      const all = sum(others);
      return sum(
        p.map((q, thing) => q * (all - others[thing]! + information((1 - KEY_SHARE) * q + KEY_SHARE))),
      );
    }),
  );
}

/** Entropy of a choice within a class given the latent variables and all before it, nats. */
function classEntropy(name: string): number {
  if (name === 'NOUN') return nounEntropy();
  if (Object.hasOwn(LEXICON, name))
    return mean(topics.map((topic) => entropyOf(wordProbabilities(name as LexicalClass, topic))));
  if (name === 'NAME' || name === 'OWNER')
    return overCasts((size) => entropyOf(castProbabilities(size, null)));
  // The last named subject has the law of any named subject: a pronoun keeps it, a name draws it again.
  return name === 'OTHER'
    ? overCasts((size) =>
        sum(castProbabilities(size, null).map((p, focus) => p * entropyOf(castProbabilities(size, focus)))),
      )
    : 0;
}

/** Mean tokens of a class after the text `before`; `first` in its sentence it begins with a capital letter. */
function classTokens(tokensIn: TokensIn, name: string, before: string, first: boolean): number {
  const tokens = (word: string): number =>
    tokensIn(before + (first ? word[0]!.toUpperCase() + word.slice(1) : word));
  const names = (): number => mean(PEOPLE.map((person) => tokens(person.name)));
  switch (name) {
    case 'NAME':
    case 'OTHER':
      return names();
    case 'OWNER':
      return names() + tokensIn("'s");
    case 'PRONOUN':
      return mean(PEOPLE.map(({ she }) => tokens(she ? 'she' : 'he')));
    case 'THEIR':
      return mean(PEOPLE.map(({ she }) => tokens(she ? 'her' : 'his')));
    case 'TOWN':
      return tokens('at') + mean(TOWNS.map((town) => tokensIn(` ${town}`)));
    // "a" or "an": one token both.
    case 'INDEFINITE':
      return tokens('a');
    case 'OPENER':
      return tokensIn(',') + sum(wordProbabilities('OPENER', 0).map((p, i) => p * tokens(OPENERS[i]!)));
    default: {
      const list = LEXICON[name as LexicalClass] as string[] | undefined;
      return list
        ? mean(
            topics.map((topic) =>
              sum(wordProbabilities(name as LexicalClass, topic).map((p, i) => p * tokens(list[i]!))),
            ),
          )
        : tokens(name.toLowerCase());
    }
  }
}

/** Mean nats and tokens of a sentence; each class sequence has one derivation. */
function sentenceMeans(tokensIn: TokensIn, kind: keyof typeof GRAMMARS): { nats: number; tokens: number } {
  const nats = new Map<string, number>();
  const tokens = new Map<string, number>();
  const once = (memo: Map<string, number>, key: string, value: () => number): number => {
    if (!memo.has(key)) memo.set(key, value());
    return memo.get(key)!;
  };
  const means = { nats: 0, tokens: 0 };
  for (const { classes, mass } of sentenceForms(GRAMMARS[kind])) {
    means.nats +=
      mass * (-Math.log(mass) + sum(classes.map(({ name }) => once(nats, name, () => classEntropy(name)))));
    const pieces = classes.map(({ name }, i) =>
      once(tokens, `${name} ${i === 0}`, () =>
        classTokens(tokensIn, name, i === 0 && kind === 'first' ? '' : ' ', i === 0),
      ),
    );
    means.tokens += mass * (sum(pieces) + tokensIn('.'));
  }
  return means;
}

/** Mean tokens of the first line: its fixed words, and each latent variable on its own. */
function titleTokens(tokensIn: TokensIn): number {
  const nouns = mean(
    topics.map((topic) =>
      sum(
        wordProbabilities('NOUN', topic).map(
          (p, i) => p * tokensIn(` ${article(LEXICON.NOUN[i]!)} ${LEXICON.NOUN[i]!}`),
        ),
      ),
    ),
  );
  const name = mean(PEOPLE.map((person) => tokensIn(` ${person.name}`)));
  const cast = overCasts((size) => size * name + (size - 2) * tokensIn(','));
  return (
    tokensIn('This is the story of') +
    cast +
    tokensIn(' and') +
    tokensIn(', of the') +
    mean(TOPICS.map(({ title }) => tokensIn(` ${title}`))) +
    tokensIn(' at') +
    mean(TOWNS.map((town) => tokensIn(` ${town}`))) +
    tokensIn(', and of') +
    nouns +
    tokensIn('.')
  );
}

/** Entropy of the latent variables, nats. */
function latentEntropy(): number {
  const people = overCasts((size) =>
    sum(Array.from({ length: size }, (_, i) => Math.log(PEOPLE.length - i))),
  );
  return (
    Math.log(TOPICS.length) +
    Math.log(TOWNS.length) +
    entropyOf(CAST_SIZES) +
    people +
    mean(topics.map((topic) => entropyOf(wordProbabilities('NOUN', topic))))
  );
}

/**
 * Exact entropy of a document, its end-of-text included, and per token:
 *   H(document) = H(latent) + H(lengths) + E[first sentences] H(first) + E[later ones] H(later),   rate = H / E[tokens]
 * The first line names all latent variables and each text has one derivation, so this is the entropy of the text; its
 * ids are an invertible function of it.
 * Trap: it is the lowest mean loss of a model that sees the whole document so far. With a context of T tokens the lowest
 * is higher: a window that does not reach the first line must infer topic, cast and object from its sentences.
 */
export function syntheticEntropy(tokensIn: TokensIn): {
  natsPerDocument: number;
  tokensPerDocument: number;
  natsPerToken: number;
} {
  const size = ({ least, most }: { least: number; most: number }): number => most - least + 1;
  const middle = ({ least, most }: { least: number; most: number }): number => (least + most) / 2;
  const [first, later] = [sentenceMeans(tokensIn, 'first'), sentenceMeans(tokensIn, 'later')];
  const paragraphs = middle(PARAGRAPHS);
  const others = paragraphs * (middle(SENTENCES) - 1);
  const natsPerDocument =
    latentEntropy() +
    Math.log(size(PARAGRAPHS)) +
    paragraphs * Math.log(size(SENTENCES)) +
    paragraphs * first.nats +
    others * later.nats;
  const tokensPerDocument =
    titleTokens(tokensIn) +
    paragraphs * (tokensIn('.\n\nA') - tokensIn('.') - tokensIn('A') + first.tokens) +
    others * later.tokens +
    1;
  return { natsPerDocument, tokensPerDocument, natsPerToken: natsPerDocument / tokensPerDocument };
}

/** Hash of everything that text and probabilities depend on. */
const revision = (): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        GRAMMARS,
        LEXICON,
        PEOPLE,
        TOWNS,
        TOPICS,
        PARAGRAPHS,
        SENTENCES,
        CAST_SIZES,
        KEY_SHARE,
        topics.map((t) => wordProbabilities('VT', t)),
        castProbabilities(4, null),
      ]),
    )
    .digest('hex')
    .slice(0, 16);

/** Draws the documents of the synthetic corpus. */
export const STORIES = {
  kind: 'synthetic',
  source: 'a grammar of this project',
  revision,
  draw(random: Random) {
    const story = drawStory(random);
    return { text: storyText(story), logProb: storyLogProb(story) };
  },
  entropy: syntheticEntropy,
} as const;
