import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { paths } from '../../../lib/util/paths';

/** Runs a program that ends with code 3 as soon as it loads TensorFlow. */
function withoutEngine(...args: string[]) {
  const preload = join(paths.root, 'tests', 'fixtures', 'no-engine.cjs');
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  const startedAt = performance.now();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--require', preload, '--import', 'tsx', ...args],
    { cwd: paths.root, env, encoding: 'utf8' },
  );
  return { status, stdout, stderr, seconds: (performance.now() - startedAt) / 1000 };
}

const cli = (name: string) => join(paths.root, 'lib', 'tools', 'cli', `${name}.ts`);

/** Arguments, exit code, and what is printed. */
const CASES: [what: string, args: string[], status: number, printed: RegExp][] = [
  ['help of train', [cli('train'), '--help'], 0, /^Usage: npm run train/],
  ['a wrong experiment', [cli('train'), 'chess'], 1, /"chess"/],
  ['a wrong tier', [cli('train'), 'capacity', '--tier', 'fast'], 1, /"fast"/],
  ['help of sweep', [cli('sweep'), '--help'], 0, /^Usage: npm run sweep/],
  [
    'a list of runs',
    [cli('sweep'), 'plateau-intervention', '--list'],
    0,
    /^finished  plateau-intervention-desk/,
  ],
  [
    'records and claims',
    [
      '-e',
      `const { allCommitted } = require('./lib/train/record');
       const { claims, claimsMarkdown } = require('./lib/report/claims');
       console.log(allCommitted().length, 'records');
       console.log(claimsMarkdown(claims(), ''));`,
    ],
    0,
    /^\d{3} records\n\*\*A\. /,
  ],
];

for (const [what, args, status, printed] of CASES)
  test(`${what}: answered without TensorFlow`, (t) => {
    const result = withoutEngine(...args);
    t.diagnostic(`${result.seconds.toFixed(2)} s`);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stdout + result.stderr, printed);
  });

test('a program that computes loads it', () => {
  const { status, stderr } = withoutEngine('-e', `require('./lib/tensor/engine').tf.scalar(1)`);
  assert.equal(status, 3, stderr);
});
