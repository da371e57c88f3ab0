import assert from 'node:assert/strict';
import test from 'node:test';
import {
  answer,
  excessFigure,
  gapFigure,
  loadRows,
  passRows,
  phaseFigure,
  questions,
} from '../../lib/analysis/06-scaling-90m';
import {
  arm,
  continuedRuns,
  loaded,
  LOADS,
  shorterWarmupRuns,
  widerRuns,
  type ReplicaConfig,
  type ReplicaRecord,
} from '../../lib/experiments/replica';
import { verdict } from '../../lib/report/verdict';
import { assertClose } from '../assert-close';
import { made, type Loss } from '../experiments/replica-records';

const seeds = (config: (seed: number) => ReplicaConfig, gap: Loss): ReplicaRecord[] =>
  [2, 3, 4].map((seed) =>
    made(
      config(seed),
      (x) => 3 + gap(x),
      () => 3,
    ),
  );
const [C, F] = [
  seeds(
    (seed) => arm('desk', 'C', seed),
    (x) => x / 25,
  ),
  seeds(
    (seed) => arm('desk', 'F', seed),
    () => 0.01,
  ),
];

interface Cells {
  x: number[];
  y: string[];
  z: (number | null)[][];
}
const cells = (records: ReplicaRecord[]) => phaseFigure(records).data[0] as unknown as Cells;

test('the phase diagram has a row for each load, in order, with the mean gap of its seeds over passes', () => {
  const { x, y, z } = cells([...C, ...F]);
  assert.deepEqual(
    y.map((label) => Number(/^load ([\d.]+)/.exec(label)![1])),
    [0.024, 0.11, 0.35, 1.1, 3, 24],
  );
  const row = z[3]!;
  row.forEach((gap, i) => {
    const pass = Math.sqrt(x[i]! * x[i + 1]!);
    if (pass < 0.54 || pass > 21.57) assert.equal(gap, null, `${pass} passes`);
    else assertClose([gap!], [pass / 25], { relative: 1e-9, what: `${pass} passes` });
  });
});

test('loads without runs are missing in every figure and table, and are said to be', () => {
  const records = [...C, ...F];
  const { z } = cells(records);
  assert.deepEqual(
    z.map((row) => row.some((gap) => gap !== null)),
    [false, false, false, true, false, true],
  );
  const notes = (phaseFigure(records).layout!.annotations as { text: string }[]).map(({ text }) => text);
  assert.deepEqual(
    notes.map((text) => text === 'not run'),
    [true, true, true, false, true, false],
  );
  assert.deepEqual(
    loadRows(records).map((row) => row['gap reaches 0.5 at pass']),
    [...Array(3).fill('no run yet'), '12.50', 'no run yet', 'never', ...Array(4).fill('no run yet')],
  );
  assert.equal(gapFigure([]).data.length, 0);
  assert.equal(answer([]), 'The runs that decide have not been made yet.');
});

test('the answer gives the passes of other sizes of text, of a shorter warm-up and of a wider model, where they are run', () => {
  const parts = (at: number) => (config: ReplicaConfig) =>
    made(
      config,
      (x) => 3 + (0.5 * x) / at,
      () => 3,
    );
  const sizes = LOADS.flatMap((load) => [2, 3, 4].map((seed) => loaded('desk', load, seed))).map(parts(8));
  const [warm, wide] = [shorterWarmupRuns('desk'), widerRuns('desk')].map((runs) => parts(10)(runs[1]!));
  const of = (...records: ReplicaRecord[]) => answer([...C, ...F, ...records]);
  assert.doesNotMatch(of(), /decide too/);
  assert.match(
    of(...sizes),
    /with 0\.32 and 2\.7 times the text, the steps and the warm-up they part after 8\.0 and 8\.0 passes\.$/,
  );
  assert.match(
    of(...sizes, warm!),
    /passes, in one run with a warm-up of 200 steps in place of 2,000 after 10\.0\.$/,
  );
  assert.match(
    of(...sizes, wide!),
    /passes, in one run with 3\.3 times the parameters and the text after 10\.0\.$/,
  );
  const never = made(
    widerRuns('desk')[1]!,
    () => 3,
    () => 3,
  );
  assert.match(of(...sizes, never), /and 8\.0 passes\.$/, 'losses that never part');
});

test('a continued run goes on in the diagram, and ends where it ended in the verdicts', () => {
  const longer = continuedRuns('desk')
    .filter((config) => config.trainTokens === arm('desk', 'C', 2).trainTokens)
    .map((config) =>
      made(
        config,
        (x) => 3 + x / 25,
        () => 3,
      ),
    );
  const { x, z } = cells(longer);
  const last = z[3]!.map((gap) => gap !== null).lastIndexOf(true);
  assert.ok(x[last + 1]! > 45);
  assertClose([questions(longer)[0]!.ours[0]!.value], [21.57 / 25], {
    relative: 1e-3,
    what: 'gap at the end',
  });
});

test('the verdicts: apart at the end and unlike the text that is read once; the rest waits for its runs', () => {
  const outcomes = questions([...C, ...F]).map((q) => verdict(q).outcome);
  assert.deepEqual(outcomes, [
    'NOT REPRODUCED IN MINIATURE',
    'NOT REPRODUCED IN MINIATURE',
    'OPEN',
    'HELD',
    'HELD',
  ]);
  assert.match(answer([...C, ...F]), /^\*\*Only at first: .*after 12\.50 passes .* and 0\.86 after 21\.6/);
  const close = [
    ...seeds(
      (seed) => arm('desk', 'C', seed),
      () => 0.1,
    ),
    ...F,
  ];
  assert.match(answer(close), /^\*\*Yes/);
});

test('other numbers of passes are compared at the same step', () => {
  const rows = passRows([...C, ...F]);
  assert.deepEqual(
    rows.map((row) => row.pass),
    [1, 2, 4, 8, 16, 21.6],
  );
  const last = rows.at(-1)!;
  assert.deepEqual(
    [
      last['gap of C (R3)'],
      last['held-out loss, C − F'],
      last['training loss, C − F'],
      last['larger of the two (R4)'],
    ],
    ['0.86', '0.85', '0.00', '0.85'],
  );
});

test('the figure of the excess has a line a seed and the two readings of the law', () => {
  assert.equal(excessFigure([...C, ...F]).data.length, 5);
  assert.equal(excessFigure(C).data.length, 2, 'no seed with both arms');
});

test('the load between has as many passes in another number of steps', () => {
  const between = seeds(
    (seed) => loaded('desk', 0.35, seed),
    (x) => x / 25,
  );
  const row = loadRows(between)[2]!;
  assert.deepEqual([row.seeds, row.passes, row['gap reaches 0.5 at pass']], [3, 21.6, '12.50']);
});
