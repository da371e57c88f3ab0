import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { engine } from '../../../lib/tensor/engine';
import { attempt, compile, opsFile, testOps } from '../../../lib/tools/setup/native';
import { assertOneLine, refusal } from '../../refusal';

test('a compiler that fails without a word: its exit code is the reason', async () => {
  assertOneLine((await attempt('silent', ['sh', '-c', 'exit 3']))!, 'ended with code 3', 'silent.log');
});

test('a compiler that was killed ends set-up, for it could have compiled; one that fails gives its reason', async () => {
  const killed = [
    'kill -9 $$',
    'echo warning; kill -9 $$',
    'echo "errors.h: warning"; echo "g++: fatal error: Killed signal terminated program cc1plus"; exit 1',
    'echo "g++: fatal error: Killed signal terminated program cc1plus"; exit 1',
    'echo "g++: fatal error: Terminated signal terminated program cc1plus"; exit 1',
  ];
  for (const script of killed)
    await assert.rejects(
      compile('killed', ['sh', '-c', script]),
      refusal('killed', 'run the same command again'),
    );
  assertOneLine(
    (await compile('failed', ['sh', '-c', 'echo "error: no such header"; exit 1']))!,
    'no such header',
  );
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
