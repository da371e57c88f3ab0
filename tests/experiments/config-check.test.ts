import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EXPERIMENTS, experimentOf } from '../../lib/experiments';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { questionFormation, type QuestionFormationConfig } from '../../lib/experiments/question-formation';
import { run } from '../../lib/experiments/run';
import type { TextConfig } from '../../lib/experiments/text-task';
import { TIERS, type TrainingConfig } from '../../lib/train/config';
import { checkConfig } from '../../lib/experiments/experiment';
import { sampleSplits, GRAMMAR, lineTokens } from '../../lib/data/grammar/question-formation';

const GOOD: QuestionFormationConfig = questionFormation.tiers.desk;
const TEXT: TextConfig = overfitting9m.tiers.desk;

function refused(config: object, what: RegExp): void {
  assert.throws(
    () => checkConfig(experimentOf(config as TrainingConfig), config as TrainingConfig),
    (e: Error) => {
      assert.equal(e.name, 'UserError');
      assert.match(e.message, what);
      return true;
    },
  );
}

test('the published runs pass', () => {
  for (const experiment of EXPERIMENTS)
    for (const tier of TIERS) checkConfig(experiment, experiment.tiers[tier]);
  const gpt2: TrainingConfig = {
    ...GOOD,
    model: { kind: 'gpt2', layers: 2, width: 64, heads: 2, context: 64, vocabulary: 69, dropout: 0 },
  };
  checkConfig<TrainingConfig>(questionFormation, gpt2);
});

test('each wrong field is named, with what is expected and what came', () => {
  const { model, schedule, adamw } = GOOD;
  const cases: [object, RegExp][] = [
    [{ batchLines: 0 }, /config\.batchLines: expected a whole number of at least 1; got 0/],
    [{ steps: 0.5 }, /config\.steps: .*got 0\.5/],
    [{ seed: 0 }, /config\.seed: .*got 0/],
    [{ evaluateEverySteps: NaN }, /config\.evaluateEverySteps: .*got NaN/],
    [{ clipNorm: 0 }, /config\.clipNorm: expected a number above 0; got 0/],
    [{ precision: 'fp16' }, /config\.precision: expected one of fp32, bf16; got "fp16"/],
    [{ tier: 'huge' }, /config\.tier: .*got "huge"/],
    [{ experiment: 'chess' }, /config\.experiment: .*got "chess"/],
    [{ schedule: { ...schedule, peak: NaN } }, /config\.schedule\.peak: expected a number above 0; got NaN/],
    [{ schedule: { ...schedule, warmupSteps: -1 } }, /config\.schedule\.warmupSteps: .*got -1/],
    [
      { schedule: { ...schedule, decaySteps: 10_000 } },
      /config\.schedule\.decaySteps: expected more than the 10000 steps of warm-up; got 10000/,
    ],
    [
      { adamw: { ...adamw, beta2: 1 } },
      /config\.adamw\.beta2: expected a number of at least 0 and below 1; got 1/,
    ],
    [{ adamw: { ...adamw, epsilon: 0 } }, /config\.adamw\.epsilon: expected a number above 0; got 0/],
    [{ adamw: { ...adamw, weightDecay: -0.1 } }, /config\.adamw\.weightDecay: .*got -0\.1/],
    [{ model: { ...model, heads: 7 } }, /config\.model\.heads: expected a divisor of the width 512; got 7/],
    [{ model: { ...model, dropout: 1 } }, /config\.model\.dropout: .*below 1; got 1/],
    [{ model: { ...model, layers: 0 } }, /config\.model\.layers: .*got 0/],
    [{ model: { ...model, feedForward: 2.5 } }, /config\.model\.feedForward: .*got 2\.5/],
    [{ model: { ...model, kind: 'rnn' } }, /config\.model\.kind: expected one of vanilla, gpt2; got "rnn"/],
    [
      { model: { ...model, context: 35 } },
      /config\.model\.context: expected at least 36, the longest line of question-formation; got 35/,
    ],
    [{ model: { ...model, vocabulary: 68 } }, /config\.model\.vocabulary: expected at least 69/],
  ];
  for (const [wrong, what] of cases) refused({ ...GOOD, ...wrong }, what);
});

test('each wrong field of a text run is named', () => {
  const { model, schedule, memorised } = TEXT;
  const cases: [object, RegExp][] = [
    [{ accumulate: 0 }, /config\.accumulate: expected a whole number of at least 1; got 0/],
    [{ batchWindows: 1.5 }, /config\.batchWindows: .*got 1\.5/],
    [{ evaluationWindows: NaN }, /config\.evaluationWindows: .*got NaN/],
    [{ trainTokens: 256 }, /config\.trainTokens: expected a whole number of at least 257; got 256/],
    [{ dataset: '' }, /config\.dataset: expected the name of a data set; got "": see "npm run data -- list"/],
    [{ order: 'random' }, /config\.order: expected one of shuffled; got "random"/],
    [
      { model: { ...questionFormation.tiers.desk.model } },
      /config\.model\.kind: expected one of gpt2; got "vanilla"/,
    ],
    [{ memorised: { ...memorised, windows: 0 } }, /config\.memorised\.windows: .*got 0/],
    [{ energy: { windows: 0.5 } }, /config\.energy\.windows: .*got 0\.5/],
    [
      { memorised: { windows: 1, prefix: 200, continuation: 57 } },
      /config\.memorised\.prefix: expected with the continuation at most the context 256; got 257/,
    ],
    [
      { schedule: { ...schedule, kind: 'step' } },
      /config\.schedule\.kind: expected one of linear, cosine; got "step"/,
    ],
    [
      { schedule: { ...schedule, floor: 2e-3 } },
      /config\.schedule\.floor: expected at most the peak 0\.001; got 0\.002/,
    ],
    [
      { schedule: { kind: 'cosine', peak: 1, warmupSteps: 1, decaySteps: 2 } },
      /config\.schedule\.floor: expected a number of at least 0; got undefined/,
    ],
    [
      { schedule: { ...schedule, decaySteps: 100 } },
      /config\.schedule\.decaySteps: expected more than the 100 steps of warm-up; got 100/,
    ],
    [{ model: { ...model, heads: 7 } }, /config\.model\.heads/],
    [{ steps: 0 }, /config\.steps/],
  ];
  for (const [wrong, what] of cases) refused({ ...TEXT, ...wrong }, what);
});

test('the longest line of the check is that of the data', () => {
  const { train } = sampleSplits(GRAMMAR, { seed: 1, train: 20_000 });
  assert.equal(Math.max(...train.map(lineTokens)), 36);
});

test('a run refuses a wrong config before it does anything', async () => {
  await assert.rejects(run(questionFormation, { ...GOOD, batchLines: 0 }), /config\.batchLines/);
});
