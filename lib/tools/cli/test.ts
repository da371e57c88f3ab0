/** `npm test [-- NAME...]`: the type check, then all tests on Node's own runner, whose summary closes the output. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { main, parse } from './arguments';
import { childEnvironment } from '../setup/environment';
import { exitCode } from '../setup/processes.cjs';

const folder = join(paths.root, 'tests');

/** Every test file whose path below tests/ contains one of `names`; all of them without names. */
export function selectTests(files: string[], names: string[]): string[] {
  for (const name of names)
    if (!files.some((file) => file.includes(name)))
      throw new UserError(
        `"${name}": expected a part of the path of a test; none contains it; known: ${files.join(', ')}`,
      );
  return names.length ? files.filter((file) => names.some((name) => file.includes(name))) : files;
}

const allTests = (): string[] =>
  (readdirSync(folder, { recursive: true }) as string[]).filter((file) => file.endsWith('.test.ts')).sort();

/** Runs Node with its output passed through; gives back the exit code. */
function node(args: string[]): number {
  const env = childEnvironment();
  delete env.NODE_TEST_CONTEXT;
  const { status, signal } = spawnSync(process.execPath, args, { cwd: paths.root, stdio: 'inherit', env });
  return exitCode(status, signal);
}

if (require.main === module)
  main('test', (argv) => {
    const { positionals } = parse(
      {
        command: 'test',
        summary: 'Checks the types and runs the tests; names choose test files by a part of their path.',
        positionals: '[NAME...]',
        options: {},
      },
      argv,
    );
    const files = selectTests(allTests(), positionals);
    const typeErrors = node([
      require.resolve('typescript/bin/tsc'),
      '--noEmit',
      '--incremental',
      '--tsBuildInfoFile',
      join(paths.cache, 'types.tsbuildinfo'),
      '-p',
      paths.root,
    ]);
    if (typeErrors)
      throw new UserError(
        'types: expected none wrong; tsc found the errors above; mend them, then run the same command again',
      );
    const tsx = pathToFileURL(require.resolve('tsx')).href;
    // Two at a time: each test may load TensorFlow, which itself uses every core.
    process.exit(
      node([
        '--import',
        tsx,
        '--test',
        '--test-concurrency=2',
        ...files.map((file) => relative(paths.root, join(folder, file))),
      ]),
    );
  });
