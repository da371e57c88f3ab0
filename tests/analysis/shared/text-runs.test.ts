import assert from 'node:assert/strict';
import test from 'node:test';
import { overfitting9m, overfittingSmall } from '../../../lib/experiments/overfitting-9m';
import { scaling90m } from '../../../lib/experiments/scaling-90m';
import { energyQuestion, turningQuestion, vanishingQuestion } from '../../../lib/analysis/05-overfitting';
import { gapQuestion, ofTheModel, sizeFigure } from '../../../lib/analysis/06-scaling';
import { outcome, short, subtitle, type TextRecord } from '../../../lib/analysis/shared/text-runs';
import { verdict } from '../../../lib/report/verdict';

/** A record with these training and held-out losses, an epoch apart. */
function record(losses: [train: number, heldOut: number][], config = overfitting9m.tiers.desk): TextRecord {
  const curve = losses.map(([trainLossNats, heldOutLossNats], i) => ({
    step: i + 1,
    epoch: i + 1,
    tokensSeen: 10 * (i + 1),
    trainLossNats,
    heldOutLossNats,
    memorisedShare: null,
    learningRate: 1,
    gradientNorm: 1,
    nearest: null,
    energies: { own: -5 * i, others: 1 + i, heldOut: 2 + 3 * i },
  }));
  return {
    config,
    curve,
    minutes: 3,
    parameters: 1e6,
    hardware: { cpu: 'c', cores: 2, memoryGiB: 1, device: 'cpu' },
  } as unknown as TextRecord;
}
const RUN = record([
  [3, 4],
  [1, 3.5],
  [0.05, 3.8],
  [0.08, 4.2],
]);

test('sizes of texts are short', () =>
  assert.deepEqual([9e6, 90_000, 256, 2_250_000].map(short), ['9M', '90k', '256', '2.25M']));

test('runs are told apart by their tier and their tokens a step', () => {
  assert.equal(
    subtitle([RUN, record([[1, 2]], overfitting9m.tiers.quick), RUN]),
    'desk: 1,024 tokens a step, 3.0 + 3.0 min on 2 CPU cores · quick: 256 tokens a step, 3.0 min on 2 CPU cores',
  );
  assert.equal(
    subtitle([RUN, record([[1, 2]], { ...overfittingSmall, batchWindows: 2 })]),
    'desk: 1,024 tokens a step, 3.0 min on 2 CPU cores · desk: 512 tokens a step, 3.0 min on 2 CPU cores',
  );
});

test('where a run ends and where it turns', () => {
  const { last, lowest, gapNats, riseNats } = outcome(RUN);
  assert.deepEqual([last.epoch, lowest.epoch], [4, 2]);
  assert.deepEqual(
    [gapNats, riseNats].map((x) => Number(x.toFixed(9))),
    [4.12, 0.7],
  );
});

test('the questions of notebook 05 take the least training loss, the rise since the turn, the growth of the energy gap without own windows', () => {
  assert.deepEqual(
    [vanishingQuestion([RUN]), turningQuestion([RUN]), energyQuestion([RUN])].map(({ ours }) =>
      Number(ours[0]!.value.toFixed(9)),
    ),
    [0.05, 0.7, 6],
  );
  assert.deepEqual(
    [vanishingQuestion([RUN]), turningQuestion([RUN]), energyQuestion([RUN])].map((q) => verdict(q).outcome),
    Array(3).fill('REPRODUCED'),
  );
  const other = record([
    [3, 4],
    [2, 3],
  ]);
  assert.deepEqual(
    [vanishingQuestion([other]), turningQuestion([other])].map((q) => verdict(q).outcome),
    Array(2).fill('NOT REPRODUCED'),
  );
  assert.equal(
    verdict(vanishingQuestion([record([[0.01, 4]], overfitting9m.tiers.quick)])).outcome,
    'INCONCLUSIVE',
    'a quick run cannot decide',
  );
});

test('a run with another model lies on another curve', () => {
  const wide = record([[1, 2]], {
    ...overfitting9m.tiers.desk,
    model: { ...overfitting9m.tiers.desk.model, width: 768, heads: 12 },
  });
  assert.deepEqual(ofTheModel([RUN, wide], scaling90m.tiers), [RUN]);
});

test('the gap of notebook 06 is that at the end, and its figure averages seeds', () => {
  assert.equal(gapQuestion([RUN], scaling90m.tiers.full).ours[0]!.value, outcome(RUN).gapNats);
  const at = (trainTokens: number, heldOut: number) =>
    record([[1, heldOut]], { ...scaling90m.tiers.desk, trainTokens });
  const { data } = sizeFigure([at(100, 4), at(100, 5), at(1000, 3), at(10_000, 2)], null);
  const [points] = data as unknown as { x: number[]; y: number[]; error_y: { array: number[] } }[];
  assert.deepEqual(
    [points!.x, points!.y, points!.error_y.array],
    [
      [100, 1000, 10_000],
      [4.5, 3, 2],
      [0.5, 0, 0],
    ],
  );
});

test("a run decides on the gap with fewer parameters per token and on half as many passes as the paper's", () => {
  const { full } = scaling90m.tiers;
  const of = (change: Partial<typeof full>, parameters: number) =>
    gapQuestion([{ ...record([[1, 1.1]], { ...full, ...change }), parameters }], full).ours[0]!.unfit;
  assert.equal(of({}, 124e6), undefined);
  assert.match(of({}, 125e7)!, /13\.9 parameters per token/);
  assert.equal(of({ steps: full.steps / 4 }, 124e6), '5.5 passes over its text; the full run has 21.8');
});

test('the law is fitted to runs that have turned, of four sizes at least', () => {
  const at = (trainTokens: number, lowest: number, last: number) =>
    record(
      [
        [1, lowest + 1],
        [1, lowest],
        [1, last],
      ],
      { ...scaling90m.tiers.desk, trainTokens },
    );
  const turned = [1e3, 1e4, 1e5, 1e6].map((d) => at(d, 2 + 50 * d ** -0.5, 9));
  const names = (records: TextRecord[]) => sizeFigure(records, null).data.map(({ name }) => name);
  assert.match(names(turned)[1]!, /^2\.00 \+ 50\.\d* D\^−0\.50 \(desk\)$/);
  const still = at(1e7, 1, 1);
  assert.deepEqual(names([...turned, still]), names(turned));
  assert.deepEqual(
    (sizeFigure([...turned, still], null).data[0] as { marker: { symbol: string[] } }).marker.symbol,
    ['circle', 'circle', 'circle', 'circle', 'circle-open'],
  );
  assert.equal(names([...turned.slice(1), still]).length, 1);
});
