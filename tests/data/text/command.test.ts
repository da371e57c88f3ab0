import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { datasetFolder } from '../../../lib/data/text/shards';
import { paths } from '../../../lib/util/paths';
import { assertOneLine } from '../../refusal';
import { lines, scratch } from './made';

const made = scratch('command');

const folder = mkdtempSync(join(tmpdir(), 'data-command-'));
after(() => rmSync(folder, { recursive: true }));

function data(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', join('lib', 'tools', 'cli', 'data.ts'), ...argv], {
    cwd: paths.root,
    encoding: 'utf8',
  });
}

function file(text: string | Uint8Array): string {
  const path = join(folder, 'lines.txt');
  writeFileSync(path, text);
  return path;
}

test('--check passes good lines and counts wrong ones, with the first of each', () => {
  const good = data(
    'question-formation',
    '--check',
    join(__dirname, '../grammar/question-formation-lines.txt'),
    '--json',
  );
  assert.equal(good.status, 0, good.stderr);
  assert.deepEqual(JSON.parse(good.stdout), {
    lines: 32,
    notInLanguage: 0,
    firstNotInLanguage: null,
    transformedDifferently: 0,
    firstTransformedDifferently: null,
  });
  const wrong = data(
    'question-formation',
    '--check',
    file(
      [
        'the walrus does move . decl\tthe walrus does move .',
        'the walrus do move . quest\tdo the walrus move ?',
        'the walrus who does sleep does move . quest\tdoes the walrus who sleep does move ?',
        'the wombat does move . decl\tthe wombat does move .',
        'the walrus does move . quest\tthe walrus does move .',
      ].join('\r\n'),
    ),
  );
  assert.equal(wrong.status, 1);
  assert.match(
    wrong.stdout,
    /^lines +5\nnot in the language +2 \(first: line 2\)\ntransformed differently +2 \(first: line 3\)\n$/,
  );
});

test('--check reads byte order marks, UTF-16, both ends of lines, and a last line without one', () => {
  const line = 'the walrus does move . decl\tthe walrus does move .';
  for (const content of [
    `\ufeff${line}\r\n\ufeff${line}\n`,
    `${line}\n${line}`,
    `${line}\r\n${line}\r\n`,
    Buffer.from(`\ufeff${line}\n${line}\n`, 'utf16le'),
  ]) {
    const { status, stdout } = data('question-formation', '--check', file(content), '--json');
    assert.deepEqual([status, JSON.parse(stdout).lines, JSON.parse(stdout).notInLanguage], [0, 2, 0]);
  }
});

test('--check says what is wrong with a file it cannot read', () => {
  const cases: [string, RegExp][] = [
    [join(folder, 'absent.txt'), /^data: --check: expected a readable file; got .*absent\.txt: ENOENT\n$/],
    [
      file('the yak does eat . decl\tthe yak does eat .\n\n'),
      /^data: .*lines\.txt line 2: expected "SENTENCE MARKER<TAB>OUTPUT" with one tab/,
    ],
    [folder, /^data: --check: expected a readable file; got .*: EISDIR\n$/],
  ];
  for (const [path, message] of cases) {
    const { status, stderr } = data('question-formation', '--check', path);
    assert.equal(status, 1);
    assert.match(stderr, message);
  }
  const wrong: [string | Uint8Array, RegExp][] = [
    ['version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n', /got a Git LFS pointer: run/],
    ['\n\n', /expected lines SENTENCE MARKER<TAB>OUTPUT; got an empty file/],
    [gzipSync('x'), /expected text; got gzip/],
    [Buffer.from('the caf\xe9 . decl\tx', 'latin1'), /expected UTF-8; got other bytes/],
    ['the walrus does move .\rdecl', /line 1: expected "SENTENCE MARKER<TAB>OUTPUT" with one tab/],
  ];
  for (const [content, message] of wrong) {
    const { status, stderr } = data('question-formation', '--check', file(content));
    assert.deepEqual([status, stderr.trim().split('\n').length], [1, 1], stderr);
    assert.match(stderr, message);
  }
});

test('--floor --json holds the floors', () => {
  const { status, stdout } = data('question-formation', '--floor', '--json');
  assert.equal(status, 0);
  const { ambiguity, iid, unique, memorisation } = JSON.parse(stdout);
  assert.deepEqual(ambiguity, { forms: 272, derivations: 272, ambiguousForms: 0 });
  assert.deepEqual(
    [iid, unique, memorisation].map((f) => f.natsPerToken.toFixed(3)),
    ['0.987', '0.996', '0.519'],
  );
});

test('unknown data sets and missing actions are refused', () => {
  assert.match(
    data('wikipedia').stderr,
    /^data: data set.*expected one of question-formation, openwebtext, .*; got "wikipedia"\n$/,
  );
  assert.match(
    data('question-formation').stderr,
    /expected one of --floor, --check FILE, --splits, --sample N, --export FOLDER; got none\n$/,
  );
  assert.match(
    data('question-formation', '--grammar', '0.7', '--export', folder).stderr,
    /^data: --grammar: expected one of 0\.6, .*; got "0\.7"\n$/,
  );
  assert.match(
    data('question-formation', '--lines', '10', '--sample', '1').stderr,
    /^data: --lines: expected --export FOLDER with it; got it alone: add --export\n$/,
  );
});

test('a damaged data set is one line of the list and of what is verified; the others are there', async () => {
  const documents = made.file(
    'documents.jsonl',
    lines(Array.from({ length: 50 }, (_, i) => `Document ${i}.`)),
  );
  const sets: string[] = [];
  for (let i = 0; i < 3; i++) sets.push((await made.make(documents, { validationShare: 0.5 })).name);
  const [cut, swapped, whole] = sets as [string, string, string];
  writeFileSync(join(datasetFolder(cut), 'meta.json'), '{');
  const shard = join(datasetFolder(swapped), 'train.bin');
  writeFileSync(shard, readFileSync(shard).swap16());

  const row = (text: string, name: string) => text.split('\n').find((line) => line.startsWith(name))!;
  const list = data('list');
  assert.equal(list.status, 0, list.stderr);
  assertOneLine(row(list.stdout, cut), 'damaged', 'expected JSON', `npm run data -- remove ${cut}`);
  assert.match(row(list.stdout, whole), /tokens, .* documents/);
  const entries = JSON.parse(data('list', '--json').stdout) as { name: string; fault?: string }[];
  assert.match(entries.find(({ name }) => name === cut)!.fault!, /expected JSON/);

  const verify = data('verify', ...sets);
  assert.equal(verify.status, 1);
  assertOneLine(row(verify.stdout, cut), 'expected JSON');
  assertOneLine(row(verify.stdout, swapped), 'train.bin', 'it has changed');
  assert.equal(row(verify.stdout, whole), `${whole}: verified`);
  const answers = JSON.parse(data('verify', '--json', ...sets).stdout) as { verified: boolean }[];
  assert.deepEqual(
    answers.map(({ verified }) => verified),
    [false, false, true],
  );
});

test('a reader that closes early ends the command without a word', async () => {
  const child = spawn(
    process.execPath,
    [
      '--import',
      'tsx',
      join('lib', 'tools', 'cli', 'data.ts'),
      'question-formation',
      '--check',
      join(__dirname, '../grammar/question-formation-lines.txt'),
    ],
    { cwd: paths.root, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  child.stdout.destroy();
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = (await once(child, 'close')) as [number];
  assert.deepEqual([code, said], [141, '']);
});
