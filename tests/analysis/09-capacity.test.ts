import assert from 'node:assert/strict';
import test from 'node:test';
import {
  answer,
  bitsExponentQuestions,
  bitsQuestion,
  exponentRows,
  headlines,
  longerRows,
  methodRows,
  questions,
  runRows,
  saturationRows,
} from '../../lib/analysis/09-capacity';
import { exponentFigure, exposureFigure } from '../../lib/analysis/09-figures';
import { exponent, predictions, predictionTable, recalls } from '../../lib/analysis/09-predictions';
import {
  gains,
  memoriesOf,
  mostKept,
  runs as committed,
  saturations,
  type CapacityRuns,
} from '../../lib/analysis/09-runs';
import {
  capacity,
  longAssociationRuns,
  wideItemRuns,
  type CapacityConfig,
  type CapacityRecord,
} from '../../lib/experiments/capacity';
import { gpt2Parameters } from '../../lib/model/config';
import { verdict } from '../../lib/report/verdict';
import { assertClose } from '../assert-close';

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

test('bits per parameter come from saturated and settled runs alone', () => {
  const full = (layers: number, share: number, before?: number) =>
    capacityRun(
      layers,
      { items: 10 * Math.ceil(parameters(layers) / 96) },
      share * parameters(layers),
      0,
      before,
    );
  const runs = [
    full(12, 3.73),
    full(14, 3.93),
    full(16, 3.83),
    capacityRun(4, { items: 100 }, 9600, 1),
    full(18, 2, 1),
  ];
  const question = bitsQuestion(saturations(runs));
  assertClose(
    question.ours.map(({ value }) => value),
    [3.83],
    { absolute: 1e-9, what: 'mean of the three' },
  );
  assert.equal(verdict(question).outcome, 'REPRODUCED');
  assert.equal(
    verdict(bitsQuestion(saturations(runs.slice(1)))).outcome,
    'INCONCLUSIVE',
    'two models do not speak for all',
  );
  const small = [full(1, 3.83), full(2, 3.83), full(4, 3.83)];
  assert.equal(
    verdict(bitsQuestion(saturations(small))).outcome,
    'INCONCLUSIVE',
    'smaller than any for which it was claimed',
  );
});

test('what more steps add is measured against the run that differs in nothing else', () => {
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

test('D at 99% recall lies between the sizes that hold and fail, and the exponent is no surer than that', () => {
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
    const kept = (what: CapacityConfig['what']) =>
      [1, 2, 4, 8].map((layers) => capacityRun(layers, { what }, parameters(layers) ** (1 / k), 1));
    const asked = bitsExponentQuestions({
      sequences: mostKept(kept('sequences')),
      associations: mostKept(kept('associations')),
    });
    assertClose(
      asked.flatMap(({ ours }) => ours.map((own) => own.value)),
      [k, k],
      { absolute: 1e-9, what: 'exponent in bits' },
    );
    assert.deepEqual(
      asked.map((q) => verdict(q).outcome),
      Array(2).fill(k === 2 ? 'REPRODUCED' : 'NOT REPRODUCED'),
    );
    assert.deepEqual(
      bitsExponentQuestions({ sequences: mostKept(kept('sequences').slice(2)), associations: [] })[1]!.ours,
      [],
      'two models have no slope',
    );
  }
  const alone = (share: number) =>
    recalls([capacityRun(1, { items: 100 }, 1, share)]).map(({ held, lost }) => [held, lost]);
  assert.deepEqual([alone(0.5), alone(1)], [[[null, 100]], [[100, null]]]);
  // A run that grew in its last quarter counts where it then knew everything: 100 associations of 6 bits.
  const grown = (bits: number) =>
    recalls([capacityRun(1, { what: 'associations', itemTokens: 5, items: 100 }, bits, 1, 1)]).length;
  assert.deepEqual([grown(595), grown(590)], [1, 0]);
});

test('each prediction is judged by its own runs of the desk tier, and none before they are there', () => {
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
    Object.fromEntries(
      Object.entries(predictions({ ladder: records, longer }, 1)).map(([id, p]) => [id, p.holds]),
    );
  const none = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`P${i + 1}`, null]));
  const only = (id: string, outcome: boolean) => ({ ...none, [id]: outcome });
  assert.deepEqual(holds([]), none);
  assert.deepEqual(holds(ladder('sequences', 1, 10_000, 'quick')), none, 'quick runs decide nothing');
  for (const k of [1, 2]) {
    assert.deepEqual(holds(ladder('sequences', k)), only('P1', k === 1));
    assert.deepEqual(holds(ladder('associations', k)), only('P2', k === 1));
    assert.deepEqual(
      holds([], ladder('associations', k, 40_000)),
      only('P8', k === 1),
      'by the longer runs alone',
    );
  }
  const full = (bits: number, change: Partial<CapacityConfig> = {}) =>
    capacityRun(2, { items: 10 * Math.ceil(parameters(2) / 96), ...change }, bits * parameters(2), 0);
  assert.deepEqual(
    [3.2, 3].map((bits) => holds([full(bits)])),
    [only('P3', true), only('P3', false)],
  );
  assert.deepEqual(
    [3.5, 3.3].map((bits) => holds([full(3.6), full(bits, { precision: 'bf16' })]).P4),
    [true, false],
  );
  assert.equal(
    holds([full(3.6), full(3.3, { precision: 'bf16', items: 100_000 })]).P4,
    null,
    'on other data',
  );
  const base = full(3);
  assert.deepEqual(
    [3.5, 3.7].map(
      (bits) => holds([base], [full(3.2, { steps: 40_000 }), full(bits, { steps: 160_000 })]).P5,
    ),
    [true, false],
  );
  assert.equal(
    holds([base], [full(9, { steps: 40_000 })]).P5,
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
    [only('P6', true), only('P6', false)],
  );
  assert.deepEqual(
    [0.99, 0.98].map((share) => holds([], [wide(10_800, 1, share)])),
    [only('P9', true), only('P9', false)],
  );
  assert.deepEqual(
    [2.3, 2.2].map((bits) => holds([], [wide(15_264, bits * 407_168, 0)])),
    [only('P10', true), only('P10', false)],
  );
  const again = (share: number) =>
    capacityRun(2, { what: 'associations', items: 31_584, steps: 40_000 }, 1, share);
  assert.deepEqual(
    [0.99, 0.98].map((share) => holds([], [again(share)])),
    [only('P7', true), only('P7', false)],
  );
});

const NONE: CapacityRuns = {
  ladder: [],
  longer: [],
  longAssociations: [],
  wideItems: [],
  twiceExposed: [],
};

test('tables have a row a run, a saturation, a memory; the mean over models has an interval over them, not over seeds', () => {
  const full = (layers: number, share: number, seed = 1) =>
    capacityRun(
      layers,
      { items: 10 * Math.ceil(parameters(layers) / 96), seed },
      share * parameters(layers),
      0.5,
    );
  const records = [full(1, 3.5), full(2, 3.7), full(16, 3.6)];
  const [row] = runRows(records);
  assert.deepEqual(
    [row!.run, row!.recalled, row!.settled],
    ['sequences, 1 × 64, fp32, seed 1', '50.0%', 'yes'],
  );
  assert.equal(row!.exposures, Math.round((10_000 * 256) / records[0]!.config.items));
  const rows = saturationRows(saturations([...records, full(1, 3.4, 2), full(1, 3.6, 3)]));
  assert.deepEqual(
    rows.map((r) => [r.model, r.seeds, r['bits per parameter']]),
    [
      ['1 × 64', 3, '3.40 to 3.60'],
      ['2 × 64', 1, '3.70'],
      ['16 × 64', 1, '3.60'],
      ['mean of 3 models', null, '3.60 (3.35 to 3.85)'],
    ],
  );
  assert.deepEqual(longerRows({ ...NONE, ladder: records }), []);
  const longer = { ...full(1, 3.85), config: { ...records[0]!.config, steps: 40_000 } };
  assert.deepEqual(
    longerRows({ ...NONE, ladder: records, longer: [longer] }).map((r) => [
      r['times the steps'],
      r['more bits'],
    ]),
    [[4, '10.0%']],
  );
  assert.equal(methodRows([capacity.tiers.smoke])[0]!['your runs (smoke)'], '1 × 16');
});

/** The lists that are registered, finished: items and bits grow with the parameters as these powers say. */
function registered(inItems: number, inBits: number, perParameter: number): Partial<CapacityRuns> {
  const finished = (config: CapacityConfig, bits: number, recalledShare: number) => {
    const record = capacityRun(2, {}, bits, recalledShare);
    return { ...record, config, id: JSON.stringify(config) } as CapacityRecord;
  };
  const all = ({ model }: CapacityConfig) => gpt2Parameters(model).all;
  return {
    wideItems: wideItemRuns('desk').map((config) =>
      finished(config, all(config) ** (1 / inBits), all(config) ** (1 / inItems) / config.items),
    ),
    longAssociations: longAssociationRuns('desk').map((config) =>
      finished(config, perParameter * all(config), 0.5),
    ),
  };
}

test('twice the exposures are compared with the run of 1,000, also where a run of the ladder has the same items', () => {
  const own = longerRows(committed()).filter(({ exposures }) => /→ 2,000$/.test(String(exposures)));
  assert.deepEqual(
    own.map((row) => [row['times the steps'], String(row.exposures)]),
    Array(3).fill([2, '1,000 → 2,000']),
  );
});

test('what is registered decides itself when its runs are there, and is open before', () => {
  const outcomes = (all: CapacityRuns) =>
    Object.fromEntries(
      predictionTable(all)
        .filter(({ id }) => id.startsWith('M'))
        .map(({ id, outcome, found }) => [id, found === null ? outcome : `${outcome}: ${found}`]),
    );
  const open = { M1: 'open', M2: 'open', M3: 'open', M4: 'open' };
  assert.deepEqual(outcomes(NONE), open);
  const held = registered(2, 1, 2.4);
  assert.deepEqual(outcomes({ ...NONE, ...held }), {
    M1: 'held: 2.4',
    M2: 'held: 2',
    M3: 'held: 1',
    M4: 'held: 2.4',
  });
  assert.deepEqual(outcomes({ ...NONE, ...registered(1.5, 1.2, 1.7) }), {
    M1: 'failed: 1.7',
    M2: 'failed: 1.5',
    M3: 'failed: 1.2',
    M4: 'failed: 1.7',
  });
  assert.deepEqual(
    outcomes({ ...NONE, wideItems: held.wideItems!.slice(1) }),
    open,
    'one of twelve runs is missing',
  );
});

test('the first screen holds without the registered runs and with them', () => {
  const all = committed();
  const cases: [CapacityRuns, RegExp][] = [
    [{ ...all, wideItems: [], longAssociations: [] }, /not been tested yet/],
    [{ ...all, ...registered(2, 1, 2.4) }, /the power is 2\.00 .*, the square\.\*\* .*In bits it is 1\.00 /],
    [{ ...all, ...registered(1.5, 1.2, 1.7) }, /the power is 1\.50 \([^)]*\)\.\*\* .*In bits it is 1\.20 /],
  ];
  for (const [runs, wide] of cases) {
    assert.match(answer(runs), wide);
    assert.doesNotMatch(answer(runs), /NaN|undefined|null|Infinity/);
    const shown = Object.values(memoriesOf(runs)).filter((kept) => kept.length > 0).length;
    const names = (panel: string) =>
      exponentFigure(runs).data.filter((t) => 'marker' in t && (t as { xaxis?: string }).xaxis === panel)
        .length;
    assert.deepEqual([names('x'), names('x2')], [shown, shown], 'a line a memory in both panels');
    assert.equal(exponentRows(runs).length, 4);
    assert.equal(
      headlines(runs).length,
      questions(runs).filter(({ kind, ours }) => !kind || ours.length).length,
    );
    assert.ok(exposureFigure(runs).data.length >= 7);
  }
});
