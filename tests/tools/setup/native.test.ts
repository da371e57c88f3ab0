import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { engine } from '../../../lib/tensor/engine';
import { attempt, opsFile, testOps } from '../../../lib/tools/setup/native';
import { assertOneLine } from '../../refusal';

test('a compiler that fails without a word: its exit code is the reason', async () => {
  assertOneLine((await attempt('silent', ['sh', '-c', 'exit 3']))!, 'ended with code 3', 'silent.log');
});

test('fused ops are tested by computing with them; a file cut off or of noise fails, and this process goes on', async (t) => {
  if (!engine().fused) return t.skip('no fused ops here');
  assert.equal(await testOps(), null);
  const file = join(mkdtempSync(join(tmpdir(), 'ops-')), 'ops.so');
  copyFileSync(opsFile, file);
  truncateSync(file, statSync(file).size / 2);
  assertOneLine((await testOps(file))!, 'details');
  writeFileSync(file, 'x'.repeat(100));
  assertOneLine((await testOps(file))!, 'details');
});
