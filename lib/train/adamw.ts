/** The optimiser. */
import type { Tensor } from '../tensor/engine';
import { functional, type AdamWNumbers } from '../tensor/functional';
import type { Parameter } from '../tensor/parameters';

/**
 * One AdamW update as in PyTorch (Loshchilov & Hutter 2019), of two parameter groups: matrices decay, vectors do not.
 * @param gradients one per parameter, float32 or bfloat16, of one dtype in each group
 */
export function adamW(
  parameters: readonly Parameter[],
  gradients: readonly Tensor[],
  numbers: AdamWNumbers,
): void {
  for (const [group, groupGradients] of parameterGroups(parameters, gradients))
    functional().adamW(
      group.map(({ variables }) => variables),
      groupGradients,
      { ...numbers, weightDecay: group[0]!.isMatrix ? numbers.weightDecay : 0 },
    );
}

/** Matrices and vectors, each with their gradients; none is empty. */
export const parameterGroups = (
  parameters: readonly Parameter[],
  gradients: readonly Tensor[],
): [Parameter[], Tensor[]][] =>
  [true, false]
    .map((matrices): [Parameter[], Tensor[]] => [
      parameters.filter(({ isMatrix }) => isMatrix === matrices),
      gradients.filter((_, i) => parameters[i]!.isMatrix === matrices),
    ])
    .filter(([group]) => group.length > 0);
