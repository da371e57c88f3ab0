/** What the documents name exists. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import test from 'node:test';
import { paths } from '../lib/util/paths';

/** Paths in backticks, seen from the root, such as `lib/util/`; those with a placeholder in capitals name no file. */
const named = (text: string): string[] =>
  [...text.matchAll(/`((?:\.?\/)?(?:lib|data|notebooks|tests|figures)\/[^`\s]*)`/g)]
    .map((match) => match[1]!)
    .filter((path) => !/NN|NAME|<|^data\/local/.test(path));

/** Relative targets of links and images, seen from the document. */
const linked = (text: string): string[] =>
  [...text.matchAll(/\]\(((?!\w+:|#)[^)#]+)/g)].map((match) => match[1]!);

/** Whether there is such a file or folder; `*` at the end stands for any. */
const isThere = (path: string): boolean =>
  path.endsWith('*')
    ? readdirSync(dirname(path)).some((name) => name.startsWith(basename(path, '*')))
    : existsSync(path);

for (const document of ['README.md', 'CLUSTER.md', 'CONTRIBUTING.md', 'data/README.md'])
  test(`every path that ${document} names exists`, () => {
    const text = readFileSync(join(paths.root, document), 'utf8');
    const all = [
      ...named(text).map((path) => join(paths.root, path)),
      ...linked(text).map((path) => join(paths.root, dirname(document), path)),
    ];
    assert.ok(all.length > 0);
    assert.deepEqual(
      all.filter((path) => !isThere(path)),
      [],
    );
  });

test('the script that README.md shows runs as written, and prints what its comments say', () => {
  const text = readFileSync(join(paths.root, 'README.md'), 'utf8');
  const script = /```ts\n([^]*?)```/.exec(text)![1]!;
  assert.ok(script.split('\n').filter((line) => line.trim() !== '').length <= 16, script);
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  const tsx = require.resolve('tsx/cli');
  const { stdout, stderr } = spawnSync(process.execPath, [tsx, '-e', script], {
    cwd: paths.root,
    env,
    encoding: 'utf8',
  });
  const [state, continued] = stdout.trimEnd().split('\n') as [string, string];
  const [one, ...others] = state
    .match(/-?[\d.]+(?:e-?\d+)?(?=[, ])/g)!
    .slice(-3)
    .map(Number);
  assert.ok(Math.abs(one! - 1) < 1e-3 && others.every((x) => Math.abs(x) < 1e-3), state + stderr);
  assert.equal(continued, / \/\/ "([^"]+)"/.exec(script)![1]);
});
