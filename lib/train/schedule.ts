import type { ScheduleConfig } from './config';

/**
 * Learning rate of update `step`, counted from 1: up in a line to `peak` at `warmupSteps`, then down until `decaySteps`:
 * linear, to 0; cosine, to `floor`, as ½ (1 + cos πx) of the way (Loshchilov & Hutter 2017, equation 5, one period).
 */
export function learningRate(s: ScheduleConfig, step: number): number {
  if (step <= s.warmupSteps) return (s.peak * step) / s.warmupSteps;
  if (s.kind === 'linear')
    return s.peak * Math.max(0, (s.decaySteps - step) / (s.decaySteps - s.warmupSteps));
  const decayed = Math.min(1, (step - s.warmupSteps) / (s.decaySteps - s.warmupSteps));
  return s.floor + 0.5 * (1 + Math.cos(Math.PI * decayed)) * (s.peak - s.floor);
}
