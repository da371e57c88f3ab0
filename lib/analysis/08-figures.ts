/** Figures of notebook 08: losses against the entropy of the data, and position by position. */
import type { PlotMarker } from 'plotly.js';
import type { PlateauRecord } from '../experiments/plateau-intervention';
import { SETTLED_PREDICTIONS } from '../experiments/plateau-predictions';
import { chart, type Figure, type Trace } from '../report/figure';
import { axis, COLOURS, endLabels, referenceBand, referenceLine, title } from '../report/style';
import { estimateText } from '../util/format';
import { sum } from '../util/statistics';
import {
  exactCost,
  excessPerToken,
  isCopying,
  lastOf,
  ofKind,
  onAllLines,
  positionsOf,
  range,
  runs,
  settles,
  slopeOf,
  type Kind,
} from './08-runs';
import { PAPER_PLATEAU } from './shared/plateau';
import { lineTrace, markerTrace } from './shared/traces';

const SPAN = { low: 0.5, high: 2 };
const WIDTH = { low: 0.5, high: 1.62 };
/** Excess over the exact cost that is shown, nats per token. */
const MOST_EXCESS = 0.024;
/** Margin of G3. */
export const MARGIN = SETTLED_PREDICTIONS[2]!.rule.atMost!;

const LOOKS: Record<Kind, (colour: string) => Partial<PlotMarker>> = {
  copies: (color) => ({ color, size: 9, symbol: 'circle' }),
  'does not copy': () => ({ color: COLOURS.outside, size: 10, symbol: 'diamond-open', line: { width: 2 } }),
  'not settled': () => ({ color: COLOURS.control, size: 9, symbol: 'circle-open' }),
};

/** Left: loss against the exact cost of the same lines. Right: the difference of the two, enlarged. */
export function floorFigure(all = runs()): Figure {
  const { dropout, none } = onAllLines(all);
  const groups = [
    { records: dropout, colour: COLOURS.second },
    { records: none, colour: COLOURS.ours },
  ];
  const traces = (panel: '' | '2', kinds: Kind[], y: (record: PlateauRecord) => number): Trace[] =>
    groups.flatMap(({ records, colour }) =>
      kinds.map((kind) => {
        const own = ofKind(records, kind);
        return markerTrace(kind, own.map(exactCost), own.map(y), LOOKS[kind](colour), {
          xaxis: `x${panel}`,
          yaxis: `y${panel}`,
          text: own.map(({ config }) => `grammar ${config.grammar}, seed ${config.seed}`),
        });
      }),
    );
  const copying = [...ofKind(dropout, 'copies'), ...ofKind(none, 'copies')];
  const away = groups.flatMap(({ records }) => records).filter((r) => excessPerToken(r) > MOST_EXCESS);
  const note = (text: string, x: number, y: number, more: object) => ({
    text,
    x,
    y,
    showarrow: false,
    xanchor: 'left',
    align: 'left',
    font: { size: 13, color: COLOURS.exact },
    ...more,
  });
  const right = { xref: 'x2', yref: 'y2' };
  return {
    data: [
      lineTrace('', [SPAN.low, WIDTH.high], [SPAN.low, WIDTH.high], { color: COLOURS.exact, width: 1.5 }),
      ...traces('', ['does not copy', 'not settled', 'copies'], (r) => lastOf(r).heldOutLossNats),
      ...traces('2', ['not settled', 'copies'], excessPerToken),
    ],
    layout: {
      title: title(
        'The plateau follows the entropy of the data',
        'one model, six grammars; dots: settled runs; diamonds: settled, never learn to copy; rings: not settled',
      ),
      height: 470,
      showlegend: false,
      xaxis: axis('exact cost of these lines', 'nats per token', {
        range: [WIDTH.low, WIDTH.high],
        domain: [0, 0.37],
        dtick: 0.25,
      }),
      yaxis: axis('held-out loss at the end', 'nats per token', {
        range: [SPAN.low, SPAN.high],
        dtick: 0.25,
      }),
      xaxis2: axis('exact cost of these lines', 'nats per token', {
        range: [WIDTH.low, WIDTH.high],
        domain: [0.55, 1],
        anchor: 'y2',
        dtick: 0.25,
      }),
      yaxis2: axis('loss − exact cost', 'nats per token', {
        range: [0, MOST_EXCESS],
        anchor: 'x2',
        tickformat: '.3f',
        title: { text: 'loss − exact cost (nats per token)', standoff: 4 },
      }),
      shapes: [
        { ...referenceBand(PAPER_PLATEAU.nats, PAPER_PLATEAU.tolerance), xref: 'x domain' },
        { ...referenceLine(PAPER_PLATEAU.nats, 'claimed: 1', { end: 'left' }), xref: 'x domain' },
        { ...referenceLine(MARGIN, '', {}), xref: 'x2 domain', yref: 'y2' },
      ],
      annotations: [
        note('loss = entropy', 1.27, 1.22, { textangle: -45 }),
        note('does not copy', 1.05, 1.62, { font: { size: 13, color: COLOURS.outside } }),
        note(`slope of all dots<br>${estimateText(slopeOf(copying), 3)}`, 0.53, 1.88, {}),
        note(`margin ${MARGIN}`, WIDTH.high, MARGIN, {
          ...right,
          xshift: 6,
          font: { size: 13, color: COLOURS.paper },
        }),
        note(
          `${away.length} runs (${away.filter(settles).length} settled):<br>${range(away.map(excessPerToken), 2)}`,
          WIDTH.high,
          MOST_EXCESS,
          { ...right, xshift: 6, yanchor: 'top', font: { size: 13, color: COLOURS.outside } },
        ),
        ...endLabels(
          [
            { text: 'dropout 0.1', x: WIDTH.high, y: 0.006, colour: COLOURS.second },
            {
              text: none.length ? 'no dropout,<br>own data' : 'no dropout:<br>not run yet',
              x: WIDTH.high,
              y: 0.009,
              colour: COLOURS.ours,
            },
          ],
          { low: 0, high: MOST_EXCESS, pixels: 330 },
          right,
        ),
      ] as never,
    },
  };
}

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
