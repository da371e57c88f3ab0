/** One optimiser update. */
import type { Batch, LanguageModel } from '../model/model';
import { adamW } from './adamw';
import { functional } from '../tensor/functional';
import { Random } from '../util/random';
import { UserError } from '../util/errors';
import { engine, tf, type Tensor } from '../tensor/engine';
import type { TrainingConfig } from './config';
import { gradientsOf } from './gradients';
import { learningRate } from './schedule';

export interface StepResult {
  lossNats: number;
  tokens: number;
  /** Global norm before clipping. */
  gradientNorm: number;
  learningRate: number;
}

/** A loss, gradient or weight that is not a finite number ends a run; its last checkpoint is intact. */
export class DivergedError extends UserError {
  constructor(
    step: number,
    why: string,
    todo = 'the last checkpoint is from before; lower the learning rate or lengthen the warm-up',
  ) {
    super(`training stopped at step ${step}: ${why}; ${todo}`);
    this.name = 'DivergedError';
  }
}

/** Whether a run's products are in bfloat16: asked for, and in hardware here. */
export const usesBf16 = (config: TrainingConfig): boolean => config.precision === 'bf16' && engine().bf16;

/**
 * Forward, backward, clip by global norm, AdamW. The gradients of several batches add up to that of all their tokens as
 * one batch. Dropout masks are drawn from a stream of their own per step, so that a run continued at any step draws what
 * it would have drawn.
 */
export function trainStep(
  model: LanguageModel,
  config: TrainingConfig,
  step: number,
  ...makeBatches: (() => Batch)[]
): StepResult {
  return tf.tidy(() => {
    const batches = makeBatches.map((make) => make());
    const tokens = batches.reduce((n, batch) => n + batch.tokens, 0);
    const inverseTokens = tf.scalar(1 / tokens);
    const seeds = new Random(config.seed, `dropout/${step}`);
    const options = {
      bf16: usesBf16(config),
      dropout: model.config.dropout > 0 ? batches.map(() => tf.scalar(seeds.uint32() >>> 1, 'int32')) : [],
    };
    const shared = batches.map((batch) => ({ ...batch, inverseTokens }));
    const { loss, squares, gradients } = gradientsOf(model, shared, options);

    const rate = learningRate(config.schedule, step);
    const [lossNats, gradientNorm] = [loss.dataSync()[0]!, Math.sqrt(squares.dataSync()[0]!)];
    const what = !Number.isFinite(lossNats) ? 'loss' : !Number.isFinite(gradientNorm) ? 'gradient' : null;
    if (what) {
      checkWeights(model, step);
      const most = largest(model, gradientsOf(model, shared, options).gradients);
      throw new DivergedError(
        step,
        `the ${what} is not a finite number (learning rate ${rate}, largest gradient ${most})`,
      );
    }

    const clip = Math.min(1, config.clipNorm / gradientNorm);
    adamW(model.parameters, gradients, { ...config.adamw, learningRate: rate, clip, step });
    tf.dispose(gradients);
    return { lossNats, tokens, gradientNorm, learningRate: rate } as never;
  }) as unknown as StepResult;
}

/** √ of the sum of squares over all tensors. */
export function globalNorm(gradients: Tensor[]): number {
  return tf.tidy(
    () => Math.sqrt(functional().sumSquares(gradients).dataSync()[0]!) as never,
  ) as unknown as number;
}

/** Throws a DivergedError if a weight is not a finite number. */
function checkWeights(model: LanguageModel, step: number): void {
  const wrong = model.parameters.find((p) => !(p.read().dataSync() as Float32Array).every(Number.isFinite));
  if (wrong)
    throw new DivergedError(
      step,
      `weights ${wrong.name} were not finite numbers already before it`,
      'delete the checkpoints of this run and start it again, with a lower learning rate or a longer warm-up if it comes back',
    );
}

/** The parameter whose gradient has the largest norm, with that norm; what is not a number is the largest. */
function largest(model: LanguageModel, gradients: Tensor[]): string {
  const size = (norm: number) => (Number.isNaN(norm) ? Infinity : norm);
  const all = model.parameters.map(({ name }, i) => ({ name, norm: globalNorm([gradients[i]!]) }));
  const { name, norm } = all.reduce((a, b) => (size(b.norm) > size(a.norm) ? b : a));
  return `${norm} at ${name}`;
}
