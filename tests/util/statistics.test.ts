import assert from 'node:assert/strict';
import test from 'node:test';
import { Random } from '../../lib/util/random';
import {
  bootstrapSlope,
  line,
  meanEstimate,
  shareBelow,
  studentT,
  type Point,
} from '../../lib/util/statistics';
import { assertClose } from '../assert-close';

test("Student's t: two-sided 95% points of printed tables", () => {
  assertClose(
    [1, 2, 3, 4, 5, 10, 30, 100].map((v) => studentT(v)),
    [12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.2281, 2.0423, 1.984],
    { absolute: 6e-5, what: 't' },
  );
});

test('a line: coefficients and intervals as worked out by hand', () => {
  // x 1 2 3 4, y 2 4 5 8: slope 1.9, intercept 0, residuals 0.1 0.2 −0.7 0.4, variance 0.7 / 2.
  const { slope, intercept } = line([
    [1, 2],
    [2, 4],
    [3, 5],
    [4, 8],
  ]);
  const [t, variance] = [4.30265, 0.35];
  assertClose(
    [slope.value, slope.low, slope.high],
    [1.9, 1.9 - t * Math.sqrt(variance / 5), 1.9 + t * Math.sqrt(variance / 5)],
    { absolute: 1e-4, what: 'slope' },
  );
  assertClose([intercept.value, intercept.high], [0, t * Math.sqrt(variance * (0.25 + 6.25 / 5))], {
    absolute: 1e-4,
    what: 'intercept',
  });
  assert.equal(
    line([
      [0, 1],
      [1, 2],
    ]).slope.high,
    Infinity,
  );
  assert.throws(
    () =>
      line([
        [1, 2],
        [1, 3],
      ]),
    /two places or more/,
  );
});

test('intervals hold the truth in about 95 of 100 cases', () => {
  const random = new Random(1, 'coverage');
  const covered = (of: (points: Point[]) => { low: number; high: number }, cases: number) => {
    let inside = 0;
    for (let i = 0; i < cases; i++) {
      const { low, high } = of(
        Array.from({ length: 12 }, (_, x): Point => [x, 3 + 0.5 * x + random.normal()]),
      );
      if (low <= 0.5 && 0.5 <= high) inside++;
    }
    return inside / cases;
  };
  assertClose([covered((points) => line(points).slope, 1000)], [0.95], { absolute: 0.025, what: 'line' });
  assertClose([covered((points) => bootstrapSlope(points, 1), 60)], [0.92], {
    absolute: 0.08,
    what: 'bootstrap',
  });
});

test('a bootstrap knows that points may lie elsewhere', () => {
  const points = [1, 2, 3, 4, 5].map((x): Point => [x, 2 * x]);
  const sharp = bootstrapSlope(points, 1);
  assertClose([sharp.low, sharp.value, sharp.high], [2, 2, 2], { absolute: 1e-12, what: 'points on a line' });
  const { low, value, high } = bootstrapSlope(points, 1, [0.3, 0.3, 0.3, 0.3, 0.3]);
  assert.equal(value, 2);
  assert.ok(low < 1.9 && high > 2.1 && low > 1 && high < 4, `${low} to ${high}`);
  // Three points are drawn as one in a ninth of all draws, which has no slope.
  const three = bootstrapSlope(points.slice(0, 3), 1, [0.1, 0.1, 0.1]);
  assert.ok(three.low >= 2 / 1.2 && three.high <= 2 / 0.8, `${three.low} to ${three.high}`);
});

test('a mean with its interval', () => {
  const { value, low, high } = meanEstimate({ count: 3, mean: 2, std: 1 });
  assertClose([value, low, high], [2, 2 - 4.3027 / Math.sqrt(3), 2 + 4.3027 / Math.sqrt(3)], {
    absolute: 1e-3,
    what: 'mean',
  });
});

test('the share of pairs in order, equals counted half', () => {
  assert.equal(shareBelow([1, 2], [3, 4]), 1);
  assert.equal(shareBelow([3, 4], [1, 2]), 0);
  assert.equal(shareBelow([1, 3], [2, 3]), (1 + 1 + 0 + 0.5) / 4);
});
