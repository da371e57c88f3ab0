import assert from 'node:assert/strict';
import test from 'node:test';
import { fitDataLaw, lossAt, type DataLaw } from '../../../lib/analysis/shared/data-law';
import { assertClose } from '../../assert-close';

const pointsOf = (law: DataLaw, sizes: number[], noise = 0) =>
  sizes.map((tokens, i) => ({ tokens, lossNats: lossAt(law, tokens) + noise * (-1) ** i }));

test('the fit finds the law that the points come from', () => {
  for (const law of [
    { irreducible: 1.69, factor: 410.7, exponent: 0.28 },
    { irreducible: 2.2, factor: 900, exponent: 0.75 },
  ]) {
    const fit = fitDataLaw(pointsOf(law, [1e4, 3e4, 1e5, 1e6, 1e7]));
    assertClose([fit.exponent, fit.irreducible], [law.exponent, law.irreducible], {
      relative: 5e-3,
      what: 'law',
    });
    assertClose([lossAt(fit, 1e8)], [lossAt(law, 1e8)], { relative: 5e-3, what: 'a size further on' });
  }
});

test('noise moves the law a little, and the irreducible part stays at 0 or above', () => {
  const law = { irreducible: 0, factor: 50, exponent: 0.2 };
  const fit = fitDataLaw(pointsOf(law, [1e4, 1e5, 1e6, 1e7], 0.02));
  assert.ok(fit.irreducible >= 0);
  assertClose([fit.exponent], [0.2], { relative: 0.2, what: 'exponent' });
});

test('two sizes are too few', () => {
  assert.throws(
    () =>
      fitDataLaw([
        { tokens: 1, lossNats: 2 },
        { tokens: 1, lossNats: 3 },
        { tokens: 2, lossNats: 1 },
      ]),
    /at least 3 sizes of D; got 2/,
  );
});
