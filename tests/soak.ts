/**
 * A soak: commands on smoke runs of all experiments meet random faults, are run again, and must end in the bits of
 * undisturbed ones. In a clone of its own, where set-up has run: it removes the runs and data sets there.
 *
 *   node --import tsx tests/soak.ts [--faults 200] [--seed 1]
 *
 * It takes about an hour and ends with a table; what it compares with, and the output of failures, stays in a folder.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { EXPERIMENTS, sweeps } from '../lib/experiments/index';
import { readRecord, recordPath } from '../lib/train/record';
import { wholeNumber } from '../lib/util/errors';
import { paths } from '../lib/util/paths';
import { Random } from '../lib/util/random';
import { differingBits, weightsIn } from './train/checkpoints';

const { values } = parseArgs({
  options: { faults: { type: 'string', default: '200' }, seed: { type: 'string', default: '1' } },
});
const faults = wholeNumber('--faults', values.faults, 1);
const random = new Random(wholeNumber('--seed', values.seed, 1), 'soak');
/** Undefined where there is none. */
const oneOf = <T>(items: readonly T[]): T => items[random.int(items.length || 1)]!;

const COMMANDS = [
  ...EXPERIMENTS.map(({ name }) => `train ${name} --tier smoke`),
  ...Object.entries(sweeps())
    .filter(([, list]) => [2, 3, 4].includes(list('smoke').length))
    .map(([name]) => `sweep ${name} --tier smoke --jobs 2`),
  ...['04', '09'].map((notebook) => `reproduce ${notebook} --tier smoke`),
];
/** A command may take so long at most, and what it started ends so long after it at the latest. */
const [LONGEST_MS, END_MS] = [300_000, 5000];

const [RUNS, DATASETS] = [join(paths.local, 'runs'), join(paths.local, 'datasets')];
const kept = fs.mkdtempSync(join(os.tmpdir(), 'soak-'));
const expectedOf = (line: string) => join(kept, line.replaceAll(' ', '_'));

/** `failed`: without a fault, or without saying why. */
const found = { 'differing bits': 0, 'lost records': 0, orphans: 0, 'stack traces': 0, hung: 0, failed: 0 };
function fail(what: keyof typeof found, number: number, line: string, detail: string): void {
  if (number === 0) return;
  found[what] += number;
  const file = join(kept, `failure-${fs.readdirSync(kept).length}.txt`);
  fs.writeFileSync(file, `${what}: ${number}\n${line}\n${detail}\n`);
  console.log(`  ${what}: ${number}, ${file}`);
}

/** Ids of the processes that commands of this soak started and that run, whatever became of their parents. */
const tree = (): number[] =>
  fs.readdirSync('/proc').flatMap((name) => {
    try {
      const variables = fs.readFileSync(`/proc/${name}/environ`, 'latin1').split('\0');
      return variables.includes(`SOAK=${process.pid}`) ? [Number(name)] : [];
    } catch {
      return []; // No process, one that has ended, or another user's.
    }
  });

function signal(pids: number[], name: NodeJS.Signals): void {
  for (const pid of pids)
    try {
      process.kill(pid, name);
    } catch {
      // It has ended.
    }
}

/** @property code exit code or signal, once it has ended */
type Command = { line: string; output: string; code?: number | string; ended: Promise<unknown> };

/** Commands whose output has not been looked at. */
const started: Command[] = [];

function start(line: string): Command {
  const [name, ...args] = line.split(' ') as [string, ...string[]];
  const child = spawn('npm', ['run', '--silent', name, '--', ...args], {
    cwd: paths.root,
    // Who is stopped is replaced after so many seconds, and not after 60.
    env: { ...process.env, SOAK: String(process.pid), LEASE_SECONDS: '15' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const command: Command = { line, output: '', ended: once(child, 'exit') };
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (command.output += text));
  child.on('exit', (code, by) => (command.code = code ?? by!));
  started.push(command);
  return command;
}

const STACK_TRACE = /^\s+at .+[:(]|^Traceback |^\s+File ".+", line \d/m;

/** Waits until a command has ended. @param isWell whether it has to succeed */
async function end(command: Command, isWell: boolean): Promise<void> {
  const late = setTimeout(() => {
    fail('hung', 1, command.line, command.output);
    signal(tree(), 'SIGKILL');
  }, LONGEST_MS);
  await command.ended;
  clearTimeout(late);
  if (isWell) fail('failed', Number(command.code !== 0), command.line, command.output);
}

/** Counts and ends what is left of commands that have ended. */
async function clear(line: string): Promise<void> {
  for (let waited = 0; waited < END_MS && tree().length; waited += 100) await sleep(100);
  const left = tree();
  fail('orphans', left.length, line, left.map((pid) => fs.readFileSync(`/proc/${pid}/cmdline`)).join('\n'));
  signal(left, 'SIGKILL');
  for (const { output } of started.splice(0))
    fail('stack traces', Number(STACK_TRACE.test(output)), line, output);
}

async function undisturbed(line: string, isWell = true): Promise<Command> {
  const command = start(line);
  await end(command, isWell);
  await clear(line);
  return command;
}

const remove = (path: string) => fs.rmSync(path, { recursive: true, force: true });
const runIds = (): string[] => (fs.existsSync(RUNS) ? fs.readdirSync(RUNS) : []);
const finished = (): string[] => runIds().filter((id) => fs.existsSync(recordPath(id)));

/** What all trainings of a run have in common. */
function bitsOf(folder: string): Buffer[] {
  const record = JSON.parse(fs.readFileSync(join(folder, 'record.json'), 'utf8'));
  const { curve, weights, configHash, dataHash } = record;
  const checkpoints = ['last', 'best'].map((which) => weightsIn(join(folder, `${which}.safetensors`)));
  return [Buffer.from(JSON.stringify({ curve, weights, configHash, dataHash })), ...checkpoints];
}

/** Compares a command's runs with those of the undisturbed one. */
function compare(line: string): void {
  for (const id of fs.readdirSync(expectedOf(line))) {
    if (!finished().includes(id)) {
      fail('lost records', 1, line, id);
      continue;
    }
    readRecord(recordPath(id));
    const [ours, theirs] = [bitsOf(join(RUNS, id)), bitsOf(join(expectedOf(line), id))];
    const bits = ours.reduce((sum, part, i) => sum + differingBits(part, theirs[i]!), 0);
    fail('differing bits', bits, line, id);
  }
}

/** Something that happens to a command; false where the command has ended before. */
type Fault = (command: Command) => Promise<boolean>;

const toOneProcess =
  (act: (pid: number) => unknown): Fault =>
  async () => {
    const pid = oneOf(tree());
    if (pid !== undefined) await act(pid);
    return pid !== undefined;
  };

/** Folder of a run that is being trained, and who trains it. */
async function trained(command: Command): Promise<{ folder: string; owner: string } | undefined> {
  for (; command.code === undefined; await sleep(2))
    for (const folder of runIds().map((id) => join(RUNS, id))) {
      const owner = fs.existsSync(join(folder, 'lease')) && fs.readdirSync(join(folder, 'lease'))[0];
      if (owner) return { folder, owner };
    }
  return undefined;
}

/** A file that a trainer will write is the full device. */
const fullDisk: Fault = async (command) => {
  for (let at; (at = await trained(command)); await sleep(2))
    try {
      const name = `${oneOf(['last.safetensors', 'record.json'])}.${at.owner.split('.')[2]}.part`;
      fs.symlinkSync('/dev/full', join(at.folder, `${at.owner}.part`, name));
      return true;
    } catch {
      // It is writing that file now, has ended, or has written nothing yet.
    }
  return false;
};

const overtaken: Fault = async (command) => {
  if (!(await trained(command))) return false;
  const stopped = tree();
  signal(stopped, 'SIGSTOP');
  await end(start(command.line), true);
  signal(stopped, 'SIGCONT');
  return true;
};

/** Damages one of the files that a command leaves. The next one names it, or has no use for it; what it is in is removed then. */
const damaged =
  (file: RegExp, said: RegExp): Fault =>
  async (command) => {
    if (random.int(2)) signal(tree(), 'SIGKILL');
    await end(command, false);
    await clear(command.line);
    const all = fs.readdirSync(paths.local, { recursive: true }) as string[];
    const name = oneOf(all.filter((path) => file.test(path)));
    if (name === undefined) return false;
    const path = join(paths.local, name);
    const bytes = fs.readFileSync(path);
    const content = oneOf(['null', bytes.subarray(0, random.int(bytes.length)), bytes]);
    bytes[random.int(bytes.length)]! ^= 1 << random.int(8);
    remove(path);
    if (random.int(5)) fs.writeFileSync(path, content);
    else fs.mkdirSync(path);
    const { code, output } = await undisturbed(command.line, false);
    fail('failed', Number(code !== 0 && !said.test(output)), `${name}: ${command.line}`, output);
    remove(join(paths.local, ...name.split('/').slice(0, 2)));
    return true;
  };

const FAULTS: Record<string, Fault> = {
  'a process is ended': toOneProcess((pid) => signal([pid], oneOf(['SIGTERM', 'SIGINT', 'SIGKILL']))),
  'a process is stopped for a while': toOneProcess(async (pid) => {
    signal([pid], 'SIGSTOP');
    await sleep(random.int(20_000));
    signal([pid], 'SIGCONT');
  }),
  'all are stopped, and another command takes over': overtaken,
  'the same command twice at once': async ({ line }) => (await end(start(line), true), true),
  'a full disk': fullDisk,
  'a damaged record': damaged(/record\.json$/, /record .*delete it/),
  'a damaged checkpoint': damaged(/\.safetensors$/, /checkpoint .*delete its folder/),
  'a damaged data set': damaged(/^datasets.*\.(bin|json)$/, /data -- remove /),
};

async function soak(): Promise<void> {
  const seconds = new Map<string, number>();
  for (const line of COMMANDS) {
    remove(RUNS);
    const begun = performance.now();
    await undisturbed(line);
    seconds.set(line, (performance.now() - begun) / 1000);
    fs.cpSync(RUNS, expectedOf(line), { recursive: true });
    console.log(`${seconds.get(line)!.toFixed(1)} s  ${line}`);
  }
  const counts = new Map(Object.keys(FAULTS).map((name) => [name, 0]));
  for (let done = 0; done < faults;) {
    const [line, name] = [oneOf(COMMANDS), oneOf([...counts.keys()])];
    remove(RUNS);
    if (random.int(4) === 0) remove(DATASETS);
    const command = start(line);
    await sleep(1000 * random.uniform() * seconds.get(line)!);
    const before = name.startsWith('a damaged') ? [] : finished();
    const hit = await FAULTS[name]!(command);
    await end(command, false);
    await clear(line);
    if (!hit) continue;
    const lost = before.filter((id) => !finished().includes(id));
    fail('lost records', lost.length, `${name}: ${line}`, lost.join('\n'));
    if ((await undisturbed(line)).code === 0) compare(line);
    counts.set(name, counts.get(name)! + 1);
    console.log(`${++done} of ${faults}  ${name}: ${line}`);
  }
  for (const [what, n] of [...counts, ...Object.entries(found)])
    console.log(`${String(n).padStart(8)}  ${what}`);
  process.exit(Object.values(found).some(Boolean) ? 1 : 0);
}
void soak();
