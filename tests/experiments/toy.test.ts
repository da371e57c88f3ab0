/** A new experiment is one object and its place in the registry: it trains, records, is listed and summed up. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, test } from 'node:test';
import { EXPERIMENTS, experimentNamed, experimentOf, sweeps } from '../../lib/experiments';
import { capacity } from '../../lib/experiments/capacity';
import { checkConfig, runId, type Experiment } from '../../lib/experiments/experiment';
import { finishedRecord, run, runAll, trainedModel } from '../../lib/experiments/run';
import type { Gpt2Config } from '../../lib/model/config';
import { windowBatch } from '../../lib/model/model';
import { TerminalLine, terminalObserver } from '../../lib/report/terminal';
import type { Tier, TrainingConfig } from '../../lib/train/config';
import { meanLoss } from '../../lib/train/evaluate';
import { runFolder, type Measures } from '../../lib/train/record';
import { checkWhole } from '../../lib/util/check';
import { refusal } from '../refusal';

interface ToyConfig extends TrainingConfig<Gpt2Config> {
  /** The text counts in steps of it. */
  stride: number;
}

interface ToyMeasures extends Measures {
  perplexity: number;
}

const smoke: ToyConfig = {
  ...capacity.tiers.smoke,
  experiment: 'toy',
  seed: 987_653,
  model: { ...capacity.tiers.smoke.model, context: 8, vocabulary: 12 },
  stride: 1,
  steps: 12,
};
const withStrides = (tier: Tier): ToyConfig[] => [1, 5].map((stride) => ({ ...toy.tiers[tier], stride }));

const toy: Experiment<ToyConfig, ToyMeasures> = {
  name: 'toy',
  tiers: { smoke, quick: smoke, desk: smoke, full: smoke },
  check: ({ stride }) => checkWhole('stride', stride),
  idPart: ({ stride }) => `-stride-${stride}`,
  task: (config) => {
    const { context, vocabulary } = config.model;
    const window = (from: number) =>
      Array.from({ length: context + 1 }, (_, t) => (from + config.stride * t) % vocabulary);
    return {
      dataHash: '0'.repeat(64),
      batches: (step) => [() => windowBatch([window(step), window(step + 6)], config.model)],
      evaluate(model) {
        const heldOutLossNats = meanLoss(model, config, [() => windowBatch([window(0)], config.model)]);
        return { heldOutLossNats, perplexity: Math.exp(heldOutLossNats) };
      },
      dispose() {},
    };
  },
  summary: ({ perplexity }) => `perplexity ${perplexity.toFixed(1)}`,
  sweeps: { toy: withStrides },
};

EXPERIMENTS.push(toy);
after(() => {
  for (const config of withStrides('smoke'))
    rmSync(runFolder(runId(toy, config)), { recursive: true, force: true });
});

test('it is known by its name, and so are its runs and its lists', () => {
  assert.equal(experimentNamed('toy'), toy);
  assert.equal(experimentOf(smoke), toy);
  assert.deepEqual(sweeps().toy!('smoke'), withStrides('smoke'));
  assert.match(runId(toy, smoke), /^toy-smoke-1-layers-stride-1-seed-987653-[0-9a-f]{6}$/);
});

test('its own check and the general one refuse a wrong config', () => {
  assert.throws(() => checkConfig(toy, { ...smoke, stride: 0 }), refusal('config.stride', 0));
  assert.throws(() => checkConfig(toy, { ...smoke, steps: 0 }), refusal('config.steps', 0));
  assert.throws(
    () => checkConfig(toy, { ...smoke, experiment: 'other' }),
    refusal('config.experiment', 'other'),
  );
});

test('its runs train, are recorded with its measures and summed up in its words', async () => {
  const line = new TerminalLine();
  const printed: string[] = [];
  line.print = (text) => void printed.push(text);
  const records = await runAll(toy, withStrides('smoke'), terminalObserver(toy.summary, line));
  for (const { curve } of records) {
    assert.deepEqual(
      curve.map(({ step }) => step),
      [6, 12],
    );
    const [first, last] = curve.map(({ perplexity }) => perplexity);
    assert.ok(last! < first!, 'it learns to count');
  }
  assert.match(printed[0]!, /^step 6: training .*, perplexity \d+\.\d, /);
  assert.deepEqual(finishedRecord(toy, smoke), records[0]);
  assert.deepEqual(await run(toy, smoke), records[0], 'read, not trained again');
  const model = trainedModel(toy, smoke, 'last');
  assert.equal(toy.summary(records[0]!.curve[1]!), printed[1]!.match(/perplexity [\d.]+/)![0]);
  model.dispose();
});
