/** What notebook 01 shows: energy landscapes, retrieval from noise, and capacities measured against theory. */
import { distanceEnergy } from '../energy/distance';
import { modernHopfield } from '../energy/hopfield';
import type { Figure } from '../report/figure';
import { committedMeasure } from '../report/measure';
import { axis, CIVIDIS, COLOURS, title } from '../report/style';
import type { Question } from '../report/verdict';
import { count, rangeText } from '../util/format';
import { capacityQuestions, flippedOf, overSeeds, promised, type Memories } from './01-capacities';
import { FIGURE_1, MEMORIES_MEASURE } from './shared/memories';

export * from './shared/notebook';
export { memoryCapacities } from './shared/memories';
export {
  capacityFigure,
  capacityQuestions,
  capacityRows,
  flippedRows,
  memories,
  promised,
} from './01-capacities';
export * from './01-inequalities';

/** The four surfaces of Figure 1 with β = 1, `[y][x]` over a square grid. */
export interface Landscapes {
  ticks: number[];
  surfaces: Record<string, number[][]>;
}

const halfSquare = (x: readonly number[]): number => x.reduce((sum, v) => sum + v * v, 0) / 2;

export function landscapes(patterns: readonly number[][] = FIGURE_1, points = 61, extent = 3.5): Landscapes {
  const ticks = Array.from({ length: points }, (_, i) => -extent + (2 * extent * i) / (points - 1));
  const states = ticks.flatMap((y) => ticks.map((x) => [x, y]));
  const modern = modernHopfield({ patterns, beta: 1 }).energy(states);
  const regulariser = states.map(
    (x) => halfSquare(x) + Math.log(patterns.length) + Math.max(...patterns.map(halfSquare)),
  );
  const grid = (values: ArrayLike<number>) =>
    ticks.map((_, i) => Array.from(values).slice(i * points, (i + 1) * points));
  return {
    ticks,
    surfaces: {
      'negative LogSumExp': grid(states.map((_, i) => modern[i]! - regulariser[i]!)),
      'regularisation term': grid(regulariser),
      'their sum: modern Hopfield (MCHN)': grid(modern),
      'distance-based energy': grid(distanceEnergy({ patterns, states, beta: 1 })),
    },
  };
}

/** Contour plots in two columns, the patterns as crosses. */
export function contourFigure({ ticks, surfaces }: Landscapes): Figure {
  const names = Object.keys(surfaces);
  const suffix = (i: number) => (i === 0 ? '' : String(i + 1));
  const axes = (i: number) => ({ xaxis: `x${suffix(i)}`, yaxis: `y${suffix(i)}` });
  return {
    data: names.flatMap((name, i) => [
      {
        type: 'contour' as const,
        name,
        x: ticks,
        y: ticks,
        z: surfaces[name]!,
        ...axes(i),
        showscale: false,
        ncontours: 14,
        autocolorscale: false,
        colorscale: CIVIDIS,
      },
      {
        type: 'scatter' as const,
        mode: 'markers' as const,
        x: FIGURE_1.map((p) => p[0]!),
        y: FIGURE_1.map((p) => p[1]!),
        showlegend: false,
        ...axes(i),
        marker: { symbol: 'x', size: 8, color: COLOURS.outside },
      },
    ]) as Figure['data'],
    layout: {
      title: title(
        'Only the distance-based energy needs no extra term to have an end',
        'three patterns (crosses) in the plane; β = 1; brighter is higher, each panel on its own scale',
      ),
      grid: { rows: 2, columns: 2, pattern: 'independent', ygap: 0.32, xgap: 0.16 },
      height: 700,
      margin: { t: 120, r: 40 },
      ...Object.fromEntries(
        names.flatMap((_, i) => [
          [`xaxis${suffix(i)}`, axis('x₁')],
          [`yaxis${suffix(i)}`, axis('x₂')],
        ]),
      ),
      annotations: names.map((name, i) => ({
        text: name,
        showarrow: false,
        xref: `x${suffix(i)} domain`,
        yref: `y${suffix(i)} domain`,
        x: 0,
        y: 1.02,
        xanchor: 'left',
        yanchor: 'bottom',
        font: { size: 14 },
      })) as never,
    } as Figure['layout'],
  };
}

/** All questions, to the committed measure. */
export const questions = (): Question[] => {
  const measured = committedMeasure<Memories>(MEMORIES_MEASURE);
  return [...capacityQuestions(measured), ...measured.inequalities];
};

export function answer(measured: Memories): string {
  const all = overSeeds(measured.capacities);
  const at = (model: string) => all.filter((g) => g.model === model).at(-1)!;
  const range = ({ least, most }: { least: number; most: number }) => rangeText([least, most], count);
  const [classical, exponential, distance] = ['classical', 'exponential', 'distance based'].map(at);
  const flipped = overSeeds(measured.flipped).at(-1)!;
  return [
    `**Each memory stores about as many patterns as is claimed for it, or more. The paper's own, based on distances, comes without a number; it stores ${range(distance!)} with ${distance!.n} units, and that grows faster than a power of their number and slower than an exponential.**`,
    `The classical network holds ${range(classical!)} with ${classical!.n} units (0.138 n = ${Math.round(0.138 * classical!.n)}), the exponential one ${range(exponential!)} with ${exponential!.n} (2^(n/2) = ${Math.round(2 ** (exponential!.n / 2))}).`,
    `To store a pattern and to find it again from a damaged copy are different tests: from ${flippedOf(flipped.n)} of ${flipped.n} signs flipped the exponential one retrieves ${range(flipped)} patterns, where its theorem promises ${Math.round(promised(flipped.n, flippedOf(flipped.n)))} and 2^(n/2) is ${Math.round(2 ** (flipped.n / 2))}.`,
  ].join(' ');
}
