/** How the tokens of a run are written: as text, or as the words of its grammar. */
import { FAMILY } from '../data/grammar/grammar-family';
import { Vocabulary } from '../data/grammar/question-formation';
import { VOCABULARY } from '../data/text/shards';
import { cutVocabulary, encode, reader } from '../data/text/tokenizer';
import type { TrainingConfig } from '../train/config';
import { UserError } from '../util/errors';
import type { PlateauConfig } from './plateau-intervention';
import { isText } from './text-task';

export interface Written {
  /** What a model reads before the first token of a text. */
  start: number;
  /** The token between two texts. */
  end: number;
  ids(text: string): number[];
  /** A function that is given one id after the other and returns the text that each completes. */
  reader(): (id: number) => string;
}

export const writtenAsText = (vocabulary = VOCABULARY): Written => {
  const cut = cutVocabulary(vocabulary);
  return {
    start: vocabulary - 1,
    end: vocabulary - 1,
    ids: (text) => [...cut(encode(text))],
    reader: () => reader(vocabulary),
  };
};

function writtenInWords(grammar: PlateauConfig['grammar']): Written {
  const words = new Vocabulary(FAMILY[grammar]);
  return {
    start: words.end,
    end: words.end,
    ids: (text) =>
      text
        .split(/\s+/)
        .filter(Boolean)
        .map((word) => words.id(word)),
    reader: () => (id) => (id === words.end ? '' : `${words.words[id] ?? '?'} `),
  };
}

/** Throws a UserError for runs on random numbers. */
export function writtenAs(config: TrainingConfig): Written {
  if (isText(config)) return writtenAsText(config.model.vocabulary);
  if ('trainLines' in config) return writtenInWords((config as PlateauConfig).grammar ?? '1.0');
  throw new UserError(
    `run: expected one on text or on lines of a grammar; got one of ${config.experiment}, whose tokens are random numbers: take another`,
  );
}
