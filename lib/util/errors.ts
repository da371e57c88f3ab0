/**
 * An error that the user can fix. Its message is one line: what was expected, what was given, what to do. Commands print only
 * the message and exit with code 1; other errors keep their stack.
 */
export class UserError extends Error {
  constructor(message: string) {
    super(message.replace(/\s*\n\s*/g, ' '));
    this.name = 'UserError';
  }
}

/** The first characters of a value as JSON, for a message. */
export function excerpt(value: unknown, length = 60): string {
  if (value === undefined) return 'nothing';
  try {
    return JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v)).slice(0, length);
  } catch {
    // JSON.stringify calls itself for what is inside.
    return 'a value inside too many others';
  }
}

/** The UserError for the few lines that Git LFS leaves in place of a file that it has not fetched. */
export const lfsPointer = (path: string, expected: string): UserError =>
  new UserError(
    `${path}: expected ${expected}; got a Git LFS pointer: run "git lfs pull" in the repository that it is from`,
  );

/** Throws a UserError that lists the known values unless `value` is one of them. */
export function oneOf<T extends string>(what: string, value: string | undefined, known: readonly T[]): T {
  if (value !== undefined && (known as readonly string[]).includes(value)) return value as T;
  throw new UserError(
    `${what}: expected one of ${known.join(', ')}; got ${value === undefined ? 'nothing' : `"${value}"`}`,
  );
}

/** Parses a whole number in [min, max], or throws a UserError. */
export function wholeNumber(
  what: string,
  value: string | undefined,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number {
  const n = value !== undefined && /^[0-9]+$/.test(value) ? Number(value) : NaN;
  if (Number.isSafeInteger(n) && n >= min && n <= max) return n;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new UserError(
    `${what}: expected a whole number ${range}; got ${value === undefined ? 'nothing' : `"${value}"`}`,
  );
}
