import assert from 'node:assert/strict';

/** Fails with the largest error and its place unless |got − expected| ≤ absolute + relative·|expected| everywhere. */
export function assertClose(
  got: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { relative?: number; absolute?: number; what: string },
): void {
  const { relative = 0, absolute = 0, what } = tolerance;
  assert.equal(got.length, expected.length, `${what}: number of values`);
  let [worst, at] = [0, -1];
  for (let i = 0; i < got.length; i++) {
    const excess =
      Math.abs(got[i]! - expected[i]!) / (absolute + relative * Math.abs(expected[i]!) || Number.MIN_VALUE);
    if (!(excess <= worst)) [worst, at] = [excess, i];
  }
  assert.ok(
    worst <= 1,
    `${what}[${at}]: expected ${expected[at]}, got ${got[at]}: ${worst.toPrecision(3)} times the tolerance`,
  );
}
