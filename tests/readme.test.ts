/** What the documents name exists. */
import assert from 'node:assert/strict';
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

for (const document of ['README.md', 'CONTRIBUTING.md', 'data/README.md'])
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
