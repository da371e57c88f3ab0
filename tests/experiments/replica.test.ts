import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distanceEnergy } from '../../lib/energy/distance';
import { EXPERIMENTS } from '../../lib/experiments';
import { EXPONENT_PREDICTIONS } from '../../lib/experiments/capacity-predictions';
import { SETTLED_PREDICTIONS } from '../../lib/experiments/plateau-predictions';
import { checkConfig } from '../../lib/experiments/experiment';
import { judge, ruleText } from '../../lib/experiments/prediction';
import {
  arm,
  armRuns,
  continuedRuns,
  loaded,
  loadOf,
  loadRuns,
  replica,
  ReplicaTask,
  shorterWarmupRuns,
  widerRuns,
  type ReplicaConfig,
  type ReplicaRecord,
} from '../../lib/experiments/replica';
import {
  atPass,
  crossingOf,
  excessOf,
  gapOf,
  PASSES,
  REPLICA_PREDICTIONS,
} from '../../lib/experiments/replica-predictions';
import { tokensPerStep } from '../../lib/experiments/text-task';
import { buildModel } from '../../lib/model/build';
import { gpt2Parameters } from '../../lib/model/config';
import { windowBatch } from '../../lib/model/model';
import { lastLayer, meanLoss } from '../../lib/train/evaluate';
import { configHash } from '../../lib/train/record';
import { mean } from '../../lib/util/statistics';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { fakeDataset, textLike } from '../train/fake-dataset';
import { made, type Loss } from './replica-records';

test('the arms have the paper’s parameters a token, passes and steps', () => {
  const ratios = { A: [62.5, 976], B: [13.8, 215.6], C: [1.38, 21.6], F: [0.064, 1] } as const;
  for (const name of ['A', 'B', 'C', 'F'] as const) {
    const config = arm('desk', name, 2);
    const parameters = gpt2Parameters(config.model).all;
    assert.equal(parameters, 656_448);
    const windows = Math.ceil((config.trainTokens - 1) / config.model.context);
    assertClose(
      [parameters / config.trainTokens, (config.steps * config.batchWindows) / windows],
      [...ratios[name]],
      { relative: 0.005, what: name },
    );
    assert.deepEqual([config.steps, tokensPerStep(config)], [4000, 2560]);
  }
  const paper = { B: arm('full', 'B', 2), C: arm('full', 'C', 2) };
  for (const name of ['B', 'C'] as const)
    assertClose(
      [gpt2Parameters(paper[name].model).all / paper[name].trainTokens, loadOf(paper[name])],
      [ratios[name][0], loadOf(arm('desk', name, 2))],
      { relative: 0.01, what: `${name} at full size` },
    );
});

test('lists: those first that decide most, each varies what its name says', () => {
  const named = armRuns('desk').map((config) => {
    const name = (['A', 'B', 'C', 'F'] as const).find(
      (a) => arm('desk', a, 1).trainTokens === config.trainTokens,
    );
    return `${name}${config.seed}`;
  });
  assert.deepEqual(named, ['B2', 'C2', 'F2', 'B3', 'C3', 'F3', 'B4', 'C4', 'F4', 'A2', 'A3', 'A4']);
  assert.deepEqual(
    continuedRuns('desk').map((config) => [configHash(config), config.steps]),
    [2, 3, 4].flatMap((seed) =>
      (['C', 'F'] as const).map((name) => [configHash(arm('desk', name, seed)), 12_000]),
    ),
  );
  for (const config of loadRuns('desk')) {
    const windows = config.trainTokens / config.model.context;
    assertClose([(config.steps * config.batchWindows) / windows], [21.57], {
      relative: 1e-3,
      what: 'passes',
    });
  }
  assertClose(loadRuns('desk').slice(0, 2).map(loadOf), [0.35, 3], { relative: 1e-3, what: 'loads' });
  for (const [wide, base] of widerRuns('desk').map((c, i) => [c, arm('desk', i ? 'C' : 'B', 2)] as const)) {
    const parameters = (c: ReplicaConfig) => gpt2Parameters(c.model).all;
    assertClose(
      [parameters(wide) / wide.trainTokens, wide.batchWindows / wide.trainTokens, wide.schedule.peak],
      [parameters(base) / base.trainTokens, base.batchWindows / base.trainTokens, base.schedule.peak / 2],
      { relative: 1e-3, what: 'ratios' },
    );
  }
  assert.deepEqual(shorterWarmupRuns('desk')[1], {
    ...arm('desk', 'C', 2),
    schedule: { ...arm('desk', 'C', 2).schedule, warmupSteps: 200 },
  });
  for (const tier of ['smoke', 'quick', 'desk', 'full'] as const)
    for (const config of Object.values(replica.sweeps!).flatMap((list) => list(tier)))
      checkConfig(replica, config as ReplicaConfig);
  assert.ok(EXPERIMENTS.some(({ name }) => name === 'replica'));
});

const CONFIG: ReplicaConfig = {
  ...replica.tiers.smoke,
  precision: 'fp32',
  model: { kind: 'gpt2', layers: 1, width: 32, heads: 2, context: 8, vocabulary: 500, dropout: 0 },
  trainTokens: 81,
  batchWindows: 2,
  evaluationWindows: 5,
  trainingWindows: 5,
  memorised: { windows: 3, prefix: 4, continuation: 2 },
  probes: { everySteps: 4, energyWindows: 3 },
};

test('the training loss is that of fixed windows; the AUC compares energies without the own window', () => {
  const text = textLike(400, 500, 1);
  const task = new ReplicaTask(CONFIG, fakeDataset(text, textLike(161, 500, 3)));
  const model = buildModel(CONFIG.model, 1);
  const { trainWindowsLossNats, energyAuc, epoch, memorisedShare } = task.evaluate(model, 4);
  const window = (first: number) => text.slice(first, first + 9);
  const direct = meanLoss(model, CONFIG, [
    () =>
      windowBatch(
        [0, 2, 4, 6, 8].map((i) => window(8 * i)),
        CONFIG.model,
      ),
  ]);
  assertClose([trainWindowsLossNats, epoch], [direct, 0.8], { relative: 1e-6, what: 'loss' });
  const rows = (first: number) =>
    lastLayer(model, CONFIG, [() => windowBatch([window(first)], CONFIG.model)]);
  const [train, following] = [[0, 24, 48].map(rows), [0, 24, 48].map((first) => rows(81 + first))];
  const energy = (states: (typeof train)[0], without: number) => {
    const others = train.filter((_, j) => j !== without);
    const patterns = { ...states, rows: 16, values: Float32Array.from(others.flatMap((m) => [...m.values])) };
    return mean(distanceEnergy({ patterns, states, beta: 1 }));
  };
  const pairs = train.flatMap((own, i) =>
    following.map((other, j): number => (energy(own, i) < energy(other, j) ? 1 : 0)),
  );
  assertClose([energyAuc!], [mean(pairs)], { absolute: 1e-12, what: 'AUC' });
  assert.equal(memorisedShare, 0);
  const between = task.evaluate(model, 6);
  assert.deepEqual([between.energyAuc, between.memorisedShare], [null, null]);
  model.dispose();
  task.dispose();
  assert.throws(
    () => new ReplicaTask(CONFIG, fakeDataset(text.subarray(0, 90), textLike(161, 500, 3))),
    refusal('text of fake that follows the training text: ', '9 tokens'),
  );
});

const SEEDS = [2, 3, 4];
const outcome = (id: string, records: ReplicaRecord[]) =>
  judge(
    REPLICA_PREDICTIONS.find((prediction) => prediction.id === id)!,
    records,
  );
/** Outcomes where no seed, one and all seeds are good, and where the last seed's runs are missing. */
const outcomes = (
  id: string,
  good: (seed: number) => ReplicaRecord[],
  bad: (seed: number) => ReplicaRecord[],
) => [
  ...[0, 1, 3].map(
    (n) =>
      outcome(
        id,
        SEEDS.flatMap((s, i) => (i < n ? good(s) : bad(s))),
      ).outcome,
  ),
  outcome(id, SEEDS.slice(0, 2).flatMap(good)).outcome,
];
const ARTICLE = ['NOT REPRODUCED', 'INCONCLUSIVE', 'REPRODUCED', null];
const OURS = ['failed', 'open', 'held', null];

test('each rule has each outcome, and none while runs are missing', () => {
  const b = (held: Loss, train: Loss, auc?: number) => (seed: number) => [
    made(arm('desk', 'B', seed), held, train, auc),
  ];
  const c = (held: Loss, train: Loss) => (seed: number) => [made(arm('desk', 'C', seed), held, train)];
  const overfits: Loss = (x) => 4 + Math.abs(x - 30) / 50;
  assert.deepEqual(
    outcomes(
      'R1',
      b(
        () => 9,
        () => 0.1,
      ),
      b(
        () => 9,
        () => 0.11,
      ),
    ),
    ARTICLE,
  );
  assert.deepEqual(
    outcomes(
      'R2',
      b(overfits, () => 0),
      b(
        (x) => 9 - x / 1e3,
        () => 0,
      ),
    ),
    ARTICLE,
  );
  assert.deepEqual(
    outcomes(
      'R3',
      c(
        () => 4,
        () => 3.5,
      ),
      c(
        () => 4,
        () => 3.49,
      ),
    ),
    ARTICLE,
  );
  const pair = (held: number, train: number) => (seed: number) => [
    made(
      arm('desk', 'C', seed),
      () => held,
      () => train,
    ),
    made(
      arm('desk', 'F', seed),
      () => 3.75,
      () => 3.75,
    ),
  ];
  assert.deepEqual(outcomes('R4', pair(4, 3), pair(4.01, 3)), ARTICLE);
  assert.deepEqual(outcomes('R4', pair(3, 4), pair(3, 4.01)), ARTICLE);
  assert.equal(
    outcome(
      'R4',
      SEEDS.map((seed) => pair(4, 3)(seed)[0]!),
    ).outcome,
    null,
    'without F',
  );
  const load = (gaps: number[]) => (seed: number) =>
    [loaded('desk', 0.35, seed), arm('desk', 'C', seed), loaded('desk', 3, seed)].map((config, i) =>
      made(
        config,
        () => 3 + gaps[i]!,
        () => 3,
      ),
    );
  assert.deepEqual(outcomes('R5', load([0.9, 0.4, 0.1]), load([0.9, 0.5, 0.1])), OURS);
  assert.equal(
    outcome('R5', SEEDS.flatMap(load([0.4, 0.4, 0.1]))).outcome,
    'failed',
    'a smaller load will do',
  );
  assert.equal(outcome('R5', SEEDS.flatMap(load([0.9, 0.9, 0.9]))).outcome, 'failed', 'none will do');
  const parting = (pass: number) =>
    c(
      (x) => 3 + (0.5 * x) / pass,
      () => 3,
    );
  assert.deepEqual(outcomes('R7', parting(15), parting(11)), OURS);
  assert.equal(outcome('R7', SEEDS.flatMap(parting(40))).outcome, 'failed', 'not within its passes');
  const longer = (pass: number) => (seed: number) => [
    made(
      continuedRuns('desk').find((config) => config.seed === seed)!,
      (x) => 3 + (0.5 * x) / pass,
      () => 3,
    ),
  ];
  assert.equal(outcome('R6', SEEDS.flatMap(parting(15))).outcome, 'held');
  assert.equal(outcome('R6', SEEDS.flatMap(parting(40))).outcome, null, 'it may yet part');
  assert.deepEqual(outcomes('R6', longer(40), longer(90)), OURS);
  const [value] = outcome('R7', SEEDS.flatMap(longer(15))).values;
  assertClose([value!.value!], [15], { relative: 1e-9, what: 'a continued run counts up to its first end' });
  assert.deepEqual(
    outcomes(
      'R8',
      b(
        () => 9,
        () => 0,
        0.75,
      ),
      b(
        () => 9,
        () => 0,
        0.74,
      ),
    ),
    ARTICLE,
  );
});

test('a crossing lies between two evaluations; passes have the nearest one; a rule says its number', () => {
  const { curve } = made(
    arm('desk', 'C', 2),
    (x) => 3 + x / 30,
    () => 3,
  );
  assertClose([crossingOf(curve)], [15], { relative: 1e-9, what: 'crossing' });
  assert.equal(
    crossingOf(
      made(
        arm('desk', 'C', 2),
        () => 3,
        () => 3,
      ).curve,
    ),
    Infinity,
  );
  assert.deepEqual(
    PASSES.map((passes) => atPass(curve, passes).step),
    [200, 400, 700, 1500, 3000, 4000],
  );
  assert.equal(
    ruleText(REPLICA_PREDICTIONS[0]!.rule),
    "arm B's evaluated training loss at the end: at most 0.1 nats a token",
  );
  assert.match(
    ruleText(REPLICA_PREDICTIONS[4]!.rule),
    /loads 0\.35, 1\.1, 3, .* under 0\.5 .*: from 0\.5 to 2/,
  );
  assert.match(ruleText(REPLICA_PREDICTIONS[6]!.rule), /reaches 0\.5 .*: from 12 to 18 passes$/);
  const end = { ...curve.at(-1)!, heldOutLossNats: 4.5, trainWindowsLossNats: 3 };
  assert.deepEqual(
    [gapOf(end), excessOf(end, { ...end, heldOutLossNats: 4.25, trainWindowsLossNats: 3.5 })],
    [1.5, 0.25],
  );
});

test('predictions have ids of their own, claims of few words and at least one bound', () => {
  const all = [...REPLICA_PREDICTIONS, ...SETTLED_PREDICTIONS, ...EXPONENT_PREDICTIONS];
  assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  for (const { claim, rule } of all) {
    assert.ok(claim.split(' ').length <= 12, claim);
    assert.match(ruleText(rule), /: (at most|at least|from|\d)/);
  }
});
