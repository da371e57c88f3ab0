// @ts-check
'use strict';
/** Whether set-up has anything to do: what it depends on, compared with what it depended on when it last ended. */
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');

/**
 * @param {string} file
 * @returns {any} the JSON in a file, or null where there is none
 */
function readJson(file) {
  try {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch {
    return null;
  }
}

/**
 * Writes a file in one step: a reader sees the old one or the new one.
 * @param {string} file
 * @param {unknown} value
 */
function writeJson(file, value) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(`${file}.${process.pid}`, `${JSON.stringify(value, null, 1)}\n`);
  fs.renameSync(`${file}.${process.pid}`, file);
}

/**
 * @param {string} place
 * @returns {string[]} a file, or all files below a folder
 */
function filesBelow(place) {
  if (!fs.existsSync(place)) return [];
  if (!fs.statSync(place).isDirectory()) return [place];
  return fs
    .readdirSync(place)
    .sort()
    .flatMap((name) => filesBelow(path.join(place, name)));
}

/** @param {string[]} places */
function contentHash(places) {
  const hash = createHash('sha256');
  for (const file of places.flatMap(filesBelow))
    hash.update(path.basename(file)).update(fs.readFileSync(file));
  return hash.digest('hex').slice(0, 16);
}

/** Whether an NVIDIA driver is here (Linux, or WSL). */
const hasGpu = () =>
  ['/proc/driver/nvidia/version', '/dev/nvidia0', '/usr/lib/wsl/lib/libcuda.so.1'].some((place) =>
    fs.existsSync(place),
  );

/**
 * @param {string} program
 * @returns {string | null} where PATH has it
 */
function onPath(program) {
  for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
    const file = path.join(folder, program);
    try {
      fs.accessSync(file, fs.constants.X_OK);
      if (folder && fs.statSync(file).isFile()) return file;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** The C++ compiler and make that node-gyp needs, or null. */
function compiler() {
  const found =
    (process.env.CXX && onPath(process.env.CXX)) || onPath('g++') || onPath('c++') || onPath('clang++');
  return found && onPath('make') ? found : null;
}

/** @param {string} root */
const places = (root) => ({
  stamp: path.join(root, '.cache', 'setup', 'ready.json'),
  lock: path.join(root, '.cache', 'setup', 'lock'),
  engine: path.join(root, '.cache', 'engine.json'),
  binding: path.join(
    root,
    'node_modules',
    '@tensorflow',
    'tfjs-node-gpu',
    'lib',
    'napi-v8',
    'tfjs_binding.node',
  ),
});

/**
 * Everything that set-up depends on, by name. A part that changes makes set-up look at each of its steps again.
 * A compiler counts only while the engine is not the fast one: a new compiler is then worth a new try.
 * @param {string} root
 * @returns {Record<string, string>}
 */
function dependsOn(root) {
  const here = (/** @type {string[]} */ ...names) => contentHash(names.map((name) => path.join(root, name)));
  const fast = readJson(places(root).engine)?.engine === 'native-wheel';
  return {
    'package-lock.json': here('package-lock.json'),
    'requirements.txt': here('requirements.txt'),
    'set-up itself': here('lib/tools/setup', 'lib/tools/jupyter'),
    Node: `${process.version} ${process.platform} ${process.arch} ${process.execPath}`,
    'the project folder': root,
    GPU: String(hasGpu()),
    compiler: fast ? 'not needed' : String(compiler() !== null),
  };
}

/**
 * Files that the commands need and that a user may have removed.
 * @param {string} root
 */
function missing(root) {
  const { engine, binding } = places(root);
  const needed = [
    'node_modules/.package-lock.json',
    'node_modules/tsx/package.json',
    '.venv/bin/python',
    '.venv/bin/jupyter-lab',
    '.venv/share/jupyter/kernels/tslab/kernel.json',
    '.cache/plotly.min.js',
  ].map((name) => path.join(root, name));
  if (readJson(engine)?.engine !== 'plain') needed.push(engine, binding);
  return needed.filter((file) => !fs.existsSync(file)).map((file) => path.relative(root, file));
}

/**
 * Why set-up must run, or null when all is as it was when it last ended.
 * @param {Record<string, string> | null} stamp what the last set-up depended on
 * @param {Record<string, string>} now
 * @param {string[]} absent
 */
function setupReason(stamp, now, absent) {
  if (!stamp) return 'it has not ended here yet; about a minute';
  const changed = Object.keys(now).filter((name) => stamp[name] !== now[name]);
  if (changed.length) return `changed: ${changed.join(', ')}`;
  return absent.length ? `missing: ${absent.join(', ')}` : null;
}

/** @param {string} root */
const reasonToSetUp = (root) => setupReason(readJson(places(root).stamp), dependsOn(root), missing(root));

/**
 * Whether node_modules holds what the lock file says. npm writes node_modules/.package-lock.json last, so half an installation has none.
 * @param {{ packages?: Record<string, any> } | null} wanted package-lock.json
 * @param {{ packages?: Record<string, any> } | null} installed node_modules/.package-lock.json
 */
function installedMatchesLock(wanted, installed) {
  if (!wanted?.packages || !installed?.packages) return false;
  const names = Object.keys(wanted.packages).filter((name) => name !== '');
  const same = (/** @type {string} */ name) =>
    installed.packages?.[name]?.version === wanted.packages?.[name].version;
  const mayLack = (/** @type {string} */ name) =>
    wanted.packages?.[name].optional === true && !installed.packages?.[name];
  return names.every((name) => same(name) || mayLack(name));
}

module.exports = {
  readJson,
  writeJson,
  hasGpu,
  onPath,
  compiler,
  places,
  dependsOn,
  missing,
  setupReason,
  reasonToSetUp,
  installedMatchesLock,
};
