/** What a run trains on, and measurements on forward passes without dropout. */
import type { Matrix } from '../energy/matrix';
import type { Batch, LanguageModel } from '../model/model';
import { Tape } from '../tensor/tape';
import { tf, type Tensor } from '../tensor/engine';
import type { TrainingConfig } from './config';
import type { Measures } from './record';
import { usesBf16 } from './step';

/**
 * What a model is trained on, and what is measured on the way. Batches depend on the config and the step alone, and the
 * trainer reads them itself, between two steps: no workers whose number or pace could change a run.
 */
export interface Task<M extends Measures = Measures> {
  /** SHA-256 of all data that the run sees. */
  dataHash: string;
  /** The batches of a step, counted from 1, each made on demand; its tensors belong to the caller's `tidy`. */
  batches(step: number): (() => Batch)[];
  /** After `step` steps. */
  evaluate(model: LanguageModel, step: number): M;
  /** Whether a run may end early because more steps would change nothing that is measured; without it runs do not. */
  complete?(measures: M): boolean;
  /** Closes what the task reads from. */
  dispose(): void;
}

/** Runs `measure` on a forward pass in the run's precision, without dropout. */
export function evaluated<T extends number | void>(
  model: LanguageModel,
  config: TrainingConfig,
  measure: (tape: Tape) => T,
): T {
  return tf.tidy(
    () => measure(new Tape(model.parameters, { bf16: usesBf16(config), record: false })) as never,
  ) as unknown as T;
}

/** Mean over all tokens of some batches, nats. */
export function meanLoss(model: LanguageModel, config: TrainingConfig, batches: (() => Batch)[]): number {
  let [nats, tokens] = [0, 0];
  for (const make of batches) {
    evaluated(model, config, (tape) => {
      const batch = make();
      for (const loss of model.loss(tape, batch).perToken.dataSync()) nats += loss;
      tokens += batch.tokens;
    });
  }
  return nats / tokens;
}

/** Loss in nats of every predicted token of a batch, in its order, and whether its logit is the largest. */
export function scored(
  model: LanguageModel,
  config: TrainingConfig,
  make: () => Batch,
): { nats: Float64Array; right: boolean[] } {
  let [nats, right] = [new Float64Array(), [] as boolean[]];
  evaluated(model, config, (tape) => {
    const batch = make();
    const logits = model.logits(tape, batch);
    const [values, targets, positions, V] = [
      logits.dataSync() as Float32Array,
      batch.targets.dataSync(),
      batch.predicted?.dataSync(),
      logits.shape[1]!,
    ];
    nats = Float64Array.from(targets, (target, i) => {
      const row = values.subarray((positions?.[i] ?? i) * V, ((positions?.[i] ?? i) + 1) * V);
      const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
      right.push(row[target] === largest);
      return largest - row[target]! + Math.log(row.reduce((sum, z) => sum + Math.exp(z - largest), 0));
    });
  });
  return { nats, right };
}

/** Rows of several matrices of one width as one matrix. */
export function stacked(parts: readonly Matrix[]): Matrix {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  const { width } = parts[0]!;
  const values = new Float32Array(rows * width);
  parts.reduce((at, part) => (values.set(part.values, at), at + part.values.length), 0);
  return { values, rows, width };
}

/** Output of every block, and the last layer's activations as the output layer reads them, `[tokens, C]` each. */
export function allLayers(model: LanguageModel, config: TrainingConfig, batches: (() => Batch)[]): Matrix[] {
  const { width } = model.config;
  const perBatch = batches.map((make) => {
    const layers: Matrix[] = [];
    const keep = (x: Tensor) =>
      layers.push({ values: x.dataSync() as Float32Array, rows: x.shape[0]!, width });
    evaluated(model, config, (tape) => {
      keep(model.hidden(tape, make(), { each: (block) => keep(block.value) }).value);
    });
    return layers;
  });
  return perBatch[0]!.map((_, layer) => stacked(perBatch.map((layers) => layers[layer]!)));
}

/** Last-layer activations as the output layer reads them, for GPT-2 after its final layer norm. @returns `[tokens, C]` */
export const lastLayer = (model: LanguageModel, config: TrainingConfig, batches: (() => Batch)[]): Matrix =>
  allLayers(model, config, batches).at(-1)!;
