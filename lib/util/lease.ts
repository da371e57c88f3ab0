/**
 * A lease on a folder: one process at a time writes files in it, on one machine or on several that share the file system.
 * It needs neither locks nor clocks in common, only that a rename is atomic.
 *
 *   FOLDER/lease/OWNER   the owner's count of heartbeats; the name says who it is
 *   FOLDER/OWNER.part/   what the owner writes, until it is complete and renamed into FOLDER
 *
 * Taking: a folder `lease` that holds OWNER is renamed into place, which fails where there is one that is not empty.
 * Taking over: OWNER is renamed to the new owner's name, which succeeds for one of several that try, and only while OWNER
 * is the owner; then OWNER.part is removed. A process that was stopped and wakes up after that has nothing left that it
 * could rename into FOLDER, at whichever instruction it was stopped.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { UserError, wholeNumber } from './errors';
import { cannotWrite } from './files';

/** Between two heartbeats. */
const BEAT_MS = 5000;
/** Between two looks at another's heartbeat. */
const POLL_MS = 1000;
/** An owner whose count stays the same for so long has its lease taken over. */
const LEASE_SECONDS = 60;

/** What a function returns, or undefined where it throws. */
function orNone<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** Field of /proc/PID/stat after the program's name, or undefined where there is no such process. */
const stat = (pid: number | 'self', field: number): string | undefined =>
  orNone(() => readFileSync(`/proc/${pid}/stat`, 'latin1'))
    ?.replace(/^.*\) /s, '')
    .split(' ')[field - 3];
const STATE = 3;
const STARTED = 22;

/** What processes have in common that see each other's ids. */
function machine(): string {
  const boot = orNone(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const namespace = orNone(() => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256').update([hostname(), boot, namespace].join()).digest('hex').slice(0, 12);
}

/** HOST.MACHINE.PID.STARTED.RANDOM */
const newOwner = (): string =>
  [
    hostname().replace(/[^\w-]/g, '-'),
    machine(),
    process.pid,
    stat('self', STARTED) ?? 0,
    randomBytes(4).toString('hex'),
  ].join('.');

const described = (owner: string): string => {
  const [host, , pid] = owner.split('.');
  return `process ${pid} on ${host}`;
};

/** Whether an owner is a process of this machine that has ended; of another machine nobody here can know. */
function hasEnded(owner: string): boolean {
  const [, where, pid, started] = owner.split('.');
  if (where !== machine()) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true;
  }
  const now = stat(Number(pid), STARTED);
  return now !== undefined && (now !== started || stat(Number(pid), STATE) === 'Z');
}

const asideOf = (folder: string, owner: string): string => join(folder, `${owner}.part`);

/** Whether an operation on files succeeded; false if it failed with one of these codes. */
function succeeds(codes: string[], operation: () => void): boolean {
  try {
    operation();
    return true;
  } catch (error) {
    if (codes.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

const removeEmpty = (folder: string): void =>
  void succeeds(['ENOENT', 'ENOTEMPTY', 'EEXIST', 'EBUSY'], () => rmdirSync(folder));

/** Removes a folder, but for files that a process of this machine has open on NFS. */
const remove = (folder: string): void =>
  void succeeds(['ENOTEMPTY', 'EBUSY'], () =>
    rmSync(folder, { recursive: true, force: true, maxRetries: 10 }),
  );

/** The owner of a lease, if it has one. */
function ownerOf(lease: string): string | undefined {
  let names: string[] = [];
  succeeds(['ENOENT', 'ENOTDIR'], () => (names = readdirSync(lease)));
  return names.find((name) => !name.startsWith('.'));
}

/** A lease that this process holds, until it is released or taken over. */
export class Lease {
  private readonly aside: string;
  private readonly file: string;
  private readonly heartbeat: Worker;

  constructor(
    private readonly folder: string,
    owner: string,
    milliseconds: number,
  ) {
    this.aside = asideOf(folder, owner);
    this.file = join(folder, 'lease', owner);
    const workerData = { file: this.file, milliseconds };
    this.heartbeat = new Worker(join(__dirname, 'heartbeat.cjs'), { workerData, execArgv: [] });
    // Without it the lease can be taken over, which is safe.
    this.heartbeat.on('error', () => undefined);
    this.heartbeat.unref();
  }

  /** Throws a UserError unless this process holds the lease. */
  private check(): void {
    if (existsSync(this.file)) return;
    const owner = ownerOf(dirname(this.file));
    throw new UserError(
      `${basename(this.folder)}: expected to be the one process that works on it; ${owner ? `${described(owner)} has taken it over` : 'its lease was removed'} while this one was stopped or out of reach; it ends here and has overwritten nothing`,
    );
  }

  /**
   * Writes files, if this process holds the lease; where a write fails because it does not, the error says so.
   * @param write is given the folder for files that are not complete yet, as `writeAtomically` and the like take it
   */
  async writing<T>(write: (folder: string) => T | Promise<T>): Promise<T> {
    this.check();
    try {
      return await write(this.aside);
    } catch (error) {
      this.check();
      throw error;
    }
  }

  async release(): Promise<void> {
    await this.heartbeat.terminate();
    remove(this.aside);
    rmSync(this.file, { force: true });
    for (const folder of [dirname(this.file), this.folder]) removeEmpty(folder);
  }
}

/** Takes a lease that nobody has. */
function take(folder: string, owner: string): boolean {
  const prepared = join(asideOf(folder, owner), 'lease');
  for (const place of [folder, prepared]) mkdirSync(place, { recursive: true });
  writeFileSync(join(prepared, owner), '0');
  if (succeeds(['ENOTEMPTY', 'EEXIST'], () => renameSync(prepared, join(folder, 'lease')))) return true;
  remove(asideOf(folder, owner));
  return false;
}

/** Takes over from another owner, unless yet another has. */
function takeOver(folder: string, from: string, owner: string): boolean {
  const [lease, own] = [join(folder, 'lease'), asideOf(folder, owner)];
  mkdirSync(own);
  const taken = succeeds(['ENOENT'], () => renameSync(join(lease, from), join(lease, owner)));
  if (!taken) remove(own);
  // Renamed too: on NFS, what a stopped process has open stays in a folder until it is closed.
  else if (succeeds(['ENOENT'], () => renameSync(asideOf(folder, from), join(own, 'before'))))
    remove(join(own, 'before'));
  return taken;
}

/** What processes of this machine left that were killed while they waited, or had no lease. */
function removeLeftovers(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [, owner] = /^(.*)\.part$/.exec(name) ?? [];
    if (owner && hasEnded(owner)) remove(join(folder, name));
  }
}

/**
 * Takes the lease on the folder of `path`, or waits for it. The owner is judged by whether its count changes while this
 * process looks on: clocks are not compared, and time in which this process was stopped itself does not count.
 * @param path a file that will be written in the folder; it is named where that cannot be done
 * @param waits called with the owner's name, once a second while another process has the lease; what it throws ends the waiting
 */
export async function takeLease(
  path: string,
  waits: (owner: string) => void | Promise<void>,
  { beatMs = BEAT_MS, pollMs = POLL_MS } = {},
): Promise<Lease> {
  // Of one that lives, two heartbeats may be late.
  const least = Math.ceil((3 * beatMs) / 1000);
  const seconds = wholeNumber('LEASE_SECONDS', process.env.LEASE_SECONDS ?? String(LEASE_SECONDS), least);
  const [folder, own] = [dirname(path), newOwner()];
  const lease = join(folder, 'lease');
  const attempt = <T>(operation: () => T): T => {
    try {
      return operation();
    } catch (error) {
      for (const place of [join(lease, own), asideOf(folder, own)]) orNone(() => remove(place));
      throw cannotWrite(path, error);
    }
  };
  for (let [seen, silentMs] = ['', 0]; ; silentMs += pollMs) {
    const owner = attempt(() => ownerOf(lease));
    if (owner === undefined) {
      if (attempt(() => take(folder, own))) break;
      // Being released; and some file systems rename onto no folder at all.
      removeEmpty(lease);
      await sleep(10);
      continue;
    }
    const beat = `${owner} ${orNone(() => readFileSync(join(lease, owner), 'utf8'))}`;
    if (beat !== seen) [seen, silentMs] = [beat, 0];
    const ended = hasEnded(owner);
    if (ended || silentMs >= 1000 * seconds) {
      if (!attempt(() => takeOver(folder, owner, own))) continue;
      if (!ended)
        console.warn(
          `${basename(folder)}: ${described(owner)} has given no sign of life for ${seconds} s; this process goes on in its place`,
        );
      break;
    }
    await waits(described(owner));
    await sleep(pollMs);
  }
  removeLeftovers(folder);
  return new Lease(folder, own, beatMs);
}
