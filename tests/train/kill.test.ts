/** Processes that train and are killed at random moments; KILLS says how many times. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runId } from '../../lib/experiments/experiment';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import type { TextConfig } from '../../lib/experiments/text-task';
import { wholeNumber } from '../../lib/util/errors';
import { paths } from '../../lib/util/paths';
import { checkpointPath } from '../../lib/train/checkpoint';
import { readRecord, recordPath, runFolder } from '../../lib/train/record';
import { differingBits, weightsIn } from './checkpoints';
import { trainText } from './killed-run';

const KILLS = wholeNumber('KILLS', process.env.KILLS ?? '2', 1, 1000);

/** A process is killed within the step that follows 0 to so many. */
const STEPS_BEFORE_KILL = 6;

const CONFIG: TextConfig = {
  ...overfitting9m.tiers.smoke,
  seed: 987_655,
  model: { kind: 'gpt2', layers: 2, width: 64, heads: 2, context: 64, vocabulary: 1000, dropout: 0.1 },
  trainTokens: 3000,
  batchWindows: 3,
  accumulate: 2,
  steps: 2 * STEPS_BEFORE_KILL * KILLS,
  schedule: {
    kind: 'cosine',
    peak: 3e-3,
    floor: 3e-4,
    warmupSteps: 5,
    decaySteps: 2 * STEPS_BEFORE_KILL * KILLS,
  },
  evaluateEverySteps: 5,
  memorised: { windows: 4, prefix: 8, continuation: 1 },
  checkpointEverySteps: 2,
};

interface Session {
  fromStep: number;
  step: number;
  killed: boolean;
  whileSaving: boolean;
}

/** Trains until the end, or is killed so long after so many steps; `saving`: when it next begins to write a checkpoint. */
function session(
  config: TextConfig,
  threads: number,
  end: { steps: number; milliseconds: number; saving: boolean } | null,
): Promise<Session> {
  const folder = runFolder(runId(overfitting9m, config));
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(__dirname, 'killed-run.ts'), JSON.stringify(config)],
    {
      cwd: paths.root,
      env: { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads) },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let [printed, errors] = ['', ''];
  let [timer, watcher]: [NodeJS.Timeout?, FSWatcher?] = [];
  const kill = () => child.kill('SIGKILL');
  /** Folder of the files that it is writing. */
  const aside = () =>
    readdirSync(folder).find((name) => name.includes(`.${child.pid}.`) && name.endsWith('.part'));
  const killWhenSaving = () => {
    watcher = watch(join(folder, aside()!), kill);
  };
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  child.stdout.on('data', (data: Buffer) => {
    printed += data.toString();
    if (end && printed.split('step').length > end.steps)
      timer ??= setTimeout(end.saving ? killWhenSaving : kill, end.milliseconds);
  });
  return new Promise((resolve, reject) =>
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      watcher?.close();
      if (code) return reject(new Error(`the process ended with ${code}: ${errors}`));
      const numbers = (what: string) =>
        [...printed.matchAll(new RegExp(`^${what} (\\d+)$`, 'gm'))].map((match) => Number(match[1]));
      const [fromStep] = numbers('from') as [number];
      const left = aside();
      const whileSaving = left !== undefined && readdirSync(join(folder, left)).length > 0;
      resolve({
        fromStep,
        step: numbers('step').at(-1) ?? fromStep,
        killed: signal === 'SIGKILL',
        whileSaving,
      });
    }),
  );
}

/** Curve and weights of a finished run, whose folder is then removed. */
function taken(config: TextConfig) {
  const { curve, minutes } = readRecord(recordPath(runId(overfitting9m, config)));
  const all = {
    curve,
    minutes,
    last: weightsIn(checkpointPath(runId(overfitting9m, config))),
    best: weightsIn(checkpointPath(runId(overfitting9m, config), 'best')),
    files: readdirSync(runFolder(runId(overfitting9m, config))),
  };
  rmSync(runFolder(runId(overfitting9m, config)), { recursive: true });
  return all;
}

for (const precision of ['fp32', 'bf16'] as const) {
  test(`a process killed ${KILLS} times, with 1 and 2 threads in turn, ends in the bits of one that was not (${precision})`, async (t) => {
    const config = { ...CONFIG, precision };
    rmSync(runFolder(runId(overfitting9m, config)), { recursive: true, force: true });
    await trainText(config);
    const straight = taken(config);
    const millisecondsPerStep = (60_000 * straight.minutes) / config.steps;
    mkdirSync(runFolder(runId(overfitting9m, config)));
    for (let kill = 1; kill <= KILLS; kill++) {
      const end = {
        steps: Math.floor(Math.random() * (STEPS_BEFORE_KILL + 1)),
        milliseconds: Math.random() * millisecondsPerStep,
        saving: kill % 2 === 0,
      };
      const { fromStep, step, killed, whileSaving } = await session(config, 1 + (kill % 2), end);
      assert.ok(killed, 'it ended before it was killed: give it more steps');
      t.diagnostic(
        `kill ${kill}: started at step ${fromStep}, killed after step ${step}${whileSaving ? ', while saving' : ''}`,
      );
    }
    await session(config, 2, null);
    const killed = taken(config);
    const bits = [differingBits(killed.last, straight.last), differingBits(killed.best, straight.best)];
    t.diagnostic(
      `${config.steps} steps, ${KILLS} kills, differing bits in ${straight.last.length} bytes of the last and the best checkpoint: ${bits.join(', ')}`,
    );
    assert.deepEqual(bits, [0, 0]);
    assert.deepEqual(killed.curve, straight.curve);
    assert.deepEqual(
      killed.files.sort(),
      ['best.safetensors', 'last.safetensors', 'record.json'],
      'nothing is left of the killed processes',
    );
  });
}
