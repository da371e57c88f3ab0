/** Checks of a config's fields. Each throws a UserError that names the field, what it should be and what it is. */
import { UserError } from './errors';

export function refuse(field: string, expected: string, got: unknown, todo: string): never {
  throw new UserError(
    `config.${field}: expected ${expected}; got ${typeof got === 'string' ? `"${got}"` : String(got)}: ${todo}`,
  );
}

export function checkWhole(field: string, value: number, min = 1): void {
  if (!Number.isSafeInteger(value) || value < min)
    refuse(field, `a whole number of at least ${min}`, value, 'set one');
}

/** In [min, max), `open`: in (min, max). */
export function checkNumber(
  field: string,
  value: number,
  { min = 0, max = Infinity, open = false } = {},
): void {
  if (Number.isFinite(value) && value < max && (open ? value > min : value >= min)) return;
  refuse(
    field,
    `a number ${open ? 'above' : 'of at least'} ${min}${max === Infinity ? '' : ` and below ${max}`}`,
    value,
    'set one',
  );
}
