import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { experimentOf, sweeps } from '../../lib/experiments';
import {
  bitsOf,
  capacity,
  capacityRuns,
  longAssociationRuns,
  longerCapacityRuns,
  twiceTheExposures,
  wideItemRuns,
} from '../../lib/experiments/capacity';
import { runId } from '../../lib/experiments/experiment';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { fewerLines, grammarRuns, modelRuns } from '../../lib/experiments/plateau-intervention';
import { scaling90m, smallerRuns, textRuns } from '../../lib/experiments/scaling-90m';
import { gpt2Parameters } from '../../lib/model/config';
import { TIERS, deviations } from '../../lib/train/config';
import { checkConfig } from '../../lib/experiments/experiment';
import { buildModel } from '../../lib/model/build';
import { assertClose } from '../assert-close';

test('every run of every sweep can run, and no two are one', () => {
  for (const [name, runs] of Object.entries(sweeps()))
    for (const tier of TIERS) {
      const configs = runs(tier);
      const ids = configs.map((config) => runId(experimentOf(config), config));
      for (const config of configs) checkConfig(experimentOf(config), config);
      assert.equal(new Set(ids).size, configs.length, `${name} ${tier}`);
      assert.ok(configs.every((config) => config.tier === tier));
    }
});

test('the sweeps hold what they promise', () => {
  const grammars = grammarRuns('desk');
  assert.deepEqual(
    [
      new Set(grammars.map(({ grammar }) => grammar)).size,
      new Set(grammars.map(({ seed }) => seed)).size,
      grammars.length,
    ],
    [6, 3, 18],
  );
  assert.equal(
    new Set(
      grammars.map(({ model, steps, schedule, trainLines }) =>
        JSON.stringify([model, steps, schedule, trainLines]),
      ),
    ).size,
    1,
    'one model, one training',
  );
  assert.deepEqual(
    fewerLines('desk').map(({ trainLines }) => trainLines),
    [500, 2000, 10_000, 50_000, 100_000],
  );
  assert.deepEqual(
    modelRuns('desk').map(({ model }) => `${model.layers} × ${model.width}`),
    ['2 × 128', '6 × 128', '10 × 128', '2 × 256', '6 × 256', '10 × 256', '2 × 512'],
  );
  const sizes = (tier: 'desk' | 'full') => capacityRuns(tier).map(({ model }) => gpt2Parameters(model).all);
  assert.deepEqual(
    [
      Math.min(...sizes('desk')),
      Math.max(...sizes('desk')),
      Math.min(...sizes('full')),
      Math.max(...sizes('full')),
    ],
    [15_360, 407_168, 15_360, 1_795_392],
  );
});

test('longer capacity runs are runs of the sweep with more steps and nothing else', () => {
  const changes = longerCapacityRuns('desk').map((config) => {
    const base = capacityRuns('desk').find(({ what, model, items }) =>
      isDeepStrictEqual([what, model, items], [config.what, config.model, config.items]),
    )!;
    return deviations(config, base);
  });
  const more = (factor: number) => [
    `steps: 8000 → ${8000 * factor}`,
    `schedule.decaySteps: 8000 → ${8000 * factor}`,
    `evaluateEverySteps: 500 → ${500 * factor}`,
  ];
  assert.deepEqual(changes, [4, 16, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4].map(more));
  assert.deepEqual(longerCapacityRuns('quick'), []);
});

test('items as wide as the model are read equally often by models of one depth, and their bits grow with N', () => {
  const runs = wideItemRuns('desk');
  for (const { items, itemTokens, steps, batchItems, model, schedule } of runs) {
    assert.equal(itemTokens, model.width / 4);
    assert.deepEqual([model.layers, model.context, schedule.decaySteps], [2, itemTokens, steps]);
    assertClose([(steps * batchItems) / items], [1000], { relative: 1e-3, what: 'exposures' });
  }
  const loads = runs.map((config) => bitsOf(config) / (3.6 * gpt2Parameters(config.model).all));
  assertClose(loads, Array(4).fill([1, Math.SQRT1_2, 0.5]).flat() as number[], {
    relative: 0.01,
    what: 'bits of the data over those that the model should hold',
  });
  const twice = twiceTheExposures('desk');
  assert.deepEqual(
    twice.map(({ model, steps, batchItems, items }) => [
      model.width,
      Math.round((steps * batchItems) / items / 10) * 10,
    ]),
    [
      [32, 2000],
      [48, 2000],
      [64, 2000],
    ],
  );
});

test('M1 asks more bits than its associations have, M4 does not', () => {
  const [more, fewer] = longAssociationRuns('desk').map((config) => ({
    items: config.items,
    each: bitsOf(config) / gpt2Parameters(config.model).all,
  }));
  assert.deepEqual([more!.items, fewer!.items], [44_672, 37_568]);
  assert.ok(fewer!.each < 2.3 && more!.each > 2.3, `${fewer!.each} and ${more!.each}`);
});

test('the first run on a text is notebook 05; those on less text, three seeds a size, end after five passes and not during the warm-up', () => {
  const main = scaling90m.tiers.desk;
  const runs = [textRuns('desk')[0]!, ...smallerRuns(main)];
  const of = (all: typeof runs) =>
    all.map(({ trainTokens, seed, steps, evaluateEverySteps }) => [
      trainTokens,
      seed,
      steps,
      evaluateEverySteps,
    ]);
  assert.deepEqual(of(runs), [
    [90_000, 1, 3000, 100],
    [20_000, 1, 200, 20],
    [20_000, 2, 200, 20],
    [20_000, 3, 200, 20],
    [45_000, 1, 220, 22],
    [45_000, 2, 220, 22],
    [45_000, 3, 220, 22],
  ]);
  assert.deepEqual(runs[0], overfitting9m.tiers.desk);
  assert.ok(
    runs.slice(1).every(({ schedule }) => schedule === main.schedule),
    'one schedule for all sizes',
  );
  assert.ok(
    runs.slice(1).every(({ experiment }) => experiment === 'scaling-90m'),
    'a run that is cut off says nothing on overfitting',
  );
  assert.deepEqual(
    smallerRuns({ ...scaling90m.tiers.quick, seed: 4 }).map(({ seed }) => seed),
    [4, 5, 6, 4, 5, 6],
  );
  assert.deepEqual(
    smallerRuns(scaling90m.tiers.full).map(({ trainTokens }) => trainTokens / 1e6),
    [2, 2, 2, 4.5, 4.5, 4.5],
  );
  assert.deepEqual(
    textRuns('desk')
      .map(({ trainTokens, model }) => [trainTokens, model.width])
      .slice(0, 4),
    [
      [90_000, 384],
      [900_000, 384],
      [9_000_000, 384],
      [90_000, 768],
    ],
  );
});

test('parameters are counted as the model has them', () => {
  const { model } = capacity.tiers.desk;
  const built = buildModel(model, 1);
  assert.equal(
    gpt2Parameters(model).all,
    built.parameters.reduce((n, p) => n + p.size, 0),
  );
  assert.equal(
    gpt2Parameters(model).all - gpt2Parameters(model).withoutEmbeddings,
    (model.vocabulary + model.context) * model.width,
  );
  built.dispose();
});
