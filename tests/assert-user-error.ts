import assert from 'node:assert/strict';
import { UserError } from '../lib/util/errors';

/**
 * Checks of an error for `assert.throws` and `assert.rejects`: a UserError of one line that begins with the field it is
 * about and contains each of the facts. Facts are values (numbers, names, paths), so that tests leave the wording free.
 */
export const userError =
  (field: string, ...facts: (string | number)[]) =>
  (error: unknown): true => {
    assert.ok(error instanceof UserError, `expected a UserError; got ${String((error as Error).stack)}`);
    assert.ok(!error.message.includes('\n'), `expected one line; got ${error.message}`);
    assert.ok(error.message.startsWith(`${field}: `), `expected "${field}: …"; got ${error.message}`);
    for (const fact of facts)
      assert.ok(error.message.includes(String(fact)), `expected ${fact} in "${error.message}"`);
    return true;
  };
