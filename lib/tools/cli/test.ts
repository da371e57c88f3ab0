/** `npm test [-- NAME...]`: types, format and unused code, then the tests on Node's own runner, whose summary closes the output. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { main, parse } from './arguments';
import { childEnvironment } from '../setup/environment.cjs';
import { exitCode } from '../setup/processes.cjs';

/** Every test file whose path contains one of `names`; all of them without names. */
export function selectTests(files: string[], names: string[]): string[] {
  for (const name of names)
    if (!files.some((file) => file.includes(name)))
      throw new UserError(
        `"${name}": expected a part of the path of a test; none contains it; known: ${files.join(', ')}`,
      );
  return names.length ? files.filter((file) => names.some((name) => file.includes(name))) : files;
}

/** These take minutes and begin first, so that none of them runs alone at the end. */
const LONG = ['notebooks.test.ts', join('tools', 'cli', 'slurm.test.ts'), 'browser.test.ts'];

const allTests = (): string[] => {
  const files = (readdirSync(join(paths.root, 'tests'), { recursive: true }) as string[])
    .filter((file) => file.endsWith('.test.ts'))
    .sort();
  return [...LONG, ...files.filter((file) => !LONG.includes(file))];
};

/** Path of an installed Chromium or Chrome; the variable CHROMIUM names another. */
export function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
  return [process.env.CHROMIUM, ...names.flatMap((name) => folders.map((folder) => join(folder, name)))].find(
    (path) => path && existsSync(path),
  );
}

/** Runs Node with its output passed through; returns the exit code. */
function node(...args: string[]): number {
  const env = childEnvironment();
  delete env.NODE_TEST_CONTEXT;
  const { status, signal } = spawnSync(process.execPath, args, { cwd: paths.root, stdio: 'inherit', env });
  return exitCode(status, signal);
}

/** What is checked before the tests: a program of node_modules, its arguments, what to do if it finds something. */
const CHECKS: [program: string, args: string[], advice: string][] = [
  [
    'tsc',
    ['--noEmit', '-p', '.', '--incremental', '--tsBuildInfoFile', '.cache/types.tsbuildinfo'],
    'fix the types named above',
  ],
  [
    'prettier',
    ['--check', '--log-level=warn', '--cache', '--cache-location', '.cache/prettier', 'lib', 'tests'],
    'run "npm run format"',
  ],
  [
    'knip',
    ['--treat-config-hints-as-errors'],
    'remove the unused code named above, or only the word "export" where the file itself uses it',
  ],
];

if (require.main === module)
  main('test', (argv) => {
    const { positionals } = parse(
      {
        command: 'test',
        summary:
          'Checks types, format and unused code and runs the tests; names choose test files by a part of their path.',
        positionals: '[NAME...]',
        options: {},
      },
      argv,
    );
    const files = selectTests(allTests(), positionals);
    console.log(
      `types, format, unused code, ${files.length} test files${positionals.length ? '' : ': about 7 minutes on 2 CPU cores'}; ` +
        `${findChromium() ? '' : 'without Chromium no browser tests; '}skipped tests are named at the end`,
    );
    for (const [program, args, advice] of CHECKS)
      if (node(join('node_modules', '.bin', program), ...args))
        throw new UserError(`${program}: expected no findings; ${advice}, then run the same command again`);
    // Two at a time: each test may load TensorFlow, which itself uses every core.
    process.exit(
      node(
        '--require',
        require.resolve('tsx/cjs'),
        '--test',
        '--test-concurrency=2',
        `--test-reporter=${pathToFileURL(join(__dirname, 'test-reporter.cjs')).href}`,
        '--test-reporter-destination=stdout',
        ...files.map((file) => join('tests', file)),
      ),
    );
  });
