import assert from 'node:assert/strict';
import test from 'node:test';
import {
  bitsQuestion,
  exponentTexts,
  longerRows,
  predictions,
  recallRows,
  runRows,
  saturationRows,
  saturations,
  saturationTexts,
} from '../../lib/analysis/09-capacity';
import {
  endToEnd,
  exponent,
  bitsExponentQuestions,
  recalls,
  whatWouldTell,
  type Recall,
} from '../../lib/analysis/09-recall';
import { gains } from '../../lib/analysis/shared/capacity-runs';
import { capacity, type CapacityConfig, type CapacityRecord } from '../../lib/experiments/capacity';
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
    const asked = bitsExponentQuestions([...kept('sequences'), ...kept('associations')]);
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
      bitsExponentQuestions(kept('sequences').slice(2))[1]!.ours,
      [],
      'two models have no slope',
    );
  }
  const [neither, both] = [recalls(law(1.5, 1.2)), recalls(law(1, 1e6))];
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
    Object.fromEntries(Object.entries(predictions({ records, longer }, 1)).map(([id, p]) => [id, p.holds]));
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

test('tables have a row a run, a saturation, a recall; sentences give the interval over models and seeds', () => {
  const full = (layers: number, share: number) =>
    capacityRun(layers, { items: 10 * Math.ceil(parameters(layers) / 96) }, share * parameters(layers), 0.5);
  const records = [full(1, 3.5), full(2, 3.7), full(16, 3.6)].map((record) => ({ ...record, minutes: 1.26 }));
  const [row] = runRows(records);
  assert.deepEqual([row!.model, row!.minutes, row!.recalled, row!.settled], ['1 × 64', 1.3, '50.0%', 'yes']);
  assert.equal(saturationRows(saturations(records)).length, 3);
  assert.match(
    saturationTexts(saturations(records))[0]!,
    /^desk, fp32: 3\.60 \(3\.35 to 3\.85\) bits .* over 3 /,
  );
  assert.deepEqual(
    recallRows(recalls(records)).map((r) => [r['largest D held'], r['parameters per item']]),
    Array(3).fill(['no settled run', null]),
  );
  assert.deepEqual(exponentTexts(recalls(records), 1), []);
  assert.deepEqual(longerRows(records, []), []);
});
