/** The claimed lower bound on the cross-entropy of a Transformer, and what committed runs measured against it. */
import type { CapacityRecord } from '../../experiments/capacity';
import type { PlateauRecord } from '../../experiments/plateau-intervention';
import type { TextRecord } from '../../experiments/text-task';
import type { RunRecord } from '../../train/record';
import { UserError } from '../../util/errors';
import { count, short } from '../../util/format';
import { dataFloor, drawOf, memoryFloor, trainTokens } from './floors';
import { plateau } from './plateau';

export const CLAIMED_NATS = 1;

/** Parameters per training token of the run that the paper calls over-parameterised: GPT-2 small on 9M tokens. */
const EXCEPTED_RATIO = 124.4 / 9;

/** Why the paper excepts a run from its bound; undefined: it does not. */
export function excepted(parameters: number, tokens: number): string | undefined {
  const ratio = parameters / tokens;
  if (!Number.isFinite(ratio))
    throw new UserError(
      `parameters per token: expected a finite number; got ${parameters} parameters and ${tokens} tokens`,
    );
  return ratio < EXCEPTED_RATIO
    ? undefined
    : `over-parameterised: ${ratio.toFixed(1)} parameters per token; the paper's own example has ${EXCEPTED_RATIO.toFixed(1)}`;
}

/** A run as the bound sees it: its training tokens, its loss on them at its end, and the exact floors, in nats per token; null: not known. */
export interface Measured {
  /** What it was trained on. */
  data: string;
  tokens: number;
  /** Evaluated after the last update where the run has that; else the mean over the last steps, with dropout. */
  nats: number;
  evaluated: boolean;
  entropy: number | null;
  /** What a model pays that has memorised its training data: nothing to learn but which of D equally likely items comes. */
  memory: number | null;
}

/** Of runs on lines of a grammar. */
function onLines(record: RunRecord): Measured {
  const { config, curve } = record as PlateauRecord;
  const set = drawOf(record);
  const evaluated = curve.at(-1)!.trainLinesLossNats;
  return {
    data: `grammar ${set.grammar}, D = ${count(config.trainLines)} lines`,
    tokens: trainTokens(set),
    nats: evaluated ?? plateau(record).trainLossNats,
    evaluated: evaluated !== undefined,
    entropy: dataFloor(set),
    memory: memoryFloor(set),
  };
}

/** Each item carries as many nats as its tokens are drawn from; what of them is not memorised is the loss. */
function onRandomItems(record: RunRecord): Measured {
  const { config, curve } = record as CapacityRecord;
  const entropy = Math.log(config.model.vocabulary - 1);
  const predicted = config.what === 'sequences' ? config.itemTokens : 1;
  const tokens = config.items * predicted;
  return {
    data: `D = ${count(config.items)} ${config.what}`,
    tokens,
    nats: entropy - (curve.at(-1)!.memorisedBits * Math.LN2) / tokens,
    evaluated: true,
    entropy,
    // Which item comes is open where all tokens of an item are predicted, and given where its first ones are.
    memory: config.what === 'sequences' ? Math.log(config.items) / predicted : 0,
  };
}

function onText(record: RunRecord): Measured {
  const { config, curve } = record as TextRecord;
  const last = curve.at(-1)! as { trainLossNats: number; trainWindowsLossNats?: number };
  return {
    data: `D = ${short(config.trainTokens)} tokens`,
    tokens: config.trainTokens,
    nats: last.trainWindowsLossNats ?? last.trainLossNats,
    evaluated: last.trainWindowsLossNats !== undefined,
    entropy: null,
    memory: null,
  };
}

/** How runs are read, by the field that says what they were trained on. */
const READERS = { trainLines: onLines, items: onRandomItems, trainTokens: onText };

export function measured(record: RunRecord): Measured {
  for (const [field, read] of Object.entries(READERS)) if (field in record.config) return read(record);
  throw new UserError(
    `run ${record.id}: expected a config with one of ${Object.keys(READERS).join(', ')}; it has none: add a reader to lib/analysis/shared/bound.ts`,
  );
}
