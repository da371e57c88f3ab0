import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { cutVocabulary, decode, encode } from '../../lib/data/text/tokenizer';
import { EXPERIMENTS, idOf } from '../../lib/experiments';
import { runId } from '../../lib/experiments/experiment';
import { questionFormation } from '../../lib/experiments/question-formation';
import { replica, runsWithWeights } from '../../lib/experiments/replica';
import { buildModel } from '../../lib/model/build';
import { generate } from '../../lib/model/generate';
import { batchOf, windowBatch } from '../../lib/model/model';
import { checkpointPath, saveCheckpoint } from '../../lib/train/checkpoint';
import { meanLoss } from '../../lib/train/evaluate';
import { committedPath, readRecord, runFolder } from '../../lib/train/record';
import { trainStep } from '../../lib/train/step';
import { commitWeights, committedModel, weightsPath } from '../../lib/train/weights';
import { paths } from '../../lib/util/paths';
import { SafetensorsFile } from '../../lib/util/safetensors';
import { refusal } from '../refusal';
import { begunRecord } from './checkpoints';

/** Configs that no run has. */
const [CONFIG, OTHER] = [88001, 88002].map((seed) => ({
  ...questionFormation.tiers.smoke,
  seed,
  steps: 1,
})) as [typeof questionFormation.tiers.smoke, typeof questionFormation.tiers.smoke];
const [RUN, OTHER_RUN] = [CONFIG, OTHER].map((config) => ({
  id: runId(questionFormation, config),
  config,
})) as [{ id: string; config: typeof CONFIG }, { id: string; config: typeof CONFIG }];
const clean = () => {
  for (const { id } of [RUN, OTHER_RUN]) {
    rmSync(runFolder(id), { recursive: true, force: true });
    rmSync(weightsPath(id), { force: true });
  }
};
after(clean);

/** Leaves the checkpoint of a run that has made its only step. */
async function trained(): Promise<Float32Array[]> {
  const model = buildModel(CONFIG.model, CONFIG.seed);
  trainStep(model, CONFIG, 1, () => batchOf([[5, 1, 2, 68]], 68, CONFIG.model));
  const record = begunRecord(RUN.id, CONFIG);
  const since = { steps: 1, tokens: 4, nats: 4, gradientNorms: 1 };
  mkdirSync(runFolder(RUN.id), { recursive: true });
  const state = { step: 1, tokensSeen: 4, record, since };
  await saveCheckpoint(checkpointPath(RUN.id), state, model.parameters);
  const values = await Promise.all(model.parameters.map(async (p) => (await p.state()).value));
  model.dispose();
  return values;
}

test('committed weights are the parameters alone, and give the model of the run', async () => {
  clean();
  const expected = await trained();
  assert.equal(await commitWeights(RUN), weightsPath(RUN.id));
  const model = await committedModel(RUN);
  const values = await Promise.all(model.parameters.map(async (p) => (await p.state()).value));
  assert.deepEqual(values, expected);
  const file = new SafetensorsFile(weightsPath(RUN.id));
  file.close();
  assert.deepEqual(
    [...file.entries.keys()],
    model.parameters.map(({ name }) => name),
    'no moments',
  );
  assert.deepEqual([file.metadata.run, file.metadata.step], [RUN.id, '1']);
  assert.ok(statSync(weightsPath(RUN.id)).size < statSync(checkpointPath(RUN.id)).size / 2);
  model.dispose();

  const before = readFileSync(weightsPath(RUN.id));
  writeFileSync(checkpointPath(RUN.id), 'another');
  assert.equal(await commitWeights(RUN), weightsPath(RUN.id));
  assert.ok(before.equals(readFileSync(weightsPath(RUN.id))), 'what is there stays');
});

test('weights that are not there, not finished, of another run or damaged are refused in one line', async () => {
  clean();
  await assert.rejects(committedModel(RUN), refusal('weights: expected a file at', 'found none'));
  await assert.rejects(
    commitWeights(RUN),
    refusal('weights: expected a checkpoint after step 1', 'got none'),
  );
  await trained();
  await assert.rejects(
    commitWeights({ ...RUN, config: { ...CONFIG, steps: 2 } }),
    refusal('weights: expected a checkpoint after step 2', 'after step 1'),
  );
  const path = await commitWeights(RUN);
  mkdirSync(dirname(weightsPath(OTHER_RUN.id)), { recursive: true });
  copyFileSync(path, weightsPath(OTHER_RUN.id));
  await assert.rejects(committedModel(OTHER_RUN), refusal('weights ', 'it is of another run'));
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  await assert.rejects(committedModel(RUN), refusal('weights ', 'it is damaged'));
  copyFileSync(checkpointPath(RUN.id), path);
  await assert.rejects(committedModel(RUN), refusal('weights ', 'it is of another program or version'));
});

test('the committed weights are those that experiments name, of committed records, and small', () => {
  clean();
  const named = EXPERIMENTS.flatMap(({ weights }) => weights?.('desk') ?? []);
  const files = readdirSync(paths.weights).sort();
  assert.deepEqual(files, named.map((config) => `${idOf(config)}.safetensors`).sort());
  for (const config of named) {
    const id = idOf(config);
    const file = new SafetensorsFile(weightsPath(id));
    file.close();
    const { curve } = readRecord(committedPath(id));
    assert.ok(curve.some(({ step }) => String(step) === file.metadata.step && step === config.steps));
    assert.ok(statSync(join(paths.weights, `${id}.safetensors`)).size < 2_640_000);
  }
});

const TEXT =
  ' It was a bright morning in the early summer, and the old gentleman had gone down to the garden.';

test('the committed weights predict English, better the more of it they have read; that of the least recites it', async () => {
  const ids = [...cutVocabulary(2048)(encode(TEXT))];
  const losses: number[] = [];
  for (const config of runsWithWeights('desk')) {
    const model = await committedModel({ id: runId(replica, config), config });
    losses.push(meanLoss(model, config, [() => windowBatch([ids], config.model)]));
    if (losses.length === 1) {
      const recited = decode(generate(model, [2047], { maxNewTokens: 60, temperature: 0 }), 2048);
      // A. Blackwood, Ancient Sorceries, 1908.
      assert.match(
        recited,
        /^Vezin caught his breath for an instant and paused, stockstill, half leaning against the wall--and then almost ran/,
      );
    }
    model.dispose();
  }
  const [b, c, f] = losses as [number, number, number];
  assert.ok(f < c && c < 4 && b > Math.log(2048), losses.join(', '));
});
