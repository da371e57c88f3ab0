/** Downloads that resume where they were interrupted and are verified at the end. */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { UserError } from '../../util/errors';
import { megabytes } from '../../util/format';
import { sha256Of, writeAtomically } from '../../util/files';
import { writing } from './make';

export interface Source {
  url: string;
  path: string;
  /** First and last bytes of every file of this format. */
  magic: string;
  /** As published; default: what the server reports. */
  bytes?: number;
  sha256?: string;
}

export interface DownloadOptions {
  onProgress(bytes: number, bytesTotal: number | null): void;
  /** Called before each retry. */
  onRetry(problem: string, waitSeconds: number): void;
  /** Delays before retries; as many attempts in a row may fail without receiving a byte. */
  waitSeconds?: readonly number[];
}

/** State of an incomplete file. `validator` is its ETag or date, for conditional range requests. */
interface State {
  validator: string | null;
  bytes: number | null;
  sha256: string | null;
}
const UNKNOWN: State = { validator: null, bytes: null, sha256: null };

/** A failure that a retry may resolve. */
class Transient extends Error {
  constructor(
    message: string,
    readonly waitSeconds = 0,
  ) {
    super(message);
  }
}

const LONGEST_WAIT_SECONDS = 300;
const HINT = 'or take them from elsewhere with --base-url MIRROR or --from FOLDER';

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

function endOf(path: string, bytes: number): string {
  const end = Buffer.alloc(bytes);
  const file = openSync(path, 'r');
  readSync(file, end, 0, bytes, Math.max(0, sizeOf(path) - bytes));
  closeSync(file);
  return end.toString('latin1');
}

function readState(path: string): State {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as State;
  } catch {
    return UNKNOWN;
  }
}

/** Follows redirects by hand: Hugging Face reports size and SHA-256 of a file in the first response only. */
async function answerOf(
  url: string,
  headers: Record<string, string>,
): Promise<{ response: Response; linked: Partial<State> }> {
  const linked: Partial<State> = {};
  for (let hop = 0; hop < 10; hop++) {
    let response: Response;
    try {
      response = await fetch(url, {
        headers: { 'accept-encoding': 'identity', ...headers },
        redirect: 'manual',
      });
    } catch (error) {
      const cause = (error as { cause?: { code?: string; message?: string } }).cause;
      // Codes of undici itself say less than its messages.
      throw new Transient(
        (cause?.code?.startsWith('UND_') ? undefined : cause?.code) ??
          cause?.message ??
          (error as Error).message,
      );
    }
    const [etag, size] = [response.headers.get('x-linked-etag'), response.headers.get('x-linked-size')];
    const sha256 = /^"?([0-9a-f]{64})"?$/.exec(etag ?? '')?.[1];
    if (sha256) linked.sha256 = sha256;
    if (size) linked.bytes = Number(size);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status >= 400 || !location) return { response, linked };
    await response.body?.cancel();
    url = new URL(location, url).href;
  }
  throw new UserError(`${url}: expected a file; got redirected ten times: check --base-url`);
}

function retryAfterSeconds(response: Response): number {
  const value = response.headers.get('retry-after') ?? '';
  return /^\d+$/.test(value) ? Number(value) : Math.max(0, (Date.parse(value) - Date.now()) / 1000) || 0;
}

/** Throws unless the response is a file. */
async function checkAnswer(response: Response, url: string): Promise<void> {
  const { status } = response;
  const html = (response.headers.get('content-type') ?? '').includes('text/html');
  if ((status === 200 || status === 206) && !html) return;
  await response.body?.cancel();
  const said = `${status} ${response.statusText}`.trim();
  if (status === 429 || status >= 500) throw new Transient(said, retryAfterSeconds(response));
  if (status < 300)
    throw new UserError(
      `${url}: expected a file; got an HTML page: a login page or a proxy is in the way; check --base-url, ${HINT}`,
    );
  throw new UserError(`${url}: expected a file; got ${said}: check --base-url, ${HINT}`);
}

/** Total length of the file according to a response; null if unknown. */
function lengthOf(response: Response, have: number, url: string): number | null {
  if (response.status === 200)
    return response.headers.has('content-length') ? Number(response.headers.get('content-length')) : null;
  const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  if (Number(from) !== have)
    throw new UserError(
      `${url}: expected the bytes from ${have} on; got "${response.headers.get('content-range')}": the server is at fault: start again later, ${HINT}`,
    );
  return Number(total);
}

/** Validator for range requests: a strong ETag or a date. */
function validatorOf(response: Response): string | null {
  const etag = response.headers.get('etag');
  return etag && !etag.startsWith('W/') ? etag : response.headers.get('last-modified');
}

/** One download over all its attempts. */
class Download {
  private readonly part: string;
  private readonly stateFile: string;
  private state: State;

  constructor(
    private readonly source: Source,
    private readonly options: DownloadOptions,
  ) {
    this.part = `${source.path}.part`;
    this.stateFile = `${this.part}.json`;
    this.state = readState(this.stateFile);
    if (!this.state.validator) rmSync(this.part, { force: true });
  }

  get have(): number {
    return sizeOf(this.part);
  }

  /** Requests the missing bytes and appends them. */
  async attempt(): Promise<void> {
    const { url, path } = this.source;
    const { validator, bytes } = this.state;
    if (this.have > 0 && this.have === bytes) return;
    const { response, linked } = await answerOf(
      url,
      this.have > 0 && validator ? { range: `bytes=${this.have}-`, 'if-range': validator } : {},
    );
    await checkAnswer(response, url);
    const whole = lengthOf(response, this.have, url);
    const expected = this.source.bytes ?? linked.bytes ?? null;
    if (whole !== null && expected !== null && whole !== expected) {
      await response.body?.cancel();
      throw new UserError(
        `${url}: expected ${expected} bytes, as published; the server has ${whole}: it holds another file: check --base-url, ${HINT}`,
      );
    }
    this.state = {
      validator: validatorOf(response),
      bytes: whole ?? expected,
      sha256: linked.sha256 ?? null,
    };
    writing(path, () => writeAtomically(this.stateFile, JSON.stringify(this.state)));
    await this.append(response);
    const { have } = this;
    if (this.state.bytes === null) this.state.bytes = have;
    if (have > this.state.bytes) {
      rmSync(this.part);
      throw new UserError(
        `${url}: expected ${this.state.bytes} bytes; got ${have}: the server is at fault: start again later, ${HINT}`,
      );
    }
    if (have < this.state.bytes)
      throw new Transient(
        `the connection ended after ${megabytes(have, 3)} of ${megabytes(this.state.bytes, 3)}`,
      );
  }

  private async append(response: Response): Promise<void> {
    const { url, path, magic } = this.source;
    const file = writing(path, () => openSync(this.part, 'a'));
    try {
      if (response.status === 200) ftruncateSync(file);
      let have = response.status === 200 ? 0 : this.have;
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        if (
          have === 0 &&
          !Buffer.from(chunk).subarray(0, magic.length).equals(Buffer.from(magic).subarray(0, chunk.length))
        )
          throw new UserError(
            `${url}: expected a file that begins with ${magic}; got ${JSON.stringify(Buffer.from(chunk.subarray(0, 40)).toString())}: check --base-url, ${HINT}`,
          );
        writing(path, () => {
          for (let at = 0; at < chunk.length;) at += writeSync(file, chunk, at);
        });
        have += chunk.length;
        this.options.onProgress(have, this.state.bytes);
      }
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new Transient(`the connection was cut after ${megabytes(this.have, 3)}`);
    } finally {
      closeSync(file);
    }
  }

  /** Verifies the complete file and renames it. @returns its SHA-256 */
  async finish(): Promise<string> {
    const { url, path, magic } = this.source;
    const [published, came] = [this.source.sha256 ?? this.state.sha256, await sha256Of(this.part)];
    const wrong =
      published && came !== published
        ? `SHA-256 ${published}; got ${came}`
        : endOf(this.part, magic.length) === magic
          ? null
          : `a file that ends with ${magic}; got another end`;
    if (wrong) {
      for (const file of [this.part, this.stateFile]) rmSync(file, { force: true });
      throw new UserError(
        `${url}: expected ${wrong}: it was damaged in transit and is removed; start again, ${HINT}`,
      );
    }
    writing(path, () =>
      writeAtomically(`${path}.json`, JSON.stringify({ sha256: came, published: published !== null })),
    );
    renameSync(this.part, path);
    rmSync(this.stateFile, { force: true });
    return came;
  }
}

/** SHA-256 of a file that was downloaded before; null if it is missing or, having changed, was removed. */
async function cached({ path, sha256 }: Source): Promise<string | null> {
  if (!existsSync(path)) return null;
  const known =
    sha256 ??
    (existsSync(`${path}.json`)
      ? (JSON.parse(readFileSync(`${path}.json`, 'utf8')) as { sha256: string }).sha256
      : undefined);
  const found = await sha256Of(path);
  if (found === known) return found;
  rmSync(path);
  return null;
}

/** Downloads a file unless it is there already. Attempts go on as long as each receives something. @returns its SHA-256 */
export async function download(source: Source, options: DownloadOptions): Promise<string> {
  const before = await cached(source);
  if (before) return before;
  writing(source.path, () => mkdirSync(dirname(source.path), { recursive: true }));
  const waits = options.waitSeconds ?? [1, 2, 4, 8, 16];
  const running = new Download(source, options);
  for (let failures = 0, most = running.have; ;) {
    try {
      await running.attempt();
      return await running.finish();
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      if (running.have > most) [most, failures] = [running.have, 0];
      const wait = Math.max(error.waitSeconds, waits[failures] ?? Infinity);
      if (wait > LONGEST_WAIT_SECONDS)
        throw new UserError(
          `${source.url}: expected ${basename(source.path)}; got ${error.message}${failures ? `, ${failures + 1} times in a row` : ''}: start again later${running.have ? ` (the ${megabytes(running.have, 3)} that came are kept)` : ''}, ${HINT}`,
        );
      failures++;
      options.onRetry(error.message, wait);
      await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
    }
  }
}
