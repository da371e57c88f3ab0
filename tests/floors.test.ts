/** The rooms of lib/ and their floors: a room imports only from floors below its own. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { paths } from '../lib/util/paths';

/** From the ground up. Rooms of one floor do not import each other. */
const FLOORS = [
  ['util'],
  ['tensor'],
  ['data/grammar', 'data/text', 'energy', 'model'],
  ['train'],
  ['experiments'],
  ['report'],
  ['analysis/shared', 'analysis', 'tools'],
];
const ROOMS = FLOORS.flat();

const lib = join(paths.root, 'lib');
const files = (readdirSync(lib, { recursive: true }) as string[]).filter((file) => /\.(ts|cjs)$/.test(file));

/** Number of the floor, and the room; an analysis is a room of its own, as are the files of one number together. */
function place(file: string): { floor: number; room: string } | undefined {
  const room = ROOMS.find((name) => file.startsWith(`${name}/`));
  if (!room) return undefined;
  const floor = FLOORS.findIndex((rooms) => rooms.includes(room));
  return { floor, room: room === 'analysis' ? file.slice(0, 'analysis/NN'.length) : room };
}

/** Files of lib/ that a file imports, as paths below lib/. */
const imports = (file: string): string[] =>
  [...readFileSync(join(lib, file), 'utf8').matchAll(/(?:from|import|require\()\s*\(?'(\.[^']*)'/g)]
    .map((match) => join(dirname(file), match[1]!))
    .filter((path) => !path.startsWith('..'));

function mayImport(from: string, to: string): boolean {
  const [here, there] = [place(from), place(to)];
  if (!here || !there) return true; // Another test finds files outside every room.
  const isShared = here.room.startsWith('analysis/') && there.room === 'analysis/shared';
  return there.floor < here.floor || here.room === there.room || isShared;
}

test('every file of lib/ is in a room', () =>
  assert.deepEqual(
    files.filter((file) => !place(file)),
    [],
  ));

test('every import points down, or stays in its room', () =>
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
        place(file)?.room !== 'tools' &&
        /(?:from|import|require\()\s*\(?'@tensorflow\//.test(readFileSync(join(lib, file), 'utf8')),
    ),
    ['tensor/engine.ts'],
  ));
