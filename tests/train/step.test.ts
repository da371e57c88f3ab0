import assert from 'node:assert/strict';
import { test } from 'node:test';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import type { TextConfig } from '../../lib/experiments/text-task';
import { buildModel } from '../../lib/model/build';
import { batchOf, type Batch } from '../../lib/model/model';
import { Random } from '../../lib/util/random';
import { tf } from '../../lib/tensor/engine';
import { trainStep, type StepResult } from '../../lib/train/step';
import { assertClose } from '../assert-close';

const CONFIG: TextConfig = {
  ...overfitting9m.tiers.smoke,
  precision: 'fp32',
  model: { kind: 'gpt2', layers: 2, width: 32, heads: 2, context: 16, vocabulary: 101, dropout: 0 },
  schedule: { kind: 'cosine', peak: 1e-3, floor: 1e-4, warmupSteps: 5, decaySteps: 20 },
};
const random = new Random(1, 'lines');
/** Lines of 2 to 16 tokens, so that batches of as many lines hold unequal numbers of tokens. */
const LINES = Array.from({ length: 12 }, () =>
  Array.from({ length: 2 + random.int(15) }, () => random.int(101)),
);

/** Trains on the same lines in batches of so many lines, step after step; gives the first gradients too, as Adam's first m. */
async function trained(
  clipNorm: number,
  ...sizes: number[]
): Promise<{ results: StepResult[]; gradients: Float32Array[]; tensors: number }> {
  const model = buildModel(CONFIG.model, 1);
  let [from, tensors] = [0, 0];
  const batches = sizes
    .map((size) => LINES.slice(from, (from += size)))
    .map((lines) => (): Batch => batchOf(lines, 0, CONFIG.model));
  const gradients: Float32Array[] = [];
  const results: StepResult[] = [];
  for (let step = 1; step <= 8; step++) {
    results.push(trainStep(model, { ...CONFIG, clipNorm }, step, ...batches));
    if (step === 1) for (const p of model.parameters) gradients.push(p.state().m);
    if (step === 2) tensors = tf.memory().numTensors;
  }
  tensors -= tf.memory().numTensors;
  model.dispose();
  return { results, gradients, tensors };
}

test('gradients of batches add up to those of all their tokens as one batch', async () => {
  for (const clipNorm of [1e9, 0.5]) {
    const whole = await trained(clipNorm, 12);
    for (const sizes of [
      [5, 7],
      [1, 4, 4, 3],
    ]) {
      const parts = await trained(clipNorm, ...sizes);
      whole.gradients.forEach((gradient, i) => {
        const largest = gradient.reduce((most, g) => Math.max(most, Math.abs(g)), 0);
        assert.ok(largest > 0);
        assertClose(parts.gradients[i]!, gradient, {
          absolute: 1e-5 * largest,
          what: `gradient ${i} in ${sizes.length} parts`,
        });
      });
      for (const what of ['lossNats', 'gradientNorm', 'tokens', 'learningRate'] as const)
        assertClose(
          parts.results.map((r) => r[what]),
          whole.results.map((r) => r[what]),
          { relative: 1e-5, what: `${what} in ${sizes.length} parts` },
        );
      assert.equal(parts.tensors, 0, 'no tensor is left behind');
    }
    assert.ok(whole.results.at(-1)!.lossNats < whole.results[0]!.lossNats - 0.05, 'it learns');
  }
});

test('an update that is not finite names the parameter with the largest gradient', () => {
  const model = buildModel(CONFIG.model, 1);
  const gain = model.parameters.find(({ name }) => name === 'ln_f.weight')!;
  gain.write(new Float32Array(gain.size).fill(1e25));
  assert.throws(
    () => trainStep(model, CONFIG, 7, () => batchOf(LINES, 0, CONFIG.model)),
    /^DivergedError: training stopped at step 7: the gradient is not a finite number \(learning rate 0\.000\d+, largest gradient Infinity at wte\.weight\); .*last checkpoint/,
  );
  model.dispose();
});
