/** Scaling: ten times the text of `overfitting-9m`, and less of it, on the same model. */
import type { Tier } from '../train/config';
import { seeds, type Experiment } from './experiment';
import { overfitting9m, overfittingSmall } from './overfitting-9m';
import { onText, tokensPerStep, type TextConfig, type TextMeasures } from './text-task';

const tenfold = (config: TextConfig): TextConfig => ({
  ...config,
  experiment: 'scaling-90m',
  trainTokens: 10 * config.trainTokens,
});

/** Ten times the data; all else is that of overfitting. */
const tiers: Record<Tier, TextConfig> = {
  full: { ...tenfold(overfitting9m.tiers.full), dataset: 'openwebtext-90m' },
  desk: tenfold(overfitting9m.tiers.desk),
  quick: tenfold(overfitting9m.tiers.quick),
  smoke: tenfold(overfitting9m.tiers.smoke),
};

/** Of the main run's text. A forty-fifth of 90M tokens are the paper's 2M. */
const SHARES = [1 / 45, 1 / 20];
const SEEDS_AT_SMALLEST = 3;

const PASSES = 5;
const POINTS = 10;

/**
 * Ended where the held-out loss has turned: after five passes, and not before the learning rate has been at its peak for as
 * long as it took to get there; the schedule stays. With ten points of the curve, to see the turn.
 */
function cutOff(config: TextConfig): TextConfig {
  const needed = Math.min(
    config.steps,
    Math.max(
      Math.ceil((PASSES * config.trainTokens) / tokensPerStep(config)),
      2 * config.schedule.warmupSteps,
    ),
  );
  const evaluateEverySteps = Math.min(config.evaluateEverySteps, Math.ceil(needed / POINTS));
  return {
    ...config,
    evaluateEverySteps,
    steps: Math.ceil(needed / evaluateEverySteps) * evaluateEverySteps,
    memorised: null,
    energy: null,
  };
}

/** Runs on less text than the main one and the tenth of it in notebook 05: three seeds each, cut off. */
export function smallerRuns(main: TextConfig): TextConfig[] {
  const sizes = SHARES.map((share) => Math.round(share * main.trainTokens));
  return sizes.flatMap((trainTokens) =>
    seeds(SEEDS_AT_SMALLEST).map((i) => cutOff({ ...main, trainTokens, seed: main.seed + i - 1 })),
  );
}

/** Notebooks 05 and 06; in the desk tier also ten times as much text again, and GPT-2 small on the text of notebook 05. */
export function textRuns(tier: Tier): TextConfig[] {
  const main = tiers[tier];
  const more = tier === 'desk' ? [{ ...main, trainTokens: 10 * main.trainTokens }, overfittingSmall] : [];
  return [overfitting9m.tiers[tier], main, ...more, ...smallerRuns(main)];
}

export const scaling90m: Experiment<TextConfig, TextMeasures> = {
  name: 'scaling-90m',
  tiers,
  ...onText,
  sweeps: { text: textRuns },
};
