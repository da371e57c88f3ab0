import assert from 'node:assert/strict';
import test from 'node:test';
import {
  answer,
  armRows,
  deciding,
  energyRows,
  overfittingFigure,
  questions,
} from '../../lib/analysis/05-overfitting-9m';
import { arm, widerRuns, type Arm, type ReplicaRecord } from '../../lib/experiments/replica';
import { verdict } from '../../lib/report/verdict';
import { made, type Loss } from '../experiments/replica-records';
import { RUN } from './text-records';

const of = (name: Arm, heldOut: Loss, train: Loss, auc?: number): ReplicaRecord[] =>
  [2, 3, 4].map((seed) => made(arm('desk', name, seed), heldOut, train, auc));
const overfits: Loss = (x) => 5 + Math.abs(x - 30) / 20;
const B = of('B', overfits, (x) => 3 / x, 0.4);
const outcomes = (records: ReplicaRecord[]) => questions(records).map((q) => verdict(q).outcome);

test('vanishing and overfitting are asked of the runs at the ratio of the paper, the energy by shares of pairs', () => {
  const [yes, no] = ['REPRODUCED IN MINIATURE', 'NOT REPRODUCED IN MINIATURE'];
  assert.deepEqual(outcomes(B), [yes, yes, no]);
  assert.deepEqual(
    outcomes(
      of(
        'B',
        () => 5,
        () => 4,
        0.8,
      ),
    ),
    [no, no, yes],
  );
  assert.deepEqual(outcomes(of('A', overfits, () => 0)), Array(3).fill('INCONCLUSIVE'), 'no run of the arm');
});

test('the answer follows the outcomes', () => {
  assert.match(
    answer(B),
    /^\*\*.* vanishes and the model overfits; .* does not tell training text from .* 40% of pairs/,
  );
  assert.match(
    answer(
      of(
        'B',
        () => 5,
        () => 4,
        0.8,
      ),
    ),
    /^\*\*Not in every run: .* energy tells training text/,
  );
  assert.equal(answer([]), 'The runs that decide have not been made yet.');
});

test('figures and tables take finished runs alone and say what is missing', () => {
  assert.equal(overfittingFigure(B).data.length, 12);
  assert.equal(overfittingFigure([]).data.length, 0);
  const [own, missing, wide, earlier] = armRows(
    [...B, made(widerRuns('desk')[0]!, overfits, () => 0.02)],
    [RUN],
  );
  assert.deepEqual(
    [own!.seeds, own!['training loss'], own!['lowest held-out (at pass)'], own!.recited],
    [3, '0.014', '5.12 (32)', '50%'],
  );
  assert.deepEqual([wide!.seeds, wide!['training loss'], wide!.passes], [1, '0.020', 216]);
  assert.deepEqual([missing!.seeds, missing!['training loss']], [0, 'no run yet']);
  assert.deepEqual(
    [earlier!['training loss'], earlier!['held-out loss'], earlier!['lowest held-out (at pass)']],
    ['0.080', '4.20', '3.50 (2)'],
  );
});

test('the energy in every layer: after the final layer norm at β = 1 it is what the runs measured themselves', async () => {
  const rows = await energyRows();
  assert.deepEqual(
    rows.map(({ activations }) => activations),
    [1, 2, 3, 4].map((block) => `after block ${block}`).concat('after the final layer norm'),
  );
  const measured = deciding().map(({ end }) => Math.round(100 * end.energyAuc!));
  assert.equal(rows.at(-1)!['β = 1'], `${Math.min(...measured)}% to ${Math.max(...measured)}%`);
});
