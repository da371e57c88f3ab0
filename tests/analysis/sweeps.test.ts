/** What notebooks 08 and 09 compute from records. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { capacity, type CapacityConfig, type CapacityRecord } from '../../lib/experiments/capacity';
import {
  plateauIntervention,
  type PlateauConfig,
  type PlateauRecord,
} from '../../lib/experiments/plateau-intervention';
import { gpt2Parameters } from '../../lib/model/config';
import {
  bitsQuestion,
  predictions as capacityPredictions,
  saturations,
} from '../../lib/analysis/09-capacity';
import { gains } from '../../lib/analysis/shared/capacity-runs';
import { dataFloor, memoryFloor, surprisal, trainTokens } from '../../lib/analysis/shared/floors';
import {
  positionFigure,
  predictions,
  sizeQuestion,
  slopeQuestions,
  slopes,
  stepsToPlateau,
} from '../../lib/analysis/08-intervention';
import { excessAtFree, positionsOf } from '../../lib/analysis/08-positions';
import {
  endToEnd,
  exponent,
  exponentQuestions,
  recalls,
  whatWouldTell,
  type Recall,
} from '../../lib/analysis/09-recall';
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

const NONE = { grammars: [], sizes: [], models: [], late: [], repeats: [], slow: [] };

const GRAMMARS = ['0.6', '0.8', '1.0', '1.5'] as const;

test('08: plateaus at the floor have slope 1, plateaus at 1 slope 0, and the verdicts follow; runs that still fall do not count', () => {
  const floorOf = (grammar: PlateauConfig['grammar']) => dataFloor(plateauRun({ grammar }, 1).config);
  const at = (nats: (floor: number) => number, drift = 0) =>
    [1, 2].flatMap((seed) =>
      GRAMMARS.map((grammar) => plateauRun({ grammar, seed }, nats(floorOf(grammar)), drift)),
    );
  assertClose(
    slopes(at((floor) => floor + 0.02)).map(({ slope }) => slope),
    [1, 1],
    { absolute: 1e-9, what: 'slope' },
  );
  assert.deepEqual(
    slopeQuestions(at((floor) => floor)).map((q) => verdict(q).outcome),
    ['NOT REPRODUCED', 'REPRODUCED'],
  );
  assert.deepEqual(
    slopeQuestions(at(() => 1)).map((q) => verdict(q).outcome),
    ['REPRODUCED', 'NOT REPRODUCED'],
  );
  assert.deepEqual(
    slopeQuestions(at((floor) => floor, 0.02)).map((q) => verdict(q).outcome),
    ['INCONCLUSIVE', 'INCONCLUSIVE'],
  );
  const [p1, p2] = predictions({ ...NONE, grammars: at((floor) => floor + 0.1) });
  assert.deepEqual([p1!.holds, p2!.holds], [true, false], 'slope 1, intercept 0.1');
  const quick = at(() => 3).map((r) => ({ ...r, config: { ...r.config, tier: 'quick' as const } }));
  assert.deepEqual(
    predictions({ ...NONE, grammars: [...quick, ...at((floor) => floor)] })
      .slice(0, 2)
      .map(({ holds }) => holds),
    [true, true],
    'the desk alone is judged',
  );
  assert.deepEqual(
    predictions({ ...NONE, grammars: at((floor) => floor) })
      .slice(3)
      .map(({ holds }) => holds),
    Array(7).fill(null),
    'not run',
  );
});

test('08: one run below the bound refutes it, unless it is over-parameterised; the floor of memory is ln D per line; steps to the plateau', () => {
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

test('08: position by position every seed has its line, and the one that copies least is judged', () => {
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
    [[copying], [copying, not]].map((runs) => predictions({ ...NONE, grammars: runs })[2]!.holds),
    [true, false],
  );
});

test('08: runs that do not copy bend the slope of all, not of the further seeds that copy', () => {
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
  const [p8, p9] = predictions({ ...NONE, repeats: runs }).slice(7, 9);
  assertClose([p8!.value!, p9!.value!], [1, 0.01], {
    absolute: 1e-9,
    what: 'slope and intercept of those that copy',
  });
  assert.deepEqual(
    predictions({ ...NONE, grammars: runs })
      .slice(0, 2)
      .map(({ holds }) => holds),
    [false, false],
    'all settled runs',
  );
  assert.deepEqual(
    predictions({ ...NONE, repeats: runs.filter(({ config }) => config.grammar > '0.8') })
      .slice(7, 9)
      .map(({ value }) => value),
    [null, null],
    'two grammars have no slope',
  );
});

test('08: what measured lines cost at best is the entropy but for which lines they are, and P5 takes that out', () => {
  const set = { grammar: '1.2', trainLines: 2000, evaluationLines: 400 } as const;
  const [train, dev] = [surprisal(set, 'train'), surprisal(set, 'dev')];
  const nats = dataFloor(set) * (train.nats / train.natsPerToken);
  assert.ok(
    Math.abs(train.nats - nats) < 3 * 0.4 && train.nats !== dev.nats,
    `${train.nats} and ${dev.nats}, beside ${nats}`,
  );
  const run = (trainLines: number, trainNats: number, heldOut: number) =>
    plateauRun({ grammar: '1.2', trainLines, evaluationLines: 400 }, heldOut, 0, trainNats);
  const p5 = (save: number) =>
    predictions({
      ...NONE,
      sizes: [run(500, 1, 1), run(2000, train.natsPerToken - save, dev.natsPerToken)],
    })[4]!;
  assertClose([p5(0.01).value!, p5(0.05).value!], [0.01, 0.05], {
    absolute: 1e-9,
    what: 'nats that are saved on training lines alone',
  });
  assert.deepEqual([p5(0.01).holds, p5(0.05).holds], [true, false]);
});

test('08: the prediction on depth waits for every deeper model that is planned, and takes the settled ones', () => {
  const model = (layers: number, width: number, nats: number, drift = 0) =>
    plateauRun({ model: { ...plateauIntervention.tiers.desk.model, layers, width } }, nats, drift);
  const p6 = (models: PlateauRecord[]) => predictions({ ...NONE, models })[5]!.holds;
  const settled = [model(6, 128, 1), model(10, 128, 1.02), model(6, 256, 1.04)];
  assert.deepEqual(
    [[0.98], [1.03], [1.2]].map(([nats]) => p6([model(2, 128, 2), ...settled, model(10, 256, nats!)])),
    [false, true, false],
  );
  assert.equal(p6(settled), null, 'one is missing');
  assert.deepEqual(
    [1.29, 1.31].map((nats) => predictions({ ...NONE, slow: [model(10, 128, nats)] })[9]!.holds),
    [true, false],
    'P10',
  );
  assert.equal(p6([...settled, model(10, 256, 2, 0.5)]), true, 'the last still falls');
});

/** A run of a model with `layers` that keeps `bits` of its items and recalls a share of them. */
function capacityRun(
  layers: number,
  change: Partial<CapacityConfig>,
  bits: number,
  recalledShare: number,
  before = bits,
): CapacityRecord {
  const config: CapacityConfig = {
    ...capacity.tiers.desk,
    steps: 10_000,
    ...change,
    model: { ...capacity.tiers.desk.model, layers },
  };
  const curve = [7000, 10_000].map((step) => ({
    step,
    tokensSeen: step,
    trainLossNats: 1,
    heldOutLossNats: 5,
    memorisedBits: step === 10_000 ? bits : before,
    recalledShare,
    learningRate: 1e-3,
    gradientNorm: 1,
  }));
  return { config, curve, id: JSON.stringify(config) } as unknown as CapacityRecord;
}

const parameters = (layers: number): number => gpt2Parameters({ ...capacity.tiers.desk.model, layers }).all;

test('09: bits per parameter come from saturated and settled runs alone', () => {
  const full = (layers: number, share: number, before?: number) =>
    capacityRun(
      layers,
      { items: 10 * Math.ceil(parameters(layers) / 96) },
      share * parameters(layers),
      0,
      before,
    );
  const runs = [
    full(1, 3.5),
    full(2, 3.7),
    full(16, 3.6),
    capacityRun(4, { items: 100 }, 9600, 1),
    full(8, 2, 1),
  ];
  const question = bitsQuestion(saturations(runs));
  assertClose(
    question.ours.map(({ value }) => value),
    [3.6],
    { absolute: 1e-9, what: 'mean of the three' },
  );
  assert.equal(verdict(question).outcome, 'REPRODUCED');
  assert.equal(
    verdict(bitsQuestion(saturations(runs.slice(1)))).outcome,
    'INCONCLUSIVE',
    'two models do not speak for all',
  );
});

test('09: what more steps add is measured against the run that differs in nothing else', () => {
  const [other, base, ...longer] = [
    capacityRun(1, { items: 100 }, 10, 0),
    capacityRun(2, { items: 100 }, 20, 0),
    capacityRun(2, { items: 100, steps: 40_000 }, 22, 0),
    capacityRun(2, { items: 100, steps: 160_000 }, 25, 0),
  ];
  const found = gains([other!, base!], longer);
  assert.deepEqual(
    found.map(({ record, base: of, factor }) => [record, of, factor]),
    [
      [longer[0], base, 4],
      [longer[1], base, 16],
    ],
  );
  assertClose(
    found.map(({ gain }) => gain),
    [0.1, 0.25],
    { absolute: 1e-12, what: 'share of bits' },
  );
  assert.deepEqual([gains([other!], longer), gains([base!], [])], [[], []]);
  const quick = capacityRun(2, { tier: 'quick', items: 100, steps: 600 }, 5, 0);
  assert.equal(
    gains([quick, base!], longer)[0]!.base,
    base,
    'a run of another tier with the same model on as many items',
  );
});

test('09: D at 99% recall lies between the sizes that hold and fail, and the exponent is no surer than that', () => {
  const law = (k: number, step: number) =>
    [1, 2, 4, 8, 16].flatMap((layers) => {
      const held = Math.round(40 * parameters(layers) ** (1 / k));
      return [
        capacityRun(layers, { what: 'associations', items: held }, 1, 1),
        capacityRun(layers, { what: 'associations', items: step * held }, 1, 0.98),
      ];
    });
  assert.deepEqual(recalls(law(1, 4))[0], {
    tier: 'desk',
    what: 'associations',
    size: '1 × 64',
    steps: 10_000,
    parameters: parameters(1),
    held: 40 * parameters(1),
    lost: 160 * parameters(1),
  });
  for (const k of [1, 2]) {
    const { value, low, high } = exponent(recalls(law(k, 1.2)), 1)!;
    assertClose([value], [k], { absolute: 1e-3, what: 'exponent' });
    assert.ok(low < k - 0.005 && high > k + 0.005, `${low} to ${high}`);
    assert.deepEqual(
      exponentQuestions(recalls(law(k, 1.2)), 1).map((q) => verdict(q).outcome),
      [k === 2 ? 'REPRODUCED' : 'NOT REPRODUCED', 'INCONCLUSIVE'],
    );
  }
  const [neither, both] = [recalls(law(1.5, 1.2)), recalls(law(1, 1e6))];
  assert.deepEqual(
    [neither, both].map((all) => verdict(exponentQuestions(all, 1)[0]!).outcome),
    ['INCONCLUSIVE', 'INCONCLUSIVE'],
    'an interval with neither 1 nor 2, and sizes too far apart to tell',
  );
  assert.match(whatWouldTell(neither, 1), /^were D known exactly it would be 1\.50 .*: neither 1 nor 2$/);
  assert.match(
    whatWouldTell(both, 1),
    /^were D known exactly it would be 1\.00 .*: finer sizes of the data would tell 1 from 2$/,
  );
  const scattered = [1, 2, 4, 8, 16].flatMap((layers, i) =>
    [1, 1.2].map((step) =>
      capacityRun(
        layers,
        {
          what: 'associations',
          items: Math.round(40 * parameters(layers) ** 0.7 * [1, 2, 1, 2, 1][i]! * step),
        },
        1,
        step === 1 ? 1 : 0,
      ),
    ),
  );
  assert.match(whatWouldTell(recalls(scattered), 1), /: more models would tell 1 from 2$/);
  const ends = (large: Partial<Recall>) =>
    endToEnd([
      { ...neither[0]!, parameters: 1000, held: 10, lost: 20 },
      { ...neither[0]!, parameters: 500_000, held: 1, lost: 2 },
      { ...neither[0]!, parameters: 1e6, ...large },
    ]);
  const found = ends({ held: 2000, lost: 10_000 });
  assertClose([found.least!, found.most!], [1, 1.5], {
    absolute: 1e-12,
    what: 'slopes from (10, 1000) to (10,000, 10⁶) and from (20, 1000) to (2000, 10⁶)',
  });
  const none = { least: null, most: null };
  assert.deepEqual(
    [
      ends({ held: 2000, lost: null }).least,
      ends({ held: 15, lost: 30 }).most,
      ends({ held: null, lost: 30 }),
      endToEnd(neither.slice(0, 1)),
    ],
    [null, null, none, none],
  );
  const alone = (share: number) =>
    recalls([capacityRun(1, { items: 100 }, 1, share)]).map(({ held, lost }) => [held, lost]);
  assert.deepEqual([alone(0.5), alone(1)], [[[null, 100]], [[100, null]]]);
  // A run that grew in its last quarter counts where it then knew everything: 100 associations of 6 bits.
  const grown = (bits: number) =>
    recalls([capacityRun(1, { what: 'associations', itemTokens: 5, items: 100 }, bits, 1, 1)]).length;
  assert.deepEqual([grown(595), grown(590)], [1, 0]);
});

test('09: each prediction is judged by its own runs at the desk, and none before they are there', () => {
  const ladder = (
    what: CapacityConfig['what'],
    k: number,
    steps = 10_000,
    tier: CapacityConfig['tier'] = 'desk',
  ) =>
    [1, 2, 4, 8, 16].flatMap((layers) => {
      const held = Math.round(40 * parameters(layers) ** (1 / k));
      return [1, 1.2].map((step) =>
        capacityRun(
          layers,
          { tier, what, steps, items: Math.round(step * held) },
          96 * step * held,
          step === 1 ? 1 : 0.98,
        ),
      );
    });
  const holds = (records: CapacityRecord[], longer: CapacityRecord[] = []) =>
    capacityPredictions(records, longer, 1).map((p) => p.holds);
  const only = (index: number, outcome: boolean) =>
    Array.from({ length: 10 }, (_, i) => (i === index ? outcome : null));
  assert.deepEqual(holds([]), Array(10).fill(null));
  assert.deepEqual(
    holds(ladder('sequences', 1, 10_000, 'quick')),
    Array(10).fill(null),
    'quick runs decide nothing',
  );
  for (const k of [1, 2]) {
    assert.deepEqual(holds(ladder('sequences', k)), only(0, k === 1));
    assert.deepEqual(holds(ladder('associations', k)), only(1, k === 1));
    assert.deepEqual(
      holds([], ladder('associations', k, 40_000)),
      only(7, k === 1),
      'by the longer runs alone',
    );
  }
  const full = (bits: number, change: Partial<CapacityConfig> = {}) =>
    capacityRun(2, { items: 10 * Math.ceil(parameters(2) / 96), ...change }, bits * parameters(2), 0);
  assert.deepEqual(
    [3.2, 3].map((bits) => holds([full(bits)])),
    [only(2, true), only(2, false)],
  );
  assert.deepEqual(
    [3.5, 3.3].map((bits) => holds([full(3.6), full(bits, { precision: 'bf16' })])[3]),
    [true, false],
  );
  assert.equal(
    holds([full(3.6), full(3.3, { precision: 'bf16', items: 100_000 })])[3],
    null,
    'on other data',
  );
  const base = full(3);
  assert.deepEqual(
    [3.5, 3.7].map(
      (bits) => holds([base], [full(3.2, { steps: 40_000 }), full(bits, { steps: 160_000 })])[4],
    ),
    [true, false],
  );
  assert.equal(
    holds([base], [full(9, { steps: 40_000 })])[4],
    null,
    'the run of 16 times the steps is not there',
  );
  const wide = (items: number, bits: number, share: number): CapacityRecord => ({
    ...capacityRun(2, { items }, bits, share),
    config: {
      ...capacity.tiers.desk,
      steps: 10_000,
      items,
      model: { ...capacity.tiers.desk.model, width: 128 },
    },
  });
  assert.deepEqual(
    [10_800, 7632].map((held) =>
      holds([held, 2 * held].map((items) => wide(items, 96 * items, items === held ? 1 : 0))),
    ),
    [only(5, true), only(5, false)],
  );
  assert.deepEqual(
    [0.99, 0.98].map((share) => holds([], [wide(10_800, 1, share)])),
    [only(8, true), only(8, false)],
  );
  assert.deepEqual(
    [2.3, 2.2].map((bits) => holds([], [wide(15_264, bits * 407_168, 0)])),
    [only(9, true), only(9, false)],
  );
  const again = (share: number) =>
    capacityRun(2, { what: 'associations', items: 31_584, steps: 40_000 }, 1, share);
  assert.deepEqual(
    [0.99, 0.98].map((share) => holds([], [again(share)])),
    [only(6, true), only(6, false)],
  );
});
