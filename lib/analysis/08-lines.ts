/** Losses of notebook 08 position by position. */
import type { PlateauRecord } from '../experiments/plateau-intervention';
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, endLabels } from '../report/style';
import { sum } from '../util/statistics';
import { isCopying, positionsOf } from './08-runs';
import { lineTrace } from './shared/traces';

/** Loss of a run that copies and of one that does not, position by position, on the exact entropy. */
export function positionFigure(records: readonly PlateauRecord[]): Figure {
  const own = records.filter(({ config }) => config.grammar === '1.0');
  const [copying, stuck] = [own.find(isCopying), own.find((record) => !isCopying(record))];
  const { entropy } = positionsOf(own[0]!);
  const x = entropy.map((_, t) => t + 1);
  const kinds = [
    { record: copying, text: 'copies', at: [29, 0.14], colour: COLOURS.ours },
    { record: stuck, text: 'does not copy', at: [19, 0.58], colour: COLOURS.outside },
  ].flatMap(({ record, ...look }) => (record ? [{ ...look, ...positionsOf(record) }] : []));
  return chart({
    title: 'A run that gets stuck pays for the second half as for a new sentence',
    subtitle: `grammar of entropy 1.00, ${kinds.map(({ text, loss }) => `${text}: ${sum(loss).toFixed(1)} nats a line`).join('; ')}; grey: exact entropy, ${sum(entropy).toFixed(1)}`,
    x: axis('position in the line', undefined, { range: [0, 36] }),
    y: axis('held-out loss', 'nats a line', { rangemode: 'tozero' }),
    data: [
      { type: 'bar', name: 'exact entropy', x, y: [...entropy], marker: { color: COLOURS.faint } },
      ...kinds.map(({ loss, colour, text }) => lineTrace(text, x, loss, { color: colour })),
    ],
    showlegend: false,
    annotations: endLabels(
      kinds.map(({ text, at: [x, y], colour }) => ({ text, x: x!, y: y!, colour })),
      { low: 0, high: 3.5, pixels: 264 },
    ) as never,
  });
}
