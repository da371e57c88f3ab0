/** What the notebooks on text runs share: what a run is called, how often it reads its text, and where its losses end. */
import {
  tokensPerStep,
  type TextConfig,
  type TextMeasures,
  type TextRecord,
} from '../../experiments/text-task';
import type { CurvePoint } from '../../train/record';

/** The end of a run, and the point of its curve with the lowest held-out loss. */
export function endOf({ curve }: TextRecord): Record<'last' | 'lowest', CurvePoint<TextMeasures>> {
  const lowest = curve.reduce((a, b) => (b.heldOutLossNats < a.heldOutLossNats ? b : a));
  return { last: curve.at(-1)!, lowest };
}

/** Passes over the training text that a run's steps make. */
export const passes = (config: TextConfig): number =>
  (config.steps * tokensPerStep(config)) / config.trainTokens;
