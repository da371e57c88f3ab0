import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeAtomically } from '../../lib/util/files';
import { takeLease, type Lease } from '../../lib/util/lease';
import { refusal } from '../refusal';

let path = '';
const children: ChildProcess[] = [];
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'lease-')), 'run', 'last');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(dirname(dirname(path)), { recursive: true });
});

const PACE = { beatMs: 20, pollMs: 20 };
const owners = (): string[] => readdirSync(join(dirname(path), 'lease'));
const take = (waits: (owner: string) => void = () => assert.fail('waited')): Promise<Lease> =>
  takeLease(path, waits, PACE);
const write = (lease: Lease, text: string): Promise<void> =>
  lease.writing((folder) => writeAtomically(path, text, folder));

/** A process that takes the lease, says so, and writes whenever it is told to. `args`: a program that runs it. */
async function holder(...args: string[]): Promise<{ child: ChildProcess; says: () => Promise<string> }> {
  const script = join(__dirname, '..', 'fixtures', 'lease-holder.ts');
  const [program, ...rest] = [...args, process.execPath, '--import', 'tsx', script, path];
  const child = spawn(program!, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
  children.push(child);
  const says = () =>
    new Promise<string>((resolve) => child.stdout.once('data', (text) => resolve(String(text))));
  assert.equal(await says(), 'holds it\n');
  return { child, says };
}

/** Makes the owner of the lease one of another machine, as on a shared file system; nobody beats for it. */
function moveAbroad(): string {
  const [owner] = owners() as [string];
  const abroad = owner.replace(/^([^.]*)\.[^.]*/, 'far-away.0123456789ab');
  renameSync(join(dirname(path), 'lease', owner), join(dirname(path), 'lease', abroad));
  renameSync(join(dirname(path), `${owner}.part`), join(dirname(path), `${abroad}.part`));
  return abroad;
}

test('a lease is held by one; another waits and is told whose it is; released, nothing is left of it', async () => {
  const first = await take();
  const waited: string[] = [];
  const second = take((owner) => void waited.push(owner));
  while (!waited.length) await sleep(5);
  assert.match(waited[0]!, new RegExp(`^process ${process.pid} on `));
  await write(first, 'one');
  await first.release();
  const lease = await second;
  await write(lease, 'two');
  await lease.release();
  assert.deepEqual(readdirSync(dirname(path)), ['last']);
  assert.equal(readFileSync(path, 'utf8'), 'two');
});

test('a folder that the lease made is removed with it where nothing was written', async () => {
  await (await take()).release();
  assert.ok(!existsSync(dirname(path)));
});

test('whoever waits can be told to stop, and leaves nothing', async () => {
  const lease = await take();
  const before = readdirSync(dirname(path)).sort();
  const stop = () => {
    throw new Error('stopped');
  };
  await assert.rejects(take(stop), /stopped/);
  assert.deepEqual(readdirSync(dirname(path)).sort(), before);
  await lease.release();
});

test('the lease of a process of this machine that was killed is taken over at once, with what it left', async () => {
  const { child } = await holder();
  const ended = new Promise((resolve) => child.on('close', resolve));
  child.kill('SIGKILL');
  await ended;
  const lease = await take();
  assert.equal(owners().length, 1);
  assert.equal(readdirSync(dirname(path)).filter((name) => name.endsWith('.part')).length, 1);
  await lease.release();
});

test('a lease of another machine is taken over when its heartbeat stays the same, and not before', async () => {
  const first = await take();
  const abroad = moveAbroad();
  const file = join(dirname(path), 'lease', abroad);
  process.env.LEASE_SECONDS = '1';
  try {
    let [polls, beats] = [0, 0];
    // Beats for it longer than a lease lasts, then no more.
    const second = await take(() => {
      if (++polls < 100) writeAtomically(file, String(++beats), tmpdir());
    });
    assert.ok(polls >= 149, `${polls} looks`);
    assert.ok(!existsSync(join(dirname(path), `${abroad}.part`)));
    await assert.rejects(
      write(first, 'late'),
      refusal('run', `process ${process.pid}`, 'overwritten nothing'),
    );
    await write(second, 'right');
    await second.release();
  } finally {
    delete process.env.LEASE_SECONDS;
    await first.release();
  }
  assert.equal(readFileSync(path, 'utf8'), 'right');
});

test('a process that was stopped in the middle of a write and wakes up after the takeover changes nothing', async () => {
  const { child, says } = await holder();
  const aside = join(dirname(path), `${owners()[0]}.part`);
  child.stdin!.write('write\n');
  // It writes without end until it is told to go on.
  while (!readdirSync(aside).length) await sleep(1);
  child.kill('SIGSTOP');
  process.env.LEASE_SECONDS = '1';
  const lease = await take(() => undefined).finally(() => delete process.env.LEASE_SECONDS);
  await write(lease, 'new');
  child.kill('SIGCONT');
  const answer = says();
  child.stdin!.write('go on\n');
  assert.match(await answer, /^refused: run: expected to be the one process .*overwritten nothing\n$/);
  assert.equal(readFileSync(path, 'utf8'), 'new');
  assert.deepEqual(readdirSync(dirname(path)).sort(), ['last', 'lease', `${owners()[0]}.part`].sort());
  await lease.release();
});

test('of many who take over from a killed one, one at a time goes in', async () => {
  const { child } = await holder();
  const ended = new Promise((resolve) => child.on('close', resolve));
  child.kill('SIGKILL');
  await ended;
  let inside = 0;
  const enter = async () => {
    const lease = await takeLease(path, () => undefined, PACE);
    assert.equal(++inside, 1);
    await sleep(5);
    inside--;
    await lease.release();
  };
  await Promise.all(Array.from({ length: 6 }, enter));
  assert.ok(!existsSync(dirname(path)));
});

const canUnshare = spawnSync('unshare', ['--pid', '--fork', '--uts', '--net', 'true']).status === 0;
test(
  'two processes with separate process ids and sockets, as on two machines, wait for each other',
  { skip: !canUnshare && 'unshare is not allowed here' },
  async () => {
    const { child } = await holder('unshare', '--pid', '--fork', '--kill-child', '--uts', '--net');
    process.env.LEASE_SECONDS = '1';
    try {
      let polls = 0;
      const stop = () => {
        if (++polls === 100) throw new Error('waited long enough');
      };
      await assert.rejects(take(stop), /long enough/, 'its heartbeat is seen');
      child.kill('SIGKILL');
      const lease = await take(() => undefined);
      await lease.release();
    } finally {
      delete process.env.LEASE_SECONDS;
    }
  },
);

test('a folder that cannot be made is one line', async () => {
  mkdirSync(dirname(dirname(path)), { recursive: true });
  writeAtomically(dirname(path), 'a file');
  await assert.rejects(take(), refusal(basename(path), 'expected to write it', 'there was none before'));
});

test('a lease that would be taken over between two heartbeats is refused', async () => {
  process.env.LEASE_SECONDS = '3';
  const taking = takeLease(path, () => undefined).finally(() => delete process.env.LEASE_SECONDS);
  await assert.rejects(taking, refusal('LEASE_SECONDS', 'at least 15', '"3"'));
});
