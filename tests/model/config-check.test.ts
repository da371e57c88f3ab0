import assert from 'node:assert/strict';
import { test } from 'node:test';
import { questionFormation, TIERS, type RunConfig } from '../../lib/config';
import { checkConfig } from '../../lib/config-check';
import { sampleSplits, GRAMMAR, predictedTokens } from '../../lib/data/question-formation';
import { run } from '../../lib/train/loop';

const GOOD: RunConfig = questionFormation.desk;

test('the published runs pass', () => {
  for (const tier of TIERS) checkConfig(questionFormation[tier]);
  checkConfig({ ...GOOD, model: { kind: 'gpt2', layers: 2, width: 64, heads: 2, context: 64, vocabulary: 69, dropout: 0 } });
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
    [{ schedule: { ...schedule, decaySteps: 10_000 } }, /config\.schedule\.decaySteps: expected more than the 10000 steps of warm-up; got 10000/],
    [{ adamw: { ...adamw, beta2: 1 } }, /config\.adamw\.beta2: expected a number of at least 0 and below 1; got 1/],
    [{ adamw: { ...adamw, epsilon: 0 } }, /config\.adamw\.epsilon: expected a number above 0; got 0/],
    [{ adamw: { ...adamw, weightDecay: -0.1 } }, /config\.adamw\.weightDecay: .*got -0\.1/],
    [{ model: { ...model, heads: 7 } }, /config\.model\.heads: expected a divisor of the width 512; got 7/],
    [{ model: { ...model, dropout: 1 } }, /config\.model\.dropout: .*below 1; got 1/],
    [{ model: { ...model, layers: 0 } }, /config\.model\.layers: .*got 0/],
    [{ model: { ...model, feedForward: 2.5 } }, /config\.model\.feedForward: .*got 2\.5/],
    [{ model: { ...model, kind: 'rnn' } }, /config\.model\.kind: expected one of vanilla, gpt2; got "rnn"/],
    [{ model: { ...model, context: 35 } }, /config\.model\.context: expected at least 36, the longest line of question-formation; got 35/],
    [{ model: { ...model, vocabulary: 68 } }, /config\.model\.vocabulary: expected at least 69/],
  ];
  for (const [wrong, what] of cases) {
    assert.throws(() => checkConfig({ ...GOOD, ...wrong } as RunConfig), (e: Error) => {
      assert.equal(e.name, 'UserError');
      assert.match(e.message, what);
      return true;
    });
  }
});

test('the longest line of the check is that of the data', () => {
  const { train } = sampleSplits(GRAMMAR, { seed: 1, train: 20_000 });
  assert.equal(Math.max(...train.map(predictedTokens)), 36);
});

test('a run refuses a wrong config before it does anything', async () => {
  await assert.rejects(run({ ...GOOD, batchLines: 0 }), /config\.batchLines/);
});
