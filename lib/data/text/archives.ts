/** Decompression of gzip and Zstandard that verifies all checksums and sizes that the formats have. Errors say what is wrong, not where. */
import { createInflateRaw } from 'node:zlib';
import { Decompress } from 'fzstd';
import { crc32 } from '../../util/crc32';

type Chunks = AsyncGenerator<Uint8Array, void, undefined>;
type Notice = (text: string) => void;

/** Of an archive that is whole but cannot be read here. */
export class Unsupported extends Error {}

const END = 'unexpected end of file';

/** Takes bytes from a stream, as many as are asked for. */
class Taker {
  private rest = new Uint8Array();

  constructor(private readonly chunks: Chunks) {}

  /** The next bytes, however many; null at the end. */
  async some(): Promise<Uint8Array | null> {
    const { rest } = this;
    this.rest = new Uint8Array();
    if (rest.length) return rest;
    const { value, done } = await this.chunks.next();
    return done ? null : value.length ? value : this.some();
  }

  give(back: Uint8Array): void {
    this.rest = back.length ? new Uint8Array(Buffer.concat([back, this.rest])) : this.rest;
  }

  /** Exactly so many bytes. */
  async take(length: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let missing = length; missing > 0;) {
      const some = await this.some();
      if (some === null) throw new Error(END);
      parts.push(some.subarray(0, missing));
      this.give(some.subarray(missing));
      missing -= Math.min(missing, some.length);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  async isAtEnd(): Promise<boolean> {
    const some = await this.some();
    if (some) this.give(some);
    return some === null;
  }
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Whether what follows an archive is another one. Padding after the last is harmless, anything else is damage. */
async function goesOn(
  from: Taker,
  begins: (magic: Uint8Array) => boolean,
  onNotice: Notice,
): Promise<boolean> {
  if (await from.isAtEnd()) return false;
  const first = await from.take(1);
  from.give(first);
  if (begins(first)) return true;
  let bytes = 0;
  for (let some; (some = await from.some()); bytes += some.length)
    if (some.some((byte) => ![0, 9, 10, 13, 32].includes(byte)))
      throw new Error('other bytes follow the end of the compressed data');
  onNotice(`${bytes} ${bytes === 1 ? 'byte' : 'bytes'} of white space or zeros after its end were ignored`);
  return false;
}

/** Reads the header of a gzip member (RFC 1952, section 2.3). */
async function gzipHeader(from: Taker): Promise<void> {
  const parts: Uint8Array[] = [];
  const take = async (length: number): Promise<Uint8Array> => {
    parts.push(await from.take(length));
    return parts.at(-1)!;
  };
  const [id1, id2, method, flags] = [...(await take(10))] as [number, number, number, number];
  if (id1 !== 0x1f || id2 !== 0x8b || method !== 8 || flags & 0xe0) throw new Error('incorrect header check');
  if (flags & 4) await take(view(await take(2)).getUint16(0, true));
  for (const text of [8, 16]) if (flags & text) while ((await take(1))[0] !== 0);
  if (!(flags & 2)) return;
  const sum = crc32(Buffer.concat(parts)) & 0xffff;
  if (view(await from.take(2)).getUint16(0, true) !== sum) throw new Error('incorrect header check');
}

/** Decompressed bytes of gzip; several members in a row are one text. */
export async function* gunzipped(chunks: Chunks, onNotice: Notice): Chunks {
  const from = new Taker(chunks);
  do {
    await gzipHeader(from);
    let [sum, size, read] = [0, 0, 0];
    const out: Uint8Array[] = [];
    const inflate = createInflateRaw({ chunkSize: 1 << 18 });
    inflate.on('data', (part: Uint8Array) => out.push(part));
    try {
      // The inflater takes no byte more than its own.
      for (
        let some: Uint8Array | null;
        inflate.bytesWritten === read;
        from.give(some.subarray(some.length - (read - inflate.bytesWritten)))
      ) {
        some = await from.some();
        if (some === null) throw new Error(END);
        read += some.length;
        const chunk = some;
        await new Promise<void>((resolve, reject) => {
          inflate.once('error', reject);
          inflate.write(chunk, (error) => (error ? reject(error) : resolve()));
        });
        inflate.removeAllListeners('error');
        for (const part of out.splice(0)) {
          sum = crc32(part, sum);
          size += part.length;
          yield part;
        }
      }
    } finally {
      inflate.on('error', () => undefined).destroy();
    }
    const trailer = view(await from.take(8));
    if (trailer.getUint32(0, true) !== sum) throw new Error('incorrect data check');
    if (trailer.getUint32(4, true) !== size % 2 ** 32) throw new Error('incorrect length check');
  } while (await goesOn(from, ([byte]) => byte === 0x1f, onNotice));
}

/** More would be held in memory; `zstd -d` refuses it as well. */
const LARGEST_WINDOW = 2 ** 27;

interface FrameHeader {
  bytes: Uint8Array;
  hasChecksum: boolean;
  /** Of the content; null where the header does not say. */
  size: number | null;
}

/** Reads the header of a Zstandard frame after its magic number (RFC 8878, section 3.1.1.1). */
async function frameHeader(from: Taker, magic: Uint8Array): Promise<FrameHeader> {
  const descriptor = (await from.take(1))[0]!;
  const isSingle = Boolean(descriptor & 0x20);
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  if (descriptor & 8) throw new Error('a reserved bit is set');
  const rest = await from.take(Number(!isSingle) + dictionaryBytes + sizeBytes);
  if (rest.subarray(Number(!isSingle), rest.length - sizeBytes).some((byte) => byte !== 0))
    throw new Unsupported(
      'it needs the dictionary that it was compressed with: decompress it with "zstd -d -D"',
    );
  const sizeField = view(rest.subarray(rest.length - sizeBytes));
  const size =
    sizeBytes === 0
      ? null
      : sizeBytes === 1
        ? sizeField.getUint8(0)
        : sizeBytes === 2
          ? sizeField.getUint16(0, true) + 256
          : sizeBytes === 4
            ? sizeField.getUint32(0, true)
            : Number(sizeField.getBigUint64(0, true));
  const [exponent, mantissa] = [rest[0]! >> 3, rest[0]! & 7];
  const window = isSingle ? size! : 2 ** (10 + exponent) * (1 + mantissa / 8);
  if (window > LARGEST_WINDOW)
    throw new Unsupported(
      `its window is ${Math.ceil(window / 2 ** 20)} MB, and at most ${LARGEST_WINDOW / 2 ** 20} MB are read: decompress it with "zstd -d --long=31"`,
    );
  return {
    bytes: Buffer.concat([magic, Uint8Array.of(descriptor), rest]),
    hasChecksum: Boolean(descriptor & 4),
    size,
  };
}

interface Xxhash64 {
  update(bytes: Uint8Array): void;
  digest(): bigint;
}
type Xxhash = () => Promise<{ create64(): Xxhash64 }>;

/** Decompressed bytes of Zstandard; several frames in a row are one text. */
export async function* unzstd(chunks: Chunks, onNotice: Notice): Chunks {
  const { create64 } = await (require('xxhash-wasm') as Xxhash)();
  const from = new Taker(chunks);
  do {
    const magic = await from.take(4);
    const number = view(magic).getUint32(0, true);
    if ((number & 0xfffffff0) >>> 0 === 0x184d2a50) {
      await skip(from, view(await from.take(4)).getUint32(0, true));
      continue;
    }
    if (number !== 0xfd2fb528) throw new Error('incorrect header check');
    const { bytes, hasChecksum, size } = await frameHeader(from, magic);
    const out: Uint8Array[] = [];
    const decoder = new Decompress((part) => out.push(part));
    decoder.push(bytes);
    const hash = create64();
    let length = 0;
    for (let isLast = false; !isLast;) {
      const header = await from.take(3);
      const word = header[0]! | (header[1]! << 8) | (header[2]! << 16);
      const [kind, blockSize] = [(word >> 1) & 3, word >> 3];
      isLast = Boolean(word & 1);
      if (kind === 3 || blockSize > 1 << 17) throw new Error('a block has an impossible header');
      const block = [header, await from.take(kind === 1 ? 1 : blockSize)];
      const checksum = isLast && hasChecksum ? await from.take(4) : null;
      decoder.push(Buffer.concat(checksum ? [...block, checksum] : block), isLast);
      for (const part of out.splice(0)) {
        hash.update(part);
        length += part.length;
        yield part;
      }
      if (checksum && Number(hash.digest() & 0xffffffffn) !== view(checksum).getUint32(0, true))
        throw new Error('checksum does not match');
    }
    if (size !== null && length !== size) throw new Error(`expected ${size} bytes of content; got ${length}`);
  } while (await goesOn(from, ([byte]) => byte === 0x28 || (byte! & 0xf0) === 0x50, onNotice));
}

async function skip(from: Taker, bytes: number): Promise<void> {
  for (let left = bytes; left > 0;) {
    const some = await from.some();
    if (some === null) throw new Error(END);
    from.give(some.subarray(left));
    left -= Math.min(left, some.length);
  }
}
