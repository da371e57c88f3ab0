import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { paths } from '../../../lib/util/paths';

/** Whether a process has not ended: one that has keeps no environment, though its parent may not know yet. */
function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`).length > 0;
  } catch {
    return false;
  }
}

/** Starts the command of the fixture, and returns it with the ids of all that it started. */
async function started() {
  const command = spawn(process.execPath, [join(paths.root, 'tests/fixtures/tree.cjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = new Promise((resolve) => command.on('exit', resolve));
  let printed = '';
  command.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  while (printed.split('\n').length < 4) await sleep(20);
  const pids = printed.trim().split('\n').map(Number);
  assert.ok(pids.every(isRunning));
  const gone = async (processes = pids) => {
    while (processes.some(isRunning)) await sleep(20);
  };
  return { command, closed, pids, gone };
}

/** The watcher of a command: its child that runs the module itself. */
const watcherOf = (pid: number): number =>
  Number(
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .split(' ')
      .find((child) => child && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('tree.cjs')),
  );

test(
  'what a command started ends with it: busy, stopped, in a session of its own or without a parent',
  { timeout: 60_000 },
  async () => {
    const { command, closed, pids, gone } = await started();
    const watcher = watcherOf(command.pid!);
    command.stdin.write('end\n');
    await closed;
    assert.deepEqual(pids.filter(isRunning), []);
    await gone([watcher]);
  },
);

test('it ends too where the command was killed', { timeout: 60_000 }, async () => {
  const { command, gone } = await started();
  command.kill('SIGKILL');
  await gone();
});

test('a command ends with the npm that started it', { timeout: 60_000 }, async () => {
  const tree = JSON.stringify(join(paths.root, 'lib/tools/setup/tree.cjs'));
  const command = `require(${tree}).stopWithNpm('train'); console.log(process.pid); setInterval(() => {}, 1000);`;
  const parent = `const { spawn } = require('child_process');
    spawn(process.execPath, ['-e', ${JSON.stringify(command)}], { stdio: 'inherit' }); setInterval(() => {}, 1000);`;
  const npm = spawn(process.execPath, ['-e', parent], {
    env: { ...process.env, npm_lifecycle_event: 'train' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const pid = Number(await new Promise((resolve) => npm.stdout.once('data', resolve)));
  assert.ok(isRunning(pid));
  npm.kill('SIGKILL');
  while (isRunning(pid)) await sleep(20);
});

test('a watcher that was killed has a successor', { timeout: 60_000 }, async () => {
  const { command, gone } = await started();
  const first = watcherOf(command.pid!);
  process.kill(first, 'SIGKILL');
  let second = first;
  while (!second || second === first) second = (await sleep(20), watcherOf(command.pid!));
  command.kill('SIGKILL');
  await gone();
  await gone([second]);
});
