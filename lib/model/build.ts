import type { ModelConfig } from './config';
import { Gpt2, gpt2Initial } from './gpt2';
import type { LanguageModel } from './model';
import { Vanilla } from './vanilla';

/** Builds a model with its published initialisation, drawn from `seed`. */
export const buildModel = (config: ModelConfig, seed: number): LanguageModel =>
  config.kind === 'vanilla' ? new Vanilla(config, seed) : new Gpt2(config, gpt2Initial(config, seed));
