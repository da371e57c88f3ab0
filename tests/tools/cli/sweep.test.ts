import assert from 'node:assert/strict';
import { fork, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { sweeps } from '../../../lib/experiments';
import { capacity, capacityRuns } from '../../../lib/experiments/capacity';
import { runId } from '../../../lib/experiments/experiment';
import { paths } from '../../../lib/util/paths';
import { recordPath, runFolder } from '../../../lib/train/record';
import { inTurn } from '../../in-turn';
import { assertOneLine } from '../../refusal';

function sweep(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  return spawnSync(
    process.execPath,
    ['--import', 'tsx', join(paths.root, 'lib/tools/cli/sweep.ts'), ...argv],
    {
      cwd: paths.root,
      env,
      encoding: 'utf8',
    },
  );
}

let turn: { release(): void };
before(async () => {
  turn = await inTurn('capacity');
});

const configs = capacityRuns('smoke');
const [first, second] = configs.map((config) => runId(capacity, config)) as [string, string];

/** Removes the runs. */
function forget(these = [first, second]): void {
  for (const id of these) rmSync(runFolder(id), { recursive: true, force: true });
}

after(() => {
  // What was trained here had other numbers of threads than a notebook has.
  forget();
  turn.release();
});

test('a run that fails stops no other; the next start trains what is missing, and then nothing', () => {
  forget();
  // A file where the folder of the first run should be.
  mkdirSync(dirname(runFolder(first)), { recursive: true });
  writeFileSync(runFolder(first), '');
  try {
    const broken = sweep('capacity', '--tier', 'smoke', '--jobs', '2');
    assert.equal(broken.status, 1, broken.stderr);
    assert.match(
      broken.stderr,
      new RegExp(`${first}  FAILED: .*last\\.safetensors: expected to write it; EEXIST`),
    );
    assertOneLine(broken.stderr.trim().split('\n').at(-1)!, 'sweep', '1 of 2', first);
    assert.ok(existsSync(recordPath(second)), 'the other run is finished');
  } finally {
    rmSync(runFolder(first));
  }
  assert.match(
    sweep('capacity', '--tier', 'smoke', '--list').stdout,
    new RegExp(`^to do     ${first}\nfinished  ${second}\n$`),
  );
  assert.deepEqual(JSON.parse(sweep('capacity', '--tier', 'smoke', '--list', '--json').stdout), [
    { state: 'to do', id: first, says: '' },
    { state: 'finished', id: second, says: '' },
  ]);
  const again = sweep('capacity', '--tier', 'smoke', '--jobs', '1');
  assert.equal(again.status, 0, again.stderr);
  assert.match(
    again.stderr,
    new RegExp(`1 of 2 runs are finished[^]*1 of 1  ${first}  0\\.\\d min  training `),
  );
  assert.match(sweep('capacity', '--tier', 'smoke').stderr, /2 of 2 runs are finished\n$/);

  writeFileSync(recordPath(first), 'null');
  forget([second]);
  const { stdout } = sweep('capacity', '--tier', 'smoke', '--list');
  const [damaged, todo] = stdout.trim().split('\n') as [string, string];
  assertOneLine(damaged, `damaged   ${first}`, 'expected an object', 'delete it');
  assert.equal(todo, `to do     ${second}`);
  const others = sweep('capacity', '--tier', 'smoke', '--jobs', '1');
  assert.equal(others.status, 1);
  assert.match(
    others.stderr,
    new RegExp(
      `1 of 2  ${first}  FAILED: record .*delete it[^\n]*\n2 of 2  ${second}  0\\.\\d min  training `,
    ),
  );
});

/** Ids of the worker processes of a sweep. */
const workersOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .split(' ')
    .filter((child) => child && readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('sweep-worker'))
    .map(Number);

test('a worker that is killed is one line, and the other runs go on', async () => {
  forget();
  const program = join(paths.root, 'lib/tools/cli/sweep.ts');
  const args = ['--import', 'tsx', program, 'capacity', '--tier', 'smoke', '--jobs', '2'];
  const child = spawn(process.execPath, args, { cwd: paths.root, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise((resolve) => child.on('close', resolve));
  while (workersOf(child.pid!).length < 2) await sleep(20);
  process.kill(workersOf(child.pid!)[0]!, 'SIGKILL');
  assert.equal(await ended, 1, said);
  assertOneLine(/^1 of 2 .*$/m.exec(said)![0], 'FAILED: its process', 'SIGKILL', 'memory');
  assert.match(said, /^2 of 2  .*  0\.\d min  training /m);
  assertOneLine(said.trim().split('\n').at(-1)!, 'sweep', '1 of 2');
});

test('a worker whose sweep was killed ends without a word', async () => {
  forget();
  const worker = fork(join(paths.root, 'lib/tools/cli/sweep-worker.ts'), [], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let said = '';
  worker.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise((resolve) => worker.on('exit', resolve));
  worker.send({ name: 'capacity', tier: 'smoke', index: 0, wait: true });
  await new Promise((resolve) => worker.once('message', resolve));
  // It is stopped until it wants to tell of its progress again, which nobody hears.
  worker.kill('SIGSTOP');
  worker.disconnect();
  await sleep(600);
  worker.kill('SIGCONT');
  assert.equal(await ended, 0, said);
  assert.equal(said, '');
});

test('wrong arguments are one line', () => {
  const cases: [argv: string[], parts: string[]][] = [
    [[], ['sweep', ...Object.keys(sweeps()), 'nothing']],
    [['capacities'], ['sweep', '"capacities"']],
    [
      ['capacity', 'plateau-intervention'],
      ['sweep', 'capacity plateau-intervention'],
    ],
    [
      ['capacity', '--jobs', '0'],
      ['--jobs', 'from 1 to 256', '"0"'],
    ],
  ];
  for (const [argv, parts] of cases) {
    const { status, stderr } = sweep(...argv);
    assertOneLine(stderr, ...parts);
    assert.equal(status, 1);
  }
});
