import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { paths } from '../../../lib/util/paths';
import { choosePython, uvSettings, type Python } from '../../../lib/tools/setup/python';
import { refusal } from '../../refusal';

const python = (program: string, version: string, hasVenv = true): Python => ({ program, version, hasVenv });

test('the first Python that TensorFlow has a wheel for is taken', () => {
  assert.equal(
    choosePython([python('python3', '3.14.1'), python('python3.12', '3.12.2')]).program,
    'python3.12',
  );
  assert.equal(choosePython([python('python3', '3.9.1'), python('python3.10', '3.10.0')]).version, '3.10.0');
});

test('Python missing, too old, too new or without venv is one line that says which', () => {
  const refused = (found: Python[], ...parts: string[]) =>
    assert.throws(() => choosePython(found), refusal('Python', '3.10 to 3.13', ...parts));
  refused([], 'PATH');
  assert.throws(() => choosePython([], '/nowhere/python'), refusal('PYTHON="/nowhere/python"'));
  refused([python('python3', '3.9.18')], 'python3 3.9.18');
  refused([python('python3', '3.14.0')], 'python3 3.14.0');
  refused([python('python3', '2.7.18')], 'python3 2.7.18');
  refused([python('python3', '3.12.3', false)], 'python3 3.12.3 without venv');
});

test('every package is pinned to one version for each Python, and TensorFlow is the same with and without CUDA', () => {
  const lines = (...names: string[]) =>
    readFileSync(join(paths.root, ...names), 'utf8')
      .split('\n')
      .filter((line) => line && !line.startsWith('#'));
  const all = lines('requirements.txt');
  const cpu = lines('lib', 'tools', 'setup', 'tensorflow-cpu.txt');
  const cuda = lines('lib', 'tools', 'setup', 'tensorflow-cuda.txt');
  for (const line of [...all, ...cpu, ...cuda])
    assert.match(line, /^[a-z0-9_-]+==\d[0-9a-z.]*( ; [a-z_]+ .*)?$/);
  for (const wanted of lines('lib', 'tools', 'setup', 'requirements.in'))
    assert.ok(all.includes(wanted), wanted);
  assert.equal(cpu.length, 1);
  assert.equal(cuda[0], cpu[0]!.replace('-cpu', ''));
});

test("uv takes the user's pip configuration: environment before [install] before [global]", () => {
  const folder = mkdtempSync(join(tmpdir(), 'links-'));
  const config = [
    "global.index-url='https://one.example/simple'",
    "install.index-url='https://two.example/simple'",
    `global.find-links='/nowhere ${folder}'`,
    "global.trusted-host='a.example\\nb.example'",
    ":env:.cert='/certificates.pem'",
    ":env:.disable-pip-version-check='1'",
  ].join('\n');
  const strategy = { UV_INDEX_STRATEGY: 'unsafe-best-match' };
  assert.deepEqual(uvSettings(config, {}), {
    ...strategy,
    UV_DEFAULT_INDEX: 'https://two.example/simple',
    UV_FIND_LINKS: folder,
    UV_INSECURE_HOST: 'a.example b.example',
    SSL_CERT_FILE: '/certificates.pem',
  });
  assert.deepEqual(uvSettings("global.index-url='https://one.example'", { UV_DEFAULT_INDEX: 'x' }), strategy);
  assert.deepEqual(uvSettings('', {}), strategy);
});
