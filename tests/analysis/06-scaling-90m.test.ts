import assert from 'node:assert/strict';
import test from 'node:test';
import { ofTheModel, questions, sizeFigure } from '../../lib/analysis/06-scaling-90m';
import { endOf } from '../../lib/analysis/shared/text-runs';
import type { TextRecord } from '../../lib/experiments/text-task';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { scaling90m } from '../../lib/experiments/scaling-90m';
import { RUN, textRecord } from './text-records';

test('a run with another model lies on another curve', () => {
  const wide = textRecord([[1, 2]], {
    ...overfitting9m.tiers.desk,
    model: { ...overfitting9m.tiers.desk.model, width: 768, heads: 12 },
  });
  assert.deepEqual(ofTheModel([RUN, wide]), [RUN]);
});

test('the gap is that at the end, and its figure averages seeds', () => {
  assert.equal(questions([{ ...RUN, config: scaling90m.tiers.desk }])[0]!.ours[0]!.value, endOf(RUN).gapNats);
  const at = (trainTokens: number, heldOut: number) =>
    textRecord([[1, heldOut]], { ...scaling90m.tiers.desk, trainTokens });
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
    questions([{ ...textRecord([[1, 1.1]], { ...full, ...change }), parameters }])[0]!.ours[0]!.unfit;
  assert.equal(of({}, 124e6), undefined);
  assert.match(of({}, 125e7)!, /13\.9 parameters per token/);
  assert.equal(of({ steps: full.steps / 4 }, 124e6), '5.5 passes over its text; the full run has 21.8');
});

test('the law is fitted to runs that have turned, of four sizes at least', () => {
  const at = (trainTokens: number, lowest: number, last: number) =>
    textRecord(
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
