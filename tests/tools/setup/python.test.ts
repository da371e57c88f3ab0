import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { paths } from '../../../lib/util/paths';
import {
  choosePython,
  cudaRequirements,
  isWithoutWheel,
  requirements,
  type Python,
} from '../../../lib/tools/setup/python';

const python = (program: string, version: string, hasVenv = true): Python => ({ program, version, hasVenv });

test('a Python with a TensorFlow wheel is preferred, a newer one is used without it', () => {
  assert.equal(
    choosePython([python('python3', '3.14.1'), python('python3.12', '3.12.2')]).program,
    'python3.12',
  );
  assert.equal(
    choosePython([python('python3', '3.9.1'), python('python3.14', '3.14.0')]).program,
    'python3.14',
  );
});

test('Python missing, too old or without venv is one line that says which', () => {
  assert.throws(
    () => choosePython([]),
    /^UserError: Python: expected 3\.10 or newer with its venv module; found none on PATH; install .*$/,
  );
  assert.throws(() => choosePython([python('python3', '3.9.18')]), /; python3 is 3\.9\.18;/);
  assert.throws(() => choosePython([python('python3', '2.7.18')]), /; python3 is 2\.7\.18;/);
  assert.throws(() => choosePython([python('python3', '3.12.3', false)]), /; python3 3\.12\.3 lacks venv;/);
});

test('requirements.txt pins every package to one version, TensorFlow in one line', () => {
  const { jupyter, tensorflowVersion } = requirements(
    readFileSync(join(paths.root, 'requirements.txt'), 'utf8'),
  );
  assert.match(tensorflowVersion, /^\d+\.\d+\.\d+$/);
  for (const line of jupyter) assert.match(line, /^[a-z_-]+==\d+(\.\d+)+$/);
  for (const name of ['jupyterlab==4.6.', 'nbconvert==', 'jupytext==', 'nbdime=='])
    assert.ok(
      jupyter.some((line) => line.startsWith(name)),
      name,
    );
  assert.throws(
    () => requirements('jupyterlab==4.6.6\n'),
    /expected one line "tensorflow-cpu==VERSION"; got none/,
  );
});

test('a wheel that does not exist is told from a network that does not answer', () => {
  const none =
    'ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: none)\nERROR: No matching distribution found for tensorflow-cpu==2.21.0';
  assert.equal(isWithoutWheel(none), true);
  assert.equal(
    isWithoutWheel(
      `WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\n${none}`,
    ),
    false,
  );
  assert.equal(isWithoutWheel('ERROR: No space left on device'), false);
});

test('CUDA libraries are read from the metadata of the wheel', () => {
  const metadata =
    'Requires-Dist: numpy>=1.26.0\nProvides-Extra: and-cuda\nRequires-Dist: nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"\nRequires-Dist: nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"\nRequires-Dist: nvidia-nccl-cu12; extra == "other"\n';
  assert.deepEqual(cudaRequirements(metadata), [
    'nvidia-cublas-cu12<13.0,>=12.5.3.2',
    'nvidia-cudnn-cu12<10.0,>=9.3.0.75',
  ]);
});
