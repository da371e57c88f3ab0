import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { lock, tryLock } from '../../lib/util/lock.cjs';
import { paths } from '../../lib/util/paths';

const lockModule = join(paths.root, 'lib', 'util', 'lock.cjs');
const newPlace = () => join(mkdtempSync(join(tmpdir(), 'lock-')), 'place');

/** A process that takes the lock, calls `work` and releases it. */
const taker = (place: string, work: string) =>
  spawn(
    process.execPath,
    [
      '-e',
      `const fs = require('fs'), { spawn } = require('child_process'), wait = (ms) => new Promise((r) => setTimeout(r, ms));
    require(${JSON.stringify(lockModule)}).lock(${JSON.stringify(place)}, () => {}).then(async (held) => { ${work}; held.release(); });`,
    ],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
const closed = (child: ReturnType<typeof taker>) =>
  new Promise<number | null>((resolve) => child.on('close', resolve));
const said = (child: ReturnType<typeof taker>) =>
  new Promise<string>((resolve) => child.stdout!.once('data', (text) => resolve(String(text))));

test('one process holds a lock; another place has a lock of its own; released, it is free', async () => {
  const place = newPlace();
  const held = await tryLock(place);
  assert.ok(held);
  assert.equal(await tryLock(place), null);
  const other = await tryLock(newPlace());
  assert.ok(other);
  other.release();
  held.release();
  const again = await lock(place, () => assert.fail('waited for a lock that is free'));
  again.release();
});

test('a place has one lock by whichever path it is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lock-'));
  symlinkSync(folder, `${folder}-link`);
  const held = (await tryLock(join(folder, 'place')))!;
  const second = await tryLock(join(`${folder}-link`, 'place'));
  held.release();
  second?.release();
  assert.equal(second, null);
});

test('a lock whose holder was killed is free', async () => {
  const place = newPlace();
  const holder = taker(place, `process.stdout.write('in'); await wait(1e6)`);
  await said(holder);
  assert.equal(await tryLock(place), null);
  holder.kill('SIGKILL');
  await closed(holder);
  const held = await tryLock(place);
  assert.ok(held);
  held.release();
});

test('a lock holds while a child that inherited it works, also when its holder was killed', async () => {
  const place = newPlace();
  const holder = taker(
    place,
    `const child = spawn('sleep', ['1000'], { stdio: ['ignore', 'ignore', 'ignore', held.descriptor] });
     process.stdout.write(String(child.pid)); await wait(1e6)`,
  );
  const child = Number(await said(holder));
  holder.kill('SIGKILL');
  await closed(holder);
  assert.equal(await tryLock(place), null);
  process.kill(child, 'SIGKILL');
  (await lock(place, () => undefined)).release();
});

test('a second command waits, is told so once, and goes on when the first ends', async () => {
  const place = newPlace();
  const first = taker(
    place,
    `process.stdout.write('in'); await new Promise((r) => process.stdin.once('data', r)); fs.writeFileSync(${JSON.stringify(`${place}.done`)}, ''); process.stdin.destroy()`,
  );
  await said(first);
  let told = 0;
  const held = await lock(place, () => {
    told++;
    first.stdin!.write('go');
  });
  assert.equal(told, 1);
  assert.equal(readFileSync(`${place}.done`, 'utf8'), '', 'went on before the first had ended');
  held.release();
});

test('of many who wait for a holder that is killed, one at a time goes in', async () => {
  const place = newPlace();
  const log = `${place}.log`;
  writeFileSync(log, '');
  const killed = taker(place, `process.stdout.write('in'); await wait(1e6)`);
  await said(killed);
  const work = `fs.appendFileSync(${JSON.stringify(log)}, 'i'); await wait(30); fs.appendFileSync(${JSON.stringify(log)}, 'o')`;
  const waiting = Array.from({ length: 5 }, () => closed(taker(place, work)));
  killed.kill('SIGKILL');
  assert.deepEqual(await Promise.all(waiting), [0, 0, 0, 0, 0]);
  assert.equal(readFileSync(log, 'utf8'), 'ioioioioio');
});
