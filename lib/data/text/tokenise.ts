/** Tokenising in worker threads; results come back in the order of the jobs. */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { UserError } from '../../util/errors';
import type { Pages } from './parquet';
import type { Split } from './shards';
import { few } from './sources';

/** Some documents of a file, or a part of one. `file` is its name in errors. */
export type TokeniseJob = { file: string } & (
  | { kind: 'lines'; column: string; bytes: Uint8Array }
  // What is published with its hash is read as it is, NUL characters included.
  | ({ kind: 'rows'; isPublished?: boolean } & Pages)
  | { kind: 'part'; text: string; split: Split | null; document: string; ends: boolean }
);

/**
 * Assigns documents to splits: all to one; to validation by hash, a share or those below a hash; of each its last share to
 * validation; or to training except the documents with these hashes.
 */
export type SplitRule =
  | { all: Split }
  | { validationShare: number }
  | { validationBelow: string }
  | { lastShare: number }
  | { trainExcept: ReadonlySet<string> };

/** Ids of documents; `ends` are the offsets in `ids` at which documents end. */
export interface Tokens {
  ids: Uint16Array;
  ends: number[];
}

export interface Tokenised extends Record<Split, Tokens> {
  /** Number of lines or rows read. */
  rows: number;
  /** Number of documents in neither split. */
  leftOut: number;
  /** Number of rows without a text. */
  withoutText: number;
  /** Names of the columns, if no row has that of the text. */
  columns: string[] | null;
  /** Hashes of the validation documents. */
  hashes: string[];
  /** Lowest and highest hash of all documents; null without a document. */
  range: [lowest: string, highest: string] | null;
}

export type Wanted = Record<Split, boolean>;
export type Message = { rule: SplitRule } | { job: TokeniseJob; wanted: Wanted };
/** `row` counts from 0 within the job; null where the problem itself names its position. */
export type Reply = Tokenised | { row: number | null; problem: string };

/** 96 bits: no collisions among billions of documents. */
export const DOCUMENT_HASH_DIGITS = 24;
/** First digits of the SHA-256 of a document's UTF-8. */
export const documentHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, DOCUMENT_HASH_DIGITS);

/** Whether copies count as such whatever white space is around them: they do where the rule compares two sources. */
export const ignoresOuterSpace = (rule: SplitRule): boolean => 'all' in rule || 'trainExcept' in rule;

/**
 * Split of a document, null for neither. By share: validation if the hash, read as a number in [0, 1), is below it. So a
 * document is in the same split whatever the size of the data set, its copies are too, and no second file is needed.
 */
export function splitOf(hash: string, rule: SplitRule): Split | null {
  if ('all' in rule) return rule.all;
  if ('validationShare' in rule)
    return parseInt(hash.slice(0, 8), 16) / 2 ** 32 < rule.validationShare ? 'validation' : 'train';
  if ('validationBelow' in rule) return hash < rule.validationBelow ? 'validation' : 'train';
  if ('lastShare' in rule) return 'train';
  return rule.trainExcept.has(hash) ? null : 'train';
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}
interface Member {
  worker: Worker;
  waiting: Waiting[];
  rule?: SplitRule;
}

/** More workers need more memory and outrun the single thread that reads. */
const MOST_WORKERS = Math.min(4, availableParallelism());

/** Workers, started on demand. Idle ones do not keep the process alive. */
const members: Member[] = [];

function startMember(): Member {
  // The entry point of a worker must be JavaScript: this one loads tsx.
  const start = `require(${JSON.stringify(require.resolve('tsx/cjs/api'))}).register(); require(${JSON.stringify(join(__dirname, 'tokenise-worker.ts'))});`;
  const member: Member = { worker: new Worker(start, { eval: true, execArgv: [] }), waiting: [] };
  const fail = (error: Error): void => {
    if (members.includes(member)) members.splice(members.indexOf(member), 1);
    for (const { reject } of member.waiting.splice(0)) reject(error);
  };
  member.worker.on('message', (reply: Reply) => {
    member.waiting.shift()!.resolve(reply);
    if (!member.waiting.length) member.worker.unref();
  });
  member.worker.on('error', fail);
  member.worker.on('exit', () => fail(new Error('a tokenising thread ended')));
  members.push(member);
  return member;
}

function idlest(): Member {
  const least = members.reduce(
    (one: Member | undefined, other) => (one && one.waiting.length <= other.waiting.length ? one : other),
    undefined,
  );
  return least && (least.waiting.length === 0 || members.length === MOST_WORKERS) ? least : startMember();
}

function send(job: TokeniseJob, rule: SplitRule, wanted: Wanted): Promise<Reply> {
  const member = idlest();
  const reply = new Promise<Reply>((resolve, reject) => member.waiting.push({ resolve, reject }));
  // `tokenise` awaits it later; until then a rejection must not count as unhandled.
  reply.catch(() => undefined);
  member.worker.ref();
  if (member.rule !== rule) member.worker.postMessage({ rule } satisfies Message);
  member.rule = rule;
  member.worker.postMessage(
    { job, wanted } satisfies Message,
    job.kind === 'lines' ? [job.bytes.buffer as ArrayBuffer] : [],
  );
  return reply;
}

/**
 * Tokenises jobs; results are in their order. A null among the jobs waits for all results that are due. `wanted` is called
 * for each job: documents of a split that is not wanted are only hashed.
 */
export async function* tokenise(
  jobs: AsyncIterable<TokeniseJob | null>,
  rule: SplitRule,
  wanted: () => Wanted,
): AsyncGenerator<Tokenised> {
  const queue: { job: TokeniseJob; reply: Promise<Reply> }[] = [];
  let [file, row, hasTexts] = ['', 0, false];
  const next = async (): Promise<Tokenised> => {
    const { job, reply } = queue.shift()!;
    if (job.file !== file) [file, row, hasTexts] = [job.file, 0, false];
    const result = await reply;
    if ('problem' in result)
      throw new UserError(
        result.row === null
          ? result.problem
          : `${file}, ${job.kind === 'lines' ? 'line' : 'row'} ${row + result.row + 1}: ${result.problem}`,
      );
    if (result.columns && !hasTexts && job.kind === 'lines')
      throw new UserError(
        `${file}, line ${row + 1}: expected a column "${job.column}"; got ${few(result.columns, 20)}: name it with --column`,
      );
    hasTexts ||= result.columns === null;
    row += result.rows;
    return result;
  };
  for await (const job of jobs) {
    if (job) queue.push({ job, reply: send(job, rule, wanted()) });
    while (queue.length > (job ? 2 * MOST_WORKERS - 1 : 0)) yield await next();
  }
  while (queue.length) yield await next();
}
