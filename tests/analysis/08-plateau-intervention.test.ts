import assert from 'node:assert/strict';
import test from 'node:test';
import { excessAtFree, positionsOf } from '../../lib/analysis/08-lines';
import {
  configs,
  modelRows,
  positionFigure,
  predictions,
  questions,
  runRows,
  runs as committedRuns,
  sizeRows,
  slopes,
  stepsToPlateau,
} from '../../lib/analysis/08-plateau-intervention';
import { dataFloor, memoryFloor, surprisal, trainTokens } from '../../lib/analysis/shared/floors';
import {
  plateauIntervention,
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

const NONE = {
  grammars: [],
  fewerLines: [],
  models: [],
  longerOnGrammar15: [],
  seeds4And5: [],
  slower10Layers: [],
};

/** The two readings of the slopes. */
const outcomes = (grammars: PlateauRecord[]) =>
  questions({ grammars, fewerLines: [] })
    .slice(0, 2)
    .map((q) => verdict(q).outcome);
/** The bound on runs with fewer lines. */
const sizeQuestion = (fewerLines: PlateauRecord[]) => questions({ grammars: [], fewerLines })[2]!;

const GRAMMARS = ['0.6', '0.8', '1.0', '1.5'] as const;

test('plateaus at the floor have slope 1, plateaus at 1 slope 0, and the verdicts follow; runs that still fall do not count', () => {
  const floorOf = (grammar: PlateauConfig['grammar']) => dataFloor(plateauRun({ grammar }, 1).config);
  const at = (nats: (floor: number) => number, drift = 0) =>
    [1, 2].flatMap((seed) =>
      GRAMMARS.map((grammar) => plateauRun({ grammar, seed }, nats(floorOf(grammar)), drift)),
    );
  assertClose(
    slopes(at((floor) => floor + 0.02)).map(({ value }) => value),
    [1, 1],
    { absolute: 1e-9, what: 'slope' },
  );
  assert.deepEqual(outcomes(at((floor) => floor)), ['NOT REPRODUCED', 'REPRODUCED']);
  assert.deepEqual(outcomes(at(() => 1)), ['REPRODUCED', 'NOT REPRODUCED']);
  assert.deepEqual(outcomes(at((floor) => floor, 0.02)), ['INCONCLUSIVE', 'INCONCLUSIVE']);
  const { P1, P2 } = predictions({ ...NONE, grammars: at((floor) => floor + 0.1) });
  assert.deepEqual([P1!.holds, P2!.holds], [true, false], 'slope 1, intercept 0.1');
  const quick = at(() => 3).map((r) => ({ ...r, config: { ...r.config, tier: 'quick' as const } }));
  const judged = predictions({ ...NONE, grammars: [...quick, ...at((floor) => floor)] });
  assert.deepEqual([judged.P1!.holds, judged.P2!.holds], [true, true], 'the desk tier alone is judged');
  const { P4, P5, P6, P7, P8, P9, P10 } = predictions({ ...NONE, grammars: at((floor) => floor) });
  for (const { holds } of [P4!, P5!, P6!, P7!, P8!, P9!, P10!]) assert.equal(holds, null, 'not run');
});

test('one run below the bound refutes it, unless it is over-parameterised; the floor of memory is ln D per line; steps to the plateau', () => {
  const runs = [plateauRun({ trainLines: 2000 }, 1.1, 0, 1.1), plateauRun({ trainLines: 500 }, 0.9, 0, 0.35)];
  assert.deepEqual(
    sizeQuestion(runs).ours.map(({ value }) => value),
    [1.1, 0.35],
  );
  assert.equal(verdict(sizeQuestion(runs)).outcome, 'NOT REPRODUCED');
  const large = runs.map((run) => ({ ...run, parameters: 20 * trainTokens(runs[1]!.config) }));
  assert.deepEqual(
    [verdict(sizeQuestion(large)).outcome, sizeQuestion(large).ours.map(({ unfit }) => unfit !== undefined)],
    ['REPRODUCED', [false, true]],
  );
  assertClose([memoryFloor(runs[1]!.config)], [Math.log(500) / 20.8], {
    relative: 0.03,
    what: 'ln 500 over the tokens of a line',
  });
  assert.equal(stepsToPlateau(plateauRun({}, 1, 0.3)), 400);
  assert.equal(stepsToPlateau(plateauRun({}, 1, 0.01)), 100);
  assertClose(
    [excessAtFree({ entropy: [2, 1, 0, 0], loss: [2.3, 1.1, 0.1, 0], surprisalNats: 3.1 })],
    [0.75],
    { absolute: 1e-12, what: 'share of the excess over what these lines cost' },
  );
});

test('position by position every seed has its line, and the one that copies least is judged', () => {
  const [copying, not] = [1, 2].map((seed) => plateauRun({ seed }, 1)) as [PlateauRecord, PlateauRecord];
  const lines = (runs: PlateauRecord[]) => (positionFigure(runs).data as { y: number[] }[]).map(({ y }) => y);
  const entropy = lines([copying])[0]!;
  const { surprisalNats } = positionsOf(copying);
  // Lines that cost as much more than the entropy as these do: the excess is then 1 nat at each free position.
  const more = (surprisalNats - entropy.reduce((a, b) => a + b)) / entropy.filter((h) => h > 0.01).length;
  const freely = entropy.map((h) => (h > 0.01 ? h + more + 1 : h));
  copying.curve.at(-1)!.positionNats = freely;
  not.curve.at(-1)!.positionNats = freely.map((l, t) => (entropy[t]! > 0.01 ? l : l + 1));
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

test('runs of a list come in its order, then the committed ones of the desk tier; a table has a row for each', () => {
  const quick = configs('quick').map((config) => ({ ...plateauRun(config, 1), config }));
  const all = committedRuns([]);
  assert.equal(
    Object.values(all).flat().length,
    configs('desk').length,
    'every run of the sweep is committed',
  );
  assert.equal(
    committedRuns(quick as PlateauRecord[]).grammars.length,
    all.grammars.length,
    'runs by their ids alone',
  );
  assert.equal(runRows(all).length, configs('desk').length);
  assert.deepEqual(
    sizeRows(all.fewerLines).map(({ D }) => D),
    [500, 2000, 10_000, 50_000, 100_000],
  );
  const rows = modelRows({ ...all, models: [] });
  assert.ok(rows.some(({ settings, layers }) => settings === 'notebook 04' && layers === 10));
});
