import assert from 'node:assert/strict';
import { UserError } from '../lib/util/errors';

/** Fails unless a text is one line that holds every part, such as the field at fault and the value it had. */
export function assertOneLine(text: string, ...parts: (string | number)[]): void {
  assert.equal(text.trim().split('\n').length, 1, text);
  for (const part of parts) assert.ok(text.includes(String(part)), `"${part}" is not in "${text}"`);
}

/** For assert.throws and assert.rejects: a UserError of one line that holds every part. */
export const refusal =
  (...parts: (string | number)[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof UserError, String(error));
    assertOneLine(error.message, ...parts);
    return true;
  };
