import assert from 'node:assert/strict';
import { test } from 'node:test';
import { questionFormation } from '../../lib/experiments/question-formation';
import type { Gpt2Config, VanillaConfig } from '../../lib/model/config';
import type { TrainingConfig } from '../../lib/train/config';
import { generate, generateOn, memorisedShare, recalled } from '../../lib/model/generate';
import { Gpt2, gpt2Initial } from '../../lib/model/gpt2';
import { inputsOf, windowBatch, type LanguageModel } from '../../lib/model/model';
import { Vanilla } from '../../lib/model/vanilla';
import { Random } from '../../lib/util/random';
import { Tape } from '../../lib/tensor/tape';
import { tf } from '../../lib/tensor/engine';
import { trainStep } from '../../lib/train/step';
import { assertClose } from '../assert-close';
import { refusal } from '../refusal';
import { shaken } from './passes';

const GPT2: Gpt2Config = {
  kind: 'gpt2',
  layers: 2,
  width: 16,
  heads: 2,
  context: 24,
  vocabulary: 31,
  dropout: 0.3,
};
const VANILLA: VanillaConfig = { ...GPT2, kind: 'vanilla', feedForward: 24 };
const PROMPT = [3, 30, 7, 7, 1];
const models = async (): Promise<LanguageModel[]> => [
  await shaken(new Gpt2(GPT2, gpt2Initial(GPT2, 2))),
  await shaken(new Vanilla(VANILLA, 2)),
];

/** Logits of the last token of a sequence, all of it read anew. */
const lastLogits = (model: LanguageModel, sequence: number[]): Float32Array => {
  let values!: Float32Array;
  tf.tidy(() => {
    const tape = new Tape(model.parameters, { bf16: false, record: false });
    values = (model.logits(tape, inputsOf([sequence])).dataSync() as Float32Array).slice(
      -model.config.vocabulary,
    );
  });
  return values;
};

test('greedy generation with kept keys and values equals reading everything anew', async () => {
  const random = new Random(8, 'prompts');
  for (const model of await models()) {
    const seen = new Set<number>();
    for (let n = 1; n <= 12; n += 2) {
      const prompt = Array.from({ length: n }, () => random.int(31));
      const sequence = [...prompt];
      while (sequence.length < 24) {
        const z = lastLogits(model, sequence);
        sequence.push(z.indexOf(Math.max(...z)));
      }
      assert.deepEqual(
        generate(model, prompt, { maxNewTokens: 24 - n, temperature: 0 }),
        sequence.slice(n),
        `${model.config.kind}, prompt of ${n}`,
      );
      for (const id of sequence.slice(n)) seen.add(id);
    }
    assert.ok(seen.size > 5, `texts that would tell a wrong cache: ${seen.size} different tokens`);
  }
});

test('draws have the frequencies of softmax(logits / temperature), among the largest topK alone', async () => {
  const [model] = (await models()) as [LanguageModel];
  const z = lastLogits(model, PROMPT);
  const least = Float32Array.from(z).sort()[31 - 4]!;
  const masses = Array.from(z, (x) => (x >= least ? Math.exp(x / 0.4) : 0));
  const total = masses.reduce((a, b) => a + b);
  const counts = masses.map(() => 0);
  const draws = 400;
  for (let seed = 1; seed <= draws; seed++)
    counts[generate(model, PROMPT, { maxNewTokens: 1, temperature: 0.4, topK: 4, seed })[0]!]!++;
  assertClose(
    counts.map((c) => c / draws),
    masses.map((m) => m / total),
    { absolute: 0.07, what: 'id' },
  );
  assert.equal(counts.filter((c) => c > 0).length, 4);
});

test('one seed draws one text, another seed another', async () => {
  const [model] = (await models()) as [LanguageModel];
  const text = (seed: number) => generate(model, PROMPT, { maxNewTokens: 15, seed });
  assert.deepEqual(text(1), text(1));
  assert.notDeepEqual(text(1), text(2));
});

test('token by token it is the same text, and goes on where the context is full', async () => {
  for (const model of await models()) {
    const options = { maxNewTokens: 19, seed: 4 };
    assert.deepEqual([...generateOn(model, PROMPT, options)], generate(model, PROMPT, options));
    const long = [...generateOn(model, PROMPT, { maxNewTokens: 70, temperature: 0 })];
    assert.equal(long.length, 70);
    const sequence = [...PROMPT, ...long];
    // Filled twice: at 24 tokens, of which the model reads on from 12, and so on.
    for (const at of [24, 30, 36, 48, 60]) {
      const from = 12 * Math.floor((at - 12) / 12);
      const z = lastLogits(model, sequence.slice(from, at));
      assert.equal(sequence[at], z.indexOf(Math.max(...z)), `${model.config.kind} at ${at}`);
    }
    const whole = [...generateOn(model, sequence, { maxNewTokens: 3, temperature: 0 })];
    assert.equal(whole.length, 3);
  }
});

test('generation leaves no tensor behind', async () => {
  const [model] = (await models()) as [LanguageModel];
  const once = () => generate(model, PROMPT, { maxNewTokens: 10, temperature: 0 });
  once();
  const before = tf.memory().numTensors;
  once();
  for (const id of generateOn(model, PROMPT, { maxNewTokens: 40, temperature: 0 })) if (id >= 0) break;
  assert.equal(tf.memory().numTensors, before);
});

test('what was trained until it is known counts as memorised, other text and text cut wrongly do not', () => {
  const config = { ...GPT2, width: 32, dropout: 0 };
  const run: TrainingConfig = {
    ...questionFormation.tiers.smoke,
    precision: 'fp32',
    schedule: { kind: 'linear', peak: 5e-3, warmupSteps: 10, decaySteps: 400 },
  };
  const random = new Random(3, 'windows');
  const windows = Array.from({ length: 36 }, () => Array.from({ length: 17 }, () => random.int(31)));
  const model = new Gpt2(config, gpt2Initial(config, 1));
  const parts = { prefix: 6, continuation: 10 };
  assert.equal(memorisedShare(model, windows, parts), 0);
  for (let step = 1; step <= 120; step++)
    trainStep(model, run, step, () => windowBatch(windows.slice(0, 27), config));
  assert.equal(memorisedShare(model, windows.slice(0, 27), parts), 1);
  // 36 windows are more than are continued at a time; the last nine were never seen.
  assert.equal(memorisedShare(model, windows, parts), 0.75);
  const wrongEnd = windows.slice(0, 27).map((w, i) => (i < 9 ? [...w.slice(0, 15), (w[15]! + 1) % 31] : w));
  assertClose([memorisedShare(model, wrongEnd, parts)], [2 / 3], { absolute: 1e-9, what: 'share' });
  const all = recalled(model, wrongEnd, parts);
  assert.deepEqual(
    all.map(({ equal }) => equal),
    wrongEnd.map((_, i) => (i < 9 ? 9 : 10)),
  );
  assert.deepEqual(all[0]!.prefix, windows[0]!.slice(0, 6));
});

test('lengths, ids and settings that cannot be are refused in one line', async () => {
  const [model] = (await models()) as [LanguageModel];
  const refuse = (prompt: number[], options: object, ...parts: (string | number)[]) =>
    assert.throws(
      () => generate(model, prompt, { maxNewTokens: 3, temperature: 0, ...options }),
      refusal(...parts),
    );
  refuse(PROMPT, { maxNewTokens: 20 }, 'prompt: ', 20, 24, 'got 5');
  refuse([], {}, 'prompt: ', 'got 0');
  refuse([1, 31], {}, 'tokens: ', 30, 'got 31', 'position 1');
  refuse(PROMPT, { maxNewTokens: 0 }, 'maxNewTokens: ', 'got 0');
  refuse(PROMPT, { temperature: NaN }, 'temperature: ', NaN);
  refuse(PROMPT, { temperature: 1, topK: 0, seed: 1 }, 'topK: ', 'got 0');
  refuse(PROMPT, { temperature: 1, topK: 2.5, seed: 1 }, 'topK: ', 'got 2.5');
  refuse(PROMPT, { temperature: 1 }, 'seed: ', 'none');
  assert.throws(() => memorisedShare(model, [PROMPT], {}), refusal('memorised: ', 64, 'one of 5'));
  assert.throws(() => memorisedShare(model, [], {}), refusal('memorised: ', 'none'));
  assert.throws(
    () => memorisedShare(model, [new Array(64).fill(1)], {}),
    refusal('tokens: ', 'at most 24', 64),
  );
});
