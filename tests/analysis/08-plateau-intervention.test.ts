import assert from 'node:assert/strict';
import test from 'node:test';
import { predictions } from '../../lib/analysis/08-predictions';
import { exactCost, excessAtFree, positionsOf } from '../../lib/analysis/08-runs';
import {
  answer,
  grammarRows,
  modelRows,
  positionFigure,
  predictionTable,
  questions,
  runRows,
  runs,
  sizeRows,
  type Interventions,
} from '../../lib/analysis/08-plateau-intervention';
import { dataFloor, memoryFloor, surprisal, trainTokens } from '../../lib/analysis/shared/floors';
import {
  grammarRuns,
  plateauIntervention,
  settledRuns,
  type PlateauConfig,
  type PlateauRecord,
} from '../../lib/experiments/plateau-intervention';
import { verdict } from '../../lib/report/verdict';
import { assertClose } from '../assert-close';

/** A run whose training loss ends at `nats` and was `drift` above it before. */
function plateauRun(
  change: Partial<PlateauConfig>,
  nats: number,
  drift = 0,
  trainLinesLossNats = nats,
): PlateauRecord {
  const config: PlateauConfig = { ...plateauIntervention.tiers.desk, trainLines: 500, steps: 400, ...change };
  const curve = [100, 200, 300, 400].map((step) => ({
    step,
    tokensSeen: step,
    trainLossNats: step === 400 ? nats : nats + drift,
    heldOutLossNats: nats,
    trainLinesLossNats,
    positionNats: [1, 2],
    memorised: { train: 0, heldOut: 0 },
    learningRate: 1e-3,
    gradientNorm: 1,
  }));
  return { config, curve, id: JSON.stringify(config), parameters: 10_000 } as unknown as PlateauRecord;
}

const NONE: Interventions = {
  grammars: [],
  longerOnGrammar15: [],
  seeds4And5: [],
  fewerLines: [],
  models: [],
  slower10Layers: [],
  pilot: [],
  settled: [],
  fewLinesLonger: [],
  deeper: [],
};

/** The verdicts on the bound: on data of lower entropy, and on few lines. */
const bounds = (some: Partial<Interventions>) => questions({ ...NONE, ...some }).slice(0, 2);
const outcomes = (some: Partial<Interventions>) => bounds(some).map((q) => verdict(q).outcome);

const GRAMMARS = ['0.6', '0.8', '1.0', '1.5'] as const;

test('one settled run below the bound on data of lower entropy refutes it; others and higher entropies do not count', () => {
  const low = (nats: number, drift = 0) => [plateauRun({ grammar: '0.6' }, nats, drift, nats)];
  assert.equal(outcomes({ grammars: low(0.6) })[0], 'NOT REPRODUCED');
  assert.equal(outcomes({ settled: low(0.6) })[0], 'NOT REPRODUCED');
  assert.equal(outcomes({ grammars: low(1) })[0], 'REPRODUCED');
  assert.equal(outcomes({ grammars: low(0.6, 0.02) })[0], 'INCONCLUSIVE', 'still falling');
  assert.equal(outcomes({ grammars: low(0.6, -0.02) })[0], 'INCONCLUSIVE', 'rising');
  const high = [plateauRun({ grammar: '1.2' }, 1.2)];
  assert.deepEqual(bounds({ grammars: high })[0]!.ours, [], 'its entropy is above the bound');
});

/** Runs as they are planned that end `excess` above what their held-out lines cost. */
function asPlanned(excess: number, copied = 0): PlateauRecord[] {
  return settledRuns('desk').map((planned) => {
    // Few lines, so that the test is quick.
    const record = plateauRun({ ...planned, trainLines: 500, steps: 400, evaluationLines: 50 }, 1);
    const last = record.curve.at(-1)!;
    last.heldOutLossNats = exactCost(record) + excess;
    const { entropy } = positionsOf(record);
    const after = entropy.map((h) => h <= 0.01).indexOf(true);
    last.positionNats = entropy.map((h, t) => (t === after ? h + copied : h));
    return record;
  });
}

test('G1 to G3 wait for all 25 runs, and each fails by its own fault', () => {
  const words = (settled: PlateauRecord[]) =>
    predictionTable({ ...NONE, settled })
      .filter(({ id }) => /^G[123]$/.test(id))
      .map(({ outcome }) => outcome);
  const good = asPlanned(0.01);
  assert.deepEqual(words(good.slice(1)), ['open', 'open', 'open']);
  assert.deepEqual(words(good), ['held', 'held', 'held']);
  assert.deepEqual(words(asPlanned(0.021)), ['held', 'held', 'failed'], 'excess');
  assert.deepEqual(words(asPlanned(0.01, 0.2)), ['failed', 'held', 'held'], 'not copied');
  const [first, ...rest] = good;
  const rising = plateauRun(first!.config, 1, -0.1);
  rising.curve.at(-1)!.positionNats = first!.curve.at(-1)!.positionNats;
  assert.equal(words([rising, ...rest])[0], 'failed', 'one has not settled');
  good.forEach((record) => {
    record.curve.at(-1)!.heldOutLossNats = 1.05 * exactCost(record) - 0.05;
  });
  assert.deepEqual(words(good).slice(0, 2), ['held', 'failed'], 'slope 1.05');
  assert.ok(questions({ ...NONE, settled: good }).some(({ source }) => /slope of the held-out/.test(source)));
});

test('plateaus at the entropy have slope 1, and former predictions are judged by the statistics they were made for', () => {
  const floorOf = (grammar: PlateauConfig['grammar']) => dataFloor(plateauRun({ grammar }, 1).config);
  const at = (nats: (floor: number) => number, drift = 0) =>
    [1, 2].flatMap((seed) =>
      GRAMMARS.map((grammar) => plateauRun({ grammar, seed }, nats(floorOf(grammar)), drift)),
    );
  const { P1, P2 } = predictions({ ...NONE, grammars: at((floor) => floor + 0.1) });
  assert.deepEqual([P1!.holds, P2!.holds], [true, false], 'slope 1, intercept 0.1');
  const { P4, P5, P6, P7, P8, P9, P10 } = predictions({ ...NONE, grammars: at((floor) => floor) });
  for (const { holds } of [P4!, P5!, P6!, P7!, P8!, P9!, P10!]) assert.equal(holds, null, 'not run');
});

test('on few lines one settled run below the bound refutes it, unless it is over-parameterised', () => {
  const runs = [plateauRun({ trainLines: 2000 }, 1.1, 0, 1.1), plateauRun({ trainLines: 500 }, 0.9, 0, 0.35)];
  const question = (fewerLines: PlateauRecord[]) => bounds({ fewerLines })[1]!;
  assert.deepEqual(
    question(runs).ours.map(({ value }) => value),
    [1.1, 0.35],
  );
  assert.equal(verdict(question(runs)).outcome, 'NOT REPRODUCED');
  const large = runs.map((run) => ({ ...run, parameters: 20 * trainTokens(runs[1]!.config) }));
  assert.deepEqual(
    [verdict(question(large)).outcome, question(large).ours.map(({ unfit }) => unfit !== undefined)],
    ['REPRODUCED', [false, true]],
  );
  const falling = [plateauRun({ trainLines: 500 }, 0.9, 0.02, 0.35)];
  assert.equal(outcomes({ fewLinesLonger: falling })[1], 'INCONCLUSIVE');
  assert.deepEqual(question([plateauRun({ trainLines: 20_000 }, 1)]).ours, [], 'not few');
  assertClose([memoryFloor(runs[1]!.config)], [Math.log(500) / 20.8], {
    relative: 0.03,
    what: 'ln 500 over the tokens of a line',
  });
  assertClose(
    [excessAtFree({ entropy: [2, 1, 0, 0], loss: [2.3, 1.1, 0.1, 0], surprisalNats: 3.1 })],
    [0.75],
    { absolute: 1e-12, what: 'share of the excess over what these lines cost' },
  );
});

test('position by position a run that copies is next to one that does not, and the one that copies least is judged', () => {
  const [copying, not] = [1, 2].map((seed) => plateauRun({ seed }, 1)) as [PlateauRecord, PlateauRecord];
  const lines = (runs: PlateauRecord[]) => (positionFigure(runs).data as { y: number[] }[]).map(({ y }) => y);
  const entropy = lines([copying])[0]!;
  const { surprisalNats } = positionsOf(copying);
  // Lines that cost as much more than the entropy as these do: the excess is then 1 nat at each free position.
  const more = (surprisalNats - entropy.reduce((a, b) => a + b)) / entropy.filter((h) => h > 0.01).length;
  const freely = entropy.map((h) => (h > 0.01 ? h + more + 1 : h));
  copying.curve.at(-1)!.positionNats = freely;
  not.curve.at(-1)!.positionNats = freely.map((l, t) => (entropy[t]! > 0.01 ? l : l + 1.5));
  assert.deepEqual(
    lines([copying, not]).slice(1),
    [copying, not].map((r) => r.curve.at(-1)!.positionNats),
  );
  assert.deepEqual(
    [[copying], [copying, not]].map((runs) => predictions({ ...NONE, grammars: runs }).P3!.holds),
    [true, false],
  );
});

test('runs that do not copy bend the slope of all, not of the further seeds that copy', () => {
  const runs = GRAMMARS.flatMap((grammar) =>
    [4, 5].map((seed) => {
      const record = plateauRun({ grammar, seed }, 0);
      const { entropy } = positionsOf(record);
      const stuck = grammar === '1.5' && seed === 5;
      const last = record.curve.at(-1)!;
      [last.trainLossNats, record.curve.at(-2)!.trainLossNats] = [
        dataFloor(record.config) + (stuck ? 0.4 : 0.01),
        dataFloor(record.config) + (stuck ? 0.4 : 0.01),
      ];
      last.positionNats = entropy.map((h) => (h <= 0.01 && stuck ? 0.5 : h));
      return record;
    }),
  );
  const again = predictions({ ...NONE, seeds4And5: runs });
  assertClose([again.P8!.value!, again.P9!.value!], [1, 0.01], {
    absolute: 1e-9,
    what: 'slope and intercept of those that copy',
  });
  const { P1, P2 } = predictions({ ...NONE, grammars: runs });
  assert.deepEqual([P1!.holds, P2!.holds], [false, false], 'all settled runs');
  const { P8, P9 } = predictions({
    ...NONE,
    seeds4And5: runs.filter(({ config }) => config.grammar > '0.8'),
  });
  assert.deepEqual([P8!.value, P9!.value], [null, null], 'two grammars have no slope');
});

test('what measured lines cost at best is the entropy but for which lines they are, and P5 takes that out', () => {
  const set = { grammar: '1.2', trainLines: 2000, evaluationLines: 400 } as const;
  const [train, dev] = [surprisal(set, 'train'), surprisal(set, 'dev')];
  const nats = dataFloor(set) * (train.nats / train.natsPerToken);
  assert.ok(
    Math.abs(train.nats - nats) < 3 * 0.4 && train.nats !== dev.nats,
    `${train.nats} and ${dev.nats}, against ${nats}`,
  );
  const run = (trainLines: number, trainNats: number, heldOut: number) =>
    plateauRun({ grammar: '1.2', trainLines, evaluationLines: 400 }, heldOut, 0, trainNats);
  const p5 = (save: number) =>
    predictions({
      ...NONE,
      fewerLines: [run(500, 1, 1), run(2000, train.natsPerToken - save, dev.natsPerToken)],
    }).P5!;
  assertClose([p5(0.01).value!, p5(0.05).value!], [0.01, 0.05], {
    absolute: 1e-9,
    what: 'nats that are saved on training lines alone',
  });
  assert.deepEqual([p5(0.01).holds, p5(0.05).holds], [true, false]);
});

test('the prediction on depth waits for every deeper model that is planned, and takes the settled ones', () => {
  const model = (layers: number, width: number, nats: number, drift = 0) =>
    plateauRun({ model: { ...plateauIntervention.tiers.desk.model, layers, width } }, nats, drift);
  const p6 = (models: PlateauRecord[]) => predictions({ ...NONE, models }).P6!.holds;
  const settled = [model(6, 128, 1), model(10, 128, 1.02), model(6, 256, 1.04)];
  assert.deepEqual(
    [[0.98], [1.03], [1.2]].map(([nats]) => p6([model(2, 128, 2), ...settled, model(10, 256, nats!)])),
    [false, true, false],
  );
  assert.equal(p6(settled), null, 'one is missing');
  assert.deepEqual(
    [1.29, 1.31].map((nats) => predictions({ ...NONE, slower10Layers: [model(10, 128, nats)] }).P10!.holds),
    [true, false],
    'P10',
  );
  assert.equal(p6([...settled, model(10, 256, 2, 0.5)]), true, 'the last still falls');
});

test('every run of the lists that are not under way is committed, and a table has a row for each', () => {
  const all = runs();
  assert.deepEqual(
    all.grammars.map(({ config }) => [config.grammar, config.seed]),
    grammarRuns('desk').map(({ grammar, seed }) => [grammar, seed]),
  );
  assert.deepEqual(
    [all.fewerLines, all.models, all.seeds4And5, all.longerOnGrammar15, all.slower10Layers].map(
      ({ length }) => length,
    ),
    [5, 7, 10, 1, 1],
  );
  assert.equal(runRows(all).length, Object.values(all).flat().length);
  assert.deepEqual(
    sizeRows(all.fewerLines).map((row) => row['training lines']),
    ['500', '2,000', '10,000', '50,000', '100,000'],
  );
  assert.equal(modelRows({ ...all, deeper: [] }).length, 8);
  const counted = grammarRows({ ...all, settled: [] }).map((row) => row['copy, of all']);
  assert.deepEqual(counted, ['5 of 5', '5 of 5', '3 of 3', '3 of 5', '3 of 5', '0 of 5']);
});

test('the answer says what is missing, and then what came of it', () => {
  const all = runs();
  assert.match(answer({ ...all, settled: [] }), /not run yet\.$/);
  assert.match(
    answer({ ...all, settled: all.grammars }),
    /Without dropout .* falls to 0, \d+ of 18 runs copy\.$/,
  );
});
