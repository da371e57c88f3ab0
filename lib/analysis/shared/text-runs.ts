/** What the notebooks on text runs share: what a run is called, how often it reads its text, and where its losses end. */
import {
  tokensPerStep,
  type TextConfig,
  type TextMeasures,
  type TextRecord,
} from '../../experiments/text-task';
import { axis } from '../../report/style';
import type { CurvePoint } from '../../train/record';
import { layersByWidth, short } from '../../util/format';
import { runLabel } from './runs';

/** `quick, 4 × 128, D = 10k, seed 1` */
export const textLabel = ({ config }: TextRecord): string =>
  runLabel(config, layersByWidth(config.model), `D = ${short(config.trainTokens)}`);

/** The end of a run, and the point of its curve with the lowest held-out loss. */
export function endOf({ curve }: TextRecord): Record<'last' | 'lowest', CurvePoint<TextMeasures>> {
  const lowest = curve.reduce((a, b) => (b.heldOutLossNats < a.heldOutLossNats ? b : a));
  return { last: curve.at(-1)!, lowest };
}

export const epochAxis = axis('epoch', 'passes over the D tokens');

/** Passes over the training text that a run's steps make. */
export const passes = (config: TextConfig): number =>
  (config.steps * tokensPerStep(config)) / config.trainTokens;
