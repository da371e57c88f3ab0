import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs, {
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { linkAtomically, writeAtomically, writePartsAtomically } from '../../lib/util/files';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what killed processes left beside a file goes when it is written; what others write or own stays', async () => {
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  const [file, running] = [join(folder, 'last'), process.ppid];
  for (const name of [
    `last.${ended}.part`,
    `last.${running}.part`,
    `best.${ended}.part`,
    `last.${ended}.part.old`,
    'last.part',
  ])
    writeFileSync(join(folder, name), 'x');
  await writePartsAtomically(file, [Buffer.from('a'), Buffer.from('b')]);
  assert.equal(readFileSync(file, 'utf8'), 'ab');
  writeFileSync(join(folder, `last.${ended}.part`), 'x');
  writeAtomically(file, 'c');
  assert.equal(readFileSync(file, 'utf8'), 'c');
  assert.deepEqual(
    readdirSync(folder).sort(),
    [`best.${ended}.part`, 'last', 'last.part', `last.${ended}.part.old`, `last.${running}.part`].sort(),
  );
});

test('content is on the disk before its name is there, and the name before the write ends', async (t) => {
  const file = join(folder, 'last');
  let calls: string[] = [];
  t.mock.method(fs, 'fsyncSync', (descriptor: number) => {
    calls.push(readlinkSync(`/proc/self/fd/${descriptor}`) === folder ? 'flush folder' : 'flush file');
  });
  const rename = fs.renameSync;
  t.mock.method(fs, 'renameSync', (from: string, to: string) => (calls.push('rename'), rename(from, to)));
  const writes: [name: string, write: () => void | Promise<void>][] = [
    ['whole', () => writeAtomically(file, 'a')],
    ['in parts', () => writePartsAtomically(file, [Buffer.from('a')])],
    ['second name', () => linkAtomically(file, join(folder, 'best'))],
  ];
  for (const [name, write] of writes) {
    calls = [];
    await write();
    assert.deepEqual(calls, ['flush file', 'rename', 'flush folder'], name);
  }
});

test('a second name takes the place of what had it, shares the bytes, and keeps them when the first is written anew', async () => {
  const [first, second] = [join(folder, 'last'), join(folder, 'best')];
  writeFileSync(first, 'one');
  writeFileSync(second, 'old');
  for (const _ of [1, 2]) linkAtomically(first, second);
  assert.equal(statSync(first).ino, statSync(second).ino);
  await writePartsAtomically(first, [Buffer.from('two')]);
  assert.deepEqual(
    [first, second].map((path) => readFileSync(path, 'utf8')),
    ['two', 'one'],
  );
  assert.deepEqual(readdirSync(folder).sort(), ['best', 'last']);
});

test('a second name that cannot be given is an error, and what was there stays', () => {
  const second = join(folder, 'best');
  writeFileSync(second, 'old');
  assert.throws(() => linkAtomically(join(folder, 'none'), second), /ENOENT/);
  assert.equal(readFileSync(second, 'utf8'), 'old');
});
