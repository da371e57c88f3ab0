/** Least-squares fit of the law by which a loss falls with the size of the data. */
import { mean } from '../../util/statistics';

/** L(D) = `irreducible` + `factor` · D^−`exponent`. */
export interface DataLaw {
  irreducible: number;
  factor: number;
  exponent: number;
}

export interface SizedLoss {
  tokens: number;
  lossNats: number;
}

export const lossAt = ({ irreducible, factor, exponent }: DataLaw, tokens: number): number =>
  irreducible + factor * tokens ** -exponent;

/** For one exponent the two others follow by linear least squares; the irreducible part is never below 0. */
function withExponent(points: readonly SizedLoss[], exponent: number): { law: DataLaw; squares: number } {
  const x = points.map(({ tokens }) => tokens ** -exponent);
  const [mx, my] = [mean(x), mean(points.map(({ lossNats }) => lossNats))];
  const slope =
    mean(points.map(({ lossNats }, i) => (x[i]! - mx) * (lossNats - my))) / mean(x.map((v) => (v - mx) ** 2));
  const free = my - slope * mx >= 0;
  const throughOrigin = mean(points.map(({ lossNats }, i) => x[i]! * lossNats)) / mean(x.map((v) => v * v));
  const law = free
    ? { irreducible: my - slope * mx, factor: slope, exponent }
    : { irreducible: 0, factor: throughOrigin, exponent };
  return {
    law,
    squares: points.reduce((sum, { tokens, lossNats }) => sum + (lossNats - lossAt(law, tokens)) ** 2, 0),
  };
}

const EXPONENTS = { least: 0.02, most: 2, steps: 2000 };

/**
 * The law of Hoffmann et al. 2022 (arXiv:2203.15556, section 3.3) at one size of model, L(D) = E + B D^−β, by least squares
 * over a fine grid of exponents. Needs three sizes. Trap: over less than a decade of D, E and β trade off against each other.
 */
export function fitDataLaw(points: readonly SizedLoss[]): DataLaw {
  const sizes = new Set(points.map(({ tokens }) => tokens)).size;
  if (sizes < 3) throw new RangeError(`fit of L(D): expected at least 3 sizes of D; got ${sizes}`);
  const { least, most, steps } = EXPONENTS;
  const all = Array.from({ length: steps + 1 }, (_, i) =>
    withExponent(points, least * (most / least) ** (i / steps)),
  );
  return all.reduce((best, next) => (next.squares < best.squares ? next : best)).law;
}
