/** Sums, means, and straight-line fits with 95% intervals: by Student's t for normal errors, else by bootstrap. */
import { Random } from './random';

export type Point = readonly [x: number, y: number];
export interface Estimate {
  value: number;
  low: number;
  high: number;
}

/** Sum in the given order; 0 of nothing. */
export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** Mean; NaN of nothing. */
export const mean = (values: ArrayLike<number> & Iterable<number>): number => sum(values) / values.length;

/** Share of pairs (a, b) with a < b, of equals half: the area under the ROC curve. NaN for none. */
export const shareBelow = (as: readonly number[], bs: readonly number[]): number =>
  mean(as.flatMap((a) => bs.map((b) => (a < b ? 1 : a === b ? 0.5 : 0))));

/** ‖x − y‖² in float64, from the differences. */
export function squaredDistance(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let total = 0;
  for (let k = 0; k < x.length; k++) total += (x[k]! - y[k]!) ** 2;
  return total;
}

/** The least x > 0 at which an increasing `f` reaches `level`, by bisection to full precision. @param first initial guess */
export function crossing(f: (x: number) => number, level: number, first: number): number {
  let [low, high] = [0, first];
  while (f(high) < level) [low, high] = [high, 2 * high];
  for (let middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2) {
    if (f(middle) < level) low = middle;
    else high = middle;
  }
  return high;
}

const CONFIDENCE = 0.95;

/** P(|T| < t) for whole degrees of freedom (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4). */
function withinT(t: number, freedom: number): number {
  const angle = Math.atan(t / Math.sqrt(freedom));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = freedom % 2 === 1;
  let [term, sum] = odd ? [cosine, freedom > 1 ? cosine : 0] : [1, 1];
  for (let k = odd ? 3 : 2; k < freedom; k += 2) sum += term *= ((k - 1) / k) * cosine ** 2;
  return odd ? (2 / Math.PI) * (angle + sine * sum) : sine * sum;
}

/** t with P(|T| < t) = 0.95. */
export function studentT(freedom: number): number {
  return crossing((t) => withinT(t, freedom), CONFIDENCE, 1);
}

/** Mean with its 95% interval from a sample's size, mean and standard deviation; infinite for a single value. */
export function meanEstimate({ count, mean, std }: { count: number; mean: number; std: number }): Estimate {
  const half = count < 2 ? Infinity : (studentT(count - 1) * std) / Math.sqrt(count);
  return { value: mean, low: mean - half, high: mean + half };
}

function coefficients(points: readonly Point[]): {
  slope: number;
  intercept: number;
  spread: number;
  mx: number;
} {
  if (new Set(points.map(([x]) => x)).size < 2)
    throw new RangeError(`line: expected points at two places or more; got ${points.length} at one`);
  const [mx, my] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const spread = points.reduce((sum, [x]) => sum + (x - mx) ** 2, 0);
  const slope = points.reduce((sum, [x, y]) => sum + (x - mx) * (y - my), 0) / spread;
  return { slope, intercept: my - slope * mx, spread, mx };
}

/** Least squares with 95% intervals of slope and intercept, infinite for two points. Trap: errors are assumed normal with equal variance. */
export function line(points: readonly Point[]): { slope: Estimate; intercept: Estimate } {
  const n = points.length;
  const { slope, intercept, spread, mx } = coefficients(points);
  const variance =
    n < 3 ? Infinity : points.reduce((sum, [x, y]) => sum + (y - intercept - slope * x) ** 2, 0) / (n - 2);
  const t = n < 3 ? 1 : studentT(n - 2);
  const estimate = (value: number, error: number): Estimate => ({
    value,
    low: value - t * error,
    high: value + t * error,
  });
  return {
    slope: estimate(slope, Math.sqrt(variance / spread)),
    intercept: estimate(intercept, Math.sqrt(variance * (1 / n + mx ** 2 / spread))),
  };
}

const DRAWS = 2000;

/**
 * Slope with the 95% percentile interval of a bootstrap over points (Efron 1979); resamples with a single x are drawn again.
 * @param reach half-width of the uniform uncertainty of each point's x
 */
export function bootstrapSlope(
  points: readonly Point[],
  seed: number,
  reach: readonly number[] = points.map(() => 0),
): Estimate {
  const { slope } = coefficients(points);
  const random = new Random(seed, 'bootstrap');
  const places = points.map(([x, y], i) => ({ x, y, far: reach[i]! }));
  const slopes = Array.from({ length: DRAWS }, () => {
    for (;;) {
      const drawn = places.map(() => places[random.int(places.length)]!);
      if (new Set(drawn.map(({ x }) => x)).size > 1)
        return coefficients(drawn.map(({ x, y, far }): Point => [x + far * (2 * random.uniform() - 1), y]))
          .slope;
    }
  }).sort((a, b) => a - b);
  return {
    value: slope,
    low: slopes[Math.floor(0.025 * DRAWS)]!,
    high: slopes[Math.ceil(0.975 * DRAWS) - 1]!,
  };
}
