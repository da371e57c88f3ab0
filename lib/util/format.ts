/** Numbers as text. Every number that people read, in a table, a figure, a message or a report, is written by one of these. */
import type { Estimate } from './statistics';

/** `1,234,567` */
export const count = (n: number): string => n.toLocaleString('en');

/** `12%`, or `12.3%` with one decimal. @param share 1 is the whole */
export const percent = (share: number, decimals = 0): string => `${(100 * share).toFixed(decimals)}%`;

/** `9M`, `2.25M`, `90k`, `256` */
export const short = (n: number): string =>
  n >= 1e6
    ? `${Number((n / 1e6).toPrecision(3))}M`
    : n >= 1e3
      ? `${Number((n / 1e3).toPrecision(3))}k`
      : String(n);

/** `0.123 MB`, `1.234 MB`, `12 MB` */
export const megabytes = (bytes: number, decimals = 1): string =>
  `${(bytes / 1e6).toFixed(bytes < 1e7 ? decimals : 0)} MB`;

/** `7 s`, `3:05`, `1:02:03` */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/**
 * What outputs keep of a number: six digits, more than is read, and fewer than machines agree on that compute it from the
 * same records. Whole numbers stay as they are.
 */
export const rounded = (x: number): number =>
  Number.isFinite(x) && !Number.isInteger(x) ? Number(x.toPrecision(6)) : x;

/** A number other than 0 that a fixed number of decimals would show as 0. */
export const isSmall = (x: number): boolean => x !== 0 && Math.abs(x) < 1e-3;

/** `1.013` with so many decimals; a small number with an exponent, `8.1e-7`. */
export const fixed = (x: number, decimals: number): string =>
  !Number.isFinite(x) ? String(x) : isSmall(x) ? x.toExponential(1) : x.toFixed(decimals);

/** `1.013`, `15260` to so many significant digits, without zeros at the end; a small number or one from 1e6 on with an exponent. */
export const significant = (x: number, digits: number): string =>
  isSmall(x) || Math.abs(x) >= 1e6 ? x.toExponential(1) : String(Number(x.toPrecision(digits)));

/** A number in a table: thousands apart, about five digits, `1,234.5` → `1,235`; a small one or one from 1e12 on with an exponent. */
export function tabular(x: number): string {
  const size = Math.abs(x);
  if (!Number.isFinite(x)) return String(x);
  if (isSmall(x) || size >= 1e12) return x.toExponential(2);
  return x.toLocaleString(
    'en',
    Number.isInteger(x) ? {} : { maximumFractionDigits: size < 10 ? 4 : size < 1000 ? 2 : 0 },
  );
}

/** `4.35 to 4.36`, the least and the most, or one number where both read the same. @param none text for no values */
export const rangeText = (values: readonly number[], text: (x: number) => string, none = '–'): string =>
  values.length
    ? [...new Set([Math.min(...values), Math.max(...values)].map((x) => text(x)))].join(' to ')
    : none;

/** `1.02 (0.98 to 1.06)` */
export const estimateText = ({ value, low, high }: Estimate, decimals = 2): string => {
  const [v, l, h] = [value, low, high].map((x) => x.toFixed(decimals));
  return Number.isFinite(low) ? `${v} (${l} to ${h})` : `${v} (no interval)`;
};

/** `2 × 128`: layers × width, the size of a model. */
export const layersByWidth = ({ layers, width }: { layers: number; width: number }): string =>
  `${layers} × ${width}`;
