import { test } from 'node:test';
import { learningRate } from '../../lib/train/schedule';
import { assertClose } from '../assert-close';

const linear = { kind: 'linear', peak: 1e-3, warmupSteps: 10, decaySteps: 110 } as const;
const cosine = { kind: 'cosine', peak: 6e-4, floor: 6e-5, warmupSteps: 2000, decaySteps: 600_000 } as const;

const rates = (s: Parameters<typeof learningRate>[0], ...steps: number[]): number[] =>
  steps.map((step) => learningRate(s, step));

test('linear: up in a line to the peak, down in a line to 0', () => {
  assertClose(rates(linear, 1, 5, 10, 60, 110, 500), [1e-4, 5e-4, 1e-3, 5e-4, 0, 0], {
    absolute: 1e-12,
    what: 'rate',
  });
});

test('cosine: up in a line to the peak, down in half a cosine to the floor, flat after it', () => {
  // A third and two thirds of the way the cosine is ½ and −½: three and one quarters of the way are left.
  const [third, half] = [2000 + 598_000 / 3, 2000 + 598_000 / 2];
  const expected = [3e-7, 3e-4, 6e-4, 6e-5 + 0.75 * 5.4e-4, 3.3e-4, 6e-5 + 0.25 * 5.4e-4, 6e-5, 6e-5, 6e-5];
  assertClose(
    rates(cosine, 1, 1000, 2000, third, half, 2000 + (2 * 598_000) / 3, 600_000, 600_001, 2_000_000),
    expected,
    { absolute: 1e-15, what: 'rate' },
  );
});

test('the steps beside the boundaries', () => {
  assertClose(rates(cosine, 1999, 2001, 599_999), [5.997e-4, 6e-4, 6e-5], { absolute: 1e-12, what: 'rate' });
  assertClose(
    rates({ ...cosine, warmupSteps: 0, decaySteps: 4 }, 1, 2, 3, 4),
    [6e-5 + (5.4e-4 * (2 + Math.SQRT2)) / 4, 3.3e-4, 6e-5 + (5.4e-4 * (2 - Math.SQRT2)) / 4, 6e-5],
    { absolute: 1e-15, what: 'rate' },
  );
});
