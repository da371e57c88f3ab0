/** Tokenising on all cores: jobs go out to worker threads, their results come back in order. */
import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { UserError } from '../../util/errors';
import type { Split } from './shards';

/** A stretch of documents; `file` is what errors call it. */
export type TokeniseJob = { file: string } & (
  | { kind: 'lines'; column: string; bytes: Uint8Array }
  | { kind: 'rows'; column: string; path: string; from: number; to: number }
  | { kind: 'texts'; texts: string[] }
  /** A part of one long document, which `ends` with its last part. */
  | { kind: 'part'; text: string; split: Split; ends: boolean }
);

/** Which split a document belongs to. */
export type SplitRule = { all: Split } | { validationShare: number } | { trainExcept: string[] };

/** Ids of documents, and after how many of them each document ends. */
export interface Tokens {
  ids: Uint16Array;
  ends: number[];
}

export interface Tokenised extends Record<Split, Tokens> {
  /** Lines or rows that were read. */
  rows: number;
  /** Documents of neither split. */
  leftOut: number;
  /** Of the documents in validation. */
  hashes: string[];
}

export type Wanted = Record<Split, boolean>;
export type Message = { rule: SplitRule } | { job: TokeniseJob; wanted: Wanted };
/** `row` counts from 0 within the job; null where the problem names its place itself. */
export type Reply = Tokenised | { row: number | null; problem: string };

/** Start of the SHA-256 of a document's UTF-8: enough that no two of billions meet. */
export const documentHash = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 24);

/**
 * Split of a document, null for neither. By share: the hash, read as a number in [0, 1), is below it; so one document
 * is in one split whatever the size of the set, its copies are in the same one, and no second file need be fetched.
 */
export function splitOf(hash: string, rule: SplitRule, except: ReadonlySet<string>): Split | null {
  if ('all' in rule) return rule.all;
  if ('validationShare' in rule)
    return parseInt(hash.slice(0, 8), 16) / 2 ** 32 < rule.validationShare ? 'validation' : 'train';
  return except.has(hash) ? null : 'train';
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

/** More of them need more memory and outrun the one thread that reads. */
const MOST_MEMBERS = Math.min(4, availableParallelism());

/** The threads, each begun when there was work for it. Idle ones keep no program from ending. */
const members: Member[] = [];

function startMember(): Member {
  // A worker's first file must be JavaScript: this one makes TypeScript known.
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
  return least && (least.waiting.length === 0 || members.length === MOST_MEMBERS) ? least : startMember();
}

function send(job: TokeniseJob, rule: SplitRule, wanted: Wanted): Promise<Reply> {
  const member = idlest();
  const reply = new Promise<Reply>((resolve, reject) => member.waiting.push({ resolve, reject }));
  // Whoever waits for it gets the error too; until then nobody does.
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
 * Results in the order of the jobs; at null all that are out are waited for. `wanted` is asked for each job: what is not
 * wanted is only read and hashed.
 */
export async function* tokenise(
  jobs: AsyncIterable<TokeniseJob | null>,
  rule: SplitRule,
  wanted: () => Wanted,
): AsyncGenerator<Tokenised> {
  const queue: { job: TokeniseJob; reply: Promise<Reply> }[] = [];
  let [file, row] = ['', 0];
  const next = async (): Promise<Tokenised> => {
    const { job, reply } = queue.shift()!;
    if (job.file !== file) [file, row] = [job.file, 0];
    const result = await reply;
    if ('problem' in result)
      throw new UserError(
        result.row === null
          ? result.problem
          : `${file}, ${job.kind === 'lines' ? 'line' : 'row'} ${row + result.row + 1}: ${result.problem}`,
      );
    row += result.rows;
    return result;
  };
  for await (const job of jobs) {
    if (job) queue.push({ job, reply: send(job, rule, wanted()) });
    while (queue.length > (job ? 2 * MOST_MEMBERS - 1 : 0)) yield await next();
  }
  while (queue.length) yield await next();
}
