/** Random damages of a file: cut off, bits flipped, pieces swapped, overwritten or repeated. What is read is right, or refused in one line. */
import assert from 'node:assert/strict';
import { UserError } from '../lib/util/errors';
import { Random } from '../lib/util/random';
import { assertOneLine } from './refusal';

export const DAMAGES = 500;

function damaged(bytes: Uint8Array, random: Random): Uint8Array {
  const out = Buffer.from(bytes);
  const at = () => random.int(out.length);
  const piece = () => {
    const from = at();
    return [from, Math.min(out.length, from + 1 + random.int(64))] as const;
  };
  const [from, to] = piece();
  switch (random.int(5)) {
    case 0:
      return out.subarray(0, at());
    case 1:
      for (let n = 1 + random.int(3); n > 0; n--) out[at()]! ^= 1 << random.int(8);
      return out;
    case 2: {
      const part = Buffer.from(out.subarray(from, to));
      const other = Math.min(at(), out.length - part.length);
      out.copyWithin(from, other, other + part.length);
      out.set(part, other);
      return out;
    }
    case 3:
      for (let i = from; i < to; i++) out[i] = random.int(256);
      return out;
    default:
      return Buffer.concat([out.subarray(0, to), out.subarray(from)]);
  }
}

/**
 * Reads all damages of a file. Fails for an error that is not a UserError of one line with all `parts`, for a value that
 * is not right, and if no damage was refused.
 * @param isRight whether a value that was read is that of the whole file
 */
export async function readDamaged<T>(
  what: string,
  bytes: Uint8Array,
  parts: string[],
  read: (content: Uint8Array) => T | Promise<T>,
  isRight: (value: T) => boolean,
): Promise<void> {
  const random = new Random(1, `damage/${what}`);
  let refused = 0;
  for (let i = 1; i <= DAMAGES; i++) {
    const content = damaged(bytes, random);
    let value: T;
    try {
      value = await read(content);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      assertOneLine(error.message, ...parts);
      refused++;
      continue;
    }
    if (!isRight(value))
      assert.fail(`damage ${i}: something else was read, of ${content.length} bytes for ${bytes.length}`);
  }
  assert.ok(refused > 0);
}
