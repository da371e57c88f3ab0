import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  claimedCrossEntropy,
  exactCase,
  logGamma,
  logLowerGamma,
  logPartition,
  meanEnergy,
  radius,
} from '../../lib/energy/partition';
import { Random } from '../../lib/util/random';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { CASES, distance, energy, normals } from './reference';

const fixture = JSON.parse(readFileSync(join(__dirname, '../fixtures/energy.json'), 'utf8')) as Record<
  'logGamma' | 'logLowerGamma' | 'radius',
  number[][]
>;
const close = (got: number, expected: number, tolerance: number, what: string) =>
  assertClose([got], [expected], { absolute: tolerance, what });

test('log Γ, log γ(n, r) and r* equal mpmath up to n = 12,288', (t) => {
  const off = (rows: number[][], ours: (row: number[]) => number) =>
    rows.reduce(
      (worst, row) => Math.max(worst, Math.abs(ours(row) - row.at(-1)!) / Math.max(1, Math.abs(row.at(-1)!))),
      0,
    );
  const [gamma, lower, r] = [
    off(fixture.logGamma, ([x]) => logGamma(x!)),
    off(fixture.logLowerGamma, ([n, x]) => logLowerGamma(n!, x!)),
    off(fixture.radius, ([n]) => radius(n!)),
  ];
  t.diagnostic(
    `largest deviation: log Γ ${gamma.toExponential(1)}, log γ ${lower.toExponential(1)}, r* ${r.toExponential(1)}, relative above 1`,
  );
  assert.equal(fixture.logLowerGamma.length, 132);
  assert.ok(gamma < 1e-14 && lower < 1e-14 && r < 1e-14, `${gamma}, ${lower}, ${r}`);
});

test('γ(n + 1, r) = n γ(n, r) − r^n e^−r, and γ(n, r) is at most r^n/n and Γ(n), at random n and r', (t) => {
  const random = new Random(1, 'gamma');
  let [recurrence, bound] = [0, -Infinity];
  for (let c = 0; c < CASES; c++) {
    const n = 1 + random.int(random.uniform() < 0.5 ? 12288 : 40);
    const r = n * 10 ** (5 * random.uniform() - 4);
    const [here, above, power] = [logLowerGamma(n, r), logLowerGamma(n + 1, r), n * Math.log(r) - r];
    // Both sides over n γ(n, r); the difference of nearly equal numbers at small r is compared as their sum.
    recurrence = Math.max(
      recurrence,
      Math.abs(Math.exp(above - here - Math.log(n)) + Math.exp(power - here - Math.log(n)) - 1),
    );
    bound = Math.max(
      bound,
      here - Math.min(n * Math.log(r) - Math.log(n), logGamma(n)) - 1e-12 * Math.abs(here),
    );
  }
  t.diagnostic(
    `${CASES} cases: recurrence off by ${recurrence.toExponential(1)}, bounds violated by ${bound.toExponential(1)}`,
  );
  assert.ok(recurrence < 1e-10 && bound < 1e-12, `${recurrence}, ${bound}`);
});

test('r*: √(n/2πe) to leading order, and log Z = 0 there; the mean energy there is 1 only near n = 13', () => {
  for (const n of [1, 2, 64, 768, 1600, 12288])
    close(logPartition({ n, r: radius(n), d: 1 }), 0, 1e-9, `log Z(r*) at n = ${n}`);
  assertClose([512, 768, 1024, 1600].map(radius), [5.57505, 6.79964, 7.83329, 9.76401], {
    absolute: 6e-6,
    what: 'r*',
  });
  close(radius(12288) / Math.sqrt(12288 / (2 * Math.PI * Math.E)), 1, 0.003, 'leading order');
  const energyAt = (n: number) => meanEnergy({ n, r: radius(n) });
  assert.ok(energyAt(12) < 1 && energyAt(13) > 1 && Math.abs(energyAt(768) - radius(768)) < 0.01);
});

test('one pattern: closed form and rays agree in 1 to 8 dimensions', () => {
  for (const [n, tolerance] of [
    [1, 1e-9],
    [2, 1e-8],
    [3, 1e-8],
    [8, 1e-5],
  ] as const) {
    for (const r of [0.1, 1, 5]) {
      const {
        logZ,
        meanEnergy: mean,
        crossEntropy,
      } = exactCase({ patterns: [new Float32Array(n)], r, directions: 16, seed: 1 });
      close(logZ, logPartition({ n, r, d: 1 }), tolerance, `log Z, n = ${n}, r = ${r}`);
      close(mean, meanEnergy({ n, r }), 10 * tolerance, `mean energy, n = ${n}, r = ${r}`);
      assert.equal(crossEntropy, logZ);
    }
  }
});

test('two patterns on a line whose intervals meet: by hand', () => {
  const [r, s] = [0.7, 1];
  const integral = (from: number, to: number) => Math.exp(-from) - Math.exp(-to);
  // Outwards to r and inwards to s/2, from either end; the other pattern is s further or nearer.
  const z =
    2 * (integral(0, r) * (1 + Math.exp(-s)) + integral(0, s / 2) + Math.exp(-s) * (Math.exp(s / 2) - 1));
  const { logZ, crossEntropy } = exactCase({ patterns: [[0], [s]], r, directions: 2, seed: 1 });
  close(logZ, Math.log(z), 1e-9, 'log Z');
  close(crossEntropy, Math.log(z) - Math.log(1 + Math.exp(-s)), 1e-9, 'cross-entropy');
});

test('few patterns: Z within its bounds, E[−log p] between log(Z/d) and log Z, and both as points thrown at random say', (t) => {
  const random = new Random(2, 'few');
  let [below, above, entropy, worst] = [-Infinity, -Infinity, -Infinity, 0];
  for (let c = 0; c < CASES; c++) {
    const [n, d, scale, r] = [
      1 + random.int(8),
      1 + random.int(5),
      10 ** (2 * random.uniform() - 0.5),
      10 ** (2 * random.uniform() - 1),
    ];
    const patterns = normals(random, d, n, scale);
    const exact = exactCase({ patterns, r, directions: n === 2 ? 600 : 60, seed: 1 + c });
    const slack = 5 * exact.error + (n === 2 ? 1e-3 : 1e-8);
    const apart = patterns.reduce(
      (least, p, i) => patterns.slice(i + 1).reduce((l, q) => Math.min(l, distance(p, q)), least),
      Infinity,
    );
    const lone = logPartition({ n, r, d });
    below = Math.max(below, lone - exact.logZ - slack);
    if (apart >= 2 * r)
      above = Math.max(above, exact.logZ - lone - Math.log1p((d - 1) * Math.exp(2 * r - apart)) - slack);
    entropy = Math.max(
      entropy,
      exact.crossEntropy - exact.logZ,
      exact.logZ - Math.log(d) - exact.crossEntropy,
    );
    if (n > 3 || c >= 20) continue;
    const { logZ, error } = thrown(patterns, r, random);
    worst = Math.max(worst, Math.abs(logZ - exact.logZ) / Math.hypot(error, exact.error));
  }
  t.diagnostic(
    `${CASES} cases: Z below its bound by ${below.toExponential(1)}, above by ${above.toExponential(1)}, cross-entropy out by ${entropy.toExponential(1)}, at most ${worst.toFixed(1)} standard errors from thrown points`,
  );
  assert.ok(
    below < 0 && above < 0 && entropy < 1e-12 && worst < 4.5,
    `${below}, ${above}, ${entropy}, ${worst}`,
  );
});

test('the standard error of drawn directions is that of repeated draws', () => {
  const patterns = [
    [0, 0, 0, 0],
    [1, 0, 0, 0],
    [0, 0.5, 0, 0],
  ];
  const draws = Array.from({ length: 60 }, (_, i) =>
    exactCase({ patterns, r: 1, directions: 50, seed: 1 + i }),
  );
  const mean = draws.reduce((sum, d) => sum + d.logZ, 0) / 60;
  const spread = Math.sqrt(draws.reduce((sum, d) => sum + (d.logZ - mean) ** 2, 0) / 59);
  close(draws.reduce((sum, d) => sum + d.error, 0) / 60 / spread, 1, 0.3, 'error');
  assert.equal(
    exactCase({
      patterns: [
        [0, 0],
        [1, 0],
      ],
      r: 1,
      directions: 50,
      seed: 1,
    }).error,
    0,
  );
});

/** Z by points thrown uniformly into a random ball, each counted once over the balls that hold it. */
function thrown(patterns: Float32Array[], r: number, random: Random): { logZ: number; error: number } {
  const n = patterns[0]!.length;
  const logBall = n * Math.log(r) + (n / 2) * Math.log(Math.PI) - logGamma(n / 2 + 1);
  const values = Array.from({ length: 20_000 }, () => {
    const u = Array.from({ length: n }, () => random.normal());
    const length = (r * random.uniform() ** (1 / n)) / Math.hypot(...u);
    const centre = patterns[random.int(patterns.length)]!;
    const x = u.map((v, k) => centre[k]! + v * length);
    return Math.exp(-energy(patterns, x, 1)) / patterns.filter((p) => distance(p, x) <= r).length;
  });
  const mean = values.reduce((a, b) => a + b) / values.length;
  const spread = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length ** 2);
  return { logZ: Math.log(mean * patterns.length) + logBall, error: spread / mean };
}

test('log Z + 1/Z is at least 1, with 1 at Z = 1 only; the exact cross-entropy has no floor', (t) => {
  const random = new Random(3, 'claim');
  let least = Infinity;
  for (let c = 0; c < CASES; c++) least = Math.min(least, claimedCrossEntropy(10 * random.normal()));
  t.diagnostic(`${CASES} cases: least value ${least}`);
  assert.ok(
    least >= 1 &&
      claimedCrossEntropy(0) === 1 &&
      claimedCrossEntropy(0.1) > 1.004 &&
      claimedCrossEntropy(-0.1) > 1.005,
  );
  const patterns = [
    [0, 0],
    [3, 0],
    [0, 4],
  ];
  const entropies = [1, 0.1, 0.01].map(
    (r) => exactCase({ patterns, r, directions: 500, seed: 1 }).crossEntropy,
  );
  assert.ok(entropies[1]! < 0 && entropies[2]! < entropies[1]! - 4, `${entropies}`);
});

test('bad input is one clear line', () => {
  const exact = { patterns: [[0, 0]], r: 1, directions: 4, seed: 1 };
  const equal = [
    [0, 0],
    [0, 0],
  ];
  const bad: [call: () => unknown, field: string, ...facts: (string | number)[]][] = [
    [() => logLowerGamma(0, 1), 'n', 'got 0'],
    [() => logLowerGamma(2, -1), 'r', 'got -1'],
    [() => logPartition({ n: 2, r: 1, d: 0 }), 'd', 'got 0'],
    [() => radius(NaN), 'n', NaN],
    [() => exactCase({ ...exact, patterns: equal }), 'patterns', 'two'],
    [() => exactCase({ ...exact, directions: 0 }), 'directions', 'got 0'],
    [() => exactCase({ ...exact, patterns: [] }), 'patterns', 'none'],
    [() => exactCase({ ...exact, r: Infinity }), 'r', Infinity],
  ];
  for (const [call, field, ...facts] of bad) assert.throws(call, refusal(`${field}: `, ...facts));
});
