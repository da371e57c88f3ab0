// @ts-check
'use strict';
/** What kernels have found out about files that cells import, kept between kernels: their JavaScript, and that they have no type errors. */
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { cache, root } = require('../setup/environment.cjs');
const { contentHash } = require('../setup/state.cjs');

const FOLDER = cache('kernel');
/** Beyond this many, all are found out again. */
const MOST = 5000;

/** The compiler of tsx, which runs the same files everywhere else. */
const ESBUILD = require.resolve('esbuild', { paths: [require.resolve('tsx')] });
// A process for each file: one for all would end with the first interrupt, which reaches the whole group.
process.env.ESBUILD_WORKER_THREADS = '0';

/** Files without type errors at their last check, which stands as long as none of those that a cell imports changes. */
const wellTyped = new WeakSet();

/** What decides beside the files: compilers and their settings. */
const SETTINGS = contentHash(
  path.join(root, 'package-lock.json'),
  path.join(root, 'tsconfig.json'),
  path.join(__dirname, 'kernel.cjs'),
  __filename,
);

fs.mkdirSync(FOLDER, { recursive: true });
if (fs.readdirSync(FOLDER).length > MOST) {
  fs.rmSync(FOLDER, { recursive: true });
  fs.mkdirSync(FOLDER);
}

/**
 * File of what is found out from these texts.
 * @param {string} kind
 * @param {string[]} texts
 */
function fileOf(kind, texts) {
  const hash = createHash('sha256').update(SETTINGS);
  for (const text of texts) hash.update('\0').update(text);
  return path.join(FOLDER, `${hash.digest('hex')}.${kind}`);
}

/**
 * Whole or not at all, whatever other kernels write.
 * @param {string} file
 * @param {string} text
 */
function keep(file, text) {
  const part = `${file}.${process.pid}.part`;
  fs.writeFileSync(part, text);
  fs.renameSync(part, file);
}

/**
 * @param {string} source of an imported file
 * @returns its JavaScript
 */
exports.javascriptOf = (source) => {
  const file = fileOf('js', [source]);
  if (fs.existsSync(file)) return fs.readFileSync(file, 'utf8');
  const { code } = require(ESBUILD).transformSync(source, { loader: 'ts', format: 'cjs', target: 'node20' });
  keep(file, code);
  return code;
};

/**
 * Type errors of a cell and of what it imports. A file that had none is not checked again before it, or a file that it
 * imports directly or not, has changed.
 * @param {any[]} files the cell and its imports
 * @param {any} cell
 * @param {any} builder TypeScript's program
 * @param {(program: any, files: any[]) => any[]} check
 */
exports.errorsIn = (files, cell, builder, check) => {
  const imported = files.filter((file) => file !== cell);
  if (imported.every((file) => wellTyped.has(file))) return check(builder.getProgram(), [cell]);
  const kept = new Map(
    imported.map((file) => {
      const names = [...builder.getAllDependencies(file)].sort();
      const versions = names.map((name) => `${name} ${builder.getSourceFile(name).version}`);
      return [file, fileOf('typed', versions)];
    }),
  );
  const unknown = imported.filter((file) => !fs.existsSync(/** @type {string} */ (kept.get(file))));
  const found = check(builder.getProgram(), [cell, ...unknown]);
  const wrong = new Set(found.map(({ file }) => file));
  for (const [file, place] of kept) {
    if (wrong.has(file)) {
      wellTyped.delete(file);
      continue;
    }
    if (unknown.includes(file)) keep(place, '');
    wellTyped.add(file);
  }
  return found;
};
