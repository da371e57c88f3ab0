/** One word for one thing: no name is exported by two files of lib/. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { paths } from '../lib/util/paths';

const lib = join(paths.root, 'lib');

/** Read through a namespace, with the same names for the same things: one analysis as the other, an op as its kernel. */
const NAMESPACES = [/^analysis\/\d\d-/, /^tensor\/(ops|kernels)\./];
const isElsewhere = (file: string, other: string): boolean =>
  file !== other && !NAMESPACES.some((namespace) => namespace.test(file) && namespace.test(other));

/** Names that a file declares and exports; what it passes on from another is not among them. */
const exported = (text: string): string[] =>
  [
    ...text.matchAll(
      /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|type|interface|enum) (\w+)/gm,
    ),
  ].map((match) => match[1]!);

test('no name is exported twice', () => {
  const files = (readdirSync(lib, { recursive: true }) as string[]).filter((file) => file.endsWith('.ts'));
  const all = files.flatMap((file) =>
    exported(readFileSync(join(lib, file), 'utf8')).map((name) => ({ name, file })),
  );
  const twice = all.filter(({ name, file }) =>
    all.some((other) => other.name === name && isElsewhere(file, other.file)),
  );
  assert.deepEqual(
    twice.map(({ name, file }) => `${name}: ${file}`),
    [],
  );
});
