/** Worker thread of `tokenise`: documents in, ids out. */
import { parentPort } from 'node:worker_threads';
import { UserError } from '../../util/errors';
import { readColumn } from './parquet';
import { END_OF_TEXT, type Split } from './shards';
import {
  documentHash,
  splitOf,
  type TokeniseJob,
  type Message,
  type Reply,
  type SplitRule,
  type Wanted,
} from './tokenise';
import { encodeInto, Ids } from './tokenizer';

/** A fault of a row, whose number the main thread adds. */
class Problem extends Error {}

let rule: SplitRule;
const ids = { train: new Ids(), validation: new Ids() };

/** The first characters of a value that is no text. */
const excerpt = (value: unknown): string =>
  value === undefined
    ? 'nothing'
    : JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v)).slice(0, 60);

function textOfLine(line: string, column: string): string {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    throw new Problem(`expected JSON; got ${excerpt(line)}: fix or remove the line`);
  }
  const value = (row as Record<string, unknown> | null)?.[column];
  if (typeof value === 'string') return value;
  const names = row !== null && typeof row === 'object' && !Array.isArray(row) ? Object.keys(row) : [];
  if (value === undefined && names.length)
    throw new Problem(`expected a column "${column}"; got ${names.join(', ')}: name it with --column`);
  throw new Problem(
    `expected {"${column}": TEXT}; got ${excerpt(value === undefined ? row : value)}: fix or remove the line`,
  );
}

function* textsOfLines(bytes: Uint8Array, column: string): Generator<string | null> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Problem('expected UTF-8 here or in the lines after it; got other bytes: convert the file');
  }
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const line of lines) yield line.trim() === '' ? null : textOfLine(line, column);
}

function* textsOfRows(values: ArrayLike<unknown>): Generator<string> {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value !== 'string')
      throw new Problem(
        `expected a text; got ${excerpt(value)}: fix the row, or name the column of the text with --column`,
      );
    yield value;
  }
}

async function textsOf(job: Exclude<TokeniseJob, { kind: 'part' }>): Promise<Iterable<string | null>> {
  switch (job.kind) {
    case 'lines':
      return textsOfLines(job.bytes, job.column);
    case 'rows':
      return textsOfRows(await readColumn(job.path, job.column, job.from, job.to));
    case 'texts':
      return job.texts;
  }
}

async function tokenised(job: TokeniseJob, wanted: Wanted): Promise<Reply> {
  const ends: Record<Split, number[]> = { train: [], validation: [] };
  const hashes: string[] = [];
  let [rows, leftOut] = [0, 0];
  const end = (split: Split): void => {
    ids[split].push(END_OF_TEXT);
    ends[split].push(ids[split].length);
  };
  if (job.kind === 'part') {
    if (wanted[job.split]) encodeInto(ids[job.split], job.text);
    if (wanted[job.split] && job.ends) end(job.split);
  } else
    try {
      for (const text of await textsOf(job)) {
        rows++;
        if (text === null) continue;
        const hash = documentHash(text);
        const split = splitOf(hash, rule);
        if (split === null) leftOut++;
        else if (wanted[split]) {
          encodeInto(ids[split], text);
          end(split);
          if (split === 'validation') hashes.push(hash);
        }
      }
    } catch (error) {
      if (error instanceof Problem) return { row: rows, problem: error.message };
      if (error instanceof UserError) return { row: null, problem: error.message };
      throw error;
    }
  return {
    rows,
    leftOut,
    hashes,
    train: { ids: ids.train.toArray(), ends: ends.train },
    validation: { ids: ids.validation.toArray(), ends: ends.validation },
  };
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
