/** What set-up configures in a clone for diffs of notebooks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { configureDiffs } from '../../../lib/tools/setup/setup';
import { paths } from '../../../lib/util/paths';

const folder = mkdtempSync(join(tmpdir(), 'diffs-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });
const notebook = (source: string, text: string): string =>
  JSON.stringify({
    cells: [
      {
        cell_type: 'code',
        id: 'cell-1',
        metadata: {},
        source,
        execution_count: 1,
        outputs: [{ output_type: 'stream', name: 'stdout', text }],
      },
    ],
    metadata: {},
    nbformat: 4,
    nbformat_minor: 5,
  });

test('git diff shows the cells of a notebook and not its outputs; without .venv it compares text; a driver of the user stays', () => {
  configureDiffs(folder); // No clone: nothing happens.
  git('init', '-q');
  copyFileSync(join(paths.root, '.gitattributes'), join(folder, '.gitattributes'));
  writeFileSync(join(folder, 'a.ipynb'), notebook('before', 'shown then'));
  git('add', '-A');
  writeFileSync(join(folder, 'a.ipynb'), notebook('after', 'shown now'));
  configureDiffs(folder);
  assert.match(git('diff'), /shown now/);
  symlinkSync(paths.venv, join(folder, '.venv'));
  const diff = git('diff', '--', 'a.ipynb');
  assert.match(diff, /before/);
  assert.match(diff, /after/);
  assert.doesNotMatch(diff, /shown/);

  git('config', 'diff.jupyternotebook.command', 'mine');
  configureDiffs(folder);
  assert.equal(git('config', 'diff.jupyternotebook.command').trim(), 'mine');
});
