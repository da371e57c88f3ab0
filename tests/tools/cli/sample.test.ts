/** From a text to text: the commands as a new user types them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, test } from 'node:test';
import { datasetFolder } from '../../../lib/data/text/shards';
import { encode } from '../../../lib/data/text/tokenizer';
import type { Gpt2Config } from '../../../lib/model/config';
import { generate } from '../../../lib/model/generate';
import { Gpt2, gpt2Initial } from '../../../lib/model/gpt2';
import { writeGpt2 } from '../../../lib/model/hugging-face';
import { paths } from '../../../lib/util/paths';
import { assertOneLine } from '../../refusal';

const folder = mkdtempSync(join(tmpdir(), 'sample-'));
const name = `test-sample-${process.pid}`;
let run = '';
after(() => {
  rmSync(folder, { recursive: true });
  for (const of of [datasetFolder(name), datasetFolder(`${name}-300`)])
    rmSync(of, { recursive: true, force: true });
  if (run) rmSync(join(paths.local, 'runs', run), { recursive: true, force: true });
});

function npmRun(command: string, ...args: string[]) {
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.NODE_TEST_CONTEXT;
  delete env.FORCE_COLOR;
  const file = join(paths.root, 'lib', 'tools', 'cli', `${command}.ts`);
  return spawnSync(process.execPath, ['--import', 'tsx', file, ...args], {
    cwd: paths.root,
    env,
    encoding: 'utf8',
  });
}
const lastLine = (text: string): string => text.trim().split('\n').at(-1)!;

test('a text is prepared, trained on and sampled from; what is memorised is told apart', () => {
  writeFileSync(join(folder, 'book.txt'), 'The whale said nothing of the old sea, and slept. '.repeat(400));
  const data = npmRun('data', 'text', '--from', folder, '--name', name);
  assert.equal(data.status, 0, data.stderr);
  assert.ok(lastLine(data.stdout).endsWith(`npm run train -- text --dataset ${name}`), data.stdout);
  const size = ['--layers', '1', '--width', '32', '--heads', '2', '--context', '32'];
  const train = npmRun(
    'train',
    'text',
    '--dataset',
    name,
    ...size,
    '--steps',
    '60',
    '--batch',
    '4',
    '--rate',
    '0.01',
    '--vocabulary',
    '300',
  );
  assert.equal(train.status, 0, train.stderr);
  assert.match(train.stderr, /step 60: training [\d.]+, held out [\d.]+ nats per token/);
  run = /npm run sample -- (\S+)/.exec(lastLine(train.stdout))![1]!;
  assert.ok(run.startsWith(`text-desk-1-layers-${name}-300-`), run);

  const sample = (...args: string[]) => npmRun('sample', name, ...args);
  const first = sample('--prompt', 'The whale', '--tokens', '60', '--seed', '3');
  assert.equal(first.status, 0, first.stderr);
  assert.ok(first.stdout.startsWith('The whale'));
  assert.equal(sample('--prompt', 'The whale', '--tokens', '60', '--seed', '3').stdout, first.stdout);
  const { ids, text, prompt } = JSON.parse(sample('--tokens', '40', '--json').stdout);
  assert.deepEqual([ids.length, prompt, typeof text], [40, null, 'string']);

  const memorised = JSON.parse(sample('--memorised', '--windows', '3', '--tokens', '8', '--json').stdout);
  assert.equal(memorised.windows.length, 3);
  for (const { tokens, memorised: known, departs, text: goesOn } of memorised.windows) {
    assert.ok(tokens >= 0 && tokens <= 8);
    assert.equal(known === '', tokens === 0);
    assert.equal(departs === '', tokens === 8);
    assert.equal(goesOn === '', tokens === 8);
  }
  const shown = sample('--memorised').stdout;
  assert.match(shown, /continues «as the text does» or \[otherwise\]\n\n1\. (all )?\d+ /);
  assert.match(lastLine(shown), /^memorised whole: \d of 5 windows; on average/);

  // A damaged checkpoint of a run that was interrupted before it had a record.
  const place = join(paths.local, 'runs', run);
  rmSync(join(place, 'record.json'));
  truncateSync(join(place, 'last.safetensors'), 1000);
  const damaged = sample('--tokens', '1');
  assert.equal(damaged.status, 1);
  assertOneLine(damaged.stderr, 'sample: checkpoint ', 'it is damaged or cut off');
});

/** Ids and text of a sample, the same by the likeliest tokens whenever it is drawn. */
function likeliest(run: string): { ids: number[]; text: string } {
  const args = ['--prompt', 'The sea', '--tokens', '20', '--temperature', '0', '--json'];
  const [one, other] = [npmRun('sample', run, ...args), npmRun('sample', run, ...args)];
  assert.equal(one.status, 0, one.stderr);
  assert.equal(one.stdout, other.stdout);
  return JSON.parse(one.stdout);
}

test('committed weights of the replica are sampled without anything being trained', () => {
  const [id] = readdirSync(paths.weights).map((file) => basename(file, '.safetensors'));
  const { ids, text } = likeliest(id!);
  assert.equal(ids.length, 20);
  // Letters that differ: a model with other weights than its own repeats one token, or writes none.
  assert.ok(new Set(ids).size >= 5 && /[a-z]{2,} [a-z]{2,}/i.test(text), text);
});

test("a folder of the form of GPT-2's published weights is sampled, in one file or by an index", async () => {
  const config: Gpt2Config = {
    kind: 'gpt2',
    layers: 1,
    width: 8,
    heads: 2,
    context: 16,
    vocabulary: 50_257,
    dropout: 0.1,
  };
  const model = new Gpt2(config, gpt2Initial(config, 1));
  const published = join(folder, 'published');
  await writeGpt2(published, model, { prefixed: false });
  const single = likeliest(published);
  const prompt = encode('The sea');
  const inContext = generate(model, prompt, { maxNewTokens: 14, temperature: 0 });
  assert.deepEqual(single.ids.slice(0, 14), inContext);
  const map = Object.fromEntries(
    model.parameters.map(({ name }) => [name, 'model-00001-of-00001.safetensors']),
  );
  renameSync(join(published, 'model.safetensors'), join(published, 'model-00001-of-00001.safetensors'));
  writeFileSync(join(published, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
  assert.deepEqual(likeliest(published), single);
  const memorised = npmRun('sample', published, '--memorised');
  assertOneLine(lastLine(memorised.stderr), 'sample: --memorised', published);
  model.dispose();
});

test('what cannot be sampled is refused in one line', () => {
  const cases: [args: string[], ...parts: string[]][] = [
    [['nosuchrun'], 'run: ', 'got "nosuchrun"'],
    [[], 'run: ', 'got nothing'],
    [[name, '--temperature', 'hot'], '--temperature', '"hot"'],
    [[name, '--tokens', '0'], '--tokens', '"0"'],
    [[name, '--checkpoint', 'first'], '--checkpoint', '"first"'],
    [[join(paths.root, 'tests', 'fixtures', 'gpt2')], 'gpt2: ', '50257'],
    [['a', 'b'], 'one run', 'a b'],
  ];
  for (const [args, ...parts] of cases) {
    const { status, stderr } = npmRun('sample', ...args);
    assertOneLine(lastLine(stderr), 'sample: ', ...parts);
    assert.equal(status, 1);
  }
});

test('train -- text without a data set, or with a flag of it elsewhere, is refused in one line', () => {
  const none = npmRun('train', 'text');
  assertOneLine(none.stderr, 'train: --dataset: ');
  const missing = npmRun('train', 'text', '--dataset', 'no-such-set');
  assertOneLine(missing.stderr, 'data set no-such-set', 'npm run data -- text');
  const elsewhere = npmRun('train', 'question-formation', '--width', '64');
  assertOneLine(elsewhere.stderr, 'train: --width', 'question-formation');
  const wrong = npmRun('train', 'text', '--dataset', name, '--dropout', '1');
  assertOneLine(wrong.stderr, 'train: --dropout', '"1"');
});
