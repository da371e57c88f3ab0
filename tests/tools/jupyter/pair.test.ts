import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { changedVerdicts, resultLine, statusLine } from '../../../lib/tools/cli/reproduce';
import { paths } from '../../../lib/util/paths';
import { CellError, failureOf } from '../../../lib/tools/jupyter/execute';
import { percentCells, selectNotebooks } from '../../../lib/tools/jupyter/pair';
import { verdictsOf, type Notebook } from '../../../lib/report/notebook-files';
import { verdict, verdictBundle } from '../../../lib/report/verdict';
import { refusal } from '../../refusal';

const NAMES = ['04-question-formation-plateau', '05-overfitting-9m', '06-overfitting-90m'];
const notebook = (...cells: [kind: 'code' | 'markdown', source: string][]): Notebook => ({
  nbformat: 4,
  nbformat_minor: 5,
  metadata: {},
  cells: cells.map(([cell_type, source]) => ({
    cell_type,
    source,
    metadata: { execution: 'now' },
    id: 'f00d',
  })),
});

test('notebooks by number, name, start of the name, file; all without a word; in their own order', () => {
  for (const word of ['04', 'question-formation', NAMES[0]!, `notebooks/${NAMES[0]}.ipynb`])
    assert.deepEqual(selectNotebooks([word], NAMES), [NAMES[0]], word);
  assert.deepEqual(selectNotebooks(['overfitting'], NAMES), NAMES.slice(1));
  assert.deepEqual(selectNotebooks(['05', '04', '05'], NAMES), NAMES.slice(0, 2));
  assert.deepEqual(selectNotebooks([], NAMES), NAMES);
  assert.throws(() => selectNotebooks(['7'], NAMES), refusal('05-overfitting-9m', '"7"'));
});

test('percent format: header left out, text uncommented, code as it is', () => {
  const text =
    '// ---\n// jupyter:\n//   kernelspec: {}\n// ---\n\n// %% [markdown]\n// # Title\n//\n// Text.\n\n// %%\n// a comment\nconst a = 1;\n\n// %%\nb();\n';
  assert.deepEqual(percentCells(text), [
    { kind: 'markdown', source: '# Title\n\nText.' },
    { kind: 'code', source: '// a comment\nconst a = 1;' },
    { kind: 'code', source: 'b();' },
  ]);
});

test('verdicts are read from the outputs', () => {
  const v = verdict({
    claim: 'c',
    source: 's',
    paper: 1,
    tolerance: 0.1,
    unit: 'nats',
    ours: [{ seed: 1, tier: 'desk', value: 1 }],
  });
  const executed = notebook(['code', 'x']);
  executed.cells[0]!.outputs = [{ output_type: 'display_data', data: verdictBundle(v).data }];
  assert.deepEqual(
    verdictsOf(executed).map(({ outcome }) => outcome),
    ['REPRODUCED'],
  );
  const line = resultLine({
    name: '04',
    minutes: 1.26,
    verdicts: verdictsOf(executed),
    report: join(paths.reports, '04.html'),
  });
  assert.equal(line, 'reports/04.html  1.3 min  hold: 1');
  const long = join(paths.reports, 'smoke', '04-question-formation-plateau.html');
  const many = (['REPRODUCED', 'NOT REPRODUCED', 'INCONCLUSIVE'] as const).flatMap((outcome) =>
    Array.from({ length: 10 }, () => ({ ...v, outcome })),
  );
  assert.ok(resultLine({ name: '04', minutes: 100, verdicts: many, report: long }).length <= 100);
  const other = { ...v, outcome: 'INCONCLUSIVE' as const };
  assert.deepEqual(changedVerdicts('04-a', [v], [v]), []);
  assert.deepEqual(changedVerdicts('04-a', [other], [v]), ['04  REPRODUCED → INCONCLUSIVE: c']);
  assert.deepEqual(changedVerdicts('04-a', [v], []), ['04  new → REPRODUCED: c']);
  assert.deepEqual(changedVerdicts('04-a', [], [v]), ['04  REPRODUCED → gone: c']);
  const nearer = { ...v, ours: [{ ...v.ours[0]!, value: 1.04 }] };
  assert.deepEqual(changedVerdicts('04-a', [nearer], [v]), ['04  1 (desk, seed 1) → 1.04 (desk, seed 1): c']);
});

test('a failing cell is told by its source and message, without colours', () => {
  const error = failureOf('04', {
    cell: "const a: number = 'b';\nmore();",
    output: '\n\u001b[31mTypeScript cell 1:7 - wrong\u001b[0m\n',
  });
  assert.ok(error instanceof CellError);
  assert.equal(
    error.message,
    "04: a cell failed\n\n  | const a: number = 'b';\n  | more();\n\nTypeScript cell 1:7 - wrong",
  );
  assert.equal(failureOf('04', { error: 'it died' })?.message, 'it died');
  assert.equal(failureOf('04', {}), undefined);
});

test('the moving line tells what is known', () => {
  assert.equal(statusLine('04', 65, null), '04: 1:05 so far');
  const at = { step: 300, steps: 1200, lossNats: 1.23456, tokensPerSecond: 10, secondsLeft: 65 };
  assert.equal(statusLine('04-a', 65, at), '04 step 300 of 1,200, loss 1.235, 1:05 left');
  assert.equal(statusLine('04', 65, { ...at, step: 1200 }), '04: 1:05 so far', 'its training is over');
});
