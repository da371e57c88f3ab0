/** Sweeps handed to queues: commands for any, and the real Slurm, started on loopback for its test. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, beforeEach, test } from 'node:test';
import { capacityRuns } from '../../../lib/experiments/capacity';
import { idOf, sweeps } from '../../../lib/experiments/index';
import type { RunRecord } from '../../../lib/train/record';
import { isRunning } from '../../../lib/util/files';
import { paths } from '../../../lib/util/paths';
import { assertOneLine } from '../../refusal';
import { noSlurm, OneMachine } from '../slurm';
import { ProjectCopy } from '../copy';

let copy: ProjectCopy;
before(() => {
  copy = new ProjectCopy();
  copy.edit('lib/experiments/capacity.ts', 'steps: 12,', 'steps: 60,');
  copy.edit('lib/experiments/capacity.ts', 'checkpointEverySteps: 6,', 'checkpointEverySteps: 4,');
  // So that a lease may be as short as in a test.
  copy.edit('lib/util/lease.ts', 'BEAT_MS = 5000', 'BEAT_MS = 200');
  // While there is a file "hold", a run stays on its way: at its next step that ends in 5, until it is told to stop.
  copy.edit(
    'lib/tools/cli/sweep-worker.ts',
    'progressed({ step, steps }) {',
    `async progressed({ step, steps }) {
      while (step % 10 === 5 && !stopping && require('node:fs').existsSync('${copy.path('hold')}'))
        await new Promise((resolve) => setTimeout(resolve, 20));`,
  );
});
after(() => copy.remove());
beforeEach(() => rmSync(copy.path('data'), { recursive: true, force: true }));

const ids = capacityRuns('smoke').map(idOf);
const [first, second] = ids as [string, string];
const sweep = (env: NodeJS.ProcessEnv, ...argv: string[]) =>
  copy.command('sweep', ['capacity', '--tier', 'smoke', ...argv], env);
const checkpoint = (id: string) => copy.path('data', 'local', 'runs', id, 'last.safetensors');
const log = (id: string) => copy.path('data', 'local', 'slurm', `${id}.log`);

/** An environment whose first program of this name is a shell script. */
function pretended(program: string, script: string, env = process.env): NodeJS.ProcessEnv {
  const folder = mkdtempSync(copy.path('bin-'));
  writeFileSync(join(folder, program), `#!/bin/sh\n${script}`);
  chmodSync(join(folder, program), 0o755);
  return { ...env, PATH: `${folder}:${env.PATH}` };
}

/** As after the submission of a job whose tasks have these runs. */
function submitted(job: number, runs: string[]): void {
  mkdirSync(copy.path('data', 'local', 'slurm'), { recursive: true });
  writeFileSync(copy.path('data', 'local', 'slurm', `${job}.json`), JSON.stringify(runs));
}

test('--print gives a command for each run that is not finished', () => {
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

test('flags that do not go together are one line', () => {
  for (const [argv, parts] of [
    [
      ['--partition', 'gpu'],
      ['--partition', '--slurm'],
    ],
    [
      ['--array-limit', '2'],
      ['--array-limit', '--slurm'],
    ],
    [
      ['--slurm', '--jobs', '2'],
      ['--jobs', '--array-limit'],
    ],
    [
      ['--slurm', '--array-limit', '0'],
      ['--array-limit', '"0"'],
    ],
  ]) {
    const { status, stderr } = sweep(process.env, ...argv!);
    assert.equal(status, 1);
    assertOneLine(stderr, ...parts!);
  }
});

test('a run whose settings changed while its task waited is refused, and --list says so', () => {
  const { status, stderr } = sweep(process.env, '--run', `${first.slice(0, -6)}000000`);
  assert.equal(status, 1);
  assertOneLine(stderr, '--run', 'settings have changed', 'queue the sweep again');

  submitted(7, ['gone', first]);
  const env = pretended('squeue', 'echo "7|0|PENDING|9|Priority|(null)"; echo "8|1|RUNNING|9|None|(null)"');
  assert.match(
    sweep(env, '--list').stdout,
    new RegExp(`^to do     ${first}\nto do     ${second}\nchanged   gone  [^\n]*refuse[^\n]*\n$`),
  );
});

test('a task that is ending is not in the queue', () => {
  submitted(7, [first]);
  const env = pretended('squeue', 'echo "7|0|COMPLETING|9|None|(null)"');
  assert.match(sweep(env, '--list').stdout, new RegExp(`^waiting   ${first}  its task is ending\n`));
  const all = pretended('sbatch', 'echo 8', pretended('scontrol', '', env));
  assert.match(sweep(all, '--slurm').stdout, /^job 8: 2 runs submitted \(0 finished, 0 in the queue\)/);
});

test('--list says why a task is held, and how a run failed', () => {
  submitted(7, [first]);
  writeFileSync(log(second), `task 6_0 began\n1 of 1  ${second}  FAILED: record.json: ENOSPC\n`);
  const env = pretended('squeue', 'echo "7|0|PENDING|0|job requeued in held state|n1 does not see /project"');
  assert.equal(
    sweep(env, '--list').stdout,
    `waiting   ${first}  n1 does not see /project\nfailed    ${second}  record.json: ENOSPC\n`,
  );
});

test('where Slurm does not answer, --list says what is known, and nothing is submitted', () => {
  submitted(7, [first]);
  writeFileSync(log(first), 'task 7_0 began\n');
  const env = pretended(
    'squeue',
    'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1',
  );
  const { status, stdout, stderr } = sweep(env, '--list');
  assert.deepEqual([status, stdout], [0, `unknown   ${first}  task 7_0 began\nto do     ${second}\n`]);
  assertOneLine(stderr, 'squeue', 'Unable to contact', 'not known');
  const again = sweep(env, '--slurm');
  assert.equal(again.status, 1);
  assertOneLine(again.stderr, 'squeue', 'Unable to contact');
});

test('--plan counts operations, hours and memory', () => {
  const plan = (...argv: string[]) => copy.command('sweep', ['replica', '--tier', 'full', '--plan', ...argv]);
  const [line, total] = plan('90').stdout.split('\n');
  // GPT-2 small, 124 million parameters: 4,000 steps of 480 windows of 1,024 tokens.
  const tokens = 4000 * 480 * 1024;
  const flops = tokens * (6 * 12 * 12 * 768 ** 2 + 6 * 768 * 50257 + (12 * 768 * 12 * 1025) / 2);
  const [, runs, peta, hours, minutes, gigabytes] =
    /^(\d+) × .* ([\d.]+) PFLOP: (\d+):(\d+):\d+ and ([\d.]+) GB/.exec(line!)!;
  assert.deepEqual([runs, peta], ['12', String(Number((flops / 1e15).toPrecision(3)))]);
  assert.ok(Math.abs(Number(hours) + Number(minutes) / 60 - flops / 90e12 / 3600) < 1 / 60);
  assert.ok(Number(gigabytes) > 16 * 0.124);
  assert.match(total!, /^12 runs: /);
  for (const wrong of ['0', 'fast']) assertOneLine(plan(wrong).stderr, '--plan', `"${wrong}"`);
});

test('a task does not set up; what fills the queue does not mind another processor', () => {
  const ready = copy.path('.cache', 'setup', 'ready.json');
  const all = JSON.parse(readFileSync(ready, 'utf8')) as object;
  const elsewhere = (changes: object) => writeFileSync(ready, JSON.stringify({ ...all, ...changes }));
  const run = ['capacity', '--tier', 'smoke', '--run', first];
  try {
    elsewhere({ CPU: 'of the nodes', GPU: 'true' });
    const task = copy.start('sweep', run);
    assert.equal(task.status, 1);
    assertOneLine(task.stderr, 'set-up', 'changed: GPU, CPU', 'npm run doctor');
    const listed = copy.start('sweep', ['capacity', '--tier', 'smoke', '--list']);
    assert.deepEqual([listed.stderr, listed.status], ['', 0]);
    rmSync(ready);
    assertOneLine(copy.start('sweep', run).stderr, 'set-up', 'first set-up', 'npm run doctor');
  } finally {
    copy.setUp();
  }
});

/** The first run of every other experiment. */
const others = ['question-formation', 'text', 'plateau-intervention', 'replica'].flatMap((name) => {
  const list = sweeps()[name]!('smoke');
  return [...new Set(list.map(({ experiment }) => experiment))].map((experiment) => ({
    name,
    id: idOf(list.find((config) => config.experiment === experiment)!),
  }));
});

/** Curve, weights and data of each run. */
const results = (of = [...ids, ...others.map(({ id }) => id)]) =>
  of.map((id) => {
    const { curve, weights, dataHash } = JSON.parse(
      readFileSync(copy.path('data', 'local', 'runs', id, 'record.json'), 'utf8'),
    ) as RunRecord;
    return { id, curve, weights, dataHash };
  });

/** Owner of the lease of a run. */
function leaseOf(id: string): string | undefined {
  const lease = copy.path('data', 'local', 'runs', id, 'lease');
  return existsSync(lease) ? readdirSync(lease)[0] : undefined;
}

/** The run in training that has a checkpoint, and its process, which the lease names. */
function worker(): { id: string; pid: number } | undefined {
  return ids
    .filter((id) => existsSync(checkpoint(id)))
    .flatMap((id) => {
      const owner = leaseOf(id);
      return owner ? [{ id, pid: Number(owner.split('.')[2]) }] : [];
    })
    .find(({ pid }) => isRunning(pid));
}

async function throughSlurm(slurm: OneMachine, diagnostic: (line: string) => void): Promise<void> {
  const { node } = slurm;
  let job = '';
  const list = (what: string) => {
    const lines = sweep(slurm.env, '--list').stdout;
    diagnostic(`${what}: ${lines.trim().replaceAll('\n', ' | ')}`);
    return lines;
  };
  const submit = (...argv: string[]) => sweep(slurm.env, '--slurm', ...argv).stdout;
  const set = (...changes: string[]) => slurm.run('scontrol', 'update', ...changes);
  const squeue = (format: string) =>
    slurm.run('squeue', '--noheader', '--array', `--format=${format}`).trim().split('\n');
  let now = { id: '', pid: 0 };
  /** Waits for a process that trains and was not there before. */
  const training = async () => {
    await slurm.until(() => (worker() ?? now).pid !== now.pid);
    return (now = worker()!);
  };
  /** What is queued again waits two minutes, so that a node can come to rest; here it need not. */
  const allWait = async () => {
    await slurm.until(() => squeue('%T').every((state) => state === 'PENDING'));
    set(`JobId=${job}`, 'StartTime=now');
  };
  const logHas = (id: string, text: RegExp) => slurm.until(() => text.test(readFileSync(log(id), 'utf8')));

  await slurm.start();
  const refused = sweep(slurm.env, '--slurm', '--partition', 'nowhere');
  assert.equal(refused.status, 1);
  assertOneLine(refused.stderr, 'sbatch', 'partition');

  set('PartitionName=all', 'State=DOWN');
  const flags = ['--partition', 'all', '--time', '60', '--array-limit', '1', '--', '--nice=1'];
  job = /\d+/.exec(submit(...flags))![0];
  assert.match(slurm.run('scontrol', 'show', 'job', job), /ArrayTaskThrottle=1 [^]*TimeLimit=01:00:00/);
  assert.match(submit(), /^nothing to submit: 0 finished, 2 in the queue/);
  assert.equal(list('submitted'), ids.map((id) => `waiting   ${id}\n`).join(''));

  // A node that does not see the folder.
  const away = `${copy.root}-away`;
  renameSync(copy.root, away);
  try {
    set('PartitionName=all', 'State=UP');
    await slurm.until(() => squeue('%r').filter((reason) => /held/.test(reason)).length === 2);
  } finally {
    renameSync(away, copy.root);
  }
  for (const line of list('no node sees the folder').trim().split('\n'))
    assertOneLine(line, 'waiting', `${node} does not see ${copy.root}`, 'scontrol release');

  // Its process is killed: the task is queued again.
  writeFileSync(copy.path('hold'), '');
  slurm.run('scontrol', 'release', job);
  set(`JobId=${job}`, 'StartTime=now');
  const killed = await training();
  assert.match(list('released'), new RegExp(`^running   ${killed.id}  [1-9]\\d?% in`, 'm'));
  process.kill(killed.pid, 'SIGKILL');
  await logHas(killed.id, /SIGKILL ended it/);
  await slurm.until(() => squeue('%K %T').includes(`${ids.indexOf(killed.id)} PENDING`));
  assert.doesNotMatch(list('its process was killed'), /failed|finished/);

  // The node fails: Slurm queues the task again.
  await training();
  set(`NodeName=${node}`, 'State=DOWN', 'Reason=test');
  await allWait();
  assert.doesNotMatch(list('its node failed'), /failed|finished/);
  set(`NodeName=${node}`, 'State=RESUME');

  // Told to stop, as before its time runs out, on a node that is drained: it saves a checkpoint and waits.
  const stopped = await training();
  set(`NodeName=${node}`, 'State=DRAIN', 'Reason=test');
  slurm.run('scancel', '--signal=TERM', '--batch', '--me', '--state=RUNNING');
  await logHas(stopped.id, /stopped: a checkpoint of step \d+ of 60 is saved\n/);
  await allWait();
  assert.doesNotMatch(list('told to stop, its node drained'), /failed|finished/);
  set(`NodeName=${node}`, 'State=RESUME');

  // The whole task is killed, and nothing is left of it that could queue it again.
  const lost = await training();
  slurm.run('scancel', '--signal=KILL', '--full', '--me', '--state=RUNNING');
  await slurm.until(() => squeue('%K').length === 1);
  assert.match(list('the whole task was killed'), new RegExp(`^failed    ${lost.id}  `, 'm'));
  assert.match(submit(), /^job \d+: 1 runs submitted \(0 finished, 1 in the queue\)/);

  // A task that the user cancels stays cancelled.
  await training();
  slurm.run('scancel', '--me', '--state=RUNNING');
  await slurm.until(() => squeue('%K').length === 1);
  // Both may have been running.
  assert.match(
    submit(),
    /^job \d+: (1 runs submitted \(0 finished, 1|2 runs submitted \(0 finished, 0) in the queue\)/,
  );
  rmSync(copy.path('hold'));

  for (const { name, id } of others)
    assert.match(
      copy.command('sweep', [name, '--tier', 'smoke', '--run', id, '--slurm'], slurm.env).stdout,
      /^job \d+: 1 runs submitted/,
    );
  await slurm.until(() => squeue('%T').join('') === '');
  assert.equal(list('at the end'), ids.map((id) => `finished  ${id}\n`).join(''));
  assert.match(submit(), /^nothing to submit: 2 finished, 0 in the queue/);
}

/** Results of runs trained here, without a queue. */
function trained(of: typeof others) {
  for (const { name, id } of of)
    assert.equal(copy.command('sweep', [name, '--tier', 'smoke', '--run', id]).status, 0);
  const all = results(of.map(({ id }) => id));
  rmSync(copy.path('data', 'local', 'runs'), { recursive: true });
  return all;
}
const ours = ids.map((id) => ({ name: 'capacity', id }));

const hasParallel = spawnSync('parallel', ['--version']).status === 0;
test(`lines of --print, given to ${hasParallel ? 'GNU parallel' : 'xargs'}, train the runs to the same bits`, () => {
  const expected = trained(ours);
  const queue = hasParallel ? 'parallel -j 2' : "xargs -P 2 -I{} sh -c '{}'";
  const line = `npm run --silent sweep -- capacity --tier smoke --print | ${queue}`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { status, stderr } = spawnSync('sh', ['-c', line], { cwd: copy.root, env, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.deepEqual(results(ids), expected);
});

/** Process ids, host name and network of their own. */
const NAMESPACES = ['--pid', '--mount-proc', '--fork', '--kill-child', '--uts', '--net'];
const canUnshare = spawnSync('unshare', [...NAMESPACES, 'true']).status === 0;
test(
  'of two nodes one trains a run; the other goes on when the first is gone, though its clock is ten minutes ahead',
  {
    skip: !canUnshare && 'unshare is not allowed here',
  },
  async () => {
    const expected = trained(ours.slice(0, 1));
    writeFileSync(
      copy.path('clock.mjs'),
      `const here = Date;
    globalThis.Date = class extends here {
      static now() { return here.now() - 600_000; }
      constructor(...args) { super(...(args.length ? args : [here.now() - 600_000])); }
    };`,
    );
    writeFileSync(copy.path('hold'), '');
    const program = `${process.execPath} --import tsx lib/tools/cli/sweep.ts capacity --tier smoke --run ${first}`;
    const node = (name: string, variables: NodeJS.ProcessEnv) => {
      const { NODE_TEST_CONTEXT: _, ...env }: NodeJS.ProcessEnv = { ...process.env, ...variables };
      const argv = [...NAMESPACES, 'sh', '-c', `hostname ${name}; ${program}`];
      const child = spawn('unshare', argv, { cwd: copy.root, env, stdio: ['ignore', 'ignore', 'pipe'] });
      let printed = '';
      child.stderr.on('data', (text) => (printed += String(text)));
      const ended = new Promise<string>((resolve) =>
        child.on('close', (code) => resolve(`${code} ${printed}`)),
      );
      return { child, ended };
    };
    const one = node('one', { NODE_OPTIONS: `--import ${copy.path('clock.mjs')}` });
    try {
      while (!existsSync(checkpoint(first)) && one.child.exitCode === null) await sleep(100);
      const two = node('two', { LEASE_SECONDS: '2' });
      // Longer than a lease lasts without a sign of life, and the first gives some.
      await Promise.race([two.ended, sleep(5000)]);
      assert.equal(two.child.exitCode, null);
      assert.match(leaseOf(first)!, /^one\./);
      one.child.kill('SIGKILL');
      rmSync(copy.path('hold'));
      assert.match(await two.ended, /^0 [^]*process \d+ on one has given no sign of life for 2 s/);
    } finally {
      one.child.kill('SIGKILL');
      rmSync(copy.path('hold'), { force: true });
    }
    assert.deepEqual(results([first]), expected);
  },
);

const canMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
test(
  'a disk that fills up in the middle of a record is one line; freed, the same bits are recorded',
  { skip: !canMount && 'mount is not allowed here' },
  () => {
    const expected = trained(ours.slice(0, 1));
    const [runs, trainer] = [copy.path('data', 'local', 'runs'), 'lib/train/trainer.ts'];
    const write = 'const written = await this.lease.writing(';
    // Zeros until nothing fits, between the last checkpoint and the record.
    const fill = `process.env.FILL && require('node:child_process').spawnSync('sh', ['-c', 'cat /dev/zero >${runs}/zeros']);`;
    copy.edit(trainer, write, `${fill} ${write}`);
    const run = `${process.execPath} --import tsx lib/tools/cli/sweep.ts capacity --tier smoke --run ${first}`;
    const script = `mkdir -p ${runs} && mount -t tmpfs -o size=2m tmpfs ${runs}
      FILL=1 ${run}; echo "status $?" >&2; ls ${runs}/${first} >&2
      rm ${runs}/zeros && ${run} && cp -r ${runs} ${runs}-after`;
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', script], {
      cwd: copy.root,
      env,
      encoding: 'utf8',
    });
    copy.edit(trainer, `${fill} `, '');
    const [failed, one, ...names] = stderr.split('\n');
    assertOneLine(failed!, 'FAILED: ', 'record.json: expected to write it', 'ENOSPC', 'free the disk');
    assert.equal(one, 'status 1');
    assert.deepEqual(names.slice(0, 2), ['best.safetensors', 'last.safetensors']);
    assert.equal(status, 0, stderr);
    rmSync(runs, { recursive: true });
    renameSync(`${runs}-after`, runs);
    assert.deepEqual(results([first]), expected);
  },
);

test('each worker has a GPU of its own, whose memory grows; more workers than GPUs are refused', () => {
  const worker = copy.path('lib', 'tools', 'cli', 'sweep-worker.ts');
  const source = readFileSync(worker, 'utf8');
  const told = 'process.env.CUDA_VISIBLE_DEVICES + " grows: " + process.env.TF_FORCE_GPU_ALLOW_GROWTH';
  writeFileSync(
    worker,
    `process.on('message', () => process.send!({ kind: 'done', minutes: 0, text: 'GPU ' + ${told} }));`,
  );
  copy.edit('lib/tools/setup/environment.cjs', '/dev/nvidia0', '/dev/null');
  try {
    const env = pretended('nvidia-smi', 'printf "0\\n1\\n"');
    for (const [visible, gpus] of [
      ['3,5', ['3', '5']],
      [undefined, ['0', '1']],
    ] as const) {
      const { stderr } = sweep({ ...env, CUDA_VISIBLE_DEVICES: visible });
      for (const gpu of gpus) assert.match(stderr, new RegExp(`GPU ${gpu} grows: true`));
    }
    const { status, stderr } = sweep(env, '--jobs', '3');
    assert.equal(status, 1);
    assertOneLine(stderr.trim().split('\n').at(-1)!, '--jobs', 'at most 2', 'one run a GPU');
  } finally {
    copy.edit('lib/tools/setup/environment.cjs', '/dev/null', '/dev/nvidia0');
    writeFileSync(worker, source);
  }
});

test('the Kubernetes Job of CLUSTER.md can be read, and each of its pods takes the line of its index', () => {
  const yaml = /```yaml\n([^]*?)```/.exec(readFileSync(join(paths.root, 'CLUSTER.md'), 'utf8'))![1]!;
  const read = spawnSync(
    join(paths.venv, 'bin', 'python'),
    ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))'],
    { input: yaml, encoding: 'utf8' },
  );
  const { kind, spec } = JSON.parse(read.stdout);
  assert.deepEqual([kind, spec.completionMode], ['Job', 'Indexed']);
  const [program, ...argv] = spec.template.spec.containers[0].command as string[];
  mkdirSync(copy.path('data', 'local'), { recursive: true });
  writeFileSync(copy.path('data', 'local', 'runs.txt'), 'echo "the first"\necho "the  second"\n');
  const pod = (index: number) =>
    spawnSync(program!, argv, {
      cwd: copy.root,
      env: { ...process.env, JOB_COMPLETION_INDEX: String(index) },
      encoding: 'utf8',
    }).stdout;
  assert.deepEqual([pod(0), pod(1)], ['the first\n', 'the  second\n']);
});

const TITLE = 'runs through Slurm, with every way to end a task, have the bits of runs without';
test(TITLE, { skip: noSlurm() }, async (t) => {
  const expected = trained([...ours, ...others]);
  const slurm = new OneMachine();
  try {
    await throughSlurm(slurm, (line) => t.diagnostic(line));
  } finally {
    await slurm.stop();
  }
  assert.deepEqual(results(), expected);
});
