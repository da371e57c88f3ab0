import assert from 'node:assert/strict';
import test from 'node:test';
import {
  count,
  duration,
  estimateText,
  fixed,
  layersByWidth,
  megabytes,
  percent,
  rangeText,
  short,
  significant,
  tabular,
} from '../../lib/util/format';
import { meanEstimate } from '../../lib/util/statistics';

test('durations', () =>
  assert.deepEqual([0.4, 59.4, 60, 185, 3723, Infinity].map(duration), [
    '0 s',
    '59 s',
    '1:00',
    '3:05',
    '1:02:03',
    'unknown',
  ]));

test('counts, shares, sizes', () => {
  assert.deepEqual([count(1234567), count(12)], ['1,234,567', '12']);
  assert.deepEqual([percent(0.125), percent(0.1234, 1), percent(1)], ['13%', '12.3%', '100%']);
  assert.deepEqual([9e6, 90_000, 256, 2_250_000].map(short), ['9M', '90k', '256', '2.25M']);
  assert.deepEqual(
    [megabytes(123_456), megabytes(1_234_567, 3), megabytes(12_345_678)],
    ['0.1 MB', '1.235 MB', '12 MB'],
  );
  assert.equal(layersByWidth({ layers: 2, width: 128 }), '2 × 128');
});

test('numbers keep the digits that matter, and a small one is never shown as 0', () => {
  const values = [1.0127, 0, 8.12e-7, -0.05, NaN, Infinity, 1234567.8];
  const expected = {
    fixed: ['1.013', '0.000', '8.1e-7', '-0.050', 'NaN', 'Infinity', '1234567.800'],
    significant: ['1.013', '0', '8.1e-7', '-0.05', 'NaN', 'Infinity', '1.2e+6'],
    tabular: ['1.0127', '0', '8.12e-7', '-0.05', 'NaN', 'Infinity', '1,234,568'],
  };
  assert.deepEqual(
    values.map((x) => fixed(x, 3)),
    expected.fixed,
  );
  assert.deepEqual(
    values.map((x) => significant(x, 4)),
    expected.significant,
  );
  assert.deepEqual(values.map(tabular), expected.tabular);
});

test('a range of the least and the most, one number where both read the same', () => {
  const two = (x: number) => x.toFixed(2);
  assert.deepEqual(
    [[3, 1, 2], [1.001, 1.002], [], [7]].map((values) => rangeText(values, two)),
    ['1.00 to 3.00', '1.00', '–', '7.00'],
  );
  assert.equal(rangeText([], two, 'no run yet'), 'no run yet');
});

test('an estimate with its interval', () => {
  assert.equal(estimateText(meanEstimate({ count: 1, mean: 2, std: 0 })), '2.00 (no interval)');
  assert.equal(estimateText({ value: 1, low: 0.5, high: 1.5 }, 1), '1.0 (0.5 to 1.5)');
});
