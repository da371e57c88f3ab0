import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { paths } from '../../lib/util/paths';

interface Holder {
  pid: number;
  started: string;
}
interface Lock {
  lock(file: string, onWait: (pid: number) => void): Promise<() => void>;
  tryLock(file: string): boolean;
  shareLock(file: string, pid: number): void;
  holders(file: string): Holder[];
  holder(pid: number): Holder;
}
const lockModule = join(paths.root, 'lib', 'util', 'lock.cjs');
const { lock, tryLock, shareLock, holders, holder } = require(lockModule) as Lock;

const lockFile = () => join(mkdtempSync(join(tmpdir(), 'lock-')), 'lock');
const deadPid = (): number => spawnSync(process.execPath, ['-e', '']).pid;

/** A process that takes the lock, calls `work`, and gives it back. */
const taker = (file: string, work: string) =>
  spawn(
    process.execPath,
    [
      '-e',
      `const fs = require('fs'), wait = (ms) => new Promise((r) => setTimeout(r, ms));
    require(${JSON.stringify(lockModule)}).lock(${JSON.stringify(file)}, () => {}).then(async (release) => { ${work}; release(); });`,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
const closed = (child: ReturnType<typeof taker>) =>
  new Promise<number | null>((resolve) => child.on('close', resolve));

test('the lock of a dead process is taken over; that of a live one is not', async () => {
  const file = lockFile();
  writeFileSync(file, JSON.stringify([{ pid: deadPid(), started: '1' }]));
  const release = await lock(file, () => assert.fail('waited for a dead process'));
  assert.deepEqual(holders(file), [holder(process.pid)]);
  assert.equal(tryLock(file), false);
  release();
  assert.equal(existsSync(file), false);
});

test('a file that is no lock, or cut off, holds nobody up', () => {
  for (const text of ['', '[{"pid":', '{"pid":1}', 'null']) {
    const file = lockFile();
    writeFileSync(file, text);
    assert.equal(tryLock(file), true, text);
  }
});

test(
  'a process that was given the number of a dead holder does not hold the lock',
  { skip: !existsSync('/proc/self/stat') },
  () => {
    const file = lockFile();
    writeFileSync(file, JSON.stringify([{ ...holder(process.pid), started: '1' }]));
    assert.deepEqual(holders(file), []);
    assert.equal(tryLock(file), true);
  },
);

test('the lock holds while the child that works under it runs', async () => {
  const file = lockFile();
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shareLock(file, child.pid!);
  const [, worker] = JSON.parse(readFileSync(file, 'utf8')) as Holder[];
  writeFileSync(file, JSON.stringify([{ pid: deadPid(), started: '1' }, worker]));
  assert.equal(tryLock(file), false);
  child.kill('SIGKILL');
  await new Promise((resolve) => child.on('close', resolve));
  assert.equal(tryLock(file), true);
});

test('a second command waits, is told for whom, and goes on when the first ends', async () => {
  const file = lockFile();
  const first = taker(
    file,
    `process.stdout.write('in'); await new Promise((r) => process.stdin.once('data', r)); fs.writeFileSync(${JSON.stringify(`${file}.done`)}, ''); process.stdin.destroy()`,
  );
  await new Promise((resolve) => first.stdout!.once('data', resolve));
  const told: number[] = [];
  const release = await lock(file, (pid) => {
    told.push(pid);
    first.stdin!.write('go');
  });
  assert.deepEqual(told, [first.pid]);
  assert.ok(existsSync(`${file}.done`), 'went on before the first had ended');
  release();
});

test('of many who find a dead holder at once, one at a time goes in', async () => {
  const file = lockFile();
  const log = `${file}.log`;
  writeFileSync(file, JSON.stringify([{ pid: deadPid(), started: '1' }]));
  const work = `fs.appendFileSync(${JSON.stringify(log)}, 'i'); await wait(30); fs.appendFileSync(${JSON.stringify(log)}, 'o')`;
  const codes = await Promise.all(Array.from({ length: 5 }, () => closed(taker(file, work))));
  assert.deepEqual(codes, [0, 0, 0, 0, 0]);
  assert.equal(readFileSync(log, 'utf8'), 'ioioioioio');
});
