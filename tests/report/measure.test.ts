import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { keptMeasure } from '../../lib/report/measure';
import { refusal } from '../refusal';

test('a measure is computed once, then read; a damaged file is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'measures-'));
  let computed = 0;
  const kept = () => keptMeasure('a', () => ({ value: ++computed }), folder);
  try {
    assert.deepEqual([await kept(), await kept(), computed], [{ value: 1 }, { value: 1 }, 1]);
    writeFileSync(join(folder, 'a.json'), '{');
    await assert.rejects(kept(), refusal('a.json', 'JSON'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
