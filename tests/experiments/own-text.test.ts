/** Defaults for a text of the user's own fit its size. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatasetMeta } from '../../lib/data/text/shards';
import { experimentNamed } from '../../lib/experiments';
import { checkConfig } from '../../lib/experiments/experiment';
import { ownTextExperiment, ownTextRun, vocabularyFor } from '../../lib/experiments/own-text';
import { refusal } from '../refusal';

const meta = (train: number, validation: number, vocabulary?: number): DatasetMeta => ({
  kind: 'text',
  request: {},
  source: '',
  revision: null,
  leftOut: 0,
  vocabulary,
  train: { documents: 1, tokens: train, sha256: '' },
  validation: { documents: 1, tokens: validation, sha256: '' },
});

test('model, context and steps follow the size of the text, and every run passes the check', () => {
  const cases: [train: number, validation: number, layers: number, context: number, steps: number][] = [
    [300, 60, 4, 32, 200],
    [50_000, 5000, 4, 128, 489],
    [900_000, 9000, 4, 128, 5000],
    [9e6, 500_000, 6, 256, 5000],
    [90e6, 500_000, 12, 1024, 5000],
  ];
  for (const [train, validation, layers, context, steps] of cases) {
    const config = ownTextRun('mine', meta(train, validation), { seed: 1 });
    assert.deepEqual([config.model.layers, config.model.context, config.steps], [layers, context, steps]);
    checkConfig(ownTextExperiment, config);
    const windows = (tokens: number) => Math.ceil((tokens - 1) / context);
    assert.ok(config.evaluationWindows <= windows(validation) && config.memorised!.windows <= windows(train));
  }
  assert.equal(experimentNamed('text'), ownTextExperiment);
});

test('what is set is taken, heads divide the width, the vocabulary is that of the data set', () => {
  const settings = {
    seed: 2,
    layers: 3,
    width: 96,
    context: 64,
    steps: 1,
    batch: 2,
    rate: 0.01,
    dropout: 0.1,
  };
  const { model, ...config } = ownTextRun('mine', meta(50_000, 5000, 2048), { ...settings, tokens: 1000 });
  assert.deepEqual(
    [model.layers, model.width, model.heads, model.context, model.vocabulary, model.dropout],
    [3, 96, 4, 64, 2048, 0.1],
  );
  assert.deepEqual([config.seed, config.trainTokens, config.steps, config.batchWindows], [2, 1000, 1, 2]);
  assert.equal(config.schedule.peak, 0.01);
  assert.equal(ownTextRun('mine', meta(50_000, 5000), { seed: 1, width: 66 }).model.heads, 3);
  checkConfig(ownTextExperiment, ownTextRun('mine', meta(50_000, 5000), settings));
});

test('a small text has few ids, a large one and one whose vocabulary was chosen keep theirs', () => {
  const cases: [tokens: number, vocabulary: number | undefined, expected: number][] = [
    [50_000, undefined, 2048],
    [999_999, undefined, 2048],
    [1e6, undefined, 50257],
    [50_000, 300, 300],
    [50_000, 8192, 8192],
  ];
  for (const [tokens, vocabulary, expected] of cases)
    assert.equal(vocabularyFor(meta(tokens, 5000, vocabulary)), expected);
});

test('a text without a window in both splits is refused', () => {
  assert.throws(
    () => ownTextRun('mine', meta(9000, 12), { seed: 1 }),
    refusal('--context', 11, 'mine', '--validation-share'),
  );
  assert.throws(
    () => ownTextRun('mine', meta(9000, 900), { seed: 1, context: 900 }),
    refusal('--context', 899, 'got 900'),
  );
});
