/** The modules of lib/ on their levels: a module imports only from lower levels. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { paths } from '../lib/util/paths';

/** From the lowest up. Modules of one level do not import each other. */
const LEVELS = [
  ['util'],
  ['tensor'],
  ['data/grammar', 'data/text', 'energy', 'model'],
  ['train'],
  ['experiments'],
  ['report'],
  ['analysis/shared', 'analysis'],
  ['tools'],
];
const MODULES = LEVELS.flat();

const lib = join(paths.root, 'lib');
const files = (readdirSync(lib, { recursive: true }) as string[]).filter((file) => /\.(ts|cjs)$/.test(file));

/** Level and module of a file; the files of one number in analysis/ are a module. */
function place(file: string): { level: number; module: string } | undefined {
  const module = MODULES.find((name) => file.startsWith(`${name}/`));
  if (!module) return undefined;
  const level = LEVELS.findIndex((modules) => modules.includes(module));
  return { level, module: module === 'analysis' ? file.slice(0, 'analysis/NN'.length) : module };
}

/** A file without the lines of its doc comments, whose examples import from elsewhere. */
const code = (file: string): string => readFileSync(join(lib, file), 'utf8').replace(/^ *\*.*$/gm, '');

/** Files of lib/ that a file imports, as paths below lib/. */
const imports = (file: string): string[] =>
  [...code(file).matchAll(/(?:from|import|require\()\s*\(?'(\.[^']*)'/g)]
    .map((match) => join(dirname(file), match[1]!))
    .filter((path) => !path.startsWith('..'));

function mayImport(from: string, to: string): boolean {
  const [here, there] = [place(from), place(to)];
  if (!here || !there) return true; // Another test finds files outside every module.
  const isShared = here.module.startsWith('analysis/') && there.module === 'analysis/shared';
  return there.level < here.level || here.module === there.module || isShared;
}

test('every file of lib/ is in a module', () =>
  assert.deepEqual(
    files.filter((file) => !place(file)),
    [],
  ));

test('every import points down, or stays in its module', () =>
  assert.deepEqual(
    files.flatMap((from) =>
      imports(from)
        .filter((to) => !mayImport(from, to))
        .map((to) => `${from} → ${to}`),
    ),
    [],
  ));

test('below the tools, TensorFlow is imported in one file', () =>
  assert.deepEqual(
    files.filter(
      (file) =>
        place(file)?.module !== 'tools' && /(?:from|import|require\()\s*\(?'@tensorflow\//.test(code(file)),
    ),
    ['tensor/engine.ts'],
  ));

test('every import names a file: the kernel of the notebooks finds no folder', () =>
  assert.deepEqual(
    files.flatMap((from) =>
      imports(from)
        .filter(
          (to) =>
            !/\.\w+$/.test(to) && !existsSync(join(lib, `${to}.ts`)) && !existsSync(join(lib, `${to}.cjs`)),
        )
        .map((to) => `${from} → ${to}`),
    ),
    [],
  ));
