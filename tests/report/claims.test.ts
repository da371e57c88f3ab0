import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { inOrder } from '../../lib/tools/cli/reproduce';
import { paths } from '../../lib/util/paths';
import {
  byTable,
  claims,
  claimsMarkdown,
  findingOf,
  withClaims,
  withFindings,
  type Claim,
} from '../../lib/report/claims';
import { ownText, verdict, type OwnValue, type Question } from '../../lib/report/verdict';
import { refusal } from '../refusal';

const run = (seed: number, value: number, more: Partial<OwnValue> = {}): OwnValue => ({
  seed,
  tier: 'desk',
  value,
  ...more,
});
const claim = (ours: OwnValue[], text = 'a | b'): Claim => ({
  notebook: '04-x',
  verdict: verdict({ claim: text, source: 's', paper: 1, tolerance: 0.05, unit: 'nats', ours }),
});

test('our values: one, a range over seeds, and those that cannot decide in brackets', () => {
  assert.equal(ownText({ ours: [run(1, 1.0127)] }), '1.013 (desk, seed 1)');
  for (const value of [Infinity, JSON.parse(JSON.stringify(Infinity))])
    assert.equal(ownText({ ours: [run(1, value)] }), 'none (desk, seed 1)');
  assert.equal(
    ownText({ ours: [run(1, 1.02), run(2, 0.98), run(3, 5, { unfit: 'short' })] }),
    '0.98 to 1.02 (desk, 2 seeds)',
  );
  assert.equal(ownText({ ours: [run(1, 0.448), run(2, 0.47)] }), '0.448 to 0.470 (desk, 2 seeds)');
  assert.equal(ownText({ ours: [run(1, 917.132), run(2, 1000.18)] }), '917.1 to 1000.2 (desk, 2 seeds)');
  assert.equal(ownText({ ours: [run(1, 8e-7), run(2, Infinity)] }), '8.0e-7 to none (desk, 2 seeds)');
  assert.equal(
    ownText({ ours: [run(1, 2, { tier: 'quick', unfit: 'short' })] }),
    '[2] (quick, seed 1: cannot decide)',
  );
  assert.equal(ownText({ ours: [] }), 'no run');
});

test('the table links its notebooks, and a bar in a claim does not split a cell', () => {
  const lines = claimsMarkdown([claim([run(1, 1.01)])], 'notebooks/').split('\n');
  assert.equal(lines.length, 5);
  assert.equal(
    lines[4],
    '| a \\| b | Niu et al. | 1.00 ± 0.05 nats | 1.01 (desk, seed 1) | **REPRODUCED** | [04](notebooks/04-x.ipynb) |',
  );
});

test('a claim is in the table of its kind; README has those on trained models and our predictions', () => {
  const of = (kind: Question['kind'], text: string): Claim => {
    const { notebook, verdict: known } = claim([run(1, 1.01)], text);
    return { notebook, verdict: verdict({ ...known, kind }) };
  };
  const list = [of('check', 'c'), of('measurement', 'm'), of('prediction', 'p'), of('reconstruction', 'r')];
  assert.deepEqual(
    byTable(list).map(([name, own]) => [name, own.map(({ verdict: v }) => v.claim)]),
    [
      ['observations', ['m']],
      ['theory', ['c', 'r']],
      ['predictions', ['p']],
    ],
  );
  const marks = '<!-- claims: written by "npm run reproduce -- 00 --save" -->\nbefore\n<!-- /claims -->';
  const shown = withClaims(marks, list);
  assert.deepEqual(
    [/\| m \|/, /\| p \|/, /\| c \|/, /\| r \|/, /before/].map((text) => text.test(shown)),
    [true, true, false, false, false],
  );
});

test('the page of claims comes after what it sums up', () => {
  assert.deepEqual(inOrder(['00-claims', '01-a', '04-b']), ['01-a', '04-b', '00-claims']);
});

test('a finding is the bold sentence of the first output and the one after it', () => {
  const cell = (source: string, ...texts: string[]) => ({
    cell_type: 'code' as const,
    metadata: {},
    source,
    outputs: texts.map((text) => ({ output_type: 'display_data', data: { 'text/plain': text } })),
  });
  const of = (...texts: string[]) =>
    findingOf({
      cells: [cell('title'), cell('answer', ...texts)],
      metadata: {},
      nbformat: 4,
      nbformat_minor: 5,
    });
  assert.equal(
    of('**It is 1.02.** Not 0 (0.99 to 1.05). More.\n\nHELD · x'),
    '**It is 1.02.** Not 0 (0.99 to 1.05).',
  );
  assert.equal(of('**It is.**\n\nHELD · x. Y'), '**It is.**');
  assert.equal(of('A figure'), null);
  assert.equal(of(), null);
});

test("README holds the committed notebooks' findings and tables", () => {
  const readme = readFileSync(paths.readme, 'utf8');
  assert.ok(withFindings(withClaims(readme, claims())) === readme, 'run "npm run reproduce -- 00 --save"');
  assert.throws(() => withClaims('no marks', []), refusal('README', '<!-- /claims -->'));
});
