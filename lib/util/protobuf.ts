/** Protocol buffers, as far as files of TensorFlow need them: fields by number, written one after the other. */

function varint(n: number): Buffer {
  if (!Number.isSafeInteger(n) || n < 0)
    throw new RangeError(`protobuf: expected whole numbers of at least 0; got ${n}`);
  const bytes: number[] = [];
  for (; n >= 128; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
  return Buffer.from([...bytes, n]);
}

/** A whole number, at least 0. */
export const int = (field: number, n: number): Buffer => Buffer.concat([varint(field * 8), varint(n)]);

/** A number in 4 bytes. */
export function float(field: number, x: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(x);
  return Buffer.concat([varint(field * 8 + 5), bytes]);
}

/** A number in 8 bytes. */
export function double(field: number, x: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(x);
  return Buffer.concat([varint(field * 8 + 1), bytes]);
}

/** Bytes, or the fields of a message. */
export function message(field: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
}

export const string = (field: number, s: string): Buffer => message(field, Buffer.from(s));
