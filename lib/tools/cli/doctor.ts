/** `npm run doctor`: what is here, what is missing and what to do about it; one op and one gradient against known values. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { paths } from '../../util/paths';
import { main, parse } from './arguments';
import { engineChoice } from '../setup/binding';
import { childEnvironment } from '../setup/environment';
import { findPython } from '../setup/python';
import { compiler, hasGpu, onPath } from '../setup/state.cjs';

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

function toolItems(): Item[] {
  const npm = printed('npm', ['--version']);
  const cxx = compiler();
  const fast = engineChoice()?.engine === 'native-wheel';
  const items: Item[] = [
    { name: 'Node', state: 'ok', value: `${process.versions.node} (${process.platform} ${process.arch})` },
    npm
      ? { name: 'npm', state: 'ok', value: npm }
      : { name: 'npm', state: 'missing', value: 'none on PATH', advice: 'install npm (it comes with Node)' },
    cxx
      ? {
          name: 'compiler',
          state: 'ok',
          value: `${cxx}, ${printed(cxx, ['-dumpversion']) ?? 'version unknown'}`,
        }
      : {
          name: 'compiler',
          state: fast ? 'ok' : 'slow',
          value: 'no C++ compiler with make on PATH',
          ...(fast ? {} : { advice: 'install g++ and make (Debian, Ubuntu: apt install g++ make)' }),
        },
  ];
  try {
    const { program, version } = findPython();
    items.push({ name: 'Python', state: 'ok', value: `${version} (${program})` });
  } catch (error) {
    items.push({
      name: 'Python',
      state: 'missing',
      value: 'none that can be used',
      advice: firstLine(error),
    });
  }
  return items;
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
  const advice = 'remove .venv and run any command: set-up makes it anew';
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

/** From the text of /proc/cpuinfo (x86: "flags", Arm: "Features"). */
export function cpuFeatures(cpuinfo: string): string[] {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/) ?? []);
  return CPU_FEATURES.filter((name) => flags.has(name));
}

function machineItems(): Item[] {
  const info = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
  const features = cpuFeatures(info);
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

/** [[1,2],[3,4]]·[[5,6],[7,8]], and the derivative 1 − tanh² of tanh. */
function computed(tf: typeof import('../../tensor/engine').tf): { matMul: Check; gradient: Check } {
  const product = tf.tidy(() =>
    Array.from(
      tf
        .matMul(
          tf.tensor2d([
            [1, 2],
            [3, 4],
          ]),
          tf.tensor2d([
            [5, 6],
            [7, 8],
          ]),
        )
        .dataSync(),
    ),
  );
  const at = [-1, 0, 2];
  const slope = tf.tidy(() =>
    Array.from(
      tf
        .grad((x) => tf.sum(tf.tanh(x)))(tf.tensor1d(at))
        .dataSync(),
    ),
  );
  return {
    matMul: near([19, 22, 43, 50], product),
    gradient: near(
      at.map((x) => 1 - Math.tanh(x) ** 2),
      slope,
    ),
  };
}

/** What to do for the fast engine, by the reason that set-up noted. */
function engineAdvice(reason: string): string {
  if (reason.startsWith('no C++ compiler')) return 'install g++ and make, then run the same command again';
  if (reason.startsWith('no wheel'))
    return 'name a Python from 3.10 to 3.13 in the variable PYTHON, remove .venv, then run the same command again';
  return 'remove node_modules, then run the same command again';
}

/** Loads TensorFlow and computes: here, since a broken library must not keep the other items from being printed. */
function engineItems(): { items: Item[]; checks: Record<string, Check> } {
  const choice = engineChoice();
  try {
    const { tf, engine } = require('../../tensor/engine') as typeof import('../../tensor/engine');
    const { name, device, tensorflowVersion, tfjsVersion, bf16 } = engine();
    const native = name === 'tensorflow';
    const library = join(
      paths.root,
      'node_modules',
      '@tensorflow',
      'tfjs-node-gpu',
      'deps',
      'lib',
      'libtensorflow.so',
    );
    const fast = native && choice?.engine === 'native-wheel';
    const items: Item[] = [
      {
        name: 'engine',
        state: fast ? 'ok' : 'slow',
        value: `${choice?.engine ?? 'unknown'}: ${choice?.reason ?? 'set-up did not end'}`,
        ...(fast ? {} : { advice: engineAdvice(choice?.reason ?? '') }),
      },
      native
        ? {
            name: 'TensorFlow',
            state: 'ok',
            value: `${tensorflowVersion} on the ${device.toUpperCase()}, ${existsSync(library) ? relative(paths.root, realpathSync(library)) : 'library of the package'}`,
          }
        : {
            name: 'TensorFlow',
            state: 'slow',
            value: 'not loaded: plain TFJS computes, hundreds of times slower',
          },
      { name: 'TFJS', state: 'ok', value: tfjsVersion },
      { name: 'bf16', state: 'ok', value: bf16 ? 'in hardware' : 'not in hardware: fp32 is used' },
    ];
    const checks = computed(tf);
    for (const [what, { expected, got, ok }] of Object.entries(checks))
      items.push(
        ok
          ? { name: what, state: 'ok', value: `we see ${shown(got)}, expected ${shown(expected)}` }
          : {
              name: what,
              state: 'missing',
              value: `we see ${shown(got)}, expected ${shown(expected)}`,
              advice: 'remove node_modules and run the same command again',
            },
      );
    return { items, checks: { ...checks } };
  } catch (error) {
    return {
      items: [
        {
          name: 'TensorFlow',
          state: 'missing',
          value: firstLine(error),
          advice: 'remove node_modules and run the same command again',
        },
      ],
      checks: {},
    };
  }
}

const shown = (values: number[]): string => values.map((x) => String(Number(x.toFixed(6)))).join(' ');

if (require.main === module)
  main('doctor', (argv) => {
    const { values } = parse(
      {
        command: 'doctor',
        summary: 'Says what is here and what is missing; exit code 1 if something needed is missing.',
        options: { json: { type: 'boolean', help: 'print JSON' } },
      },
      argv,
    );
    const { items: engineLines, checks } = engineItems();
    const items = [...toolItems(), ...jupyterItems(), ...machineItems(), ...engineLines];
    const ok = items.every(({ state }) => state !== 'missing');
    if (values.json) console.log(JSON.stringify({ ok, items, checks }, null, 1));
    else
      for (const { name, state, value, advice } of items)
        console.log(`${state.padEnd(8)}${name.padEnd(14)}${value}${advice ? `; ${advice}` : ''}`);
    process.exitCode = ok ? 0 : 1;
  });
