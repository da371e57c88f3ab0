import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXPERIMENTS } from '../../../lib/experiments';
import { TIERS } from '../../../lib/train/config';
import { recordPath, type RunRecord } from '../../../lib/train/record';
import { writeAtomically } from '../../../lib/util/files';
import { paths } from '../../../lib/util/paths';
import { assertOneLine, refusal } from '../../refusal';

function train(args: string[], env: NodeJS.ProcessEnv = {}) {
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

const lastLine = (text: string): string => text.trim().split('\n').at(-1)!;

const NAMES = EXPERIMENTS.map(({ name }) => name);

/** Arguments, and what the refusal names: the field, what it knows, and what came. */
const REFUSED: [args: string[], parts: string[]][] = [
  [[], ['experiment', ...NAMES, 'nothing']],
  [['question-formaton'], ['experiment', ...NAMES, '"question-formaton"']],
  [
    ['question-formation', 'again'],
    ['one experiment', 'question-formation again'],
  ],
  [
    ['question-formation', '--tier', 'fast'],
    ['--tier', ...TIERS, '"fast"'],
  ],
  [
    ['question-formation', '--seed', '0'],
    ['--seed', 'at least 1', '"0"'],
  ],
  [
    ['question-formation', '--layers', 'six'],
    ['--layers', 'from 1 to 96', '"six"'],
  ],
  [
    ['question-formation', '--tokens', '9M'],
    ['--tokens', 'overfitting-9m', 'scaling-90m', 'question-formation'],
  ],
  [
    ['scaling-90m', '--tokens', '9m'],
    ['--tokens', '9M', '"9m"'],
  ],
  [
    ['scaling-90m', '--size', 'tiny'],
    ['--size', 'small, medium, large, xl', '"tiny"'],
  ],
  [
    ['question-formation', '--steps', '1e4'],
    ['--steps', 'at least 1', '"1e4"'],
  ],
];

for (const [args, parts] of REFUSED)
  test(`train ${args.join(' ')}: refused in one line`, () => {
    const { status, stderr } = train(args);
    assertOneLine(stderr, 'train: ', ...parts);
    assert.equal(status, 1);
  });

test('DEVICE: a word that is no device, and a GPU that is not there, are refused', () => {
  const wrong = train(['question-formation', '--tier', 'smoke'], { DEVICE: 'tpu' });
  assertOneLine(lastLine(wrong.stderr), 'train: DEVICE', 'cpu', 'gpu', '"tpu"');
  const none = train(['question-formation', '--tier', 'smoke'], {
    DEVICE: 'gpu',
    CUDA_VISIBLE_DEVICES: '-1',
  });
  assertOneLine(lastLine(none.stderr), 'train: DEVICE=gpu');
  assert.deepEqual([wrong.status, none.status], [1, 1]);
});

test('--json prints the record alone', () => {
  const { stdout, stderr, status } = train(['capacity', '--tier', 'smoke', '--seed', '987653', '--json']);
  const { id, config } = JSON.parse(stdout) as RunRecord;
  try {
    assert.deepEqual([config.seed, status], [987653, 0]);
    assert.ok(stderr.endsWith(`\nrecord: ${recordPath(id)}\n`), stderr);
  } finally {
    rmSync(join(paths.local, 'runs', id), { recursive: true });
  }
});

test('steps beyond the schedule are said to change nothing', () => {
  const { status, stderr } = train(
    ['capacity', '--tier', 'smoke', '--seed', '987652', '--steps', '1000000'],
    {
      DEVICE: 'tpu',
    },
  );
  const [said, refused] = stderr.trim().split('\n');
  assertOneLine(said!, '--steps', 'learning rate is', '1000000');
  assertOneLine(refused!, 'DEVICE');
  assert.equal(status, 1);
});

test('a file that cannot be written is one line, and what was there stays', () => {
  const folder = mkdtempSync(join(tmpdir(), 'files-'));
  const file = join(folder, 'there');
  writeFileSync(file, 'old');
  assert.throws(() => writeAtomically(join(file, 'below'), 'new'), refusal(join(file, 'below')));
  assert.equal(readFileSync(file, 'utf8'), 'old');
  rmSync(folder, { recursive: true });
});
