/** `npm run doctor`: what is installed, what is missing and what to do about it; checks one operation and one gradient. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, homedir, tmpdir, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { engine, tf, type Engine, type Tensor } from '../../tensor/engine';
import { fused as fusedOps } from '../../tensor/fused';
import { UserError } from '../../util/errors';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import { sourceCommit } from '../../util/source';
import { main, parse } from './arguments';
import { opsFile } from '../setup/native';
import { childEnvironment, hasGpu } from '../setup/environment.cjs';
import { findPython } from '../setup/python';
import { compiler, cpuFlags, onPath } from '../setup/state.cjs';

/** missing: a command will not work; slow: it works, though slower than it could. */
export interface Item {
  name: string;
  state: 'ok' | 'slow' | 'missing';
  value: string;
  advice?: string;
}
interface Check {
  expected: number[];
  got: number[];
  ok: boolean;
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

function printed(program: string, args: string[]): string | null {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      env: childEnvironment(),
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return null;
  }
}

/** An item that is missing if `find` throws, with the error as advice. */
function found(name: string, find: () => string): Item {
  try {
    return { name, state: 'ok', value: find() };
  } catch (error) {
    return { name, state: 'missing', value: 'none that can be used', advice: firstLine(error) };
  }
}

function toolItems(): Item[] {
  const npm = printed('npm', ['--version']);
  return [
    { name: 'Node', state: 'ok', value: `${process.versions.node} (${process.platform} ${process.arch})` },
    npm
      ? { name: 'npm', state: 'ok', value: npm }
      : { name: 'npm', state: 'missing', value: 'none on PATH', advice: 'install npm (it comes with Node)' },
    found('compiler', () => {
      const cxx = compiler();
      return cxx ? `${cxx}, ${printed(cxx, ['-dumpversion']) ?? 'version unknown'}` : 'none on PATH';
    }),
    found('Python', () => {
      const { program, version } = findPython();
      return `${version} (${program})`;
    }),
  ];
}

function jupyterItems(): Item[] {
  const found = (['jupyterlab', 'nbconvert', 'jupytext', 'nbdime'] as const).map((name) => {
    const version = printed(join(paths.venv, 'bin', 'python'), [
      '-c',
      `import importlib.metadata as m; print(m.version("${name}"))`,
    ]);
    return { name, version };
  });
  const lacking = found.filter(({ version }) => !version).map(({ name }) => name);
  const kernel = existsSync(join(paths.venv, 'share', 'jupyter', 'kernels', 'tslab', 'kernel.json'));
  const advice = 'remove .venv and run any command: set-up makes it again';
  return [
    lacking.length
      ? { name: 'Jupyter', state: 'missing', value: `no ${lacking.join(', ')} in .venv`, advice }
      : {
          name: 'Jupyter',
          state: 'ok',
          value: found.map(({ name, version }) => `${name} ${version}`).join(', '),
        },
    kernel
      ? { name: 'kernel', state: 'ok', value: 'TypeScript (tslab)' }
      : { name: 'kernel', state: 'missing', value: 'no TypeScript kernel in .venv', advice },
  ];
}

/** What TensorFlow's kernels look for in the processor, of what this one has. */
const CPU_FEATURES = [
  'avx2',
  'fma',
  'avx512f',
  'avx512_vnni',
  'avx512_bf16',
  'avx512_fp16',
  'amx_tile',
  'amx_bf16',
  'asimd',
  'bf16',
];

/** Those of the instruction sets that TensorFlow uses. */
export function cpuFeatures(flags: string): string[] {
  const has = new Set(flags.split(/\s+/));
  return CPU_FEATURES.filter((name) => has.has(name));
}

function machineItems(): Item[] {
  const features = cpuFeatures(cpuFlags(readFileSync('/proc/cpuinfo', 'utf8')));
  const cores = cpus();
  const gpu =
    onPath('nvidia-smi') &&
    printed('nvidia-smi', ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']);
  return [
    { name: 'CPU', state: 'ok', value: `${cores[0]?.model.trim() ?? 'unknown'}, ${cores.length} cores` },
    { name: 'CPU features', state: 'ok', value: features.join(' ') || 'unknown' },
    { name: 'memory', state: 'ok', value: `${(totalmem() / 2 ** 30).toFixed(1)} GiB` },
    {
      name: 'GPU',
      state: 'ok',
      value: gpu || (hasGpu() ? 'NVIDIA driver without nvidia-smi' : 'none (the CPU computes)'),
    },
  ];
}

const near = (expected: number[], got: number[]): Check => ({
  expected,
  got,
  ok:
    got.length === expected.length &&
    got.every((x, i) => Math.abs(x - expected[i]!) <= 1e-5 * Math.max(1, Math.abs(expected[i]!))),
});

/** [[1,2],[3,4]]·[[5,6],[7,8]], the derivative 1 − tanh² of tanh, and 3² + 4² as a fused op. */
function computed(fused: boolean): Record<string, Check> {
  const values = (compute: () => Tensor): number[] => tf.tidy(() => Array.from(compute().dataSync()));
  const matrix = (...numbers: number[]) => tf.tensor2d(numbers, [2, 2]);
  const at = [-1, 0, 2];
  const slope = tf.grad((x) => tf.sum(tf.tanh(x)));
  const exact = at.map((x) => 1 - Math.tanh(x) ** 2);
  return {
    matMul: near(
      [19, 22, 43, 50],
      values(() => tf.matMul(matrix(1, 2, 3, 4), matrix(5, 6, 7, 8))),
    ),
    gradient: near(
      exact,
      values(() => slope(tf.tensor1d(at))),
    ),
    ...(fused && {
      sumSquares: near(
        [25],
        values(() => fusedOps.sumSquares([tf.tensor1d([3, 4])])),
      ),
    }),
  };
}

/** @param gpu whether a driver is here @param wanted the variable DEVICE */
export function tensorflowItem(
  { device, tensorflowVersion }: Pick<Engine, 'device' | 'tensorflowVersion'>,
  gpu: boolean,
  wanted: string | undefined,
): Item {
  const [name, value] = ['TensorFlow', `${tensorflowVersion} on the ${device.toUpperCase()}`];
  if (device === 'gpu' || !gpu || wanted === 'cpu') return { name, state: 'ok', value };
  return {
    name,
    state: 'slow',
    value: `${value}, though an NVIDIA driver is here`,
    advice:
      'TF_CPP_MIN_LOG_LEVEL=0 TF_CPP_MAX_VLOG_LEVEL=1 before the same command names the library that does not load; DEVICE=cpu says that the CPU is meant',
  };
}

function opsItem({ device, fused }: Engine): Item {
  const name = 'fused ops';
  if (fused) return { name, state: 'ok', value: relative(paths.root, opsFile) };
  if (device === 'gpu') return { name, state: 'ok', value: 'not used on the GPU' };
  if (process.env.FUSED === '0')
    return { name, state: 'slow', value: 'off (FUSED=0)', advice: 'unset FUSED' };
  return {
    name,
    state: 'slow',
    value: "not loaded: TensorFlow's own operations compute, at about half the speed with a large vocabulary",
    advice:
      'without a compiler install g++ (Debian, Ubuntu: apt install g++), then run the same command again; else see .cache/setup/fused-operations.log',
  };
}

/** Loads TensorFlow and computes. A library that does not load is an item like the others. */
function engineItems(): { items: Item[]; checks: Record<string, Check> } {
  const advice = 'remove node_modules and run the same command again';
  try {
    const { tfjsVersion, bf16, fused } = engine();
    const items: Item[] = [
      tensorflowItem(engine(), hasGpu(), process.env.DEVICE),
      { name: 'TFJS', state: 'ok', value: tfjsVersion },
      { name: 'bf16', state: 'ok', value: bf16 ? 'in hardware' : 'not in hardware: fp32 is used' },
      opsItem(engine()),
    ];
    const checks = computed(fused);
    for (const [name, { expected, got, ok }] of Object.entries(checks)) {
      const value = `got ${shown(got)}, expected ${shown(expected)}`;
      items.push(ok ? { name, state: 'ok', value } : { name, state: 'missing', value, advice });
    }
    return { items, checks };
  } catch (error) {
    return {
      items: [{ name: 'TensorFlow', state: 'missing', value: firstLine(error), advice }],
      checks: {},
    };
  }
}

const shown = (values: number[]): string => values.map((x) => String(Number(x.toFixed(6)))).join(' ');

/** A text without the paths of the project and of the user's home, and without the passwords of addresses. */
export const withoutPrivate = (text: string, home = homedir()): string =>
  text
    .replaceAll(paths.root, 'PROJECT')
    .replaceAll(home, 'HOME')
    .replace(/\/\/[^/@\s]+@/g, '//...@');

/** One archive for a bug report: doctor's findings and the logs of set-up. Throws a UserError where it cannot be written. */
function writeBundle(file: string, findings: string): void {
  if (existsSync(file))
    throw new UserError(`--bundle: expected a file that is not there yet; ${file} is: name another`);
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'));
  try {
    writeFileSync(join(folder, 'doctor.json'), withoutPrivate(findings));
    const logs = join(paths.cache, 'setup');
    for (const name of existsSync(logs) ? readdirSync(logs) : [])
      if (/\.(log|json)$/.test(name))
        writeFileSync(join(folder, name), withoutPrivate(readFileSync(join(logs, name), 'utf8')));
    writeAtomically(file, execFileSync('tar', ['-cz', '-C', folder, ...readdirSync(folder)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(`written: ${file}`);
}

if (require.main === module)
  main('doctor', (argv) => {
    const { values } = parse(
      {
        command: 'doctor',
        summary: 'Says what is here and what is missing; exit code 1 if something needed is missing.',
        options: {
          json: { type: 'boolean', help: 'print JSON' },
          bundle: {
            type: 'string',
            help: 'write an archive for a bug report, such as doctor.tar.gz: these findings and the logs of set-up, without data and paths of home',
          },
        },
      },
      argv,
    );
    const { items: engineLines, checks } = engineItems();
    const items = [...toolItems(), ...jupyterItems(), ...machineItems(), ...engineLines];
    const ok = items.every(({ state }) => state !== 'missing');
    const json = JSON.stringify({ ok, commit: sourceCommit(), items, checks }, null, 1);
    if (values.bundle !== undefined) writeBundle(values.bundle, json);
    else if (values.json) console.log(json);
    else
      for (const { name, state, value, advice } of items)
        console.log(`${state.padEnd(8)}${name.padEnd(14)}${value}${advice ? `; ${advice}` : ''}`);
    process.exitCode = ok ? 0 : 1;
  });
