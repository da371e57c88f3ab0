import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('signals that arrive during small float32 products break nothing', async () => {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(__dirname, 'fixtures/multiply.ts'), '2000'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
  const interrupting = setInterval(() => {
    if (said) for (let i = 0; i < 20; i++) child.kill('SIGUSR2');
  }, 1);
  try {
    assert.equal(await ended, 0);
  } finally {
    clearInterval(interrupting);
  }
  assert.equal(said, 'begun\n128\n');
});
