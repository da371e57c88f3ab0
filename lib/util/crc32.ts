/**
 * CRC-32 as gzip (RFC 1952, section 8) and Parquet have it: the reflected polynomial 0xEDB88320. Node's own is newer than
 * the oldest Node that this project runs on.
 */
const POLYNOMIAL = 0xedb88320;

/** `TABLES[k][b]`: what byte b does to the sum with k bytes after it, so that four bytes are taken at a time. */
const TABLES = Array.from({ length: 4 }, () => new Int32Array(256));
for (let b = 0; b < 256; b++) {
  let sum = b;
  for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? POLYNOMIAL : 0);
  TABLES[0]![b] = sum;
}
for (let k = 1; k < 4; k++)
  for (let b = 0; b < 256; b++) {
    const before = TABLES[k - 1]![b]!;
    TABLES[k]![b] = (before >>> 8) ^ TABLES[0]![before & 255]!;
  }
const [T0, T1, T2, T3] = TABLES as [Int32Array, Int32Array, Int32Array, Int32Array];

/** @param before the sum of the bytes that come before these */
export function crc32(bytes: Uint8Array, before = 0): number {
  let sum = ~before;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4) {
    sum ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    sum = T3[sum & 255]! ^ T2[(sum >>> 8) & 255]! ^ T1[(sum >>> 16) & 255]! ^ T0[sum >>> 24]!;
  }
  for (; i < bytes.length; i++) sum = (sum >>> 8) ^ T0[(sum ^ bytes[i]!) & 255]!;
  return ~sum >>> 0;
}
