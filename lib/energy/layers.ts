/**
 * Patterns in layers, their global energy, and its descent by majorisation-minimisation (MM). Letters: `matrix.ts`. Distances
 * are those of `distance.ts`; sums over layers are float64, states float32.
 */
import { UserError } from '../util/errors';
import { softMin, stepDown, type SoftMin } from './distance';
import { memory, type AssociativeMemory } from './hopfield';
import { squaredDistance } from '../util/statistics';
import { matrix, named, positive, row, type Matrix, type Rows } from './matrix';

/** `layers[t]` are the patterns D_t `[d_t, n]` of layer t. */
export interface Layers {
  layers: readonly Rows[];
  beta: number;
}

interface LayeredEnergy {
  /** E(x), `[q]`. */
  energies: Float64Array;
  /** E_t(x), `[layers][q]`. */
  perLayer: Float64Array[];
  /** Responsibilities π_t = softmax_t(−β E_t(x)), `[layers][q]`. */
  shares: Float64Array[];
}

function checked({ layers, beta }: Layers): Matrix[] {
  positive('beta', beta);
  if (!layers?.length)
    throw new UserError(
      'layers: expected the patterns of at least one layer; got none; pass a list of layers',
    );
  const first = matrix('layer 0', layers[0]!);
  return layers.map((patterns, t) => matrix(`layer ${t}`, patterns, first));
}

/** The energies and, with `slopes`, the global gradient Σ π_t ∇E_t and curvature Σ π_t A_t. */
function across(
  layers: readonly Matrix[],
  states: Matrix,
  beta: number,
  slopes: boolean,
): LayeredEnergy & SoftMin {
  const parts = layers.map((patterns) => softMin(patterns, states, beta, slopes));
  const perLayer = parts.map((part) => part.energies);
  const energies = perLayer[0]!.map((_, i) => {
    const least = perLayer.reduce((a, e) => Math.min(a, e[i]!), Infinity);
    return least - Math.log(perLayer.reduce((sum, e) => sum + Math.exp(beta * (least - e[i]!)), 0)) / beta;
  });
  const shares = perLayer.map((e) => e.map((value, i) => Math.exp(beta * (energies[i]! - value))));
  const mixed = (key: 'curvatures' | 'gradients', perState: number) =>
    parts[0]![key].map((_, j) =>
      parts.reduce((sum, part, t) => sum + shares[t]![Math.floor(j / perState)]! * part[key][j]!, 0),
    );
  return {
    energies,
    perLayer,
    shares,
    curvatures: mixed('curvatures', 1),
    gradients: mixed('gradients', states.width),
  };
}

/**
 * Global energy of a stack of layers, the distance energy of the union of their patterns (with multiplicity):
 *   E(x) = −β⁻¹ log Σ_t exp(−β E_t(x)),   E_t(x) = −β⁻¹ log Σ_{ρ ∈ D_t} exp(−β ‖x − ρ‖)
 * Source: Niu et al. 2024 (arXiv:2405.08707), section 4.1. @param states `[q, n]` @returns in units of distance
 * Trap: a pattern that two layers store counts twice.
 */
export function layeredEnergy(args: Layers & { states: Rows }): LayeredEnergy {
  const { states, beta } = named('layeredEnergy', args, ['layers', 'states', 'beta']);
  const layers = checked(args);
  return across(layers, matrix('states', states, layers[0]), beta, false);
}

/**
 * Two majorisers of E that touch it at y (`at`, `[q, n]`), evaluated at x (`states`, `[q, n]`):
 *   layers:     Q(x | y) = Σ_t π_t(y) E_t(x) + β⁻¹ Σ_t π_t(y) log π_t(y) = E(x) + β⁻¹ KL(π(y) ‖ π(x))
 *   quadratic:  E(y) + ½ A (‖x − x⁺‖² − ‖y − x⁺‖²),   A = Σ_i a_i,   x⁺ = Σ_i a_i ρ_i / A,   a_i = w_i(y) / ‖y − ρ_i‖
 * The first is Jensen's inequality over layers; the second is Jensen's over patterns with
 * ‖x − ρ‖ ≤ ½ (‖x − ρ‖² / ‖y − ρ‖ + ‖y − ρ‖); its minimum is at x⁺, so E(x⁺) ≤ E(y) − ‖∇E(y)‖² / 2A.
 * Source: Niu et al. 2024, section 4.1 (MM); x⁺ is Weiszfeld's step (1937) with weights w. @returns both `[q]`, units of distance
 * Trap: at a pattern A is infinite, so the step stays there, even if E is lower next to it.
 */
export function majorisers(args: Layers & { at: Rows; states: Rows }): {
  layers: Float64Array;
  quadratic: Float64Array;
} {
  const { at, states } = named('majorisers', args, ['layers', 'at', 'states', 'beta']);
  const layers = checked(args);
  const [y, x] = [matrix('at', at, layers[0]), matrix('states', states, layers[0])];
  if (x.rows !== y.rows)
    throw new UserError(
      `states: expected as many as "at", ${y.rows}; got ${x.rows}; pass one state per point`,
    );
  const there = across(layers, y, args.beta, true);
  const { perLayer } = across(layers, x, args.beta, false);
  const next = stepDown(y, there);
  const square = (a: Matrix, i: number) => squaredDistance(row(a, i), row(next, i));
  const half = (gap: number, curvature: number) => (gap === 0 ? 0 : (curvature * gap) / 2);
  const term = (share: number, energy: number) =>
    share === 0 ? 0 : share * (energy + Math.log(share) / args.beta);
  return {
    layers: there.energies.map((_, i) =>
      there.shares.reduce((sum, share, t) => sum + term(share[i]!, perLayer[t]![i]!), 0),
    ),
    quadratic: there.energies.map(
      (energy, i) => energy + half(square(x, i) - square(y, i), there.curvatures[i]!),
    ),
  };
}

/**
 * The stack as one memory with the global energy E `[q]` in units of distance. An update is the step x⁺ of `majorisers`,
 * attention over the patterns of all layers; it never raises E. Source: Niu et al. 2024, section 4.1.
 * Trap: every update reads every layer, whereas a Transformer's layers act in sequence, each with its own patterns.
 */
export function layeredMemory(args: Layers): AssociativeMemory {
  named('layeredMemory', args, ['layers', 'beta']);
  const layers = checked(args);
  const at = (x: Matrix, slopes: boolean) => across(layers, x, args.beta, slopes);
  return memory(
    (x) => matrix('states', x, layers[0]),
    (x) => at(x, false).energies,
    (x) => stepDown(x, at(x, true)),
  );
}
