import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { childEnvironment } from '../../../lib/tools/setup/environment.cjs';
import { kernelSpec } from '../../../lib/tools/jupyter/install';
import { paths } from '../../../lib/util/paths';

/**
 * Runs cells in one kernel, as JupyterLab would; cells that begin with "// interrupt" are interrupted a second after they have printed.
 * Prints, per cell, the reply's status and count and the messages on the side channel.
 */
const CLIENT = `
import json, queue, sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name='tslab')
results = []
for source in json.load(open(sys.argv[1])):
    request = client.execute(source, stop_on_error=False)
    outputs, interrupt = [], False
    while True:
        try: message = client.get_iopub_msg(timeout=1 if interrupt else 120)
        except queue.Empty:
            manager.interrupt_kernel()
            continue
        if message['parent_header'].get('msg_id') != request: continue
        kind, content = message['msg_type'], message['content']
        if kind == 'status' and content['execution_state'] == 'idle': break
        if kind != 'status': outputs.append({'kind': kind, **content})
        # A signal can get lost at the very start of a cell: as a user would, press again each second.
        if kind == 'stream' and source.startswith('// interrupt'): interrupt = True
    reply = client.get_shell_msg(timeout=120)
    while reply['parent_header'].get('msg_id') != request: reply = client.get_shell_msg(timeout=120)
    results.append({'reply': reply['content'], 'outputs': outputs})
client.stop_channels()
manager.shutdown_kernel()
print(json.dumps(results))
`;

interface Ran {
  reply: { status: string; execution_count?: number; ename?: string; evalue?: string };
  outputs: {
    kind: string;
    text?: string;
    traceback?: string[];
    execution_count?: number;
    data?: Record<string, unknown>;
  }[];
}

const CELLS = [
  `console.log(process.cwd());`,
  `import { banner } from './lib/tensor/engine';\nconsole.log(banner());`,
  `const z = 7; const name = 'a'; const loop = { turns: 0 };`,
  `console.log(JSON.stringify({ z, nested: { name } }));`,
  `const wrong: number = 'text';`,
  `const maybe: string | undefined = undefined as string | undefined; maybe.length;`,
  `function deep() { throw new RangeError('out of range'); }\ndeep();`,
  `import { UserError } from './lib/util/errors';\nthrow new UserError('expected this; got that');`,
  `setTimeout(() => { throw new Error('from a timer'); }, 5);\nawait new Promise((resolve) => setTimeout(resolve, 100));`,
  `// interrupt\nimport { tick } from './lib/report/display';\nconsole.log('begun');\nfor (;;) { loop.turns++; await tick(); }`,
  `const before = loop.turns;\nawait new Promise((resolve) => setTimeout(resolve, 100));\nconsole.log(loop.turns === before, before > 0);`,
  `import { broken } from './data/local/kernel-test/broken';\nconsole.log(broken);`,
  `import { Display } from './lib/report/display';\nconst display = new Display();\ndisplay.show({ data: { 'text/plain': 'one' } });\ndisplay.show({ data: { 'text/plain': 'two' } });`,
  `for (let i = 0; i < 700; i++) new Display().show({ data: { 'text/plain': 'item ' + i } });`,
  // Folders of imported files are watched: TypeScript sets one timer for a changed file, and another for a folder of packages.
  `import * as fs from 'node:fs';
import { good } from './data/local/kernel-test/good';
const folder = './data/local/kernel-test';
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
fs.appendFileSync(folder + '/good.ts', '// changed');
await wait(600);
fs.mkdirSync(folder + '/node_modules/@types/some', { recursive: true });
await wait(1500);
console.log('still here', good);`,
  `fs.writeFileSync(folder + '/good.ts', "export const good: number = 'text';");\nawait wait(600);`,
  `import { good as again } from './data/local/kernel-test/good';\nconsole.log(again);`,
] as const;

let ran: Ran[];
const broken = join(paths.local, 'kernel-test');
before(() => {
  mkdirSync(broken, { recursive: true });
  writeFileSync(
    join(broken, 'broken.ts'),
    `\nexport const broken: (x: number) => string = (x: string) => x;\n`,
  );
  writeFileSync(
    join(broken, 'good.ts'),
    `import type { Data } from 'plotly.js';\nexport const good: Data['name'] = 'function';\n`,
  );
  const file = join(mkdtempSync(join(paths.local, 'kernel-test-')), 'cells.json');
  writeFileSync(file, JSON.stringify(CELLS));
  try {
    ran = JSON.parse(
      execFileSync(join(paths.venv, 'bin', 'python'), ['-c', CLIENT, file], {
        // As from VS Code: nothing of the project's environment.
        env: { PATH: '/usr/bin:/bin', HOME: broken, JUPYTER_RUNTIME_DIR: broken },
        encoding: 'utf8',
        cwd: '/',
      }),
    ) as Ran[];
  } finally {
    rmSync(join(file, '..'), { recursive: true });
  }
});
after(() => rmSync(broken, { recursive: true, force: true }));

const at = (part: string): Ran => ran[CELLS.findIndex((cell) => cell.includes(part))]!;
const printed = ({ outputs }: Ran): string =>
  outputs
    .filter(({ kind }) => kind === 'stream')
    .map(({ text }) => text)
    .join('')
    .trim();
const error = (cell: Ran) => ({
  name: cell.reply.ename,
  value: cell.reply.evalue,
  trace: cell.outputs.find(({ kind }) => kind === 'error')?.traceback?.join('\n') ?? '',
});

test('cells run in the project root, wherever Jupyter was started', () =>
  assert.equal(printed(at('process.cwd')), paths.root));

test('kernel.json alone gives it project, engine and GPU: it brings the folders of CUDA', () => {
  assert.match(printed(at('banner')), /^TensorFlow \d.* on the [CG]PU/);
  const packages = mkdtempSync(join(tmpdir(), 'packages-'));
  try {
    mkdirSync(join(packages, 'nvidia', 'cudnn', 'lib'), { recursive: true });
    const { env } = JSON.parse(kernelSpec(packages)) as { env: Record<string, string> };
    assert.equal(env.LD_LIBRARY_PATH!.split(':')[0], join(packages, 'nvidia', 'cudnn', 'lib'));
    assert.ok(env.XLA_FLAGS && env.GLIBC_TUNABLES && env.TF_CPP_MIN_LOG_LEVEL && env.CUDA_CACHE_PATH);
  } finally {
    rmSync(packages, { recursive: true });
  }
});

test("Jupyter's own programs execute a notebook of the project without any of its environment", () => {
  const file = join(broken, 'own.ipynb');
  const source = "import { banner } from './lib/tensor/engine';\nconsole.log(process.cwd(), banner());";
  const cell = { cell_type: 'code', id: 'a', metadata: {}, source, outputs: [], execution_count: null };
  const kernelspec = { name: 'tslab', language: 'typescript', display_name: 'TypeScript' };
  writeFileSync(
    file,
    JSON.stringify({ cells: [cell], metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 }),
  );
  const args = ['nbconvert', '--to', 'notebook', '--execute', '--stdout', file];
  const { stdout, stderr } = spawnSync(join(paths.venv, 'bin', 'jupyter'), args, {
    env: { HOME: broken },
    encoding: 'utf8',
    cwd: '/',
  });
  assert.match(stdout, /TensorFlow \d.* on the [CG]PU/, stderr);
  assert.ok(stdout.includes(paths.root));
});

test('the first cell that imports the project shows at once that it loads, and its own output takes the place of that', () => {
  const kinds = (cell: Ran) => cell.outputs.map(({ kind }) => kind);
  assert.deepEqual(kinds(at('banner')), ['execute_input', 'display_data', 'clear_output', 'stream']);
  assert.ok(!kinds(at('new UserError')).includes('clear_output'));
});

test('each cell is announced with its execution count', () => {
  const counts = ran.map(
    ({ outputs }) => outputs.find(({ kind }) => kind === 'execute_input')?.execution_count,
  );
  assert.deepEqual(
    counts,
    CELLS.map((_, i) => i + 1),
  );
  assert.deepEqual(
    ran.map(({ reply }) => reply.execution_count),
    counts,
  );
});

test('object shorthand takes variables of earlier cells', () =>
  assert.equal(printed(at('nested')), '{"z":7,"nested":{"name":"a"}}'));

test('types are checked, strictly', () => {
  assert.deepEqual(error(at('const wrong')).name, 'TypeScriptError');
  assert.match(
    error(at('const wrong')).value!,
    /^cell 1:7 - Type 'string' is not assignable to type 'number'/,
  );
  assert.match(error(at('const maybe')).value!, /'maybe' is possibly 'undefined'/);
});

test('a type error in an imported file names the file, and is one error however many lines it has', () => {
  assert.match(
    error(at('import { broken }')).value!,
    /^data[\\/]local[\\/]kernel-test[\\/]broken\.ts 2:14 - Type '\(x: string\) => string' is not assignable[^]*\n +Type 'number' is not assignable to type 'string'\.$/,
  );
});

test('an imported file that has changed is checked again', () =>
  assert.match(error(at('good as again')).value!, /good\.ts 1:14 - Type 'string' is not assignable/));

test('an exception has its name, message and stack, without lines of the kernel', () => {
  const { name, value, trace } = error(at('RangeError'));
  assert.deepEqual([name, value], ['RangeError', 'out of range']);
  assert.match(trace.replace(/\u001b\[\d+m/g, ''), /^RangeError: out of range\n +at deep \(compiled cell:/);
  assert.doesNotMatch(trace, /kernel\.cjs|tslab[\\/]dist/);
});

test('an error that the user can fix is its one line', () => {
  const { value, trace } = error(at('new UserError'));
  assert.equal(value, 'expected this; got that');
  assert.equal(trace.replace(/\u001b\[\d+m/g, ''), 'expected this; got that');
});

test('an error in a timer fails the cell', () =>
  assert.deepEqual(error(at('setTimeout(() => { throw')).value, 'from a timer'));

test('an interrupt ends the cell, and the loop that it started', () => {
  assert.equal(at('// interrupt').reply.ename, 'Interrupted');
  assert.equal(printed(at('const before')), 'true true');
});

test('a display is replaced in place', () => {
  const shown = at('const display')
    .outputs.filter(({ kind }) => kind.endsWith('display_data'))
    .map(({ kind, data }) => [kind, data?.['text/plain']]);
  assert.deepEqual(shown, [
    ['display_data', 'one'],
    ['update_display_data', 'two'],
  ]);
});

test('many displays in one go all arrive, in their order', () => {
  const shown = at("'item '")
    .outputs.filter(({ kind }) => kind === 'display_data')
    .map(({ data }) => data?.['text/plain']);
  assert.deepEqual(
    shown,
    Array.from({ length: 700 }, (_, i) => `item ${i}`),
    JSON.stringify(error(at("'item '"))),
  );
});

test('files that change while a cell runs do not end it', () =>
  assert.equal(printed(at('still here')), 'still here function', JSON.stringify(error(at('still here')))));

/** Starts a cell that never ends, prints the kernel's id and is killed. */
const KILLED = `
import os, signal
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name='tslab')
client.execute("console.log('begun'); for (;;) {}")
while client.get_iopub_msg(timeout=120)['msg_type'] != 'stream': pass
print(manager.provisioner.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
`;

test('a kernel ends with the program that started it, also in a cell that never ends', async () => {
  const { stdout } = spawnSync(join(paths.venv, 'bin', 'python'), ['-c', KILLED], {
    encoding: 'utf8',
    env: childEnvironment(),
  });
  const pid = Number(stdout);
  assert.ok(pid > 0, stdout);
  while (existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`).length) await sleep(50);
});
