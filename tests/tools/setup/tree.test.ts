import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { paths } from '../../../lib/util/paths';

const isRunning = (pid: number): boolean =>
  existsSync(`/proc/${pid}/stat`) && !/^.*\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));

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
    const { command, closed, pids } = await started();
    const watcher = watcherOf(command.pid!);
    command.stdin.write('end\n');
    await closed;
    assert.deepEqual([...pids, watcher].filter(isRunning), []);
  },
);

test('it ends too where the command was killed', { timeout: 60_000 }, async () => {
  const { command, gone } = await started();
  command.kill('SIGKILL');
  await gone();
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
