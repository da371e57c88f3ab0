/**
 * The file format safetensors (https://github.com/huggingface/safetensors, "Format"): 8 bytes length of the header,
 * little-endian; the header, JSON: name → dtype, shape, from and to; then all values, row by row, without gaps.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { excerpt, lfsPointer, UserError } from './errors';

/** Entry of the header. `from` and `to` are byte offsets after the header. */
export interface TensorEntry {
  name: string;
  dtype: string;
  shape: number[];
  from: number;
  to: number;
}

/** Bytes per value of the dtypes that can be read as float32. */
const FLOATS: Record<string, number> = { F32: 4, F16: 2, BF16: 2 };

/** The format's limit, so that a damaged length does not exhaust memory. */
const LONGEST_HEADER = 100_000_000;

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;

function isEntry(x: unknown): x is { dtype: string; shape: number[]; data_offsets: [number, number] } {
  const { dtype, shape, data_offsets: offsets } = (x ?? {}) as Record<string, unknown>;
  return (
    typeof dtype === 'string' &&
    Array.isArray(shape) &&
    shape.every(isCount) &&
    Array.isArray(offsets) &&
    offsets.length === 2 &&
    offsets.every(isCount)
  );
}

/** An open file: the header is checked at once, tensors are read one by one. */
export class SafetensorsFile {
  readonly entries: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  private readonly file: number;
  /** Offset of the values. */
  readonly start: number;

  constructor(readonly path: string) {
    try {
      this.file = openSync(path, 'r');
    } catch (error) {
      throw new UserError(
        `${path}: expected a safetensors file; ${(error as Error).message}: check the path`,
      );
    }
    try {
      const stat = fstatSync(this.file);
      if (stat.isDirectory())
        throw new UserError(`${path}: expected a safetensors file; got a folder: check the path`);
      const bytes = stat.size;
      const header = this.header(bytes);
      this.start = 8 + header.length;
      const { __metadata__: metadata = {}, ...entries } = this.parsed(header);
      this.metadata = metadata as Record<string, string>;
      this.entries = this.checked(entries, bytes - this.start);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private broken(why: string): UserError {
    return new UserError(`${this.path}: ${why}; the file is damaged or cut off: download or write it again`);
  }

  private header(bytes: number): Buffer {
    if (bytes < 8) throw this.broken(`expected at least 8 bytes; got ${bytes}`);
    const start = this.bytes(0, 8);
    if (start.toString('latin1') === 'version ') throw lfsPointer(this.path, 'tensors');
    const length = Number(start.readBigUInt64LE());
    if (length > bytes - 8)
      throw this.broken(`expected a header within the file of ${bytes} bytes; its length says ${length}`);
    if (length > LONGEST_HEADER)
      throw this.broken(`expected a header of at most ${LONGEST_HEADER} bytes; its length says ${length}`);
    return this.bytes(8, length);
  }

  private parsed(header: Buffer): Record<string, unknown> {
    let json: unknown;
    try {
      json = JSON.parse(header.toString('utf8'));
    } catch {
      throw this.broken('expected a header of JSON; it is not');
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw this.broken('expected a header that maps names to tensors; it does not');
    return json as Record<string, unknown>;
  }

  /** Entries by name; their values are contiguous and fill the rest of the file. */
  private checked(header: object, bytes: number): Map<string, TensorEntry> {
    const entries = Object.entries(header).map(([name, entry]) => {
      if (!isEntry(entry))
        throw this.broken(`${name}: expected dtype, shape and data_offsets; got ${excerpt(entry, 100)}`);
      const {
        dtype,
        shape,
        data_offsets: [from, to],
      } = entry;
      if (to < from || to > bytes)
        throw this.broken(
          `${name}: expected bytes within the ${bytes} after the header; its offsets say ${from} to ${to}`,
        );
      return { name, dtype, shape, from, to };
    });
    let end = 0;
    for (const { name, dtype, shape, from, to } of [...entries].sort(
      (a, b) => a.from - b.from || a.to - b.to,
    )) {
      if (from !== end)
        throw this.broken(
          `${name}: expected to begin at byte ${end}, where the tensor before it ends; its offsets say ${from}: tensors ${from < end ? 'overlap' : 'leave a gap'}`,
        );
      const width = FLOATS[dtype];
      if (width !== undefined && to - from !== width * size(shape))
        throw this.broken(
          `${name}: expected ${width * size(shape)} bytes for ${dtype} [${shape}]; its offsets say ${to - from}`,
        );
      end = to;
    }
    if (end !== bytes) throw this.broken(`expected ${end} bytes of values after the header; got ${bytes}`);
    return new Map(entries.map((entry) => [entry.name, entry]));
  }

  private bytes(at: number, length: number, into = Buffer.allocUnsafeSlow(length)): Buffer {
    for (let done = 0; done < length;) {
      const got = readSync(this.file, into, done, length - done, at + done);
      if (got === 0) throw this.broken(`expected ${length} bytes at ${at}; got ${done}`);
      done += got;
    }
    return into;
  }

  /** Throws a UserError unless the tensor exists with this shape and a dtype that can be read. */
  check(name: string, shape: readonly number[]): void {
    const entry = this.entries.get(name);
    if (!entry)
      throw new UserError(
        `${this.path}: expected a tensor ${name} [${shape}]; got none: the file is of another model`,
      );
    if (!(entry.dtype in FLOATS))
      throw new UserError(
        `${this.path}: ${name}: expected one of ${Object.keys(FLOATS).join(', ')}; got ${entry.dtype}: convert the file`,
      );
    if (entry.shape.join() !== shape.join())
      throw new UserError(
        `${this.path}: ${name}: expected shape [${shape}]; got [${entry.shape}]: the file is of another model or config`,
      );
  }

  /** Values as float32. */
  read(name: string): Float32Array {
    const { dtype, shape, from, to } = this.entries.get(name)!;
    const raw = this.bytes(this.start + from, to - from);
    if (dtype === 'F32') return new Float32Array(raw.buffer, 0, size(shape));
    const halves = new Uint16Array(raw.buffer, 0, size(shape));
    return dtype === 'BF16' ? fromBfloat16(halves) : fromFloat16(halves);
  }

  /** Whether a tensor has dtype, shape and bytes of one in the same or another file; holds 2 MB at a time. */
  equal(name: string, file: SafetensorsFile, other: string): boolean {
    const [a, b] = [this.entries.get(name)!, file.entries.get(other)!];
    if (a.dtype !== b.dtype || a.shape.join() !== b.shape.join()) return false;
    const step = 1 << 20;
    for (let at = 0; at < a.to - a.from; at += step) {
      const length = Math.min(step, a.to - a.from - at);
      const [ours, theirs] = [
        this.bytes(this.start + a.from + at, length),
        file.bytes(file.start + b.from + at, length),
      ];
      if (!ours.equals(theirs)) return false;
    }
    return true;
  }

  close(): void {
    closeSync(this.file);
  }
}

/** bfloat16 is the upper half of float32. */
function fromBfloat16(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (h) => h << 16).buffer);
}

/** IEEE 754 binary16. */
function fromFloat16(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (h) => {
    const [exponent, fraction] = [(h >>> 10) & 31, h & 1023];
    const size =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction
            ? NaN
            : Infinity
          : (1024 + fraction) * 2 ** (exponent - 25);
    return h & 0x8000 ? -size : size;
  });
}

/**
 * The bytes of a file of float32 tensors, with one tensor at a time in memory.
 * @param values of the tensors, in their order
 */
export function* safetensorsParts(
  tensors: readonly { name: string; shape: readonly number[] }[],
  values: Iterable<Float32Array>,
  metadata: Record<string, string> = { format: 'pt' },
): Generator<Uint8Array> {
  let end = 0;
  const entries = tensors.map(({ name, shape }) => [
    name,
    { dtype: 'F32', shape, data_offsets: [end, (end += 4 * size(shape))] },
  ]);
  const text = JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) });
  const header = Buffer.from(text + ' '.repeat((8 - (Buffer.byteLength(text) % 8)) % 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  yield length;
  yield header;
  for (const v of values) yield new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
}
