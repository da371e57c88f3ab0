/** Runs of a list as a Slurm job array, a task a run. Nothing here keeps running on the node that submits. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tier } from '../../train/config';
import { UserError } from '../../util/errors';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';

/** Of each array the ids of its runs by task, and of each run its log. */
const FOLDER = join(paths.local, 'slurm');

const logPath = (id: string): string => join(FOLDER, `${id}.log`);

/** A command for one run, which any other queue takes too. */
export const runCommand = (name: string, tier: Tier, id: string): string =>
  `npm run --silent sweep -- ${name} --tier ${tier} --run ${id}`;

/** The job's script. A task that a signal or its time limit ends is put into the queue again, and goes on from its last checkpoint. */
const script = (name: string, tier: Tier, ids: readonly string[]): string => `#!/bin/sh
cd '${paths.root.replace(/'/g, `'\\''`)}' || exit 1
set -- ${ids.join(' ')}
shift "$SLURM_ARRAY_TASK_ID"
exec >>"data/local/slurm/$1.log" 2>&1
again() { scontrol requeue "$SLURM_JOB_ID"; }
trap again TERM
${runCommand(name, tier, '"$1"')} &
wait $!
status=$?
[ "$status" -le 128 ] || again
exit "$status"
`;

/** What a program of Slurm prints; null where it is not installed. */
function slurm(program: string, argv: string[], input = ''): string | null {
  const { error, status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8', input });
  if (error) return null;
  if (status === 0) return stdout;
  throw new UserError(
    `${program}: expected Slurm to answer; got "${stderr.trim().split('\n').at(-1)}": correct what follows -- or ask whoever runs the cluster`,
  );
}

/** Runs that this user has in the queue, and whether each runs or waits. Slurm is asked only where jobs were submitted from here. */
export function queuedRuns(): Map<string, 'running' | 'waiting'> {
  const queued = new Map<string, 'running' | 'waiting'>();
  const lists = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.json')) : [];
  if (!lists.length) return queued;
  const lines = slurm('squeue', ['--me', '--noheader', '--array', '--format=%F %K %T']) ?? '';
  for (const [, job, task, state] of lines.matchAll(/^(\d+) (\d+) (\w+)$/gm)) {
    const list = join(FOLDER, `${job}.json`);
    if (!existsSync(list)) continue;
    const id = (JSON.parse(readFileSync(list, 'utf8')) as string[])[Number(task)];
    if (id) queued.set(id, state === 'RUNNING' ? 'running' : 'waiting');
  }
  return queued;
}

/** Last line that a task's run has printed, if it has printed one. */
export const lastLogged = (id: string): string | undefined =>
  existsSync(logPath(id))
    ? readFileSync(logPath(id), 'utf8')
        .trim()
        .split(/[\r\n]/)
        .at(-1)
    : undefined;

/**
 * @param flags for sbatch
 * @param atATime most tasks that run together; null: as many as Slurm likes
 * @returns the number of the job
 */
export function submit(
  name: string,
  tier: Tier,
  ids: readonly string[],
  flags: readonly string[],
  atATime: number | null,
): string {
  mkdirSync(FOLDER, { recursive: true });
  const array = `--array=0-${ids.length - 1}${atATime === null ? '' : `%${atATime}`}`;
  const output = `--output=${join(FOLDER, 'before-%A_%a.log')}`;
  const own = ['--parsable', array, output, `--job-name=${name}-${tier}`, '--requeue', '--signal=B:TERM@60'];
  // Held until the list of its runs is written.
  const printed = slurm('sbatch', [...own, '--hold', ...flags], script(name, tier, ids));
  if (printed === null)
    throw new UserError(
      '--slurm: expected sbatch on the PATH; found none: start it on a node that submits to Slurm, or give the lines of --print to what queues jobs here',
    );
  const job = printed.trim().split(';')[0]!;
  writeAtomically(join(FOLDER, `${job}.json`), `${JSON.stringify(ids)}\n`);
  slurm('scontrol', ['release', job]);
  return job;
}
