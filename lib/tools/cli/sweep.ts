/** `npm run sweep -- NAME`: many runs, several at a time. */
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import * as os from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { TIERS, type Tier, type TrainingConfig } from '../../train/config';
import { checkpointPath, checkpointState } from '../../train/checkpoint';
import { commitWeights } from '../../train/weights';
import { oneOf, UserError, wholeNumber } from '../../util/errors';
import { bar, TerminalLine } from '../../report/terminal';
import { duration } from '../../util/format';
import { experimentOf, idOf, sweeps } from '../../experiments/index';
import { commitRecord, finishedRecord } from '../../experiments/run';
import { writeRunsTable } from '../../analysis/shared/runs-table';
import { main, parse } from './arguments';
import { hasGpu } from '../setup/environment.cjs';
import { crashLine, exitCode, onStop } from '../setup/processes.cjs';
import { planOf } from './plan';
import { lastLogged, queuedRuns, runCommand, submit, type QueuedRun } from './slurm';
import type { ListedRun, WorkerMessage } from './sweep-worker';

const USAGE = {
  command: 'sweep',
  summary: `Trains a list of runs: ${Object.keys(sweeps()).join(', ')}. Finished runs are skipped, interrupted ones continue, and a failed run does not stop the others.`,
  positionals: 'NAME [-- flags of sbatch]',
  options: {
    tier: { type: 'string', help: `one of ${TIERS.join(', ')}`, default: 'desk' },
    jobs: {
      type: 'string',
      help: 'runs at a time, one thread each; 1: one run with all threads (default: one per core, or one per GPU)',
    },
    run: {
      type: 'string',
      help: 'train this run of the list alone, on one thread or as many as Slurm gives',
    },
    print: { type: 'boolean', help: 'print a command for each run that is not finished, and train none' },
    slurm: {
      type: 'boolean',
      help: 'send the runs that are neither finished nor queued to Slurm, a task each; what follows -- goes to sbatch',
    },
    partition: { type: 'string', help: 'with --slurm: partition of the tasks' },
    time: { type: 'string', help: 'with --slurm: time limit of a task, after which it is queued again' },
    'gpus-per-task': { type: 'string', help: 'with --slurm: GPUs of a task; a run uses one' },
    'array-limit': { type: 'string', help: 'with --slurm: most tasks that run at a time' },
    plan: {
      type: 'string',
      help: 'print what the runs that are not finished cost at so many TFLOP/s a worker, and train none',
    },
    list: { type: 'boolean', help: 'list the runs and where each is, and train none' },
    json: { type: 'boolean', help: 'with --list: print JSON' },
    commit: {
      type: 'boolean',
      help: 'copy the records of finished runs to data/runs, some weights to data/weights, and train none',
    },
  },
} as const;

/** Runs of a list in worker processes. */
class Sweep {
  private readonly line = new TerminalLine();
  private readonly workers = new Set<ChildProcess>();
  private readonly shares = new Map<number, number>();
  private readonly startedAt = performance.now();
  private finished = 0;
  /** Exit code of a worker that a signal ended, or that was told to stop. */
  signalled = 0;
  readonly failed: string[] = [];

  /** @param indices of the runs to train, in their order @param ids of all runs */
  constructor(
    private readonly name: string,
    private readonly tier: Tier,
    private readonly indices: number[],
    private readonly ids: string[],
    /** At a time. They alone say how many threads a run has, since its bits depend on it. */
    private readonly jobs: number,
    /** Of each run; null: as many as there are. */
    private readonly threads: string | null,
    /** Each for one worker; empty: the CPU computes. */
    private readonly gpus: readonly string[],
  ) {}

  async train(): Promise<void> {
    // A run that another command trains comes again after all others, and is then waited for.
    const waiting = this.indices.map((index) => ({ index, wait: false }));
    const drain = async (gpu: string | undefined) => {
      let worker = this.worker(gpu);
      for (let next; (next = waiting.shift());) {
        if (!this.workers.has(worker)) worker = this.worker(gpu);
        const { index, wait } = next;
        const busy = await this.one(worker, { name: this.name, tier: this.tier, index, wait });
        if (busy) waiting.push({ index, wait: true });
      }
      if (worker.connected) worker.disconnect();
    };
    const jobs = Math.min(this.jobs, waiting.length);
    await Promise.all(Array.from({ length: jobs }, (_, i) => drain(this.gpus[i])));
    this.line.clear();
  }

  /** Ends all workers; their runs continue from their last checkpoints next time. */
  abandon(): void {
    for (const worker of this.workers) worker.kill('SIGKILL');
    this.line.clear();
  }

  /** Has each worker save a checkpoint after its step and end. */
  stop(): void {
    for (const worker of this.workers) worker.kill('SIGTERM');
  }

  private worker(gpu: string | undefined): ChildProcess {
    const n = this.threads;
    const threads = n && { TF_NUM_INTRAOP_THREADS: n, TF_NUM_INTEROP_THREADS: n, OMP_NUM_THREADS: n };
    // With growth two programs can share a GPU: else the first takes all of its memory.
    const device = gpu === undefined ? {} : { CUDA_VISIBLE_DEVICES: gpu, TF_FORCE_GPU_ALLOW_GROWTH: 'true' };
    const worker = fork(join(__dirname, 'sweep-worker.ts'), [], {
      env: { ...process.env, ...threads, ...device },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.workers.add(worker);
    worker.on('exit', () => this.workers.delete(worker));
    return worker;
  }

  /** @returns whether another command trains the run, and it was not to be waited for */
  private one(worker: ChildProcess, listed: ListedRun): Promise<boolean> {
    const { index } = listed;
    const id = this.ids[index]!;
    return new Promise((resolve) => {
      const stop = (busy: boolean) => {
        worker.removeAllListeners('message').removeListener('exit', died);
        this.shares.delete(index);
        resolve(busy);
      };
      const end = (text: string, failure?: string) => {
        this.finished++;
        if (failure !== undefined) this.failed.push(id);
        this.line.print(`${this.finished} of ${this.indices.length}  ${id}  ${text}${failure ?? ''}`);
        stop(false);
      };
      const died = (code: number | null, signal: NodeJS.Signals | null) => {
        if (signal) this.signalled = exitCode(null, signal);
        end(
          'FAILED: ',
          crashLine('its process', signal) ?? `its process ended with code ${exitCode(code, signal)}`,
        );
      };
      worker.on('exit', died);
      worker.on('message', (answer: WorkerMessage) => {
        if (answer.kind === 'progress') this.shares.set(index, answer.share);
        else if (answer.kind === 'failed') end('FAILED: ', answer.message);
        else if (answer.kind === 'busy') stop(true);
        else if (answer.kind === 'stopped') {
          this.signalled = exitCode(null, 'SIGTERM');
          end('stopped: ', answer.message);
        } else end(`${answer.minutes.toFixed(1)} min  ${answer.text}`);
        this.line.update(this.status());
      });
      // One that cannot be told has ended, or is about to.
      worker.send(listed, () => undefined);
    });
  }

  /** Time left as if runs took equally long. */
  private status(): string {
    const done = this.finished + [...this.shares.values()].reduce((a, b) => a + b, 0);
    const seconds = (performance.now() - this.startedAt) / 1000;
    const left =
      done > 0
        ? `about ${duration((seconds * (this.indices.length - done)) / done)} left`
        : 'time left unknown yet';
    return `${bar(done / this.indices.length, 16)} ${this.finished} of ${this.indices.length} runs, ${[...this.shares.values()].map((share) => `${Math.floor(100 * share)}%`).join(' + ')} · ${left}`;
  }
}

/** Whether a run is finished, and what is wrong with its record. */
function stateOf(config: TrainingConfig): { isFinished: boolean; fault?: string } {
  try {
    return { isFinished: finishedRecord(experimentOf(config), config) !== null };
  } catch (error) {
    if (error instanceof UserError) return { isFinished: false, fault: error.message };
    throw error;
  }
}

/** The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them. */
function visibleGpus(): string[] {
  const { CUDA_VISIBLE_DEVICES: visible, DEVICE } = process.env;
  if (DEVICE === 'cpu' || !hasGpu()) return [];
  const all = () =>
    spawnSync('nvidia-smi', ['--query-gpu=index', '--format=csv,noheader'], { encoding: 'utf8' }).stdout ??
    '';
  return (visible ?? all()).split(/[\s,]+/).filter((name) => name !== '' && name !== '-1');
}

/** Where a run is, and what there is to say of that. */
interface Where {
  state: 'finished' | 'damaged' | 'running' | 'waiting' | 'failed' | 'unknown' | 'changed' | 'to do';
  id: string;
  says: string;
}

function whereIs(config: TrainingConfig, id: string, queue: Map<string, QueuedRun> | null): Where {
  const { isFinished, fault } = stateOf(config);
  if (fault) return { state: 'damaged', id, says: fault };
  if (isFinished) return { state: 'finished', id, says: '' };
  const queued = queue?.get(id);
  if (queued?.isRunning) {
    const step = checkpointState(checkpointPath(id))?.step ?? 0;
    return {
      state: 'running',
      id,
      says: `${Math.floor((100 * step) / config.steps)}% in its last checkpoint`,
    };
  }
  if (queued) return { state: 'waiting', id, says: queued.isEnding ? 'its task is ending' : queued.why };
  const logged = lastLogged(id);
  return logged === undefined
    ? { state: 'to do', id, says: '' }
    : { state: queue ? 'failed' : 'unknown', id, says: logged };
}

/** Runs in the queue that no list has: their code was changed while they waited. */
function withoutList(queue: Map<string, QueuedRun>): string[] {
  const listed = new Set(
    TIERS.flatMap((tier) => Object.values(sweeps()).flatMap((list) => list(tier).map(idOf))),
  );
  return [...queue.keys()].filter((id) => !listed.has(id));
}

/** Prints where each run is. */
function list(configs: readonly TrainingConfig[], json = false): void {
  let queue: Map<string, QueuedRun> | null = null;
  try {
    queue = queuedRuns();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`sweep: ${error.message}; which runs are queued is not known`);
  }
  const changed = withoutList(queue ?? new Map()).map((id): Where => ({
    state: 'changed',
    id,
    says: 'its settings have changed since it was queued; its task will refuse it and end',
  }));
  const all = [...configs.map((config) => whereIs(config, idOf(config), queue)), ...changed];
  if (json) console.log(JSON.stringify(all, null, 2));
  else for (const { state, id, says } of all) console.log(`${state.padEnd(10)}${id}  ${says}`.trimEnd());
}

/** Flags of sbatch that are the sweep's own as well. */
const SBATCH = ['partition', 'time', 'gpus-per-task'] as const;

/** Commits a record, and its weights where its experiment says so. @returns their paths */
async function commit(config: TrainingConfig): Promise<string[]> {
  const experiment = experimentOf(config);
  const record = commitRecord(experiment, config);
  const withWeights = experiment.weights?.(config.tier).some((run) => isDeepStrictEqual(run, config));
  return withWeights ? [record, await commitWeights({ id: idOf(config), config })] : [record];
}

main('sweep', async (argv) => {
  const { values, positionals } = parse(USAGE, argv);
  if (positionals.length > 1 && !values.slurm)
    throw new UserError(`expected one sweep; got ${positionals.join(' ')}`);
  const forSlurm = [...SBATCH, 'array-limit' as const].find((flag) => values[flag] !== undefined);
  if (forSlurm && !values.slurm)
    throw new UserError(`--${forSlurm}: expected --slurm with it; got it alone: add --slurm`);
  if (values.slurm && values.jobs !== undefined)
    throw new UserError(
      '--jobs: expected without --slurm; got both: --array-limit bounds the tasks that run at a time',
    );
  const name = oneOf('sweep', positionals[0], Object.keys(sweeps()));
  const tier = oneOf('--tier', values.tier, TIERS);
  const wantedJobs = values.jobs === undefined ? null : wholeNumber('--jobs', values.jobs, 1, 256);
  const configs = sweeps()[name]!(tier);
  const ids = configs.map(idOf);
  if (values.run !== undefined && !ids.includes(values.run))
    throw new UserError(
      `--run: expected a run of ${name} in the ${tier} tier, as --list prints them; got "${values.run}": the name is wrong, or its settings have changed since it was queued; queue the sweep again`,
    );
  if (values.json && !values.list)
    throw new UserError('--json: expected with --list; got it alone: add --list');
  if (values.list) return list(configs, values.json);
  const states = configs.map(stateOf);
  const indices = states.flatMap((state, i) =>
    (values.run ?? ids[i]) !== ids[i] || state.isFinished ? [] : [i],
  );
  if (values.print) return indices.forEach((i) => console.log(runCommand(name, tier, ids[i]!)));
  if (values.plan !== undefined) {
    const rate = Number(values.plan);
    if (!(rate > 0 && rate < Infinity))
      throw new UserError(`--plan: expected a number of TFLOP/s above 0, such as 90; got "${values.plan}"`);
    return planOf(
      indices.map((i) => configs[i]!),
      1e12 * rate,
    ).forEach((line) => console.log(line));
  }
  if (values.slurm) {
    const queued = queuedRuns();
    // A task that was cancelled a moment ago does not come back. One that does finds its run trained, or waits for it.
    const missing = indices.map((i) => ids[i]!).filter((id) => queued.get(id)?.isEnding ?? true);
    const limit = values['array-limit'];
    const atATime = limit === undefined ? null : wholeNumber('--array-limit', limit, 1);
    const own = SBATCH.flatMap((flag) => (values[flag] === undefined ? [] : `--${flag}=${values[flag]}`));
    const flags = [...own, ...positionals.slice(1)];
    const job = missing.length ? submit(name, tier, missing, flags, atATime) : null;
    const rest = `${configs.length - indices.length} finished, ${indices.length - missing.length} in the queue`;
    return console.log(
      job ? `job ${job}: ${missing.length} runs submitted (${rest})` : `nothing to submit: ${rest}`,
    );
  }
  if (values.commit) {
    for (const [i, config] of configs.entries())
      if (states[i]!.fault) console.log(`damaged   ${ids[i]}  ${states[i]!.fault}`);
      else if (!states[i]!.isFinished) console.log(`to do     ${ids[i]}`);
      else for (const path of await commit(config)) console.log(`committed ${path}`);
    return console.log(`written   ${writeRunsTable()}`);
  }
  if (values.run === undefined)
    console.error(`${configs.length - indices.length} of ${configs.length} runs are finished`);
  const gpus = visibleGpus();
  const jobs = wantedJobs ?? (gpus.length || os.availableParallelism());
  if (gpus.length && jobs > gpus.length)
    throw new UserError(
      `--jobs: expected at most ${gpus.length}, one run a GPU; got ${jobs}: two on one GPU would share its memory and be no faster`,
    );
  const alone = process.env.SLURM_CPUS_PER_TASK ?? '1';
  const threads = values.run !== undefined ? alone : jobs > 1 ? '1' : null;
  const sweep = new Sweep(name, tier, indices, ids, jobs, threads, gpus);
  onStop((signal) => {
    if (values.run !== undefined && signal === 'SIGTERM') return sweep.stop();
    sweep.abandon();
    console.error(
      '\nsweep: stopped; runs continue from their last checkpoints when the sweep is started again',
    );
    process.exit(exitCode(null, signal));
  });
  await sweep.train();
  // Its own line has said why, and is the last of its log.
  if (values.run !== undefined) process.exit(sweep.signalled || Math.sign(sweep.failed.length));
  if (sweep.failed.length)
    throw new UserError(
      `${sweep.failed.length} of ${indices.length} runs failed (${sweep.failed.join(', ')}): fix what their lines say and start the sweep again`,
    );
});
