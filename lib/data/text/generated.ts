/** Data sets of documents drawn from a generator whose probabilities are known exactly. */
import { Random } from '../../util/random';
import { makeDataset, type Limits } from './make';
import { END_OF_TEXT, VOCABULARY, type DatasetMeta, type EntropyMeta } from './shards';
import type { OnProgress } from './text';
import { Ids } from './byte-pair';
import { cutVocabulary, encode, encodeInto } from './tokenizer';

interface DocumentGenerator {
  kind: 'synthetic';
  source: string;
  /** Hash of everything that the text and its probabilities depend on. */
  revision(): string;
  draw(random: Random): { text: string; logProb: number };
  /** @param tokensIn number of tokens of a text */
  entropy(tokensIn: (text: string) => number): Omit<EntropyMeta, 'validationNatsPerToken'>;
}

/** Makes a data set: training cut at its number of tokens, validation of whole documents drawn apart from it. */
export function makeGenerated(
  { kind, source, revision, draw, entropy }: DocumentGenerator,
  {
    name,
    limits,
    seed,
    vocabulary = VOCABULARY,
  }: { name: string; limits: Limits; seed: number; vocabulary?: number },
  onProgress: OnProgress = () => undefined,
): Promise<{ meta: DatasetMeta; made: boolean }> {
  const cut = cutVocabulary(vocabulary);
  const request = { seed, tokens: limits.train, validationTokens: limits.validation, revision: revision() };
  return makeDataset(
    name,
    () => request,
    { train: limits.train, validation: Infinity },
    async ({ train, validation }) => {
      const ids = new Ids();
      let nats = 0;
      for (const [writer, split, tokens] of [
        [validation, 'validation', limits.validation],
        [train, 'train', limits.train],
      ] as const) {
        const random = new Random(seed, `${kind}/${split}`);
        while (writer.tokens < tokens) {
          const { text, logProb } = draw(random);
          ids.clear();
          encodeInto(ids, text);
          ids.push(END_OF_TEXT);
          writer.add({ ids: ids.toArray(), ends: [ids.length] });
          if (split === 'validation') nats -= logProb;
          onProgress({
            bytes: 0,
            bytesTotal: 0,
            tokens: validation.tokens + train.tokens,
            tokensTotal: limits.validation + limits.train,
          });
        }
      }
      return {
        kind,
        source,
        revision: request.revision,
        leftOut: 0,
        entropy: {
          ...entropy((text) => cut(encode(text)).length),
          validationNatsPerToken: nats / validation.tokens,
        },
      };
    },
    vocabulary,
  );
}
