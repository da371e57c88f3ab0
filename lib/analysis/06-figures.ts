/** The figures of notebook 06. */
import { crossingOf, gapOf, PASSES, type ReplicaPoint } from '../experiments/replica-predictions';
import { tokensPerStep } from '../experiments/text-task';
import { chart, type Figure, type Trace } from '../report/figure';
import { axis, COLOURS, endLabels, referenceLine, shades, title, type EndLabel } from '../report/style';
import { count } from '../util/format';
import { mean } from '../util/statistics';
import { lawExcess } from './06-laws';
import {
  kindLabel,
  KINDS,
  oneDecimal,
  pairs,
  PARTED,
  TIMES,
  VARIANTS,
  WARMUP_TEXT,
  wholeCurves,
  type Dash,
  type Kind,
} from './06-runs';
import {
  armOf,
  nats,
  replicaPrediction,
  replicaRecords as runs,
  type ReplicaRun,
} from './shared/replica-runs';
import { lineTrace } from './shared/traces';

/** Straight line between evaluations; null outside of them. */
function gapAt(curve: readonly ReplicaPoint[], pass: number): number | null {
  const after = curve.findIndex(({ epoch }) => epoch >= pass);
  if (after < 0 || (after === 0 && curve[0]!.epoch > pass)) return null;
  const [a, b] = [curve[Math.max(0, after - 1)]!, curve[after]!];
  const share = b.epoch === a.epoch ? 0 : (pass - a.epoch) / (b.epoch - a.epoch);
  return gapOf(a) + share * (gapOf(b) - gapOf(a));
}

/** Means over those seeds that have a value, null where none has. */
function meanGap(curves: readonly ReplicaPoint[][], pass: number): number | null {
  const values = curves.map((curve) => gapAt(curve, pass)).filter((gap) => gap !== null);
  return values.length ? mean(values as number[]) : null;
}

/** Cells of the phase diagram: edges in passes, a dozen an octave. */
const EDGES = Array.from({ length: 133 }, (_, i) => 2 ** (i / 12 - 1));

/** The gap over load and passes: blue where the losses are close, vermilion where they have parted. */
export function phaseFigure(records = runs()): Figure {
  const rows = KINDS.map((one) => ({ one, curves: wholeCurves(records, one) }));
  const labels = rows.map(({ one }) => kindLabel(one));
  const crossings = rows.flatMap(({ one, curves }, i) => {
    const at = mean(curves.map(crossingOf));
    if (!Number.isFinite(at)) return [];
    const step = (at * one.configs[0]!.trainTokens) / tokensPerStep(one.configs[0]!);
    return [
      { at, label: labels[i]!, text: `${oneDecimal(at)} passes, step ${count(10 * Math.round(step / 10))}` },
    ];
  });
  const centre = (i: number) => Math.sqrt(EDGES[i]! * EDGES[i + 1]!);
  return {
    data: [
      {
        type: 'heatmap',
        x: EDGES,
        y: labels,
        z: rows.map(({ curves }) => EDGES.slice(1).map((_, i) => meanGap(curves, centre(i)))),
        zmin: 0,
        zmid: PARTED,
        zmax: 2 * PARTED,
        autocolorscale: false,
        colorscale: [
          [0, COLOURS.ours],
          [0.5, '#f7f7f7'],
          [1, COLOURS.outside],
        ],
        xgap: 0,
        ygap: 20,
        hoverongaps: false,
        colorbar: {
          orientation: 'h',
          title: { text: 'gap (nats a token)', side: 'top', font: { size: 13 } },
          tickvals: [0, PARTED, 2 * PARTED],
          ticktext: ['0', String(PARTED), `${2 * PARTED} or more`],
          thickness: 12,
          len: 0.34,
          x: 1,
          xanchor: 'right',
          y: -0.17,
          yanchor: 'top',
        },
      } as Trace,
      {
        type: 'scatter',
        mode: 'text+markers',
        x: crossings.map(({ at }) => at),
        y: crossings.map(({ label }) => label),
        text: crossings.map(({ text }) => text),
        textposition: 'top center',
        marker: { symbol: 'line-ns', size: 26, line: { width: 3, color: COLOURS.exact } },
        showlegend: false,
      } as Trace,
    ],
    layout: {
      title: title(
        'The losses separate as passes over the text accumulate',
        `colour: held-out less training loss; black: it reaches ${PARTED} nats; load: bits of text ÷ bits that a model stores`,
      ),
      height: 530,
      margin: { b: 110 },
      xaxis: axis('passes over the training text', 'log scale', {
        type: 'log',
        range: [Math.log10(EDGES[0]!), Math.log10(EDGES.at(-1)!)],
        tickvals: [0.5, 1, 2, 4, 8, 16, 64, 256, 1024],
        ticktext: ['0.5', '1', '2', '4', '8', '16', '64', '256', '1,024'],
        showgrid: false,
      }),
      yaxis: { type: 'category', categoryarray: labels, showgrid: false },
      annotations: rows.map(({ curves }, i) => {
        const ends = curves.map((curve) => curve.at(-1)!);
        return {
          xref: 'paper',
          x: 1,
          y: labels[i],
          xanchor: 'left',
          xshift: 6,
          align: 'left',
          showarrow: false,
          text: ends.length
            ? `${nats(mean(ends.map(gapOf)))} nats<br>after ${count(Math.round(ends[0]!.epoch))} pass${Math.round(ends[0]!.epoch) === 1 ? '' : 'es'}`
            : 'not run',
        };
      }) as never,
    },
  };
}

const COLOUR_OF = new Map(shades(KINDS.length).map((colour, i) => [KINDS[i]!, colour]));

/** The gap against steps and against passes: what do the curves share? */
export function gapFigure(records = runs()): Figure {
  const low = 0.01;
  const [labels, data]: [EndLabel[], Trace[]] = [[], []];
  const draw = (one: Kind, colour: string, dash: Dash, label: string) => {
    const curves = wholeCurves(records, one);
    for (const curve of curves) {
      const points = curve.filter((point) => gapOf(point) > low);
      const gaps = points.map(gapOf);
      const look = { color: colour, width: 1.5, dash };
      data.push(
        lineTrace(
          label,
          points.map(({ step }) => step),
          gaps,
          look,
          { showlegend: false },
        ),
        lineTrace(
          label,
          points.map(({ epoch }) => epoch),
          gaps,
          look,
          { showlegend: false, xaxis: 'x2', yaxis: 'y2' },
        ),
      );
    }
    const end = curves[0]?.at(-1);
    if (end)
      labels.push({
        text: label,
        x: end.epoch,
        y: mean(curves.map((curve) => gapOf(curve.at(-1)!))),
        colour,
      });
  };
  for (const one of KINDS) draw(one, COLOUR_OF.get(one)!, 'solid', `load ${one.load.toPrecision(2)}`);
  for (const one of VARIANTS)
    draw(one, COLOUR_OF.get(KINDS.find(({ name }) => name === one.of)!)!, one.dash, '');
  const range = [Math.log10(low), Math.log10(20)];
  const y = (more: object) => ({ type: 'log' as const, range, tickvals: [0.01, 0.1, 1, 10], ...more });
  const line = (x: string, yref: string, text: string) => ({
    ...referenceLine(PARTED, text, { end: 'left' }),
    xref: `${x} domain`,
    yref,
  });
  return {
    data,
    layout: {
      title: title(
        'Neither steps nor passes alone decide when the losses part',
        `held-out less training loss by seed; dashed: warm-up of ${WARMUP_TEXT}; dotted: ${TIMES} times the size`,
      ),
      height: 420,
      xaxis: axis('step', undefined, { domain: [0, 0.46] }),
      yaxis: axis('gap', 'nats a token, log scale', y({})),
      xaxis2: axis('passes', 'log scale', {
        type: 'log',
        domain: [0.54, 1],
        anchor: 'y2',
        tickvals: [1, 10, 100, 1000],
      }),
      yaxis2: y({ anchor: 'x2' }),
      shapes: [line('x', 'y', `close: under ${PARTED}`), line('x2', 'y2', '')] as never,
      annotations: endLabels(
        labels,
        { low, high: 20, pixels: 280, log: true, logX: true },
        { xref: 'x2', yref: 'y2' },
      ) as never,
    },
  };
}

/** Arm C over arm F in held-out loss at the same step, and what the law of repeated tokens says of the paper's size. */
export function excessFigure(records = runs()): Figure {
  const both = pairs(armOf(records, 'C'), armOf(records, 'F'));
  const last = PASSES.at(-1)!;
  const grid = Array.from({ length: 60 }, (_, i) => 1 + ((last - 1) * i) / 59);
  const law = (surplus: boolean) => grid.map((at) => lawExcess(at, { surplus }));
  const { rule } = replicaPrediction('R4');
  const excess = (c: ReplicaRun, f: ReplicaRun) =>
    c.curve.map((point, i) => point.heldOutLossNats - f.curve[i]!.heldOutLossNats);
  const labels = [
    ...(both.length
      ? [{ text: 'ours', x: last, y: mean(both.map(([c, f]) => excess(c, f).at(-1)!)), colour: COLOURS.ours }]
      : []),
    { text: 'law, repeated<br>tokens alone', x: last, y: law(false).at(-1)!, colour: COLOURS.paper },
    { text: 'law, with surplus<br>parameters', x: last, y: law(true).at(-1)!, colour: COLOURS.paper },
  ];
  return chart({
    title: 'Repetition costs what a known law says for 13 passes, then more',
    subtitle: `held-out loss on repeated less that on new text; ${both.length} seeds; law: Muennighoff et al. 2023`,
    x: axis('passes over the training text', undefined, { range: [0, last] }),
    y: axis('excess', 'nats a token', { range: [-0.05, 0.8] }),
    data: [
      ...both.map(([c, f]) =>
        lineTrace(
          'ours',
          c.curve.map(({ epoch }) => epoch),
          excess(c, f),
          { color: COLOURS.ours, width: 1.5 },
        ),
      ),
      ...[false, true].map((surplus) =>
        lineTrace('law', grid, law(surplus), { color: COLOURS.paper, width: 1.5, dash: 'dash' }),
      ),
    ],
    shapes: [referenceLine(rule.atMost!, `"like 9B": at most ${rule.atMost}`, { side: 'below' })],
    showlegend: false,
    annotations: endLabels(labels, { low: -0.05, high: 0.8, pixels: 250 }) as never,
    margin: { r: 150 },
  });
}
