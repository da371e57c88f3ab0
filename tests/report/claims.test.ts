import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { inOrder } from '../../lib/tools/cli/reproduce';
import { paths } from '../../lib/util/paths';
import { claims, claimsMarkdown, fuller, withClaims, type Claim } from '../../lib/report/claims';
import { ownText, verdict, type OwnValue } from '../../lib/report/verdict';
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
  assert.equal(
    ownText({ ours: [run(1, 1.02), run(2, 0.98), run(3, 5, { unfit: 'short' })] }),
    '0.98 to 1.02 (desk, 2 seeds)',
  );
  assert.equal(
    ownText({ ours: [run(1, 2, { tier: 'quick', unfit: 'short' })] }),
    '[2] (quick, seed 1: cannot decide)',
  );
  assert.equal(ownText({ ours: [] }), 'no run');
});

test('the table links its notebooks, and a bar in a claim does not split a cell', () => {
  const lines = claimsMarkdown([claim([run(1, 1.01)])], 'notebooks/').split('\n');
  assert.equal(lines.length, 3);
  assert.equal(
    lines[2],
    '| a \\| b | [04](notebooks/04-x.ipynb) | 1.00 ± 0.05 nats | 1.01 (desk, seed 1) | **REPRODUCED**: the run is within the tolerance |',
  );
});

test('a quick execution does not hide committed desk runs, nor an old one new seeds; an equal one counts', () => {
  const of = (tier: 'quick' | 'desk') => [claim([run(1, 1.01, { tier })]).verdict];
  const [quick, desk] = [of('quick'), of('desk')];
  assert.equal(fuller(quick, desk), desk);
  assert.equal(fuller(desk, quick), desk);
  assert.equal(fuller(quick, []), quick);
  const again = of('desk');
  assert.equal(fuller(again, desk), again);
  const seeds = [claim([run(1, 1.01), run(2, 1.02)]).verdict];
  assert.equal(fuller(desk, seeds), seeds, 'an execution before the second seed was there');
  assert.equal(fuller(seeds, desk), seeds);
});

test('the page of claims comes after what it sums up', () => {
  assert.deepEqual(inOrder(['00-claims', '01-a', '04-b']), ['01-a', '04-b', '00-claims']);
});

test("README holds the committed notebooks' table", () => {
  const readme = readFileSync(paths.readme, 'utf8');
  assert.equal(withClaims(readme, claims(null)), readme, 'run "npm run reproduce -- 00 --save"');
  assert.throws(() => withClaims('no marks', []), refusal('README', '<!-- /claims -->'));
});
