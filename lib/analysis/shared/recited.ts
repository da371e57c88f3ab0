/** The committed weights, and the training text that can be read out of those that memorised it. */
import { runId } from '../../experiments/experiment';
import { replica, runsWithWeights, type ReplicaConfig } from '../../experiments/replica';
import { continuations } from '../../model/generate';
import { windowBatch, type LanguageModel } from '../../model/model';
import type { Tier } from '../../train/config';
import { scored } from '../../train/evaluate';
import { committedModel } from '../../train/weights';
import { inGroups } from '../../util/groups';
import { mean } from '../../util/statistics';

/** The model of each run with committed weights; it lives until the next one is asked for. */
export async function* committedModels(): AsyncGenerator<{ config: ReplicaConfig; model: LanguageModel }> {
  for (const config of runsWithWeights('desk')) {
    const model = await committedModel({ id: runId(replica, config), config });
    try {
      yield { config, model };
    } finally {
      model.dispose();
    }
  }
}

/** The first tokens that are tried: after the 256 bytes GPT-2's tokens come in the order of their merges, the commonest first. */
const FIRST = 256;
export const STARTS = 128;
/** Of a smoke run. */
const SMOKE_STARTS = 16;

/** Mean nats a token up to which a model is sure of what it writes. */
const SURE_NATS = 0.1;

/** Windows per forward pass. */
const AT_A_TIME = 32;

/**
 * Windows that a model writes after one token each, always the likeliest next one, and is sure of. Training windows begin at
 * fixed places, so that one that is memorised can be recalled from its first token.
 * @returns windows of one token more than the model's context, as training windows are
 */
export function recited(model: LanguageModel, config: ReplicaConfig, tier: Tier = 'desk'): number[][] {
  const starts = tier === 'smoke' ? SMOKE_STARTS : STARTS;
  const prompts = Array.from({ length: starts }, (_, i) => [FIRST + i]);
  const rest = continuations(model, prompts, config.model.context);
  const windows = prompts.map((prompt, i) => [...prompt, ...rest[i]!]);
  return inGroups(windows, AT_A_TIME).flatMap((some) => {
    const { nats } = scored(model, config, () => windowBatch(some, model.config));
    const predicted = nats.length / some.length;
    return some.filter((_, i) => mean(nats.subarray(i * predicted, (i + 1) * predicted)) <= SURE_NATS);
  });
}
