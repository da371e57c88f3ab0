import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { tokensPerStep, type TextConfig } from '../../lib/experiments/text-task';
import { buildModel } from '../../lib/model/build';
import { windowBatch } from '../../lib/model/model';
import { Tape } from '../../lib/tensor/tape';
import { tf } from '../../lib/tensor/engine';
import { TextTask } from '../../lib/experiments/text-task';
import { trainStep } from '../../lib/train/step';
import { assertClose } from '../assert-close';
import { fakeDataset, textLike } from '../train/fake-dataset';

const CONFIG: TextConfig = {
  ...overfitting9m.tiers.smoke,
  precision: 'fp32',
  model: { kind: 'gpt2', layers: 1, width: 32, heads: 2, context: 8, vocabulary: 500, dropout: 0 },
  trainTokens: 81,
  batchWindows: 2,
  accumulate: 2,
  evaluationWindows: 5,
  memorised: { windows: 10, prefix: 4, continuation: 4 },
  energy: { windows: 3 },
};
const COUNTING = Uint16Array.from({ length: 200 }, (_, i) => i);

/** What a step's batches read, one row per window. */
function inputs(task: TextTask, step: number): number[][] {
  return tf.tidy(
    () =>
      task.batches(step).flatMap((make) => {
        const {
          inputs,
          targets,
          layout: { lines, longest },
        } = make();
        const [ids, next] = [[...inputs.dataSync()], [...targets.dataSync()]];
        assert.deepEqual(
          next,
          ids.map((id) => id + 1),
          'the next token is predicted',
        );
        return Array.from({ length: lines }, (_, b) => ids.slice(b * longest, (b + 1) * longest));
      }) as never,
  ) as unknown as number[][];
}

test('a step has its batches, an epoch every window once, and D bounds what is read', () => {
  const task = new TextTask(CONFIG, fakeDataset(COUNTING, COUNTING));
  assert.equal(task.batches(1).length, 2);
  assert.equal(inputs(task, 1).flat().length, tokensPerStep(CONFIG));
  assert.equal(tokensPerStep(overfitting9m.tiers.full), 491_520);
  const firstEpoch = [1, 2, 3].flatMap((step) => inputs(task, step)).slice(0, 10);
  assert.deepEqual(
    firstEpoch.map(([first]) => first).sort((a, b) => a! - b!),
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 72],
  );
  assert.notDeepEqual(
    firstEpoch.map(([first]) => first),
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 72],
  );
  assert.deepEqual(
    inputs(new TextTask(CONFIG, fakeDataset(COUNTING, COUNTING)), 3),
    inputs(task, 3),
    'a step is the same wherever training begins',
  );
});

test('the held-out loss is the mean over evenly spread validation windows, the last of them alone in its batch', () => {
  const validation = textLike(161, 500, 3);
  const task = new TextTask(CONFIG, fakeDataset(COUNTING, validation));
  const model = buildModel(CONFIG.model, 1);
  const { heldOutLossNats, epoch, memorisedShare } = task.evaluate(model, 5);
  const losses = [0, 4, 8, 12, 16].flatMap(
    (i) =>
      tf.tidy(() => {
        const tape = new Tape(model.parameters, { bf16: false, record: false });
        const values = [
          ...model
            .loss(tape, windowBatch([validation.slice(8 * i, 8 * i + 9)], CONFIG.model))
            .perToken.dataSync(),
        ];
        return values as never;
      }) as unknown as number[],
  );
  assertClose([heldOutLossNats], [losses.reduce((a, b) => a + b, 0) / 40], { relative: 1e-6, what: 'loss' });
  assert.deepEqual([epoch, memorisedShare], [2, 0]);
  model.dispose();
});

test('energies: the patterns are the last-layer activations of training windows, states those of held-out windows', () => {
  const validation = textLike(161, 500, 3);
  const task = new TextTask(CONFIG, fakeDataset(COUNTING, validation));
  const model = buildModel(CONFIG.model, 1);
  const hidden = (window: ArrayLike<number>): number[][] =>
    tf.tidy(() => {
      const tape = new Tape(model.parameters, { bf16: false, record: false });
      const rows = (
        model.hidden(tape, windowBatch([window], CONFIG.model)).value as unknown as {
          arraySync(): number[][];
        }
      ).arraySync();
      return rows as never;
    }) as unknown as number[][];
  const of = (text: Uint16Array, firsts: number[]) =>
    firsts.flatMap((i) => hidden(text.slice(8 * i, 8 * i + 9)));
  const FIRST = [0, 3, 6];
  const energy = (patterns: number[][], x: number[]) =>
    -Math.log(patterns.reduce((sum, p) => sum + Math.exp(-Math.hypot(...p.map((v, k) => v - x[k]!))), 0));
  const mean = (patterns: number[][], states: number[][]) =>
    states.reduce((sum, x) => sum + energy(patterns, x), 0) / states.length;
  const patterns = of(COUNTING, FIRST);
  const others = FIRST.map((i) =>
    mean(
      of(
        COUNTING,
        FIRST.filter((j) => j !== i),
      ),
      of(COUNTING, [i]),
    ),
  );
  const { energies, nearest } = task.evaluate(model, 5);
  const expected = [
    mean(patterns, patterns),
    others.reduce((a, b) => a + b, 0) / 3,
    mean(patterns, of(validation, [0, 6, 13])),
  ];
  assertClose([energies!.own, energies!.others, energies!.heldOut], expected, {
    relative: 1e-4,
    what: 'energies',
  });
  const distance = (rows: number[][], x: number[]) =>
    Math.min(...rows.map((p) => Math.hypot(...p.map((v, k) => v - x[k]!))));
  const meanDistance = (rows: number[][], states: number[][]) =>
    states.reduce((sum, x) => sum + distance(rows, x), 0) / states.length;
  const apart = FIRST.map((i) =>
    meanDistance(
      of(
        COUNTING,
        FIRST.filter((j) => j !== i),
      ),
      of(COUNTING, [i]),
    ),
  );
  assertClose(
    [nearest!.others, nearest!.heldOut],
    [apart.reduce((a, b) => a + b, 0) / 3, meanDistance(patterns, of(validation, [0, 6, 13]))],
    { relative: 1e-4, what: 'nearest' },
  );
  const none = new TextTask({ ...CONFIG, energy: null }, fakeDataset(COUNTING, validation)).evaluate(
    model,
    5,
  );
  assert.deepEqual([none.energies, none.nearest], [null, null]);
  model.dispose();
});

test('a text trained on until it is memorised has memorised share 1; without the question there is none', () => {
  const dataset = fakeDataset(COUNTING, COUNTING);
  const task = new TextTask(CONFIG, dataset);
  const model = buildModel(CONFIG.model, 1);
  let tensors = 0;
  for (let step = 1; step <= 60; step++) {
    trainStep(
      model,
      { ...CONFIG, schedule: { kind: 'linear', peak: 2e-2, warmupSteps: 5, decaySteps: 80 } },
      step,
      ...task.batches(step),
    );
    if (step === 2) tensors = tf.memory().numTensors;
  }
  assert.equal(task.evaluate(model, 60).memorisedShare, 1);
  assert.equal(tf.memory().numTensors, tensors, 'no tensor is left behind');
  assert.equal(
    new TextTask({ ...CONFIG, memorised: null }, dataset).evaluate(model, 60).memorisedShare,
    null,
  );
  model.dispose();
  task.dispose();
  assert.equal(dataset.closed, 2);
});

test('fewer tokens and windows than asked are refused, with the data set named', () => {
  const short = fakeDataset(COUNTING.subarray(0, 80), COUNTING);
  assert.throws(
    () => new TextTask(CONFIG, short),
    /^UserError: training text of fake: expected at least 81 tokens; it has 80/,
  );
  assert.throws(
    () => new TextTask({ ...CONFIG, evaluationWindows: 26 }, fakeDataset(COUNTING, COUNTING)),
    /^UserError: validation text of fake: expected at most 25 windows/,
  );
  assert.throws(
    () =>
      new TextTask(
        { ...CONFIG, memorised: { windows: 11, prefix: 4, continuation: 4 } },
        fakeDataset(COUNTING, COUNTING),
      ),
    /^UserError: training text of fake: expected at most 10 windows/,
  );
});
