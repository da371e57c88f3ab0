/** The four shapes on which speed is compared, and the least number of operations that a step on each needs. */
import type { ModelConfig } from '../../model/config';

export interface Shape {
  model: ModelConfig;
  /** Lines per step. */
  lines: number;
  /** Tokens per line. */
  tokens: number;
  weightDecay: number;
}

/** With dropout and weight decay of the runs that each represents: text for GPT-2, question formation for the vanilla model. */
export const SHAPES = {
  'gpt2-6x384': {
    model: { kind: 'gpt2', layers: 6, width: 384, heads: 6, context: 256, vocabulary: 50257, dropout: 0 },
    lines: 4,
    tokens: 256,
    weightDecay: 0.1,
  },
  'vanilla-6x512': {
    model: {
      kind: 'vanilla',
      layers: 6,
      width: 512,
      heads: 8,
      feedForward: 2048,
      context: 32,
      vocabulary: 70,
      dropout: 0.1,
    },
    lines: 8,
    tokens: 32,
    weightDecay: 0,
  },
  'gpt2-4x128': {
    model: { kind: 'gpt2', layers: 4, width: 128, heads: 4, context: 128, vocabulary: 50257, dropout: 0 },
    lines: 16,
    tokens: 128,
    weightDecay: 0.1,
  },
  'gpt2-small': {
    model: { kind: 'gpt2', layers: 12, width: 768, heads: 12, context: 1024, vocabulary: 50257, dropout: 0 },
    lines: 1,
    tokens: 1024,
    weightDecay: 0.1,
  },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof SHAPES;

export const SHAPE_NAMES = Object.keys(SHAPES) as ShapeName[];

/**
 * Floating-point operations of the matrix products that a training step cannot do without: 6 per weight and token, and
 * 12 C per pair of tokens that see each other and layer (Kaplan et al. 2020, section 2.1, with the causal half only).
 * Trap: what is computed again to save memory is not counted.
 */
export function productFlops({ model, lines, tokens }: Shape): number {
  const { layers, width: C, vocabulary } = model;
  const feedForward = model.kind === 'vanilla' ? model.feedForward : 4 * C;
  const weights = layers * (4 * C * C + 2 * C * feedForward) + C * vocabulary;
  const pairs = (tokens * (tokens + 1)) / 2;
  return lines * (6 * weights * tokens + 12 * C * layers * pairs);
}
