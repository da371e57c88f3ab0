/** The engine: tfjs-node-gpu's native binding, compiled against the library of TensorFlow's wheel. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { childEnvironment, sitePackages } from './environment';
import { failureLine, logged } from './processes.cjs';
import { compiler, readJson, writeJson } from './state.cjs';

/** native-wheel: fast. native-package: the package's own, older library. plain: TFJS in JavaScript, hundreds of times slower. */
export interface EngineChoice {
  engine: 'native-wheel' | 'native-package' | 'plain';
  reason: string;
}

const modules = join(paths.root, 'node_modules');
const packageFolder = join(modules, '@tensorflow', 'tfjs-node-gpu');
const stamp = join(packageFolder, '.setup.json');
const engineFile = join(paths.cache, 'engine.json');
const logFile = (name: string): string => join(paths.cache, 'setup', `${name}.log`);

/** What set-up chose, or null before set-up. */
export const engineChoice = (): EngineChoice | null => readJson(engineFile);

/** A link that is relative, so that it holds when the project folder moves. */
function link(place: string, target: string): void {
  const wanted = relative(dirname(place), target);
  const there = lstatSync(place, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() && readlinkSync(place) === wanted) return;
  rmSync(place, { recursive: true, force: true });
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(wanted, place);
}

/** Puts the wheel's library and headers where binding.gyp expects TensorFlow's. */
function linkWheel(): void {
  const wheel = join(sitePackages(paths.venv)!, 'tensorflow');
  const lib = join(packageFolder, 'deps', 'lib');
  for (const name of ['libtensorflow.so', 'libtensorflow_cc.so.2'])
    link(join(lib, name), join(wheel, 'libtensorflow_cc.so.2'));
  for (const name of ['libtensorflow_framework.so', 'libtensorflow_framework.so.2'])
    link(join(lib, name), join(wheel, 'libtensorflow_framework.so.2'));
  link(join(packageFolder, 'deps', 'include'), join(wheel, 'include'));
}

function buildEnvironment(npm: string): NodeJS.ProcessEnv {
  const environment = childEnvironment();
  environment.PATH = [join(modules, '.bin'), environment.PATH].join(delimiter);
  environment.npm_config_node_gyp ??= join(
    dirname(dirname(npm)),
    'node_modules',
    'node-gyp',
    'bin',
    'node-gyp.js',
  );
  environment.JOBS = 'max';
  return environment;
}

/** Compiles the binding. Gives back null, or why it could not. */
async function compile(npm: string): Promise<string | null> {
  if (!compiler()) return 'no C++ compiler with make on PATH';
  for (const name of readdirSync(packageFolder))
    if (name.startsWith('build-tmp') || name === 'lib')
      rmSync(join(packageFolder, name), { recursive: true });
  const prefix = dirname(dirname(realpathSync(process.execPath)));
  // Without headers beside Node, node-gyp fetches them into .cache/node-gyp.
  const headers = existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
  const program = join(modules, '@mapbox', 'node-pre-gyp', 'bin', 'node-pre-gyp');
  const { code, output } = await logged(
    process.execPath,
    [program, 'install', '--build-from-source', ...headers],
    { cwd: packageFolder, env: buildEnvironment(npm), log: logFile('binding') },
  );
  if (code === 0) return null;
  if (/ENOSPC|No space left/i.test(output))
    throw new UserError(failureLine('native binding', output, relative(paths.root, logFile('binding'))));
  return `the compiler failed (${relative(paths.root, logFile('binding'))})`;
}

/** Loads the binding in a process of its own and multiplies two matrices with it. */
async function works(): Promise<boolean> {
  const script = `const util = require('util'); util.isNullOrUndefined ??= (x) => x == null;
    const tf = require('@tensorflow/tfjs-node-gpu');
    const [x] = tf.matMul(tf.tensor2d([[3, 4]]), tf.tensor2d([[5], [6]])).dataSync();
    process.exit(tf.getBackend() === 'tensorflow' && x === 39 ? 0 : 1);`;
  const { code } = await logged(process.execPath, ['-e', script], {
    cwd: paths.root,
    env: childEnvironment(),
    log: logFile('binding-works'),
    limitSeconds: 120,
  });
  return code === 0;
}

/** The package's own installer: it fetches an older library and a compiled binding. It edits its package.json while it works. */
async function ownInstaller(npm: string, gpu: boolean): Promise<boolean> {
  const manifest = join(packageFolder, 'package.json');
  const before = readFileSync(manifest);
  for (const name of ['deps', 'lib']) rmSync(join(packageFolder, name), { recursive: true, force: true });
  const script = join(packageFolder, 'scripts', 'install.js');
  try {
    const { code } = await logged(process.execPath, [script, gpu ? 'gpu' : 'cpu', 'download'], {
      cwd: packageFolder,
      env: buildEnvironment(npm),
      log: logFile('own-installer'),
      limitSeconds: 600,
    });
    return code === 0 && (await works());
  } finally {
    writeFileSync(manifest, before);
  }
}

async function choose(
  npm: string,
  gpu: boolean,
  withoutWheel: string | null,
  mustBuild: boolean,
): Promise<EngineChoice> {
  let reason = withoutWheel;
  if (reason === null) {
    linkWheel();
    const present = existsSync(join(packageFolder, 'lib', 'napi-v8', 'tfjs_binding.node'));
    if (present && !mustBuild && (await works()))
      return { engine: 'native-wheel', reason: "compiled against TensorFlow's wheel" };
    reason = await compile(npm);
    if (reason === null && (await works()))
      return { engine: 'native-wheel', reason: "compiled against TensorFlow's wheel" };
    reason ??= `the compiled binding does not load (${relative(paths.root, logFile('binding-works'))})`;
  }
  console.error(`set-up: ${reason}; trying the package's own installer ...`);
  if (await ownInstaller(npm, gpu)) return { engine: 'native-package', reason };
  for (const name of ['deps', 'lib']) rmSync(join(packageFolder, name), { recursive: true, force: true });
  return {
    engine: 'plain',
    reason: `${reason}; the package's own installer failed too (${relative(paths.root, logFile('own-installer'))})`,
  };
}

/**
 * Chooses the engine and notes it in .cache/engine.json. What was chosen stands while the wheel stays the same;
 * a slower choice is made again as soon as a compiler is there.
 */
export async function ensureEngine(
  npm: string,
  gpu: boolean,
  wheel: string,
  withoutWheel: string | null,
): Promise<boolean> {
  const key = `${wheel} ${withoutWheel ?? ''}`;
  const last = readJson(stamp);
  const stands =
    last?.key === key && (last.engine === 'native-wheel' || last.compiler === (compiler() !== null));
  if (stands && last.engine === 'native-wheel') linkWheel();
  if (stands && (last.engine === 'plain' || (await works()))) {
    writeJson(engineFile, { engine: last.engine, reason: last.reason });
    return false;
  }
  const choice = await choose(npm, gpu, withoutWheel, last !== null && last.key !== key);
  if (choice.engine === 'plain')
    console.error(
      `set-up: warning: plain TFJS will compute, hundreds of times slower than TensorFlow's library: ${choice.reason}; install g++ and make and run the same command again`,
    );
  if (choice.engine === 'native-package')
    console.error(
      `set-up: warning: the package's own, older TensorFlow library will compute: ${choice.reason}`,
    );
  writeJson(stamp, { key, compiler: compiler() !== null, ...choice });
  writeJson(engineFile, choice);
  return true;
}
