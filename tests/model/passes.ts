/** What the tests of all models share: forward and backward passes as plain numbers. */
import assert from 'node:assert/strict';
import type { Batch, LanguageModel } from '../../lib/model/model';
import * as K from '../../lib/tensor/kernels';
import type { Parameter } from '../../lib/tensor/parameters';
import { Random } from '../../lib/util/random';
import { Tape, type TapeOptions } from '../../lib/tensor/tape';
import { tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { withStockOps } from '../stock-ops';

export type MakeBatch = () => Batch;
interface Options {
  dropoutSeed?: number;
  bf16?: boolean;
}

const tapeOptions = ({ dropoutSeed, bf16 = false }: Options, record: boolean): TapeOptions => ({
  bf16,
  record,
  dropout: dropoutSeed === undefined ? undefined : tf.scalar(dropoutSeed, 'int32'),
});

function withPass<R>(
  model: LanguageModel,
  make: MakeBatch,
  options: Options,
  body: (tape: Tape, batch: Batch) => R,
): R {
  let result!: R;
  tf.tidy(() => {
    result = body(new Tape(model.parameters, tapeOptions(options, false)), make());
  });
  return result;
}

/** Mean loss, nats. */
export const lossOf = (model: LanguageModel, make: MakeBatch, options: Options = {}): number =>
  withPass(model, make, options, (tape, batch) => model.loss(tape, batch).mean.dataSync()[0]!);

export const perToken = (model: LanguageModel, make: MakeBatch): number[] =>
  withPass(model, make, {}, (tape, batch) => Array.from(model.loss(tape, batch).perToken.dataSync()));

export const logitsOf = (model: LanguageModel, make: MakeBatch): Float32Array =>
  withPass(model, make, {}, (tape, batch) => model.logits(tape, batch).dataSync() as Float32Array);

export function gradients(
  model: LanguageModel,
  make: MakeBatch,
  options: Options = {},
): Map<Parameter, Float32Array> {
  const result = new Map<Parameter, Float32Array>();
  tf.tidy(() => {
    const tape = new Tape(model.parameters, tapeOptions(options, true));
    model.loss(tape, make());
    tape.backward();
    for (const p of model.parameters) {
      const { gradient } = tape.parameter(p);
      if (gradient) result.set(p, K.float32(gradient).dataSync() as Float32Array);
    }
  });
  return result;
}

/** Moves every parameter away from its symmetric start, so that no gradient is zero by accident. */
export async function shaken<M extends LanguageModel>(model: M): Promise<M> {
  const random = new Random(4, 'shake');
  for (const p of model.parameters) {
    const { value } = p.state();
    p.write(value.map((x) => x + 0.2 * random.normal()));
  }
  return model;
}

/** Derivative along a random direction by central differences, against the hand-written gradient, per parameter. */
export async function checkGradients(
  model: LanguageModel,
  make: MakeBatch,
  dropoutSeed?: number,
): Promise<void> {
  const analytic = gradients(model, make, { dropoutSeed });
  const random = new Random(5, 'directions');
  assert.equal(analytic.size, model.parameters.length, 'every parameter takes part');
  for (const p of model.parameters) {
    const { value } = p.state();
    const g = analytic.get(p)!;
    const norm = Math.hypot(...g);
    const direction = value.map((_, i) => g[i]! / norm + (0.3 * random.normal()) / Math.sqrt(p.size));
    const at = (h: number): number => {
      p.write(value.map((x, i) => x + h * direction[i]!));
      return lossOf(model, make, { dropoutSeed });
    };
    const h = 4e-3;
    const numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    p.write(value);
    const expected = g.reduce((sum, x, i) => sum + x * direction[i]!, 0);
    assertClose([numeric], [expected], { relative: 1e-2, absolute: 3e-4, what: p.name });
  }
}

/** Largest |a|. */
export const largest = (a: ArrayLike<number>): number =>
  Array.from(a).reduce((m, x) => Math.max(m, Math.abs(x)), 0);

/** A model's gradients by stock ops against those of the fused ops, without dropout and under the same masks. */
export async function checkStockOps<M extends LanguageModel>(build: () => M, make: MakeBatch): Promise<void> {
  const model = await shaken(build());
  for (const dropoutSeed of [undefined, 6]) {
    const expected = gradients(model, make, { dropoutSeed });
    await withStockOps(() => {
      const got = gradients(model, make, { dropoutSeed });
      for (const p of model.parameters)
        assertClose(got.get(p)!, expected.get(p)!, { relative: 1e-4, absolute: 2e-6, what: p.name });
    });
  }
  model.dispose();
}
