/** Worker thread of `tokenise`: documents in, ids out. */
import { parentPort } from 'node:worker_threads';
import { excerpt, UserError } from '../../util/errors';
import { Ids } from './byte-pair';
import { readPages } from './parquet';
import { END_OF_TEXT, type Split } from './shards';
import {
  documentHash,
  ignoresOuterSpace,
  splitOf,
  type TokeniseJob,
  type Message,
  type Reply,
  type SplitRule,
  type Wanted,
} from './tokenise';
import { cutNear, encodeInto } from './tokenizer';

/** A fault of a row, whose number the main thread adds. */
class Problem extends Error {}

let rule: SplitRule;
const ids = { train: new Ids(), validation: new Ids() };

/** A text, or null where a row has none; `columns` are the names that a row without the column has. */
type Row = { text: string } | { text: null; columns: string[] | null };
const blank: Row = { text: null, columns: null };

/** A column by its name, or by its path with dots through objects. */
function valueIn(row: object, column: string): unknown {
  if (Object.hasOwn(row, column)) return (row as Record<string, unknown>)[column];
  const dot = column.indexOf('.');
  const inner = dot > 0 ? valueIn(row, column.slice(0, dot)) : undefined;
  return inner !== null && typeof inner === 'object' ? valueIn(inner, column.slice(dot + 1)) : undefined;
}

/** JSON, or what Python writes: its NaN and Infinity are null here. A byte order mark begins another text. */
function parsed(line: string): unknown[] {
  try {
    return [JSON.parse(line)];
  } catch {
    // Below.
  }
  // A string that does not end matches too, so that the time is linear.
  const plain = line.replace(/"[^"\\]*(?:\\[^][^"\\]*)*"?|-?\bInfinity\b|\bNaN\b|\ufeff/g, (token) =>
    token[0] === '"' ? token : token === '\ufeff' ? '\n' : 'null',
  );
  try {
    return plain.split('\n').flatMap((part) => (part.trim() === '' ? [] : [JSON.parse(part)]));
  } catch {
    throw new Problem(`expected JSON; got ${excerpt(line)}: fix or remove the line`);
  }
}

function rowOf(row: unknown, column: string): Row {
  if (row === null || typeof row !== 'object' || Array.isArray(row))
    throw new Problem(`expected {"${column}": TEXT}; got ${excerpt(row)}: fix or remove the line`);
  const value = valueIn(row, column);
  if (typeof value === 'string') return { text: value };
  if (value === undefined) return { text: null, columns: Object.keys(row) };
  if (value === null) return blank;
  throw new Problem(`expected {"${column}": TEXT}; got ${excerpt(value)}: fix or remove the line`);
}

function* rowsOfLines(bytes: Uint8Array, column: string): Generator<Row[]> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Problem('expected UTF-8 here or in the lines after it; got other bytes: convert the file');
  }
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const line of lines) yield line.trim() === '' ? [] : parsed(line).map((row) => rowOf(row, column));
}

function* rowsOfValues(values: readonly unknown[]): Generator<Row[]> {
  for (const value of values) {
    if (value !== null && typeof value !== 'string')
      throw new Problem(
        `expected a text; got ${excerpt(value)}: fix the row, or name the column of the text with --column`,
      );
    yield [value === null ? blank : { text: value }];
  }
}

/** What a job has given so far. */
class Result {
  rows = 0;
  leftOut = 0;
  withoutText = 0;
  columns: string[] | null = null;
  hashes: string[] = [];
  range: [string, string] | null = null;
  private readonly ends: Record<Split, number[]> = { train: [], validation: [] };
  private hasColumn = false;

  constructor(private readonly wanted: Wanted) {}

  row(row: Row, isPublished: boolean): void {
    if (row.text === null || row.text === '') this.withoutText++;
    if (row.text === null && row.columns && !this.hasColumn) this.columns ??= row.columns;
    else [this.hasColumn, this.columns] = [true, null];
    if (!row.text) return;
    if (!isPublished && row.text.includes('\0'))
      throw new Problem('expected text; got a NUL character: remove it');
    const hash = documentHash(ignoresOuterSpace(rule) ? row.text.trim() : row.text);
    this.document(row.text, splitOf(hash, rule), hash);
  }

  private document(text: string, split: Split | null, hash: string): void {
    if ('lastShare' in rule) {
      const cut = cutNear(text, Math.floor(text.length * (1 - rule.lastShare)));
      this.add(text.slice(0, cut), 'train');
      this.add(text.slice(cut), 'validation');
    } else if (split) this.add(text, split);
    this.end('lastShare' in rule ? 'validation' : split, hash);
  }

  add(text: string, split: Split): void {
    if (this.wanted[split]) encodeInto(ids[split], text);
  }

  /** Ends a document. */
  end(split: Split | null, hash: string): void {
    const [lowest, highest] = this.range ?? [hash, hash];
    this.range = [hash < lowest ? hash : lowest, hash > highest ? hash : highest];
    if (split === null) this.leftOut++;
    if (split === null || !this.wanted[split]) return;
    ids[split].push(END_OF_TEXT);
    this.ends[split].push(ids[split].length);
    if (split === 'validation') this.hashes.push(hash);
  }

  reply(): Reply {
    const { rows, leftOut, withoutText, columns, hashes, range, ends } = this;
    const tokens = (split: Split) => ({ ids: ids[split].toArray(), ends: ends[split] });
    return {
      rows,
      leftOut,
      withoutText,
      columns,
      hashes,
      range,
      train: tokens('train'),
      validation: tokens('validation'),
    };
  }
}

async function tokenised(job: TokeniseJob, wanted: Wanted): Promise<Reply> {
  const result = new Result(wanted);
  if (job.kind === 'part') {
    if (job.split) result.add(job.text, job.split);
    if (job.ends) result.end(job.split, job.document);
    return result.reply();
  }
  try {
    const rows =
      job.kind === 'lines' ? rowsOfLines(job.bytes, job.column) : rowsOfValues(await readPages(job));
    for (const several of rows) {
      for (const row of several) result.row(row, job.kind === 'rows' && job.isPublished === true);
      result.rows++;
    }
  } catch (error) {
    if (error instanceof Problem) return { row: result.rows, problem: error.message };
    if (error instanceof UserError) return { row: null, problem: error.message };
    throw error;
  }
  return result.reply();
}

/** Messages are handled one at a time, in order. */
let last = Promise.resolve();

parentPort!.on('message', (message: Message) => {
  last = last.then(async () => {
    if ('rule' in message) {
      rule = message.rule;
      return;
    }
    const reply = await tokenised(message.job, message.wanted);
    ids.train.clear();
    ids.validation.clear();
    parentPort!.postMessage(
      reply,
      'problem' in reply
        ? []
        : [reply.train.ids.buffer as ArrayBuffer, reply.validation.ids.buffer as ArrayBuffer],
    );
  });
});
