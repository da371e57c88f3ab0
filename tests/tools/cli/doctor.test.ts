import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { paths } from '../../../lib/util/paths';
import { engine } from '../../../lib/tensor/engine';
import { cpuFeatures, tensorflowItem, type Item } from '../../../lib/tools/cli/doctor';
import { assertOneLine } from '../../refusal';
import { cpuFlags } from '../../../lib/tools/setup/state.cjs';

interface Report {
  ok: boolean;
  items: Item[];
  checks: Record<string, { expected: number[]; got: number[]; ok: boolean }>;
}

const doctor = (...args: string[]) =>
  spawnSync(
    process.execPath,
    [
      '--import',
      pathToFileURL(require.resolve('tsx')).href,
      join(paths.root, 'lib', 'tools', 'cli', 'doctor.ts'),
      ...args,
    ],
    { cwd: paths.root, encoding: 'utf8' },
  );

test('doctor --json: every needed thing is here, the op and the gradient give the known values', () => {
  const { status, stdout } = doctor('--json');
  const { ok, items, checks } = JSON.parse(stdout) as Report;
  assert.deepEqual(
    items.filter(({ state }) => state === 'missing'),
    [],
  );
  assert.equal(ok, true);
  assert.equal(status, 0);
  assert.deepEqual(checks.matMul!.got, [19, 22, 43, 50]);
  if (engine().fused) assert.deepEqual(checks.sumSquares!.got, [25]);
  [0.41997434, 1, 0.07065082].forEach((x, i) =>
    assert.ok(Math.abs(checks.gradient!.got[i]! - x) < 1e-6, `${checks.gradient!.got[i]} is not ${x}`),
  );
  const value = (name: string) => items.find((item) => item.name === name)!.value;
  assert.ok(value('Node').startsWith(process.versions.node));
  assert.match(value('TFJS'), /^4\.22\.0$/);
});

test('doctor prints one line per item', () => {
  const { status, stdout } = doctor();
  assert.equal(status, 0);
  for (const line of stdout.trimEnd().split('\n')) assert.match(line, /^(ok|slow) +\S/);
  assert.match(stdout, /got 19 22 43 50, expected 19 22 43 50/);
});

test('CPU features are read from both kinds of /proc/cpuinfo', () => {
  assert.deepEqual(cpuFeatures(cpuFlags('model name\t: x\nflags\t\t: fpu avx avx2 fma avx512f amx_bf16\n')), [
    'avx2',
    'fma',
    'avx512f',
    'amx_bf16',
  ]);
  assert.deepEqual(cpuFeatures(cpuFlags('Features\t: fp asimd bf16\n')), ['asimd', 'bf16']);
  assert.deepEqual(cpuFeatures(cpuFlags('')), []);
});

test('doctor --bundle: one archive with findings and logs, without paths of home and passwords', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  const file = join(folder, 'doctor.tar.gz');
  const log = join(paths.cache, 'setup', 'bundle-test.log');
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, `${paths.root}/lib ${homedir()}/x https://me:secret@index.example/simple`);
  try {
    assert.match(doctor('--bundle', file).stdout, /^written: .*doctor\.tar\.gz\n$/);
    const read = (name: string) => execFileSync('tar', ['-xzOf', file, name], { encoding: 'utf8' });
    assert.equal(read('bundle-test.log'), 'PROJECT/lib HOME/x https://...@index.example/simple');
    const findings = JSON.parse(read('doctor.json')) as Report;
    assert.ok(findings.items.length > 5);
    assert.ok(!read('doctor.json').includes(paths.root));
    const again = doctor('--bundle', file);
    assert.equal(again.status, 1);
    assertOneLine(again.stderr, '--bundle', file);
  } finally {
    rmSync(log);
    rmSync(folder, { recursive: true });
  }
});

test('a GPU that TensorFlow does not use is told, unless the CPU is asked for', () => {
  const of = (device: 'cpu' | 'gpu', gpu: boolean, wanted?: string) =>
    tensorflowItem({ device, tensorflowVersion: '2.21.0' }, gpu, wanted);
  for (const item of [of('cpu', false), of('gpu', true), of('cpu', true, 'cpu')])
    assert.deepEqual([item.state, item.advice], ['ok', undefined]);
  const unused = of('cpu', true);
  assert.equal(unused.state, 'slow');
  assertOneLine(`${unused.value}; ${unused.advice}`, '2.21.0 on the CPU', 'NVIDIA', 'DEVICE=cpu');
});
