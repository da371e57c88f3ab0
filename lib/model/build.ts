import type { ModelConfig } from './config';
import { Gpt2, gpt2Initial } from './gpt2';
import type { LanguageModel } from './model';
import { Vanilla } from './vanilla';

/** Builds a model with its published initialisation, drawn from `seed`. */
export function buildModel(config: ModelConfig, seed: number): LanguageModel {
  switch (config.kind) {
    case 'vanilla':
      return new Vanilla(config, seed);
    case 'gpt2':
      return new Gpt2(config, gpt2Initial(config, seed));
    default: {
      const unknown: never = config;
      throw new Error(`no such model: ${JSON.stringify(unknown)}`);
    }
  }
}
