/** Reads a column of texts from Parquet files, one row group at a time. */
import { basename } from 'node:path';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { UserError } from '../../util/errors';

type Hyparquet = typeof import('hyparquet') & { asyncBufferFromFile(path: string): Promise<AsyncBuffer> };

interface Opened {
  path: string;
  file: AsyncBuffer;
  metadata: FileMetaData;
}
let opened: Opened | undefined;

/** Turns any error of the reader into a UserError. */
async function reading<T>(path: string, read: (hyparquet: Hyparquet) => Promise<T>): Promise<T> {
  // The package is an ES module only.
  const hyparquet = (await import('hyparquet')) as unknown as Hyparquet;
  try {
    return await read(hyparquet);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(
      `${basename(path)}: expected a whole Parquet file; got one that cannot be read (${(error as Error).message}): it was cut off or damaged; fetch it again`,
    );
  }
}

async function open(hyparquet: Hyparquet, path: string): Promise<Opened> {
  if (opened?.path !== path) {
    const file = await hyparquet.asyncBufferFromFile(path);
    opened = { path, file, metadata: await hyparquet.parquetMetadataAsync(file) };
  }
  return opened;
}

/** Row ranges of the row groups: a group can be read without the rest of the file and is held in memory as a whole. */
export function rowGroups(path: string, column: string): Promise<{ from: number; to: number }[]> {
  return reading(path, async (hyparquet) => {
    const { metadata } = await open(hyparquet, path);
    const columns = hyparquet.parquetSchema(metadata).children.map(({ element }) => element.name);
    if (!columns.includes(column))
      throw new UserError(
        `${basename(path)}: expected a column "${column}"; got ${columns.join(', ')}: name it with --column`,
      );
    let to = 0;
    return metadata.row_groups.map(({ num_rows }) => ({ from: to, to: (to += Number(num_rows)) }));
  });
}

/** @returns `[to − from]` values of a column */
export function readColumn(path: string, column: string, from: number, to: number): Promise<unknown[]> {
  return reading(path, async (hyparquet) => {
    const { compressors } = await import('hyparquet-compressors');
    const { file, metadata } = await open(hyparquet, path);
    const rows = await hyparquet.parquetReadObjects({
      file,
      metadata,
      columns: [column],
      rowStart: from,
      rowEnd: to,
      compressors,
    });
    return rows.map((row) => row[column]);
  });
}
