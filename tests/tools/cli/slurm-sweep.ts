/** A sweep through the real Slurm, started on loopback for this test. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { capacity, capacityRuns } from '../../../lib/experiments/capacity';
import { runId } from '../../../lib/experiments/experiment';
import { checkpointPath } from '../../../lib/train/checkpoint';
import { readRecord, recordPath, runFolder } from '../../../lib/train/record';
import { paths } from '../../../lib/util/paths';
import { assertOneLine } from '../../refusal';
import { weightsIn } from '../../train/checkpoints';
import { noSlurm, OneMachine } from '../slurm';

function sweep(env: NodeJS.ProcessEnv, ...argv: string[]) {
  const { NODE_TEST_CONTEXT: _, ...rest } = env;
  const program = join(paths.root, 'lib/tools/cli/sweep.ts');
  return spawnSync(process.execPath, ['--import', 'tsx', program, 'capacity', '--tier', 'smoke', ...argv], {
    cwd: paths.root,
    env: rest,
    encoding: 'utf8',
  });
}

const ids = capacityRuns('smoke').map((config) => runId(capacity, config));

/** Removes the runs. */
export function forget(these = ids): void {
  for (const id of these) rmSync(runFolder(id), { recursive: true, force: true });
}

/** Runs the body without what was submitted from here before, which comes back. */
async function apart(body: () => Promise<void>): Promise<void> {
  const [submitted, kept] = [join(paths.local, 'slurm'), join(paths.local, 'slurm-kept')];
  if (existsSync(submitted)) renameSync(submitted, kept);
  try {
    await body();
  } finally {
    rmSync(submitted, { recursive: true, force: true });
    if (existsSync(kept)) renameSync(kept, submitted);
  }
}

/** Curve and weights of each run. */
const results = () =>
  ids.map((id) => [readRecord(recordPath(id)).curve, weightsIn(checkpointPath(id)).toString('base64')]);

test('--print gives a command for each run that is not finished', () => {
  forget();
  assert.equal(
    sweep(process.env, '--print').stdout,
    ids.map((id) => `npm run --silent sweep -- capacity --tier smoke --run ${id}\n`).join(''),
  );
});

test('without Slurm --slurm is one line', () => {
  const { status, stderr } = sweep({ ...process.env, PATH: '/nowhere' }, '--slurm');
  assert.equal(status, 1);
  assertOneLine(stderr, 'sweep', 'sbatch', '--print');
});

test('a sweep through Slurm, one task killed, ends in the bits of one without', { skip: noSlurm() }, (t) =>
  apart(async () => {
    forget();
    assert.equal(sweep(process.env, '--jobs', '2').status, 0);
    const expected = results();
    forget();
    const slurm = new OneMachine();
    try {
      await slurm.start();
      const refused = sweep(slurm.env, '--slurm', '--', '--partition', 'nowhere');
      assert.equal(refused.status, 1);
      assertOneLine(refused.stderr, 'sbatch', 'partition');

      slurm.run('scontrol', 'update', 'PartitionName=all', 'State=DOWN');
      const first = sweep(slurm.env, '--slurm', '--jobs', '1', '--', '--partition', 'all');
      assert.match(first.stdout, new RegExp(`^job \\d+: ${ids.length} runs submitted`), first.stderr);
      assert.match(sweep(slurm.env, '--slurm').stdout, /^nothing to submit: 0 finished, 2 in the queue/);
      assert.equal(sweep(slurm.env, '--list').stdout, ids.map((id) => `waiting   ${id}\n`).join(''));

      slurm.run('scontrol', 'update', 'PartitionName=all', 'State=UP');
      const running = () => /^running   (\S+)/m.exec(sweep(slurm.env, '--list').stdout);
      await slurm.until(() => running() !== null);
      slurm.run('scancel', '--signal=KILL', '--full', '--me', '--state=RUNNING');
      t.diagnostic('a task was killed');
      const [job] = /\d+/.exec(first.stdout)!;
      slurm.run('scontrol', 'requeue', `${job}_0`);
      await slurm.until(() => slurm.run('squeue', '--me', '-h') === '');
      const missing = sweep(slurm.env, '--slurm').stdout;
      t.diagnostic(`afterwards: ${missing.trim()}`);
      await slurm.until(() => slurm.run('squeue', '--me', '-h') === '');
      assert.equal(sweep(slurm.env, '--list').stdout, ids.map((id) => `finished  ${id}\n`).join(''));
      assert.deepEqual(results(), expected);
    } finally {
      await slurm.stop();
      forget();
    }
  }),
);
