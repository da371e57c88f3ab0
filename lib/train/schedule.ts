import type { ScheduleConfig } from '../config';

/** Learning rate of update `step`, counted from 1: up in a line to `peak`, then down in a line to 0 at `decaySteps`. */
export function learningRate(s: ScheduleConfig, step: number): number {
  if (step <= s.warmupSteps) return (s.peak * step) / s.warmupSteps;
  return s.peak * Math.max(0, (s.decaySteps - step) / (s.decaySteps - s.warmupSteps));
}
