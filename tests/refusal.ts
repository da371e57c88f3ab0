import assert from 'node:assert/strict';
import { UserError } from '../lib/util/errors';

/** Fails unless a text is one line that holds every part, such as the field at fault and the value it had. */
export function assertOneLine(text: string, ...parts: string[]): void {
  assert.equal(text.trim().split('\n').length, 1, text);
  for (const part of parts) assert.ok(text.includes(part), `"${part}" is not in "${text}"`);
}

/** For assert.throws and assert.rejects: a UserError of one line that holds every part. */
export const refusal =
  (...parts: string[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof UserError, String(error));
    assertOneLine(error.message, ...parts);
    return true;
  };
