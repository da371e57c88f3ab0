import type { Batch, LanguageModel } from '../model/model';
import type { CurvePoint } from './record';

/** What a model is trained on: batches that depend on the step alone, and what is measured on the way. */
export interface Task {
  /** SHA-256 of all data that the run sees. */
  dataHash: string;
  /** The batch of a step, counted from 1. Its tensors belong to the caller's `tidy`. */
  batch(step: number): Batch;
  evaluate(model: LanguageModel): Pick<CurvePoint, 'heldOutLossNats' | 'generalisation'>;
}
