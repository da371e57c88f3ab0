/** Compiled code: tfjs-node-gpu's binding to TensorFlow's C library, and the fused operations of lib/tensor/native. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { cache, childEnvironment, sitePackages } from './environment.cjs';
import { logged } from './processes.cjs';
import { installAside } from './python';
import { compiler, contentHash, cpuFlags, NATIVE } from './state.cjs';

const packageFolder = join(paths.root, 'node_modules', '@tensorflow', 'tfjs-node-gpu');
const ZIG = 'ziglang==0.17.1';

const opsSource = join(paths.root, 'lib', 'tensor', 'native', 'ops.cc');
/** The engine loads the compiled fused operations if they are there. */
export const { 'native binding': binding, 'fused operations': opsFile } = NATIVE;

/** The wheel's folder: libraries and headers. */
const tensorflow = (): string => join(sitePackages()!, 'tensorflow');

interface Compiler {
  command: [program: string, ...args: string[]];
  linker: 'system' | 'zig';
  env: NodeJS.ProcessEnv;
}

/** Runs a step with a log of its own: its exit code, what it printed, and why it failed in one line, or null. */
async function step(name: string, [program, ...args]: [string, ...string[]], env = childEnvironment()) {
  const log = cache('setup', `${name}.log`);
  const { code, output } = await logged(program, args, { cwd: paths.root, env, log, limitSeconds: 600 });
  const lines = output.trim().split('\n');
  const reason = (lines.find((line) => /error|No space left/i.test(line)) ?? lines.pop()!)
    .trim()
    .slice(0, 200);
  const details = `(details: ${relative(paths.root, log)})`;
  return {
    code,
    output,
    failure: code === 0 ? null : `${reason || `it ended with code ${code}`} ${details}`,
  };
}

/** Returns null, or why a step failed in one line. */
export const attempt = async (...args: Parameters<typeof step>): Promise<string | null> =>
  (await step(...args)).failure;

/** As attempt. A compiler that was killed could have compiled it: nothing is done without it, and no other is tried. */
export async function compile(...args: Parameters<typeof step>): Promise<string | null> {
  const { code, output, failure } = await step(...args);
  // g++ says so of its own children. One that passed the limit of time would pass it again.
  const ended = [137, 143].includes(code) && !output.startsWith('stopped after');
  if (ended || /signal terminated program/.test(output))
    throw new UserError(
      `${args[0]}: expected the compiler to end by itself; it was killed, perhaps for want of memory: ${failure}; run the same command again`,
    );
  return failure;
}

/** Loads the binding in a process of its own and multiplies two matrices with it: a damaged file may end the process. */
function testBinding(): Promise<string | null> {
  const script = `const util = require('util'); util.isNullOrUndefined ??= (x) => x == null;
    const tf = require('@tensorflow/tfjs-node-gpu');
    const [x] = tf.matMul(tf.tensor2d([[3, 4]]), tf.tensor2d([[5], [6]])).dataSync();
    if (tf.getBackend() !== 'tensorflow' || x !== 39) throw new Error('3·5 + 4·6 gave ' + x);`;
  return attempt('binding-test', [process.execPath, '-e', script]);
}

/** As testBinding, for the fused operations: computes 3² + 4² with one of them. */
export function testOps(file = opsFile): Promise<string | null> {
  const inTensor = (name: string) => JSON.stringify(join(paths.root, 'lib', 'tensor', name));
  const script = `const { engine, tf } = require(${inTensor('engine')});
    const { RTLD_NOW, RTLD_GLOBAL } = require('os').constants.dlopen;
    engine();
    process.dlopen({ exports: {} }, ${JSON.stringify(file)}, RTLD_NOW | RTLD_GLOBAL);
    const [x] = require(${inTensor('fused')}).fused.sumSquares([tf.tensor1d([3, 4])]).dataSync();
    if (x !== 25) throw new Error('3² + 4² gave ' + x);`;
  const env = { ...childEnvironment(), DEVICE: 'cpu', FUSED: '0' };
  const args = ['--require', require.resolve('tsx/cjs'), '-e', script];
  return attempt('fused-operations-test', [process.execPath, ...args], env);
}

/** Node's headers: next to Node itself, else those of npm. */
function headers(): string {
  const own = join(dirname(dirname(process.execPath)), 'include', 'node');
  return existsSync(join(own, 'node_api.h'))
    ? own
    : join(dirname(require.resolve('node-api-headers')), 'include');
}

/** Sets the mark DF_1_INITFIRST in the entry DT_FLAGS_1 of a library, as "-z initfirst" does; zig's linker does not know it. */
function initFirst(file: string): void {
  const elf = readFileSync(file);
  const entry = elf.indexOf(Buffer.from('fbffff6f00000000', 'hex'));
  if (entry >= 0) elf[entry + 8]! |= 0x20;
  writeFileSync(file, elf);
}

/**
 * Compiles the binding with one call of the compiler and computes with it. Returns null, or why that failed.
 * Trap: the path to the library is relative to the binding, so that the project can be moved, and so that no character of
 * the project's own path is read by the linker as syntax.
 */
async function compileBinding({ command, linker, env }: Compiler): Promise<string | null> {
  const aside = `${binding}.part`;
  mkdirSync(dirname(binding), { recursive: true });
  rmSync(binding, { force: true });
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((name) => join(packageFolder, 'binding', name));
  const failure = await compile(
    'binding',
    [
      ...command,
      ...['-w', '-O3', '-std=c++17', '-shared', '-fPIC', '-DNAPI_VERSION=8'],
      ...['-I', headers(), '-I', join(tensorflow(), 'include')],
      ...[...sources, join(__dirname, 'log-level.cc'), '-o', aside],
      ...['-L', tensorflow(), '-l:libtensorflow_cc.so.2', '-l:libtensorflow_framework.so.2'],
      `-Wl,-rpath,$ORIGIN/${relative(dirname(binding), tensorflow())}`,
      ...(linker === 'system' ? ['-Wl,-z,initfirst'] : []),
    ],
    env,
  );
  if (failure) return failure;
  if (linker === 'zig') initFirst(aside);
  renameSync(aside, binding);
  return testBinding();
}

/** As compileBinding, with the compiler of PyPI's ziglang: 400 MB, so only where the system has none, and removed at the end. */
async function compileBindingWithZig(): Promise<string | null> {
  const folder = cache('zig');
  const own = { ZIG_GLOBAL_CACHE_DIR: join(folder, 'cache'), ZIG_LOCAL_CACHE_DIR: join(folder, 'cache') };
  try {
    await installAside(ZIG, folder);
    return await compileBinding({
      command: [join(folder, 'ziglang', 'zig'), 'c++'],
      linker: 'zig',
      env: { ...childEnvironment(), ...own },
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a compiled file was made from, and its hash: one that was cut off or changed since is compiled again. */
const keyOf = (file: string, madeFrom: string): string => `${madeFrom} ${contentHash(file)}`;
const isCurrent = (file: string, madeFrom: string): boolean =>
  existsSync(file) &&
  existsSync(`${file}.key`) &&
  readFileSync(`${file}.key`, 'utf8') === keyOf(file, madeFrom);
const writeKey = (file: string, madeFrom: string): void =>
  writeFileSync(`${file}.key`, keyOf(file, madeFrom));

/** Compiles the binding unless that of the same sources and library is there and computes. */
export async function ensureBinding(): Promise<boolean> {
  const library = contentHash(join(__dirname, 'tensorflow-cpu.txt'), join(__dirname, 'log-level.cc'));
  const wheel = relative(paths.root, tensorflow());
  const madeFrom = [contentHash(join(packageFolder, 'binding')), library, wheel, process.arch].join(' ');
  if (isCurrent(binding, madeFrom) && !(await testBinding())) return false;
  const cxx = compiler();
  let failure = cxx
    ? await compileBinding({ command: [cxx], linker: 'system', env: childEnvironment() })
    : 'no C++ compiler on PATH';
  if (failure) {
    console.error(`set-up: native binding: ${failure}; fetching zig for it ...`);
    failure = await compileBindingWithZig();
  }
  if (failure)
    throw new UserError(
      `native binding: expected it to compile and compute; ${failure}; install g++ (Debian, Ubuntu: apt install g++), then run the same command again`,
    );
  writeKey(binding, madeFrom);
  return true;
}

/**
 * Compiles the fused operations for this processor, with the system's compiler: they use C++ interfaces of libstdc++.
 * Without them TensorFlow's own operations compute the same, slower. Returns whether there was anything to do.
 */
export async function ensureOps(): Promise<boolean> {
  // Not -ffast-math: what is not a number must reach the loss.
  const flags = '-w -O3 -march=native -fno-math-errno -fno-trapping-math -std=c++17 -shared -fPIC'.split(' ');
  const sources = contentHash(opsSource, join(__dirname, 'tensorflow-cpu.txt'));
  const madeFrom = [sources, ...flags, cpuFlags()].join(' ');
  if (isCurrent(opsFile, madeFrom) && !(await testOps())) return false;
  for (const file of [opsFile, `${opsFile}.key`]) rmSync(file, { force: true });
  mkdirSync(dirname(opsFile), { recursive: true });
  const cxx = compiler();
  const aside = `${opsFile}.part`;
  const withFlags = (...more: string[]) =>
    compile('fused-operations', [
      cxx!,
      ...[...flags, ...more, '-I', join(tensorflow(), 'include'), opsSource, '-o', aside],
      ...['-L', tensorflow(), '-l:libtensorflow_framework.so.2'],
    ]);
  // Eigen's header does not compile with GCC 12 where the processor has half precision; older compilers lack the flag.
  let failure = cxx ? await withFlags('-mno-avx512fp16') : 'no g++ on PATH (Debian, Ubuntu: apt install g++)';
  if (cxx && failure?.includes('avx512fp16')) failure = await withFlags();
  if (!failure) {
    renameSync(aside, opsFile);
    failure = await testOps();
  }
  if (failure) {
    rmSync(opsFile, { force: true });
    console.error(
      `set-up: fused operations: expected them to compile and compute; ${failure}; continuing without them, slower`,
    );
    return true;
  }
  writeKey(opsFile, madeFrom);
  return true;
}
