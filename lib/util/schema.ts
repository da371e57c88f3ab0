/** Shapes of what is read from disk as JSON, checked before anything else looks at it. */

import { excerpt } from './errors';

/** `count`: a whole number from 0 on. `number`: finite. `hash`: of SHA-256. */
const KINDS = {
  text: (x: unknown) => typeof x === 'string',
  number: (x: unknown) => Number.isFinite(x),
  count: (x: unknown) => Number.isSafeInteger(x) && (x as number) >= 0,
  boolean: (x: unknown) => typeof x === 'boolean',
  hash: (x: unknown) => typeof x === 'string' && /^[0-9a-f]{64}$/.test(x),
};
const CALLED: Record<keyof typeof KINDS, string> = {
  text: 'a text',
  number: 'a number',
  count: 'a whole number from 0 on',
  boolean: 'true or false',
  hash: 'a SHA-256',
};

/** A kind of value, a list of values of one shape, or an object's fields; a field whose name ends in `?` may be absent or null. */
export type Schema = keyof typeof KINDS | readonly [Schema] | { readonly [field: string]: Schema };

/** Where a value first departs from a shape, `curve.3.step: expected a number; got null`, or null. */
export function mismatch(value: unknown, schema: Schema, name = ''): string | null {
  const refuse = (expected: string) =>
    `${name ? `${name}: ` : ''}expected ${expected}; got ${excerpt(value, 40)}`;
  if (typeof schema === 'string') return KINDS[schema](value) ? null : refuse(CALLED[schema]);
  const isList = Array.isArray(schema);
  if (value === null || typeof value !== 'object' || Array.isArray(value) !== isList)
    return refuse(isList ? 'a list' : 'an object');
  for (const key of Object.keys(isList ? value : schema)) {
    const field = key.replace('?', '');
    const part = (value as Record<string, unknown>)[field];
    if (key !== field && (part === undefined || part === null)) continue;
    const shape = isList ? schema[0] : (schema as Record<string, Schema>)[key];
    const why = mismatch(part, shape as Schema, name ? `${name}.${field}` : field);
    if (why) return why;
  }
  return null;
}
