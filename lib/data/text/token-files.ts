/** Files of tokens, such as nanoGPT's train.bin, as sources of a data set: their ids are taken over where they are GPT-2's. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UserError } from '../../util/errors';
import { count } from '../../util/format';
import { endsIn, type TokenWriter } from './make';
import { END_OF_TEXT, TokenFile, VOCABULARY } from './shards';
import type { InputFile } from './sources';

const BLOCK = 1 << 19;

/** Without an id so large, so many tokens are hardly GPT-2's. */
const USUAL = { tokens: 100_000, id: 40_000 };

/** Whether every second of some ids is as good as 0, as where an id has 4 bytes and not 2. */
const isWide = (ids: Uint16Array): boolean => ids.length >= 4 && ids.every((id, i) => i % 2 === 0 || id < 4);

/** Throws a UserError if ids look like those of another tokenizer. */
function checkIds({ path, name }: InputFile, tokens: number, largest: number): void {
  const pickled = existsSync(join(dirname(path), 'meta.pkl'));
  const isUsual = largest === END_OF_TEXT || (tokens < USUAL.tokens ? largest > 255 : largest >= USUAL.id);
  if (isUsual && !pickled) return;
  const why = pickled
    ? 'meta.pkl beside it names other tokens'
    : `the largest of ${count(tokens)} ids is ${largest}`;
  throw new UserError(
    `${name}: expected GPT-2 ids; ${why}, as of another tokenizer: prepare the text itself with "npm run data -- text", or say with --gpt2-ids that they are GPT-2's`,
  );
}

/** Copies the ids of a file of tokens. */
export function copyIds(
  input: InputFile,
  gpt2Ids: boolean | undefined,
  writer: TokenWriter,
  onBlock: (tokens: number) => void,
): void {
  const { path, name } = input;
  const meta = join(dirname(path), 'meta.json');
  const [, smaller] = (existsSync(meta) && /"vocabulary": (\d+)/.exec(readFileSync(meta, 'utf8'))) || [];
  if (smaller)
    throw new UserError(
      `${name}: expected GPT-2 ids; its meta.json says a vocabulary of ${smaller}: name the data set that it was made from`,
    );
  const file = TokenFile.open(path);
  let [largest, at] = [0, 0];
  try {
    for (; at < file.tokens && !writer.full; at += BLOCK) {
      const ids = file.read(at, Math.min(BLOCK, file.tokens - at));
      if (at === 0 && !gpt2Ids && isWide(ids))
        throw new UserError(
          `${name}: expected ids of 2 bytes each; every second one is 0, as in a file with 4 or 8 bytes an id: write them as uint16, or say with --gpt2-ids that they are right`,
        );
      const bad = ids.findIndex((id) => id >= VOCABULARY);
      if (bad >= 0)
        throw new UserError(
          `${name}: expected GPT-2 ids below ${VOCABULARY}; token ${at + bad} is ${ids[bad]}: it was made with another tokenizer or is no file of tokens`,
        );
      largest = ids.reduce((a, b) => (b > a ? b : a), largest);
      writer.add({ ids, ends: endsIn(ids, END_OF_TEXT) });
      onBlock(ids.length);
    }
    if (!gpt2Ids && !existsSync(meta)) checkIds(input, Math.min(at, file.tokens), largest);
  } finally {
    file.close();
  }
}
