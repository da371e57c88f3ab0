/**
 * Cyclic redundancy checks of 32 bits, over reflected polynomials. Node's own CRC-32 is newer than the oldest Node that this
 * project runs on.
 */

/** @param before the sum of the bytes that come before these */
type Crc = (bytes: Uint8Array, before?: number) => number;

function crcOf(polynomial: number): Crc {
  /** `tables[k][b]`: what byte b does to the sum with k bytes after it, so that four bytes are taken at a time. */
  const tables = Array.from({ length: 4 }, () => new Int32Array(256));
  for (let b = 0; b < 256; b++) {
    let sum = b;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? polynomial : 0);
    tables[0]![b] = sum;
  }
  for (let k = 1; k < 4; k++)
    for (let b = 0; b < 256; b++) {
      const before = tables[k - 1]![b]!;
      tables[k]![b] = (before >>> 8) ^ tables[0]![before & 255]!;
    }
  const [t0, t1, t2, t3] = tables as [Int32Array, Int32Array, Int32Array, Int32Array];
  return (bytes, before = 0) => {
    let sum = ~before;
    let i = 0;
    for (; i + 4 <= bytes.length; i += 4) {
      sum ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
      sum = t3[sum & 255]! ^ t2[(sum >>> 8) & 255]! ^ t1[(sum >>> 16) & 255]! ^ t0[sum >>> 24]!;
    }
    for (; i < bytes.length; i++) sum = (sum >>> 8) ^ t0[(sum ^ bytes[i]!) & 255]!;
    return ~sum >>> 0;
  };
}

/** As gzip (RFC 1952, section 8) and Parquet have it. */
export const crc32 = crcOf(0xedb88320);

/** Castagnoli's, as iSCSI (RFC 3720, appendix B.4) and TensorFlow's records have it. */
export const crc32c = crcOf(0x82f63b78);
