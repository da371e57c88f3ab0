import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { errorText, helpText, numberOfTokens, parse } from '../../../lib/tools/cli/arguments';
import { UserError } from '../../../lib/util/errors';
import { paths } from '../../../lib/util/paths';
import { assertOneLine, refusal } from '../../refusal';

const usage = {
  command: 'train',
  summary: 'Trains.',
  positionals: 'EXPERIMENT',
  options: {
    tier: { type: 'string', help: 'size', default: 'quick' },
    seed: { type: 'string', help: 'seed of everything random', short: 's' },
    json: { type: 'boolean', help: 'print JSON' },
  },
} as const;

const FLAGS = ['--tier', '--seed', '--json', '--help'];
const refuses = (argv: string[], ...parts: string[]) =>
  assert.throws(() => parse(usage, argv), refusal(...parts, ...FLAGS));

test('values, defaults, short flags and positionals', () => {
  assert.deepEqual(parse(usage, ['plateau', '--tier=smoke', '-s', '3', '--json']), {
    values: { tier: 'smoke', seed: '3', json: true },
    positionals: ['plateau'],
  });
  assert.deepEqual(parse(usage, []), { values: { tier: 'quick' }, positionals: [] });
  assert.deepEqual(parse(usage, ['--seed=-1']).values.seed, '-1');
  assert.deepEqual(parse(usage, ['--', '--json']).positionals, ['--json']);
});

test('what the command does not know is refused with the flags that it knows', () => {
  refuses(['--teir', 'quick'], "'--teir'");
  refuses(['-x'], "'-x'");
  refuses(['--constructor'], "'--constructor'");
});

test('a forgotten value is not taken from the next flag', () => {
  for (const argv of [['--tier'], ['--tier='], ['--tier', '--json'], ['--json=yes']])
    refuses(argv, `'${argv[0]!.split('=')[0]}`, 'argument');
});

test('a command without positionals refuses them', () => {
  const { positionals: _, ...bare } = usage;
  assert.throws(() => parse(bare, ['quick']), refusal("'quick'", ...FLAGS));
});

test('the help names every flag with its default', () => {
  assert.equal(
    helpText(usage),
    [
      'Usage: npm run train -- EXPERIMENT [flags]',
      'Trains.',
      '',
      '      --tier VALUE  size (default: quick)',
      '  -s, --seed VALUE  seed of everything random',
      '      --json        print JSON',
      '  -h, --help        print this and stop',
    ].join('\n'),
  );
});

test('a UserError is one line, any other error keeps its stack', () => {
  assert.equal(
    errorText('train', new UserError('seed: expected\n  a number')),
    'train: seed: expected a number',
  );
  assert.match(errorText('train', new TypeError('broken')), /^train: TypeError: broken\n\s+at /);
});

test('numbers of tokens are written with or without a unit', () => {
  assert.deepEqual(
    ['900000', '900k', '0.09M', '9M', '1.5B'].map((text) => numberOfTokens('--tokens', text)),
    [900_000, 900_000, 90_000, 9_000_000, 1_500_000_000],
  );
  for (const wrong of ['', '0', '9m', '1.5', '-9M', '9 M', '1e6', '0.0000001M', 'M'])
    assert.throws(() => numberOfTokens('--tokens', wrong), refusal('--tokens', `"${wrong}"`));
});

test('what is printed onto a full disk ends in one line', () => {
  const { status, stderr } = spawnSync(
    'sh',
    [
      '-c',
      'exec "$0" --import tsx lib/tools/cli/sweep.ts capacity --tier smoke --list >/dev/full',
      process.execPath,
    ],
    { cwd: paths.root, encoding: 'utf8' },
  );
  assertOneLine(stderr, 'sweep: expected to write', 'ENOSPC');
  assert.equal(status, 1);
});
