/** Notebook 08 where lines are few: do losses on them settle below 1? */
import type { PlateauRecord } from '../experiments/plateau-intervention';
import type { Figure } from '../report/figure';
import { axis, COLOURS, endLabels, logAxis, referenceLine, title } from '../report/style';
import type { Row } from '../report/table';
import { count } from '../util/format';
import { grouped } from '../util/groups';
import { mean } from '../util/statistics';
import { lastOf, range, settles } from './08-runs';
import { CLAIMED_NATS } from './shared/bound';
import { dataFloor, memoryFloor, trainTokens } from './shared/floors';
import { circles, lineTrace, MARKED } from './shared/traces';

/** Runs by their numbers of training lines, the fewest first; of one number the latest have the most steps. */
const bySize = (records: readonly PlateauRecord[]): [lines: number, runs: PlateauRecord[]][] =>
  grouped(records, ({ config }) => config.trainLines).sort(([a], [b]) => a - b);

/** Of each number of lines the runs with the most steps: they alone are drawn. */
const longest = (records: readonly PlateauRecord[]): PlateauRecord[] =>
  bySize(records).flatMap(([, runs]) => {
    const steps = Math.max(...runs.map(({ config }) => config.steps));
    return runs.filter(({ config }) => config.steps === steps);
  });

const HIGHEST = 1.15;

/** Losses at the end against D, with both exact values, and the share of lines that come back. */
export function sizeFigure(all: readonly PlateauRecord[]): Figure {
  const records = longest(all);
  const sizes = bySize(records);
  const ends = (of: (record: PlateauRecord) => number) =>
    sizes.map(([, runs]) => Math.min(HIGHEST + 0.2, mean(runs.map(of))));
  const x = sizes.map(([lines]) => lines);
  const curve = (
    of: (record: PlateauRecord) => number,
    colour: string,
    dash: 'solid' | 'dot',
    panel: '' | '2',
    marked = true,
  ) =>
    lineTrace(
      '',
      x,
      ends(of),
      { color: colour, dash },
      {
        xaxis: `x${panel}`,
        yaxis: `y${panel}`,
        ...(marked
          ? { ...MARKED, marker: { size: 9, symbol: circles(sizes, ([, runs]) => runs.every(settles)) } }
          : {}),
      },
    );
  const ticks = { tickvals: [500, 2000, 10_000, 100_000], ticktext: ['500', '2,000', '10,000', '100,000'] };
  const right = x.at(-1)!;
  const label = (text: string, y: number, colour: string) => ({ text, x: right, y, colour });
  return {
    data: [
      curve((r) => lastOf(r).trainLinesLossNats, COLOURS.ours, 'solid', ''),
      curve((r) => lastOf(r).heldOutLossNats, COLOURS.ours, 'dot', ''),
      curve(({ config }) => memoryFloor(config), COLOURS.exact, 'dot', '', false),
      curve(({ config }) => dataFloor(config), COLOURS.exact, 'solid', '', false),
      curve((r) => lastOf(r).memorised.train, COLOURS.ours, 'solid', '2'),
    ],
    layout: {
      title: title(
        'On few lines the loss falls far below 1, towards that of memorised lines',
        'no dropout; filled: settled; hollow: still falling; held-out losses on up to 10,000 lines are above the frame',
      ),
      showlegend: false,
      xaxis: logAxis('training lines', undefined, [400, 120_000], { domain: [0, 0.42], ...ticks }),
      yaxis: axis('loss', 'nats per token', { range: [0.25, HIGHEST] }),
      xaxis2: logAxis('training lines', undefined, [400, 120_000], {
        domain: [0.72, 1],
        anchor: 'y2',
        ...ticks,
      }),
      yaxis2: axis('training lines recited', 'share', {
        range: [-0.02, 1.02],
        tickformat: '.0%',
        anchor: 'x2',
      }),
      shapes: [
        {
          ...referenceLine(CLAIMED_NATS, 'claimed bound 1', { end: 'left', side: 'above' }),
          xref: 'x domain',
        },
      ],
      annotations: endLabels(
        [
          label('training lines', lastOf(records.at(-1)!).trainLinesLossNats, COLOURS.ours),
          label('held out', lastOf(records.at(-1)!).heldOutLossNats, COLOURS.ours),
          label('entropy of the data', dataFloor(records.at(-1)!.config), COLOURS.exact),
          label('all lines memorised', memoryFloor(records.at(-1)!.config), COLOURS.exact),
        ],
        { low: 0.25, high: HIGHEST, pixels: 264, logX: true },
      ) as never,
    },
  };
}

export const sizeRows = (records: readonly PlateauRecord[]): Row[] =>
  bySize(records).flatMap(([lines, all]) =>
    grouped(all, ({ config }) => config.steps).map(([steps, runs]) => ({
      'training lines': count(lines),
      runs: runs.length,
      steps,
      'training lines (nats)': range(runs.map((r) => lastOf(r).trainLinesLossNats)),
      'all memorised (nats)': range(runs.map(({ config }) => memoryFloor(config))),
      'held out (nats)': range(runs.map((r) => lastOf(r).heldOutLossNats)),
      recited: range(
        runs.map((r) => 100 * lastOf(r).memorised.train),
        0,
      ).concat('%'),
      'parameters per token; settled': `${range(
        runs.map((r) => r.parameters / trainTokens(r.config)),
        1,
      )}; ${runs.every(settles) ? 'yes' : runs.some(settles) ? 'some' : 'no'}`,
    })),
  );
