/** Sizes of the models. */
import { checkNumber, checkWhole, refuse } from '../util/check';
import { oneOf } from '../util/errors';

interface Sizes {
  layers: number;
  width: number;
  heads: number;
  /** Longest sequence, tokens. */
  context: number;
  vocabulary: number;
  /** Share of activations dropped in training. */
  dropout: number;
}

/** Decoder-only Transformer of 2017: post-norm, ReLU, sinusoidal positions, embeddings × √width, untied output. */
export interface VanillaConfig extends Sizes {
  kind: 'vanilla';
  feedForward: number;
}

/** GPT-2 (Radford et al. 2019): pre-norm, tanh-GELU, learned positions, tied output; feed-forward 4 · width. */
export interface Gpt2Config extends Sizes {
  kind: 'gpt2';
}

export type ModelConfig = VanillaConfig | Gpt2Config;

const gpt2Size = (layers: number, width: number, heads: number): Gpt2Config => ({
  kind: 'gpt2',
  layers,
  width,
  heads,
  context: 1024,
  vocabulary: 50257,
  dropout: 0.1,
});

/** The published sizes: 124, 355, 774 and 1558 million parameters. */
export const GPT2_SIZES = {
  small: gpt2Size(12, 768, 12),
  medium: gpt2Size(24, 1024, 16),
  large: gpt2Size(36, 1280, 20),
  xl: gpt2Size(48, 1600, 25),
} as const;

/** Parameters of a GPT-2, and those without its embeddings of tokens and positions. */
export function gpt2Parameters({ layers, width: C, context, vocabulary }: Gpt2Config): {
  all: number;
  withoutEmbeddings: number;
} {
  const withoutEmbeddings = layers * (12 * C * C + 13 * C) + 2 * C;
  return { all: withoutEmbeddings + (vocabulary + context) * C, withoutEmbeddings };
}

/** Throws a UserError that names the field unless a model can have these sizes. */
export function checkModel(model: ModelConfig): void {
  oneOf('config.model.kind', model.kind, ['vanilla', 'gpt2']);
  for (const field of ['layers', 'width', 'heads', 'context', 'vocabulary'] as const)
    checkWhole(`model.${field}`, model[field]);
  if (model.kind === 'vanilla') checkWhole('model.feedForward', model.feedForward);
  checkNumber('model.dropout', model.dropout, { max: 1 });
  if (model.width % model.heads !== 0)
    refuse('model.heads', `a divisor of the width ${model.width}`, model.heads, 'change one of the two');
}
