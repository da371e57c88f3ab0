/** Reads a column of texts from Parquet files, some pages at a time, and verifies the checksums of pages where a file has them. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { brotliDecompressSync, unzipSync } from 'node:zlib';
import type {
  AsyncBuffer,
  ColumnMetaData,
  Compressors,
  DecodedArray,
  FileMetaData,
  SchemaTree,
} from 'hyparquet';
import type * as Columns from 'hyparquet/types/column';
import type * as Convert from 'hyparquet/types/convert';
import { crc32 } from '../../util/crc32';
import { UserError } from '../../util/errors';
import { few, type InputFile } from './sources';
import type { TokeniseJob } from './tokenise';

/** Pages of a column, by the offsets of their headers. All have one dictionary, if any. */
export interface Pages {
  path: string;
  column: string;
  rowGroup: number;
  dictionary: number | null;
  data: number[];
}

/** Text per job, bytes. */
const JOB = 1 << 20;

type Hyparquet = typeof import('hyparquet') &
  typeof Columns &
  Pick<typeof Convert, 'convert' | 'DEFAULT_PARSERS'>;

interface Opened {
  path: string;
  file: number;
  bytes: number;
  hyparquet: Hyparquet;
  metadata: FileMetaData;
  compressors: Compressors;
  /** The last one that was decoded. */
  dictionary: { at: number; values: DecodedArray } | null;
}
let opened: Opened | undefined;

class Damage extends Error {}

/** Turns any error of the reader into a UserError. */
async function reading<T>(path: string, read: (parquet: Opened) => T | Promise<T>): Promise<T> {
  try {
    return await read(await open(path));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `${basename(path)}: expected a whole Parquet file; got one that cannot be read (${(error as Error).message}): it was cut off or damaged; fetch it again`,
    );
  }
}

function slice(file: number, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(to - from);
  for (let at = 0; at < bytes.length;) {
    const got = readSync(file, bytes, at, bytes.length - at, from + at);
    if (got === 0) throw new Damage('unexpected end of file');
    at += got;
  }
  return bytes;
}

async function open(path: string): Promise<Opened> {
  if (opened?.path === path) return opened;
  // The packages are ES modules only.
  const part = (name: string) => import(name) as Promise<Hyparquet>;
  const hyparquet = {
    ...(await part('hyparquet')),
    ...(await part('hyparquet/src/column.js')),
    ...(await part('hyparquet/src/convert.js')),
  };
  const { compressors } = await import('hyparquet-compressors');
  if (opened) closeSync(opened.file);
  opened = undefined;
  const file = openSync(path, 'r');
  try {
    const bytes = fstatSync(file).size;
    const buffer: AsyncBuffer = {
      byteLength: bytes,
      slice: (from, to = bytes) => slice(file, from, to).buffer as ArrayBuffer,
    };
    const metadata = await hyparquet.parquetMetadataAsync(buffer, { geoparquet: false });
    const rows = metadata.row_groups.reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
    if (rows !== Number(metadata.num_rows))
      throw new Damage(`${metadata.num_rows} rows, of which row groups have ${rows}`);
    opened = { path, file, bytes, hyparquet, metadata, compressors, dictionary: null };
    return opened;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

/** From the root to a column that is named by its path with dots. Throws a UserError unless it has one value per row. */
function schemaPath({ path, hyparquet, metadata }: Opened, column: string): SchemaTree[] {
  const refuse = (expected: string, got: string): never => {
    throw new UserError(`${basename(path)}: expected ${expected}; got ${got}: name it with --column`);
  };
  const leaves = (tree: SchemaTree, above: SchemaTree[]): SchemaTree[][] =>
    tree.children.length
      ? tree.children.flatMap((child) => leaves(child, [...above, tree]))
      : [[...above, tree]];
  const all = leaves(hyparquet.parquetSchema(metadata), []);
  const named = (way: SchemaTree[]): string => way.at(-1)!.path.join('.');
  const found = all.find((way) => named(way) === column);
  if (!found) return refuse(`a column "${column}"`, few(all.map(named), 20));
  if (found.some(({ element }) => element.repetition_type === 'REPEATED'))
    return refuse('a column with one text per row', `"${column}", a list`);
  return found;
}

function chunkOf({ metadata }: Opened, rowGroup: number, way: SchemaTree[]): ColumnMetaData {
  const path = way.at(-1)!.path.join('.');
  const group = metadata.row_groups[rowGroup]!;
  const chunk = group.columns.find(({ meta_data: meta }) => meta?.path_in_schema.join('.') === path);
  if (!chunk?.meta_data || chunk.file_path)
    throw new Damage(`row group ${rowGroup} has no column ${path} here`);
  if (chunk.meta_data.num_values !== group.num_rows)
    throw new Damage(`${group.num_rows} rows, of which column ${path} has ${chunk.meta_data.num_values}`);
  return chunk.meta_data;
}

interface Page {
  header: ReturnType<typeof Columns.parquetHeader>;
  /** Offsets of the content. */
  from: number;
  to: number;
}

/** The page whose header is at an offset. */
function pageAt({ file, bytes, hyparquet }: Opened, at: number): Page {
  for (let length = 1024; ; length *= 16) {
    const end = Math.min(at + length, bytes);
    const reader = { view: new DataView(slice(file, at, end).buffer), offset: 0 };
    try {
      const header = hyparquet.parquetHeader(reader);
      const from = at + reader.offset;
      const to = from + header.compressed_page_size;
      if (!(to >= from && to <= bytes)) throw new Damage(`a page of ${header.compressed_page_size} bytes`);
      return { header, from, to };
    } catch (error) {
      // The header, which may hold a text as its column's maximum, is longer than was read.
      if (!(error instanceof RangeError) || end === bytes) throw error;
    }
  }
}

/** Jobs for all rows of a file, with the share of the file that each reads. */
export async function* pageJobs(
  { path, name }: InputFile,
  column: string,
): AsyncGenerator<{ job: TokeniseJob; share: number }, void, undefined> {
  const groups = await reading(path, ({ metadata }) => metadata.row_groups.length);
  for (let rowGroup = 0; rowGroup < groups; rowGroup++) {
    const walk = { at: 0, rows: 0, dictionary: null as number | null };
    for (let isOver = false; !isOver;) {
      const found = await reading(path, (parquet) => {
        const chunk = chunkOf(parquet, rowGroup, schemaPath(parquet, column));
        const values = Number(chunk.num_values);
        walk.at ||= Number(chunk.dictionary_page_offset || chunk.data_page_offset);
        const [data, before]: [number[], number] = [[], walk.rows];
        for (let text = 0; walk.rows < values && text < JOB;) {
          const { header, to } = pageAt(parquet, walk.at);
          const rows = (header.data_page_header ?? header.data_page_header_v2)?.num_values;
          if (header.type === 'DICTIONARY_PAGE') walk.dictionary = walk.at;
          else if (rows !== undefined) {
            if (!(rows >= 0 && walk.rows + rows <= values)) throw new Damage(`a page of ${rows} rows`);
            data.push(walk.at);
            walk.rows += rows;
            text += header.uncompressed_page_size;
          }
          walk.at = to;
        }
        isOver = walk.rows >= values;
        return { data, share: (walk.rows - before) / Number(parquet.metadata.num_rows) };
      });
      const { data, share } = found;
      const pages = { path, column, rowGroup, dictionary: walk.dictionary, data };
      if (data.length) yield { job: { kind: 'rows', file: name, ...pages }, share };
    }
  }
}

/** Values of pages, null where a row has none. */
export function readPages({ path, column, rowGroup, dictionary, data }: Pages): Promise<unknown[]> {
  return reading(path, (parquet) => {
    const way = schemaPath(parquet, column);
    const decoder = decoderOf(parquet, chunkOf(parquet, rowGroup, way), way, column);
    const decode = (at: number, entries?: DecodedArray): DecodedArray => {
      const { header, from, to } = pageAt(parquet, at);
      const content = slice(parquet.file, from, to);
      if (header.crc !== undefined && header.crc !== (crc32(content) | 0))
        throw new Damage('checksum of a page does not match');
      const reader = { view: new DataView(content.buffer), offset: 0 };
      const values = parquet.hyparquet.readPage(reader, header, decoder, entries, undefined, 0).data ?? [];
      const rows = (header.data_page_header ?? header.data_page_header_v2)?.num_values ?? values.length;
      if (values.length !== rows) throw new Damage(`a page of ${rows} rows with ${values.length} values`);
      return values;
    };
    if (dictionary !== null && parquet.dictionary?.at !== dictionary) {
      const values = parquet.hyparquet.convert(decode(dictionary), decoder);
      parquet.dictionary = { at: dictionary, values };
    }
    const entries = dictionary === null ? undefined : parquet.dictionary?.values;
    return data.flatMap((at) => Array.from(decode(at, entries) as ArrayLike<unknown>, valueOf));
  });
}

/** Values inside groups come in lists of one, without a value in an empty one. */
function valueOf(value: unknown): unknown {
  let inner = value;
  while (Array.isArray(inner)) inner = inner.length ? inner[0] : null;
  if (inner === undefined) throw new Damage('an entry that its dictionary does not have');
  return inner;
}

function decoderOf(
  { path, hyparquet, compressors }: Opened,
  chunk: ColumnMetaData,
  way: SchemaTree[],
  column: string,
): Parameters<Hyparquet['readPage']>[2] {
  const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const stringFromBytes = (bytes: Uint8Array): string => {
    try {
      return utf8.decode(bytes);
    } catch {
      throw new UserError(
        `${basename(path)}: expected UTF-8 in column "${column}"; got other bytes: convert it, or name another with --column`,
      );
    }
  };
  return {
    ...chunk,
    pathInSchema: chunk.path_in_schema,
    schemaPath: way,
    element: way.at(-1)!.element,
    parsers: { ...hyparquet.DEFAULT_PARSERS, stringFromBytes },
    compressors: {
      ...compressors,
      GZIP: (input, length) => unzipSync(input, { maxOutputLength: length || 1 }),
      BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: length || 1 }),
    },
  };
}
