import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import {
  DOWNLOADS,
  makeOpenWebText,
  OPENWEBTEXT,
  type OpenWebTextOptions,
  type Published,
} from '../../../lib/data/text/openwebtext';
import { datasetHash } from '../../../lib/data/text/shards';
import { refusal } from '../../refusal';
import { FIXTURES, scratch } from './made';

const made = scratch('openwebtext');
const parquet = readFileSync(join(FIXTURES, 'documents.parquet'));
const SHA256 = createHash('sha256').update(parquet).digest('hex');
const PUBLISHED: Published = {
  repository: `test/${process.pid}`,
  revision: 'r',
  baseUrl: '',
  files: 3,
  first: {},
};
const CACHE = join(DOWNLOADS, `test-${process.pid}`);
const FIRST = join(CACHE, 'r', 'train-00000-of-00003.parquet');

type Handler = (request: IncomingMessage, response: ServerResponse, n: number) => void;
let handler: Handler;
/** `NUMBER-OF-FILE bytes=FROM-` of each request, without the range where there was none. */
let asked: string[] = [];
const server = createServer((request, response) => {
  asked.push([/train-0000(\d)/.exec(request.url!)?.[1], request.headers.range].filter(Boolean).join(' '));
  handler(request, response, asked.length);
});
before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
after(() => {
  server.closeAllConnections();
  server.close();
});
afterEach(() => {
  rmSync(CACHE, { recursive: true, force: true });
  asked = [];
});

/** Answers as a good server does; `bytes` cuts the connection after as many. */
function serve(
  request: IncomingMessage,
  response: ServerResponse,
  {
    etag = '"one"',
    bytes = Infinity,
    content = parquet as Uint8Array,
  }: { etag?: string; bytes?: number; content?: Uint8Array } = {},
): void {
  const from =
    request.headers['if-range'] === etag
      ? Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? 'bytes=0-')![1])
      : 0;
  response.writeHead(from ? 206 : 200, {
    etag,
    'content-length': content.length - from,
    ...(from && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
  });
  if (from + bytes >= content.length) response.end(content.subarray(from));
  else response.write(content.subarray(from, from + bytes), () => setTimeout(() => response.destroy(), 20));
}

function make(
  options: Partial<OpenWebTextOptions> & {
    first?: Published['first'];
    waitSeconds?: number[];
    train?: number;
  } = {},
) {
  const { address, port } = server.address() as AddressInfo;
  const name = options.name ?? made.name();
  const said: string[] = [];
  const callbacks = {
    onProgress: () => undefined,
    onDownload: () => undefined,
    onRetry: (problem: string, seconds: number) => said.push(`${problem}, ${seconds}`),
  };
  return makeOpenWebText(
    {
      baseUrl: `http://${address}:${port}/folder/`,
      ...options,
      name,
      limits: { train: options.train ?? 5000, validation: 150 },
    },
    callbacks,
    { ...PUBLISHED, first: options.first ?? {} },
    options.waitSeconds ?? [0, 0],
  ).then(({ meta }) => ({ name, meta, said, hash: datasetHash(meta) }));
}

async function refused(parts: (string | number)[], options: Parameters<typeof make>[0] = {}): Promise<void> {
  await assert.rejects(make(options), refusal(...parts));
}

test('a connection that drops twice ends with the same hashes as one that does not, and asks for the rest only', async () => {
  handler = (request, response) => serve(request, response);
  const undisturbed = await make();
  assert.deepEqual(asked.splice(0), ['0']);
  assert.deepEqual(undisturbed.meta.inputs, [
    { name: 'train-00000-of-00003.parquet', bytes: parquet.length, sha256: SHA256 },
  ]);
  rmSync(CACHE, { recursive: true });
  handler = (request, response, n) => serve(request, response, n <= 2 ? { bytes: 7000 } : {});
  const dropped = await make();
  assert.deepEqual(asked, ['0', '0 bytes=7000-', '0 bytes=14000-']);
  assert.equal(dropped.said.length, 2);
  assert.deepEqual(dropped.meta, undisturbed.meta);
  assert.ok(readFileSync(FIRST).equals(parquet));
  assert.deepEqual(readdirSync(join(CACHE, 'r')).sort(), [
    'train-00000-of-00003.parquet',
    'train-00000-of-00003.parquet.json',
  ]);
});

test('a run that gave up keeps what came; the next one goes on, unless the file has changed', async () => {
  handler = (request, response) => serve(request, response, { bytes: 7000 });
  await refused(['00000-of-00003.parquet', 'after 0.007 MB', '0.007 MB that', '--base-url', '--from'], {
    waitSeconds: [],
  });
  handler = (request, response) => serve(request, response);
  const { meta } = await make();
  assert.deepEqual(asked.splice(0), ['0', '0 bytes=7000-']);
  assert.equal(meta.inputs![0]!.sha256, SHA256);
  rmSync(CACHE, { recursive: true });
  handler = (request, response) =>
    serve(request, response, {
      bytes: 7000,
      etag: '"other"',
      content: Buffer.concat([Buffer.from('PAR1'), Buffer.alloc(9000)]),
    });
  await refused(['kept'], { waitSeconds: [] });
  handler = (request, response) => serve(request, response);
  assert.equal((await make()).meta.inputs![0]!.sha256, SHA256);
});

test('as many files are fetched as are needed, each once; validation is the same for every size', async () => {
  handler = (request, response) => serve(request, response);
  const small = await make();
  const one = await make({ train: 12_000 });
  const two = await make({ train: 25_000 });
  assert.deepEqual(asked, ['0', '1']);
  assert.equal(new Set([small, one, two].map(({ meta }) => meta.validation.sha256)).size, 1);
  assert.deepEqual([one.meta.inputs!.length, two.meta.inputs!.length], [1, 2]);
  assert.equal(small.meta.validation.tokens, 150);
  await refused(['90,000', `test/${process.pid}`], { train: 90_000 });
  // A file that was damaged on the disk since is fetched again.
  truncateSync(FIRST, 100);
  assert.deepEqual((await make()).meta.train, small.meta.train);
});

test('answers that are no file are refused', async () => {
  const answer =
    (status: number, headers: Record<string, string>, body: string | Uint8Array): Handler =>
    (_, response) => {
      response.writeHead(status, headers).end(body);
    };
  handler = answer(404, {}, 'no');
  await refused(['00000-of-00003.parquet: ', '404 Not Found', '--base-url', '--from']);
  assert.equal(asked.splice(0).length, 1);
  for (const [status, text] of [
    [429, 'Too Many Requests'],
    [500, 'Internal Server Error'],
    [503, 'Service Unavailable'],
  ] as const) {
    handler = answer(status, {}, 'no');
    await refused(['00000-of-00003.parquet: ', `${status} ${text}, 3 times`]);
    assert.equal(asked.splice(0).length, 3);
  }
  handler = answer(429, { 'retry-after': '3600' }, 'no');
  await refused(['429 Too Many Requests: ']);
  assert.equal(asked.splice(0).length, 1);
  handler = answer(200, { 'content-type': 'text/html; charset=utf-8' }, '<html>');
  await refused(['HTML', 'proxy']);
  handler = answer(200, {}, '{"error": "gone"}');
  await refused(['PAR1', String.raw`"{\"error\": \"gone\"}"`]);
  handler = answer(200, {}, 'PAR1 and so on');
  await refused(['ends with PAR1', 'removed']);
  handler = answer(206, { 'content-range': 'bytes 5-9/10' }, 'PAR1');
  await refused(['from 0', '"bytes 5-9/10"', '--base-url', '--from']);
  handler = answer(302, { location: '/again' }, '');
  await refused(['redirect', '--base-url']);
  assert.equal(existsSync(FIRST), false);
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  await refused(['/train-', 'ECONNREFUSED, 3 times'], { baseUrl: `http://127.0.0.1:${port}` });
  handler = (request) => void request.socket.destroy();
  await refused(['other side closed, 3 times']);
});

test('a 429 that passes is waited for as long as it says', async () => {
  handler = (request, response, n) =>
    n === 1 ? void response.writeHead(429, { 'retry-after': '1' }).end() : serve(request, response);
  assert.deepEqual((await make()).said, ['429 Too Many Requests, 1']);
});

test('a wrong length or hash is refused, as published or as Hugging Face names it before it redirects', async () => {
  handler = (request, response) => serve(request, response);
  await refused(['expected 1000 bytes', parquet.length, '--base-url', '--from'], { first: { bytes: 1000 } });
  await refused(['SHA-256 0000', SHA256, 'removed'], { first: { sha256: '0000' } });
  assert.deepEqual(readdirSync(join(CACHE, 'r')), []);
  // The length that is said and never reached.
  handler = (_, response) => {
    response.writeHead(200, { etag: '"one"', 'content-length': parquet.length + 100 });
    response.write(parquet, () => setTimeout(() => response.destroy(), 20));
  };
  await refused(['0.026 MB', 'kept'], { waitSeconds: [] });
  rmSync(CACHE, { recursive: true });
  const linked =
    (headers: Record<string, string>): Handler =>
    (request, response) =>
      request.url!.startsWith('/store/')
        ? serve(request, response)
        : void response.writeHead(302, { location: `/store${request.url}`, ...headers }).end();
  handler = linked({ 'x-linked-etag': `"${SHA256}"`, 'x-linked-size': String(parquet.length) });
  assert.equal((await make()).meta.inputs![0]!.sha256, SHA256);
  rmSync(CACHE, { recursive: true });
  handler = linked({ 'x-linked-size': '5' });
  await refused(['expected 5 bytes']);
  handler = linked({ 'x-linked-etag': `"${'0'.repeat(64)}"` });
  await refused([`SHA-256 ${'0'.repeat(64)}`]);
});

test('files from a folder are checked and used without a network', async () => {
  const folder = join(made.folder, 'shards');
  mkdirSync(folder);
  await refused(['--from: ', 'train-00000-of-00003.parquet'], {
    from: folder,
  });
  copyFileSync(join(FIXTURES, 'documents.parquet'), join(folder, 'train-00000-of-00003.parquet'));
  handler = (request, response) => serve(request, response);
  const [local, remote] = [await make({ from: folder, first: { sha256: SHA256 } }), await make()];
  assert.deepEqual(local.meta, remote.meta);
  await refused(['--from: ', 'train-00001-of-00003.parquet', 'the 1 before'], {
    from: folder,
    train: 30_000,
  });
  writeFileSync(join(folder, 'train-00000-of-00003.parquet'), parquet.subarray(0, 9000));
  await refused(['train-00000-of-00003.parquet: ', SHA256], {
    from: folder,
    first: { sha256: SHA256 },
  });
  await refused(['train-00000-of-00003.parquet: ', 'Parquet'], { from: folder });
});

test('what is pinned is a commit and a whole hash', () => {
  assert.match(OPENWEBTEXT.revision, /^[0-9a-f]{40}$/);
  assert.match(OPENWEBTEXT.first.sha256!, /^[0-9a-f]{64}$/);
  assert.ok(OPENWEBTEXT.baseUrl.includes(OPENWEBTEXT.revision));
});
