/** Losses position by position of a line: where words are free, where the line copies, and where a loss lies above the entropy. */
import type { PlateauRecord } from '../experiments/plateau-intervention';
import type { Figure, Trace } from '../report/figure';
import { axis, COLOURS, seriesColour, title } from '../report/style';
import { showTable, type CellValue } from '../report/table';
import { sum } from '../util/statistics';
import { entropiesOf, surprisal } from './shared/floors';

/** Exact entropy and the last loss of a run on held-out lines at each position, nats per line; and what those very lines cost at best. */
export interface Positions {
  entropy: readonly number[];
  loss: number[];
  surprisalNats: number;
}

export function positionsOf({ config, curve }: PlateauRecord): Positions {
  const entropy = entropiesOf(config);
  const { positionNats } = curve.at(-1)!;
  return {
    entropy,
    loss: entropy.map((_, t) => positionNats[t] ?? 0),
    surprisalNats: surprisal(config, 'dev').nats,
  };
}

/** Entropy above which a position is free, nats per line; at the others the words before leave no choice: they are copied. */
const FREE_NATS = 0.01;

/** Loss where words are copied, nats per line: all of it is excess. */
export const copiedNats = ({ entropy, loss }: Pick<Positions, 'entropy' | 'loss'>): number =>
  sum(loss.filter((_, t) => entropy[t]! <= FREE_NATS));

/** Loss above what the same lines cost at best, nats per line. */
export const excessNats = ({ loss, surprisalNats }: Positions): number => sum(loss) - surprisalNats;

/** Share of the excess that lies where words are free. */
export const excessAtFree = (at: Positions): number => 1 - copiedNats(at) / excessNats(at);

/** A run copies when that loss is at most this at its end; fixed after the runs of seeds 1 to 3 and before those of 4 and 5. */
const COPIES_NATS = 1;

export const isCopying = (record: PlateauRecord): boolean => copiedNats(positionsOf(record)) <= COPIES_NATS;

/** Position by position, all runs on one grammar: what is free, what is copied, and who copies. */
export function positionFigure(own: readonly PlateauRecord[], subtitle: string): Figure {
  const { entropy } = positionsOf(own[0]!);
  const x = entropy.map((_, t) => t + 1);
  return {
    data: [
      {
        type: 'bar',
        name: `entropy given all before, exact: ${sum(entropy).toFixed(2)} nats per line`,
        x,
        y: [...entropy],
        marker: { color: COLOURS.faint },
      },
      ...own.map((record, i): Trace => {
        const { loss } = positionsOf(record);
        const name = `loss on held-out lines, seed ${record.config.seed}: ${sum(loss).toFixed(2)}`;
        return {
          type: 'scatter',
          mode: 'lines+markers',
          name,
          x,
          y: loss,
          line: { color: seriesColour(i) },
          marker: { size: 5 },
        };
      }),
    ],
    layout: {
      title: title('Position by position', subtitle),
      xaxis: axis('position in the line'),
      yaxis: axis('nats per line'),
    },
  };
}

/** @param columns what a run is */
export function showExcess(
  records: readonly PlateauRecord[],
  columns: (record: PlateauRecord) => Record<string, CellValue>,
): void {
  showTable(
    records.map((record) => {
      const at = positionsOf(record);
      return {
        ...columns(record),
        'entropy (nats per line)': sum(at.entropy),
        'these lines at best': at.surprisalNats,
        'loss on them': sum(at.loss),
        excess: excessNats(at),
        'excess (nats per token)':
          record.curve.at(-1)!.heldOutLossNats - surprisal(record.config, 'dev').natsPerToken,
        'free positions': at.entropy.filter((h) => h > FREE_NATS).length,
        'share of the excess at them': `${(100 * excessAtFree(at)).toFixed(0)}%`,
        'loss where words are copied': copiedNats(at),
      };
    }),
  );
}
