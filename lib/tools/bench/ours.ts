/** Training steps of this library, as a process of the benchmark: reads a command a line, answers each with a line of JSON. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { TrainingConfig } from '../../train/config';
import * as K from '../../tensor/kernels';
import { buildModel } from '../../model/build';
import { windowBatch } from '../../model/model';
import { Random } from '../../util/random';
import { UserError } from '../../util/errors';
import { engine, tf } from '../../tensor/engine';
import { trainStep } from '../../train/step';
import { SHAPES, type ShapeName } from './shapes';

const [shapeName, precision] = process.argv.slice(2) as [ShapeName, 'fp32' | 'bf16'];
if (precision === 'bf16' && !engine().bf16)
  throw new UserError(
    '--precision bf16: expected a processor with bfloat16; this one has none: use --precision fp32',
  );
const shape = SHAPES[shapeName];
const model = buildModel(shape.model, 1);
const config: TrainingConfig = {
  experiment: 'bench',
  tier: 'smoke',
  seed: 1,
  model: shape.model,
  steps: 1,
  precision,
  clipNorm: 1,
  evaluateEverySteps: 1,
  checkpointEverySteps: 1,
  schedule: { kind: 'linear', peak: 6e-4, warmupSteps: 0, decaySteps: 1e9 },
  adamw: { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: shape.weightDecay },
};
const random = new Random(1, 'bench');
const windows = Array.from({ length: shape.lines }, () =>
  Uint16Array.from({ length: shape.tokens + 1 }, () => random.int(shape.model.vocabulary)),
);
let step = 0;

/** A line of /proc/self/status, bytes. */
function memory(field: 'VmHWM' | 'VmRSS'): number {
  const line = readFileSync('/proc/self/status', 'latin1')
    .split('\n')
    .find((l) => l.startsWith(field));
  return Number(/\d+/.exec(line!)![0]) * 1024;
}

function train(steps: number): object {
  const seconds: number[] = [];
  let lossNats = NaN;
  for (let i = 0; i < steps; i++) {
    const startedAt = performance.now();
    lossNats = trainStep(model, config, ++step, () => windowBatch(windows, shape.model)).lossNats;
    seconds.push((performance.now() - startedAt) / 1000);
  }
  return {
    seconds,
    lossNats,
    peakBytes: memory('VmHWM'),
    residentBytes: memory('VmRSS'),
    tensors: tf.memory().numTensors,
  };
}

/** Operations a second of the fastest of 12 products of 2,048 × 2,048 matrices, in the precision of the run. */
function peak(): object {
  const n = 2048;
  const seconds = tf.tidy(() => {
    const filled = tf.fill([n, n], 0.5);
    const x = precision === 'bf16' ? K.bfloat16(filled) : filled;
    return Array.from({ length: 12 }, () => {
      const startedAt = performance.now();
      tf.tidy(() => K.float32(K.slice(K.slice(K.matMul(x, x), 0, 0, 1), 1, 0, 1)).dataSync());
      return (performance.now() - startedAt) / 1000;
    }) as never;
  }) as unknown as number[];
  return { flopsPerSecond: (2 * n ** 3) / Math.min(...seconds) };
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, count] = line.split(' ');
  console.log(JSON.stringify(command === 'peak' ? peak() : train(Number(count))));
});
console.log(JSON.stringify({ parameters: model.parameters.reduce((n, p) => n + p.size, 0) }));
