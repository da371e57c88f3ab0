/** Pairs of notebook files: which one counts, what survives, what JupyterLab and `reproduce` write. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import { notebookNames, type Cell } from '../../../lib/report/notebook-files';
import { planned, type Plan } from '../../../lib/tools/jupyter/execute';
import { childEnvironment } from '../../../lib/tools/setup/environment.cjs';
import { paths } from '../../../lib/util/paths';
import { assertOneLine } from '../../refusal';

/** Runs Python with the module `pair` at hand, and `given` as the variable of that name; returns what it prints, as JSON. */
function python<T>(code: string, given: unknown): T {
  const script = `import json, sys\nsys.dont_write_bytecode = True\nsys.path.append(sys.argv[1])\nimport nbformat, pair\ngiven = json.load(sys.stdin)\n${code}`;
  const args = ['-c', script, join(paths.root, 'lib', 'tools', 'jupyter')];
  const printed = execFileSync(join(paths.venv, 'bin', 'python'), args, {
    input: JSON.stringify(given),
    encoding: 'utf8',
    env: childEnvironment(),
  });
  return JSON.parse(printed) as T;
}

const kernelspec = { name: 'tslab', language: 'typescript', display_name: 'TypeScript' };
const cellOf = (cell_type: Cell['cell_type'], source: string): Cell =>
  cell_type === 'code'
    ? { cell_type, source, metadata: {}, id: 'a', outputs: [], execution_count: null }
    : { cell_type, source, metadata: {}, id: 'a' };
const notebookOf = (cells: Cell[], metadata: object = { kernelspec }) => ({
  cells,
  metadata,
  nbformat: 4,
  nbformat_minor: 5,
});

const HARD_TEXTS = [
  ...[
    'a  \nb',
    'a\n   \nb',
    'a\n\n\n\nb',
    '\ta',
    '   ',
    '',
    '# %%',
    '// a',
    '---\na: 1\n---',
    '/* a',
    'é ∑ 😀',
    '%%',
    '> %% x',
  ],
  ...[
    '%matplotlib inline',
    '```mermaid\ngraph\n```',
    'a  ',
    '   a',
    '#!/bin/sh',
    '!ls',
    'cd x',
    '?a',
    'a // %% b',
    'a\n   ',
    '\n \n a\n\n',
    "it's\n\n\n`x`",
  ],
];
const REFUSED = [
  ...(['markdown', 'raw'] as const).flatMap((kind) =>
    ['a\n%% x', '<codecell>', 'In[3]:', 'a\u2028b', 'a\u000cb', '\ud800'].map(
      (text) => [kind, text] as const,
    ),
  ),
  ...['a\n// %% x', '// %%', '  //%% x', '`\n// %% x\n`', '// In[3]:', "'\u0085'", '\ud83d'].map(
    (text) => ['code', text] as const,
  ),
];

test('the text of any cell comes back from the .ts as it is, or is refused with its cell and line', () => {
  const kinds = ['markdown', 'code', 'raw'] as const;
  const all = kinds.flatMap((kind) => HARD_TEXTS.map((text) => [kind, text] as const));
  const wouldBegin = (text: string) => /^%%/m.test(text);
  const given = [...all, ...REFUSED].flatMap((hard) =>
    [
      [cellOf('markdown', 'x'), cellOf(...hard), cellOf('code', '1')],
      [cellOf(...hard), cellOf('code', '1')],
    ].map((cells) => notebookOf(cells)),
  );
  const answers = python<({ before: unknown; after: unknown } | { refused: string })[]>(
    `answers = []
for g in given:
    notebook = pair.canonical(nbformat.from_dict(g), 'name')
    try:
        text = pair.percent(notebook, 'name')
        answers.append({'before': pair.cells_of(notebook), 'after': pair.cells_of(pair.read_ts(text.encode(), 'name'))})
    except pair.Refused as error:
        answers.append({'refused': str(error)})
print(json.dumps(answers))`,
    given,
  );
  answers.forEach((answer, i) => {
    const [kind, text] = [...all, ...REFUSED][Math.floor(i / 2)]!;
    const what = `${kind} ${JSON.stringify(text)}`;
    if (i < 2 * all.length && !wouldBegin(text)) {
      assert.ok('before' in answer, `${what}: ${JSON.stringify(answer)}`);
      assert.deepEqual(answer.after, answer.before, what);
    } else {
      assert.ok('refused' in answer, what);
      assertOneLine(answer.refused, 'name', `cell ${2 - (i % 2)}`);
    }
  });
});

test('the canonical form has no times, sessions, versions or random ids; line ends and cut streams are made one', () => {
  const stream = (text: string) => ({ output_type: 'stream', name: 'stdout', text });
  const code = { ...cellOf('code', '\r\na\r\nb\n\n'), metadata: { execution: 'now', trusted: true } };
  const outputs = [stream('1\n'), stream('2\n'), { ...stream('3'), name: 'stderr' }];
  const metadata = {
    kernelspec,
    session: 1,
    language_info: { name: 'typescript', version: '9', codemirror_mode: {} },
  };
  const clean = python<ReturnType<typeof notebookOf>>(
    `print(json.dumps(pair.canonical(nbformat.from_dict(given), 'name')))`,
    notebookOf([cellOf('markdown', 'x'), { ...code, outputs, execution_count: 1 }], metadata),
  );
  assert.deepEqual(
    clean.cells.map(({ id, metadata, source }) => [id, metadata, source]),
    [
      ['cell-1', {}, 'x'],
      ['cell-2', {}, 'a\nb'],
    ],
  );
  assert.deepEqual(clean.cells[1]!.outputs, [stream('1\n2\n'), { ...stream('3'), name: 'stderr' }]);
  assert.deepEqual(Object.keys(clean.metadata), ['jupytext', 'kernelspec', 'language_info']);
  assert.ok(!JSON.stringify(clean.metadata).includes('version'));
});

test('the committed notebooks have the canonical form', () => {
  const differing = python<string[]>(
    `from pathlib import Path
differing = []
for name in given['names']:
    ipynb, ts = (Path(given['folder'], name + end).read_bytes() for end in ('.ipynb', '.ts'))
    notebook = pair.read_ipynb(ipynb, name)
    differing += [name + '.ipynb'] * ((nbformat.writes(notebook) + '\\n').encode() != ipynb)
    differing += [name + '.ts'] * (pair.percent(pair.read_ts(ts, name), name).encode() != ts)
print(json.dumps(differing))`,
    { folder: paths.notebooks, names: notebookNames() },
  );
  assert.deepEqual(differing, [], 'run: npm run reproduce -- NN --save');
});

let root: string;
let folder: string;
const git = (...args: string[]) =>
  execFileSync('git', ['-C', root, '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
    stdio: 'pipe',
  });
const put = (file: string, text: string) => writeFileSync(join(folder, file), text);
const ts = (...texts: string[]) => texts.map((text) => `// %%\n${text}\n`).join('\n');
const ipynb = (...texts: string[]) => JSON.stringify(notebookOf(texts.map((text) => cellOf('code', text))));
const putPair = (name: string, ...texts: string[]) => {
  put(`${name}.ts`, ts(...texts));
  put(`${name}.ipynb`, ipynb(...texts));
};
const placesAt = (notebooks: string) => ({
  notebooks,
  reports: join(root, 'reports'),
  figures: root,
  venv: paths.venv,
});
const settings = { tier: 'quick', seed: 1, save: false, execute: false } as const;
/** What is planned, by name; errors must be one line. */
async function plans(from: 'ts' | 'ipynb' | null = null, at = folder): Promise<Record<string, Plan>> {
  const names = [...new Set(readdirSync(at).map((file) => file.replace(/\.\w+$/, '')))].sort();
  const list = await planned(names, { ...settings, from, places: placesAt(at) });
  for (const { error } of list) if (error) assertOneLine(error);
  return Object.fromEntries(list.map((plan) => [plan.name, plan]));
}
const outcome = (all: Record<string, Plan>) =>
  Object.fromEntries(Object.values(all).map(({ name, counts, error }) => [name, error ? 'refused' : counts]));

before(() => {
  root = mkdtempSync(join(tmpdir(), 'pairs-'));
  folder = join(root, 'notebooks');
  mkdirSync(folder);
  git('init', '-q');
  for (const name of [
    'same',
    'ts-edited',
    'ipynb-edited',
    'both',
    'committed-ipynb',
    'conflict',
    'conflict-ts',
  ])
    putPair(name, '1', '2');
  git('add', '.');
  git('commit', '-qm', 'one');
  put('committed-ipynb.ipynb', ipynb('1', '3'));
  git('commit', '-qam', 'two');
  put('ts-edited.ts', ts('1', '3'));
  put('ipynb-edited.ipynb', ipynb('1', '3'));
  put('both.ts', ts('1', '3'));
  put('both.ipynb', ipynb('1', '4'));
  put('conflict.ts', ts('1', 'merged'));
  put('conflict.ipynb', '{\n<<<<<<< HEAD\n "cells": []\n=======\n>>>>>>> other\n}');
  put('conflict-ts.ts', ts('1', '<<<<<<< HEAD\n2\n=======\n3\n>>>>>>> other'));
  put('not-json.ipynb', '{"cells": [');
  put('not-a-notebook.ipynb', '{"cells": 3}');
  put(
    'python.ipynb',
    JSON.stringify(notebookOf([], { kernelspec: { name: 'python3', language: 'python' } })),
  );
  put('new.ts', ts('1'));
  put('latin1.ts', '');
  writeFileSync(join(folder, 'latin1.ts'), Buffer.from('// %%\n// \xe9\n', 'latin1'));
});
after(() => rmSync(root, { recursive: true, force: true }));

const EXPECTED = {
  same: null,
  'ts-edited': 'ts',
  'ipynb-edited': 'ipynb',
  both: 'refused',
  'committed-ipynb': 'ipynb',
  conflict: 'ts',
  'conflict-ts': 'refused',
  'not-json': 'refused',
  'not-a-notebook': 'refused',
  python: 'refused',
  new: 'ts',
  latin1: 'refused',
};

test('of a pair that differs the file counts that was edited since both agreed in git, whatever the times say', async () => {
  for (const [older, newer] of [
    ['.ts', '.ipynb'],
    ['.ipynb', '.ts'],
  ] as const) {
    for (const file of readdirSync(folder))
      utimesSync(join(folder, file), 1000, file.endsWith(older) ? 1000 : 2000);
    assert.deepEqual(
      outcome(await plans()),
      Object.fromEntries(Object.entries(EXPECTED).sort()),
      `${newer} newer`,
    );
  }
});

test('where both were edited, both are named; --from decides', async () => {
  const { both } = await plans();
  assertOneLine(both!.error!, 'notebooks/both.ts', 'notebooks/both.ipynb', '--from ts', 'cell 2');
  const from = async (end: 'ts' | 'ipynb') =>
    (await planned(['both'], { ...settings, from: end, places: placesAt(folder) }))[0]!.counts;
  assert.deepEqual([await from('ts'), await from('ipynb')], ['ts', 'ipynb']);
});

test('merge conflicts are told by file and line; a conflict in the .ipynb alone makes it again from the merged .ts', async () => {
  const all = await plans();
  assertOneLine(all['conflict-ts']!.error!, 'notebooks/conflict-ts.ts', 'line 5');
  assert.match(all.conflict!.note!, /conflict\.ipynb/);
  for (const name of ['not-json', 'not-a-notebook', 'python', 'latin1'] as const)
    assertOneLine(all[name]!.error!, name);
  assertOneLine(all.python!.error!, 'tslab', 'python3');
});

test('two executions are never merged: git keeps one .ipynb whole and names it, and the merged .ts counts', async () => {
  const clone = mkdtempSync(join(tmpdir(), 'merge-'));
  const at = (...args: string[]) => git('-C', clone, ...args);
  const execution = (edited: string[], output: string) => {
    const cells = edited.map((text) => ({
      ...cellOf('code', text),
      execution_count: 1,
      outputs: [{ output_type: 'stream', name: 'stdout', text: `${text} ${output}` }],
    }));
    writeFileSync(join(clone, 'notebooks', 'a.ts'), ts(...edited));
    writeFileSync(join(clone, 'notebooks', 'a.ipynb'), JSON.stringify(notebookOf(cells), null, 1));
    at('add', '.');
    at('commit', '-qm', output);
  };
  try {
    at('init', '-q', '-b', 'main');
    copyFileSync(join(paths.root, '.gitattributes'), join(clone, '.gitattributes'));
    mkdirSync(join(clone, 'notebooks'));
    execution(['1', '2', '3', '4', '5'], 'first');
    at('checkout', '-qb', 'theirs');
    execution(['1', '2', '3', '4', 'theirs'], 'second');
    at('checkout', '-q', 'main');
    execution(['ours', '2', '3', '4', '5'], 'third');
    assert.throws(() => at('merge', 'theirs'), /CONFLICT|Command failed/);
    assert.equal(String(at('diff', '--name-only', '--diff-filter=U')).trim(), 'notebooks/a.ipynb');
    const kept = readFileSync(join(clone, 'notebooks', 'a.ipynb'), 'utf8');
    assert.ok(kept.includes('ours third') && !kept.includes('theirs'));
    const { a } = await plans(null, join(clone, 'notebooks'));
    assert.deepEqual([a!.counts, a!.error], ['ts', undefined]);
    assert.equal(readFileSync(join(clone, 'notebooks', 'a.ts'), 'utf8'), ts('ours', '2', '3', '4', 'theirs'));
  } finally {
    rmSync(clone, { recursive: true });
  }
});

test('without git a pair that differs is refused, and one that agrees is not', async () => {
  const at = mkdtempSync(join(tmpdir(), 'no-git-'));
  try {
    for (const [name, text] of [
      ['agrees', '1'],
      ['differs', '2'],
    ] as const) {
      writeFileSync(join(at, `${name}.ts`), ts(text));
      writeFileSync(join(at, `${name}.ipynb`), ipynb('1'));
    }
    const all = await plans(null, at);
    assert.deepEqual(outcome(all), { agrees: null, differs: 'refused' });
    assertOneLine(all.differs!.error!, 'differs.ts', 'differs.ipynb', '--from', 'git');
  } finally {
    rmSync(at, { recursive: true });
  }
});
