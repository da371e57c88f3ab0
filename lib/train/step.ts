/** One optimiser update. */
import type { RunConfig } from '../config';
import * as K from '../kernels';
import type { Batch, LanguageModel } from '../model/model';
import { AdamWUpdate } from '../parameters';
import { Random } from '../random';
import { gradientsOf } from './gradients';
import { engine, tf, type Tensor } from '../tf';
import { learningRate } from './schedule';

export interface StepResult {
  lossNats: number;
  tokens: number;
  /** Global norm before clipping. */
  gradientNorm: number;
  learningRate: number;
}

/** A loss or gradient that is not a finite number ends a run; its last checkpoint is whole. */
export class DivergedError extends Error {
  constructor(what: string, step: number, rate: number, norm: number) {
    super(`training stopped at step ${step}: ${what} is not a finite number (learning rate ${rate}, gradient norm ${norm}); the last checkpoint is from before: lower the learning rate or lengthen the warm-up`);
    this.name = 'DivergedError';
  }
}

/** Whether a run's products are in bfloat16: asked for, and in hardware here. */
export const usesBf16 = (config: RunConfig): boolean => config.precision === 'bf16' && engine().bf16;

/**
 * Forward, backward, clip by global norm, AdamW. Dropout masks are drawn from a stream of their own per step, so that
 * a run continued at any step draws what it would have drawn.
 */
export function trainStep(model: LanguageModel, config: RunConfig, step: number, makeBatch: () => Batch): StepResult {
  return tf.tidy(() => {
    const batch = makeBatch();
    const dropout = tf.scalar(new Random(config.seed, `dropout/${step}`).uint32() >>> 1, 'int32');
    const { loss, squares, gradients } = gradientsOf(model, batch, { bf16: usesBf16(config), dropout: model.config.dropout > 0 ? dropout : undefined });

    const rate = learningRate(config.schedule, step);
    const lossNats = loss.dataSync()[0]!;
    const gradientNorm = Math.sqrt(squares.dataSync()[0]!);
    if (!Number.isFinite(lossNats)) throw new DivergedError('the loss', step, rate, gradientNorm);
    if (!Number.isFinite(gradientNorm)) throw new DivergedError('the gradient', step, rate, gradientNorm);

    const shrink = gradientNorm > config.clipNorm ? tf.scalar(config.clipNorm / gradientNorm) : null;
    const update = new AdamWUpdate(config.adamw, step, rate);
    model.parameters.forEach((p, i) => {
      const gradient = shrink ? K.mul(gradients[i]!, shrink) : gradients[i]!;
      p.update(gradient, update);
      gradient.dispose();
    });
    return { lossNats, tokens: batch.tokens, gradientNorm, learningRate: rate } as never;
  }) as unknown as StepResult;
}

/** √ of the sum of squares over all tensors. */
export function globalNorm(gradients: Tensor[]): number {
  return tf.tidy(() => Math.sqrt(K.sumSquares(gradients).dataSync()[0]!) as never) as unknown as number;
}
