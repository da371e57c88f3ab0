/** Records of a sweep for a notebook. */
import type { RunConfig } from '../config';
import { finishedRecord } from '../train/loop';
import type { RunRecord } from '../train/record';

/** The runs of this execution, and the finished ones of a list that are not among them, in its order. */
export function withFinished<C extends RunConfig>(own: readonly RunRecord<C>[], list: readonly C[]): RunRecord<C>[] {
  const finished = list.map(finishedRecord).filter((record) => record !== null) as unknown as RunRecord<C>[];
  return [...own, ...finished.filter(({ id }) => !own.some((record) => record.id === id))];
}
