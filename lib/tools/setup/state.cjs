// @ts-check
'use strict';
/** Whether set-up has anything to do: what it depends on, compared with what it depended on when it last ended. */
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { cache, hasGpu, root } = require('./environment.cjs');
const { Problem } = require('./processes.cjs');

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
 * SHA-256 of files, and of all files in folders.
 * @param {string[]} places
 * @returns {string}
 */
function contentHash(...places) {
  const hash = createHash('sha256');
  for (const place of places.filter((name) => fs.existsSync(name)))
    if (fs.statSync(place).isDirectory())
      hash.update(
        contentHash(
          ...fs
            .readdirSync(place)
            .filter((name) => name !== '__pycache__')
            .sort()
            .map((name) => path.join(place, name)),
        ),
      );
    else hash.update(path.basename(place)).update(fs.readFileSync(place));
  return hash.digest('hex').slice(0, 16);
}

/**
 * The processor's instruction sets (x86: "flags", Arm: "Features").
 * @param {string} cpuinfo text of /proc/cpuinfo
 */
const cpuFlags = (cpuinfo = fs.readFileSync('/proc/cpuinfo', 'utf8')) =>
  /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim() ?? '';

/**
 * @param {string} program
 * @returns {string | null} where PATH has it, or the program itself where it is a path to one
 */
function onPath(program) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  const files = program.includes('/') ? [program] : folders.map((folder) => path.join(folder, program));
  const isProgram = (/** @type {string} */ file) => {
    try {
      fs.accessSync(file, fs.constants.X_OK);
      return fs.statSync(file).isFile();
    } catch {
      return false;
    }
  };
  return files.find(isProgram) ?? null;
}

/** The C++ compiler: the variable CXX names one, else the system's; null where it has none. */
function compiler() {
  const given = process.env.CXX;
  if (!given) return onPath('g++') ?? onPath('c++') ?? onPath('clang++');
  const found = onPath(given);
  if (found) return found;
  throw new Problem(
    `CXX: expected a C++ compiler by name or path, without arguments; got "${given}", which is no program here; correct or unset it, then run the same command again`,
  );
}

const stamp = cache('setup', 'ready.json');

/** Compiled files, by what they are; next to each is a .key that says what it was made from. */
const NATIVE = {
  'native binding': path.join(root, 'node_modules/@tensorflow/tfjs-node-gpu/lib/napi-v8/tfjs_binding.node'),
  'fused operations': cache('native', 'ops.so'),
};

/**
 * The size of a compiled file and the hash of its key. Trap: one that was cut off ends the process that loads it with
 * SIGBUS, and no line says why.
 * @param {string} file
 */
const nativeState = (file) =>
  `${fs.statSync(file, { throwIfNoEntry: false })?.size ?? 'none'} ${contentHash(`${file}.key`)}`;

/** Files that the last steps of set-up make: one that is gone was removed by the user. */
const RESULTS = [
  'node_modules/.package-lock.json',
  '.venv/bin/python',
  '.venv/bin/jupyter-lab',
  '.venv/share/jupyter/kernels/tslab/kernel.json',
  '.cache/plotly.min.js',
];

/**
 * Everything that set-up depends on, by name. A part that changes makes set-up look at each of its steps again.
 * @returns {Record<string, string>}
 */
function dependsOn() {
  const here = (/** @type {string[]} */ ...names) =>
    contentHash(...names.map((name) => path.join(root, name)));
  return {
    'package-lock.json': here('package-lock.json'),
    'requirements.txt': here('requirements.txt'),
    'set-up itself': here('lib/tools/setup', 'lib/tools/jupyter', 'lib/tensor/native'),
    Node: `${process.version} ${process.arch} ${process.execPath}`,
    'the project folder': root,
    GPU: String(hasGpu()),
    CPU: createHash('sha256').update(cpuFlags()).digest('hex').slice(0, 16),
    ...Object.fromEntries(Object.entries(NATIVE).map(([name, file]) => [name, nativeState(file)])),
    compiler: fs.existsSync(NATIVE['fused operations']) ? 'not needed' : String(compiler()),
  };
}

/**
 * Why set-up must run, or null when all is as it was when it last ended.
 * @param {Record<string, string> | null} last what the last set-up depended on
 * @param {Record<string, string>} now
 * @param {string[]} absent
 */
function setupReason(last, now, absent) {
  if (!last) return 'first set-up here; takes about a minute';
  const changed = Object.keys(now).filter((name) => last[name] !== now[name]);
  if (changed.length) return `changed: ${changed.join(', ')}`;
  return absent.length ? `missing: ${absent.join(', ')}` : null;
}

/** Packages that npm has installed and that are not there. */
const missingPackages = (/** @type {{ packages?: object } | null} */ installed) =>
  Object.keys(installed?.packages ?? {}).filter(
    (name) => !fs.existsSync(path.join(root, name, 'package.json')),
  );

const installedLock = () => readJson(path.join(root, 'node_modules', '.package-lock.json'));

const reasonToSetUp = () =>
  setupReason(readJson(stamp), dependsOn(), [
    ...RESULTS.filter((name) => !fs.existsSync(path.join(root, name))),
    ...missingPackages(installedLock()).slice(0, 3),
  ]);

/** Until set-up ends there is no stamp, so that one that was cut off is never taken for done. */
const clearStamp = () => fs.rmSync(stamp, { force: true });

function writeStamp() {
  fs.writeFileSync(`${stamp}.part`, JSON.stringify(dependsOn(), null, 1));
  fs.renameSync(`${stamp}.part`, stamp);
}

/**
 * Whether node_modules holds what the lock file says. npm writes node_modules/.package-lock.json last, so half an installation has none.
 * @param {{ packages?: Record<string, any> } | null} wanted package-lock.json
 * @param {{ packages?: Record<string, any> } | null} installed node_modules/.package-lock.json
 */
function installedMatchesLock(wanted, installed) {
  if (!wanted?.packages || !installed?.packages) return false;
  const has = installed.packages;
  return Object.entries(wanted.packages).every(
    ([name, { version, optional }]) =>
      name === '' || has[name]?.version === version || (optional === true && !has[name]),
  );
}

module.exports = {
  readJson,
  contentHash,
  cpuFlags,
  onPath,
  compiler,
  NATIVE,
  nativeState,
  dependsOn,
  setupReason,
  reasonToSetUp,
  clearStamp,
  writeStamp,
  installedLock,
  installedMatchesLock,
  missingPackages,
};
