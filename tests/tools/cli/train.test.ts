import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UserError } from '../../../lib/util/errors';
import { writeAtomically } from '../../../lib/util/files';
import { paths } from '../../../lib/util/paths';

function train(args: string[], env: NodeJS.ProcessEnv = {}): { status: number | null; stderr: string } {
  const clean: NodeJS.ProcessEnv = { ...process.env, ...env };
  delete clean.NODE_TEST_CONTEXT;
  return spawnSync(
    process.execPath,
    ['--import', 'tsx', join(paths.root, 'lib/tools/cli/train.ts'), ...args],
    {
      cwd: paths.root,
      env: clean,
      encoding: 'utf8',
    },
  );
}

const REFUSED: [string[], RegExp][] = [
  [
    [],
    /^train: experiment: expected one of question-formation, overfitting-9m, scaling-90m, plateau-intervention, capacity; got nothing\n$/,
  ],
  [['question-formaton'], /expected one of question-formation, .*; got "question-formaton"/],
  [['question-formation', 'again'], /expected one experiment; got question-formation again/],
  [['question-formation', '--tier', 'fast'], /--tier: expected one of smoke, quick, desk, full; got "fast"/],
  [['question-formation', '--seed', '0'], /--seed: expected a whole number of at least 1; got "0"/],
  [['question-formation', '--layers', 'six'], /--layers: expected a whole number from 1 to 96; got "six"/],
  [
    ['question-formation', '--tokens', '9M'],
    /--tokens: expected for overfitting-9m, scaling-90m only; got it for question-formation/,
  ],
  [
    ['scaling-90m', '--tokens', '9m'],
    /--tokens: expected a number of tokens, such as 900000, 900k or 9M; got "9m"/,
  ],
  [['scaling-90m', '--size', 'tiny'], /--size: expected one of small, medium, large, xl; got "tiny"/],
  [['question-formation', '--steps', '1e4'], /--steps: expected a whole number of at least 1; got "1e4"/],
];

for (const [args, message] of REFUSED)
  test(`train ${args.join(' ')}: refused in one line`, () => {
    const { status, stderr } = train(args);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
    assert.equal(status, 1);
  });

test('DEVICE: a word that is no device, and a GPU that is not there, are refused', () => {
  const wrong = train(['question-formation', '--tier', 'smoke'], { DEVICE: 'tpu' });
  assert.match(wrong.stderr, /train: DEVICE: expected one of cpu, gpu; got "tpu"\n$/);
  const none = train(['question-formation', '--tier', 'smoke'], {
    DEVICE: 'gpu',
    CUDA_VISIBLE_DEVICES: '-1',
  });
  assert.match(none.stderr, /train: DEVICE=gpu: expected .*\n$/);
  assert.deepEqual([wrong.status, none.status], [1, 1]);
});

test('a file that cannot be written is one line, and what was there stays', () => {
  const folder = mkdtempSync(join(tmpdir(), 'files-'));
  const file = join(folder, 'there');
  writeFileSync(file, 'old');
  assert.throws(
    () => writeAtomically(join(file, 'below'), 'new'),
    (e: Error) => e instanceof UserError && /^expected to write .*there.below; .*start again/.test(e.message),
  );
  assert.equal(readFileSync(file, 'utf8'), 'old');
  rmSync(folder, { recursive: true });
});
