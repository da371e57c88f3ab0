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

const quoted = (text: string): string => `'${text.replace(/'/g, `'\\''`)}'`;

/** How often a task that a signal ended unasked, as where memory ran out, is queued again. */
const RESTARTS = 3;

/**
 * The job's script. TERM, which Slurm sends before time runs out, has the run save a checkpoint and end; the task is then
 * queued again and goes on from there. One that was cancelled is no longer RUNNING, and stays cancelled. A node that does
 * not see the project folder can write no file there, and tells Slurm instead.
 */
const script = (name: string, tier: Tier, ids: readonly string[]): string => `#!/bin/sh
task="\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
root=${quoted(paths.root)}
if ! cd "$root" || ! [ -f package.json ]; then
  scontrol update JobId="$task" Comment="$(hostname) does not see $root: share it with the nodes, then run: scontrol release $task"
  scontrol requeuehold "$task"
  exit 1
fi
set -- ${ids.join(' ')}
shift "$SLURM_ARRAY_TASK_ID"
exec >>"data/local/slurm/$1.log" 2>&1
echo "task $task began on $(hostname); where this is the last line, it was killed"
trap 'kill -TERM "$!"' TERM
${runCommand(name, tier, '"$1"')} &
wait "$!"
status=$?
# A signal ends the first wait, and not the run.
while kill -0 "$!" 2>/dev/null; do
  wait "$!"
  status=$?
done
if [ "$status" -eq 143 ] || { [ "$status" -gt 128 ] && [ "\${SLURM_RESTART_COUNT:-0}" -lt ${RESTARTS} ]; }; then
  [ "$(squeue --noheader --jobs="$task" --format=%T)" != RUNNING ] || scontrol requeue "$task"
fi
exit "$status"
`;

/** What a program of Slurm prints; null where it is not installed. */
function slurm(program: string, argv: string[], input = ''): string | null {
  const { pid, status, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8', input });
  if (!pid) return null;
  // An error beside a process, EPIPE, is that of one that ended without reading its input.
  if (status === 0) return stdout;
  throw new UserError(
    `${program}: expected Slurm to answer; got "${stderr.trim().split('\n').at(-1)}": correct the flags, or ask whoever runs the cluster`,
  );
}

/** A run's task in the queue. */
export interface QueuedRun {
  isRunning: boolean;
  /** Its task has been cancelled or is about to be queued again, and its process may still be there. */
  isEnding: boolean;
  /** Why it does not start by itself; empty where it does. */
  why: string;
}

/** Runs in the queue, whoever submitted them. Slurm is asked only where jobs were submitted from here. */
export function queuedRuns(): Map<string, QueuedRun> {
  const queued = new Map<string, QueuedRun>();
  const lists = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => name.endsWith('.json')) : [];
  if (!lists.length) return queued;
  const lines = slurm('squeue', ['--noheader', '--array', '--format=%F|%K|%T|%Q|%r|%k']) ?? '';
  for (const line of lines.trim().split('\n')) {
    const [job, task, state, priority, reason = '', ...comment] = line.split('|');
    if (!lists.includes(`${job}.json`)) continue;
    const id = (JSON.parse(readFileSync(join(FOLDER, `${job}.json`), 'utf8')) as string[])[Number(task)];
    const said = comment.join('|').replace('(null)', '');
    // A task that is held has no priority.
    const why = priority === '0' || /never/i.test(reason) ? said || reason : '';
    if (id) queued.set(id, { isRunning: state === 'RUNNING', isEnding: state === 'COMPLETING', why });
  }
  return queued;
}

/** Last line that a task's run has printed, if it has printed one. */
export const lastLogged = (id: string): string | undefined =>
  existsSync(logPath(id))
    ? readFileSync(logPath(id), 'utf8')
        .trim()
        .split(/[\r\n]/)
        .at(-1)!
        .replace(/^1 of 1 {2}\S+ {2}(FAILED: )?/, '')
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
  const own = [
    '--parsable',
    // Held until the list of its runs is written.
    '--hold',
    `--array=0-${ids.length - 1}${atATime === null ? '' : `%${atATime}`}`,
    `--job-name=${name}-${tier}`,
    '--ntasks=1',
    '--requeue',
    '--signal=B:TERM@60',
    // The script writes its own log: Slurm could not, on a node that does not see the folder, and would not say why.
    '--output=/dev/null',
  ];
  const printed = slurm('sbatch', [...own, ...flags], script(name, tier, ids));
  if (printed === null)
    throw new UserError(
      '--slurm: expected sbatch on the PATH; found none: start it on a node that submits to Slurm, or give the lines of --print to what queues jobs here',
    );
  const job = printed.trim().split(';')[0]!;
  writeAtomically(join(FOLDER, `${job}.json`), `${JSON.stringify(ids)}\n`);
  slurm('scontrol', ['release', job]);
  return job;
}
