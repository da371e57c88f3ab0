import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { paths } from '../../../lib/util/paths';
import { childEnvironment, ROOM_GIB } from '../../../lib/tools/setup/environment.cjs';
import { crashLine, failureLine, logged, Problem } from '../../../lib/tools/setup/processes.cjs';
import {
  compiler,
  contentHash,
  dependsOn,
  NATIVE,
  nativeState,
  installedMatchesLock,
  missingPackages,
  onPath,
  setupReason,
} from '../../../lib/tools/setup/state.cjs';
import { memoryProblem, nodeFlags, pathProblem } from '../../../lib/tools/setup/run.cjs';
import { selectTests } from '../../../lib/tools/cli/test';
import { assertOneLine, refusal } from '../../refusal';

const startFile = join(paths.root, 'lib', 'tools', 'setup', 'start.cjs');
const { nodeProblem } = require(startFile) as { nodeProblem(version: string, range: string): string | null };

test('Node too old is one line; new enough is none', () => {
  for (const version of ['20.0.0', '20.20.2', '24.1.0', '100.0.0'])
    assert.equal(nodeProblem(version, '>=20'), null, version);
  assertOneLine(nodeProblem('18.20.4', '>=20')!, 'Node 20', '18.20.4');
  assertOneLine(nodeProblem('9.11.2', '>=20')!, 'Node 20', '9.11.2');
  assert.equal(nodeProblem('20.10.0', '>=20.10'), null);
  assertOneLine(nodeProblem('20.9.9', '>=20.10')!, 'Node 20.10', '20.9.9');
});

test('start.cjs keeps to syntax of very old Node, else it could not say that Node is too old', () => {
  const code = readFileSync(startFile, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  assert.doesNotMatch(code, /\b(const|let|async|class)\b|=>|`|\?\.|\?\?|\.\.\./);
});

test('an unknown command exits with 1 and one line with the known ones', () => {
  for (const args of [['nope'], []]) {
    const { status, stderr, stdout } = spawnSync(process.execPath, [startFile, ...args], {
      encoding: 'utf8',
    });
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assertOneLine(stderr, ...args, 'npm run reproduce, npm test, npm run lab, npm run doctor');
  }
});

test('set-up has nothing to do only when nothing changed and nothing is missing', () => {
  const now = { Node: 'v20', GPU: 'false' };
  assert.equal(setupReason({ ...now }, now, []), null);
  assert.ok(setupReason(null, now, []));
  assert.equal(setupReason({ ...now, Node: 'v22' }, now, []), 'changed: Node');
  assert.equal(setupReason({ Node: 'v20' }, now, []), 'changed: GPU');
  assert.equal(setupReason({ ...now }, now, ['.venv/bin/python']), 'missing: .venv/bin/python');
});

test('set-up depends on the lock file, the requirements, Node, the processor and the folder', () => {
  const here = dependsOn();
  assert.equal(here['the project folder'], paths.root);
  assert.ok(here.Node!.startsWith(process.version));
  for (const name of ['package-lock.json', 'requirements.txt', 'set-up itself', 'CPU'])
    assert.match(here[name]!, /^[0-9a-f]{16}$/, name);
});

test('a hash of files changes with their contents and their names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hash-'));
  const hashes = [contentHash(folder, join(folder, 'absent'))];
  for (const [name, text] of [
    ['a', '1'],
    ['a', '2'],
    ['b', '2'],
  ] as const) {
    writeFileSync(join(folder, name), text);
    hashes.push(contentHash(folder));
  }
  assert.equal(new Set(hashes).size, 4);
});

test('a compiled file that was cut off, removed or has another key makes set-up look at it', () => {
  for (const name of Object.keys(NATIVE)) assert.match(dependsOn()[name]!, /^(none|\d+) [0-9a-f]{16}$/, name);
  const file = join(mkdtempSync(join(tmpdir(), 'native-')), 'ops.so');
  const states = [nativeState(file)];
  writeFileSync(file, 'abcd');
  writeFileSync(`${file}.key`, 'sources');
  states.push(nativeState(file));
  truncateSync(file, 2);
  states.push(nativeState(file));
  writeFileSync(`${file}.key`, 'other sources');
  states.push(nativeState(file));
  assert.equal(new Set(states).size, states.length, states.join());
});

test('a command that crashed gets one line; one that was told to stop gets none', () => {
  for (const signal of [null, 'SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    assert.equal(crashLine('train', signal), null);
  for (const signal of ['SIGBUS', 'SIGSEGV'] as const)
    assertOneLine(crashLine('train', signal)!, 'train', signal, 'npm run doctor');
  for (const signal of ['SIGKILL', 'SIGABRT'] as const)
    assertOneLine(crashLine('train', signal)!, signal, 'memory');
});

test('a command may use the memory that the machine has, whatever limit Node was given', () => {
  const heap = `const all = []; while (process.memoryUsage().heapUsed < 2 ** 27) all.push(new Array(1000).fill({}))`;
  const { status, stderr } = spawnSync(process.execPath, [...nodeFlags(), '-e', heap], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--max-old-space-size=64' },
  });
  assert.equal(status, 0, stderr);
});

test('node_modules is kept when it holds what the lock file says', () => {
  const wanted = {
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/mac': { version: '1.0.0', optional: true },
    },
  };
  const has = (packages: object) => installedMatchesLock(wanted, { packages });
  assert.equal(has({ 'node_modules/a': { version: '1.0.0' } }), true);
  assert.equal(has({ 'node_modules/a': { version: '1.0.1' } }), false);
  assert.equal(has({ 'node_modules/mac': { version: '1.0.0' } }), false);
  assert.equal(
    has({ 'node_modules/a': { version: '1.0.0' }, 'node_modules/mac': { version: '2.0.0' } }),
    false,
  );
  assert.equal(installedMatchesLock(wanted, null), false);
});

test('a package whose folder is gone is seen, whatever the list of npm says', () => {
  const installed = { packages: { 'node_modules/tsx': {}, 'node_modules/of-nobody': {} } };
  assert.deepEqual(missingPackages(installed), ['node_modules/of-nobody']);
  assert.deepEqual(missingPackages(null), []);
});

test('a folder whose path other programs would read as syntax is refused in one line', () => {
  for (const name of ['with space', 'ümlaut', "it's (1)"]) assert.equal(pathProblem(`/home/${name}`), null);
  for (const name of ['$HOME', 'a"b', 'a\nb', 'a`b', 'a\\b'])
    assertOneLine(
      pathProblem(`/home/${name}`)!,
      'the project folder',
      JSON.stringify(`/home/${name}`),
      'move it',
    );
});

test('too little address space is one line', () => {
  const limits = (value: string) =>
    `Limit  Soft Limit  Hard Limit  Units\nMax address space  ${value}  unlimited  bytes\n`;
  assert.equal(memoryProblem(limits('unlimited')), null);
  assert.equal(memoryProblem(limits(String(64 * 2 ** 30))), null);
  assertOneLine(memoryProblem(limits(String(4 * 2 ** 30)))!, 'address space', '4.0', 'ulimit -v');
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', `ulimit -v 20000000; exec "$0" "$1" train`, process.execPath, startFile],
    {
      encoding: 'utf8',
    },
  );
  assertOneLine(stderr, 'address space');
  assert.equal(status, 1);
});

test('a failed step is one line that says what came and what to do', () => {
  const line = (output: string) => failureLine('npm packages', output, '.cache/setup/npm.log');
  assertOneLine(line('OSError: [Errno 28] No space left on device'), 'npm packages', 'disk');
  assertOneLine(line('npm error EACCES: permission denied, mkdir'), 'npm packages', 'writable');
  assertOneLine(line('getaddrinfo ENOTFOUND registry'), 'npm packages', 'network');
  assertOneLine(line('some text\nERROR: broken wheel\nbye\n'), 'npm packages', '"ERROR: broken wheel"');
  for (const output of ['', 'a\nb\nerror c\n']) assertOneLine(line(output), 'npm packages');
});

test('npm, pip, uv and Jupyter keep their files inside the project', () => {
  const environment = childEnvironment();
  for (const name of [
    'npm_config_cache',
    'PIP_CACHE_DIR',
    'UV_CACHE_DIR',
    'JUPYTER_CONFIG_DIR',
    'JUPYTER_DATA_DIR',
    'JUPYTER_RUNTIME_DIR',
    'JUPYTERLAB_SETTINGS_DIR',
    'JUPYTERLAB_WORKSPACES_DIR',
    'IPYTHONDIR',
    'CUDA_CACHE_PATH',
  ])
    assert.ok(environment[name]?.startsWith(paths.cache), name);
  assert.ok(environment.PATH!.startsWith(join(paths.venv, 'bin')));
});

test('a program is found by its name on PATH or by its own path', () => {
  const folder = mkdtempSync(join(tmpdir(), 'program-'));
  const file = join(folder, 'c++-here');
  writeFileSync(file, '');
  assert.equal(onPath(file), null, 'not executable');
  chmodSync(file, 0o755);
  assert.equal(onPath(file), file);
  assert.equal(onPath(folder), null, 'a folder');
  assert.equal(onPath('c++-here'), null);
  assert.ok(onPath('sh')!.endsWith('/sh'));
});

test('the variable CXX names the compiler by path; one that is none is refused', (t) => {
  const before = process.env.CXX;
  t.after(() => (before === undefined ? delete process.env.CXX : (process.env.CXX = before)));
  process.env.CXX = process.execPath;
  assert.equal(compiler(), process.execPath);
  for (const none of ['/nowhere/g++', 'no-such-compiler']) {
    process.env.CXX = none;
    assert.throws(compiler, (error) => {
      assert.ok(error instanceof Problem);
      assertOneLine(error.message, 'CXX', `"${none}"`);
      return true;
    });
  }
});

test('a program that passes its time limit is stopped, and its output says so', async () => {
  const log = join(mkdtempSync(join(tmpdir(), 'logged-')), 'log');
  const run = (limitSeconds?: number) =>
    logged('sh', ['-c', 'echo error: slow; exec sleep 0.5'], {
      cwd: '.',
      env: process.env,
      log,
      limitSeconds,
    });
  assert.deepEqual(await run(0.2), { code: 143, output: 'stopped after 0.2 s' });
  assert.deepEqual(await run(), { code: 0, output: 'error: slow\n' });
});

test('README says how much room set-up needs', () => {
  const readme = readFileSync(paths.readme, 'utf8');
  for (const gib of Object.values(ROOM_GIB)) assert.ok(readme.includes(`${gib} GiB`), String(gib));
});

test('names choose test files by a part of their path', () => {
  const files = ['cli/lab.test.ts', 'cli/lock.test.ts', 'data/floor.test.ts'];
  assert.deepEqual(selectTests(files, []), files);
  assert.deepEqual(selectTests(files, ['floor', 'cli/lo']), ['cli/lock.test.ts', 'data/floor.test.ts']);
  assert.throws(() => selectTests(files, ['nothing']), refusal('"nothing"', ...files));
});
