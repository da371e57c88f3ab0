/** The figures of notebook 09. */
import { gpt2Parameters } from '../model/config';
import type { Figure, Trace } from '../report/figure';
import { axis, COLOURS, endLabels, logAxis, referenceLine, title } from '../report/style';
import { count, layersByWidth } from '../util/format';
import { grouped } from '../util/groups';
import type { Point } from '../util/statistics';
import { decidedBy, isSquare } from './09-predictions';
import {
  bitsPerParameter,
  exponentText,
  exposuresAt,
  memoriesOf,
  runs,
  type CapacityRuns,
  type Items,
  type Memory,
} from './09-runs';
import { lineTrace, MARKED, markerTrace } from './shared/traces';

/** Morris et al. 2025 (arXiv 2505.24832): bits per parameter in fp32, and parameters of the smallest model (abstract). */
export const MORRIS_FP32 = { bits: 3.83, least: 500_000 } as const;
/** Allen-Zhu and Li 2024 (arXiv 2404.05405), on facts. */
const ALLEN_ZHU = { bits: 2, exposures: 1000 } as const;

/** What each memory is called, how it is drawn, and where it is named: at its last point, or under its first. */
export const LOOKS: Record<
  Memory,
  { name: string; item: string; label: string; colour: string; symbol: string; side: Side }
> = {
  sequences: {
    name: 'GPT-2, random sequences',
    item: '16 tokens of 64: 96 bits',
    label: 'GPT-2,<br>sequences',
    colour: COLOURS.ours,
    symbol: 'circle',
    side: 'above',
  },
  associations: {
    name: 'GPT-2, random associations',
    item: '1 token of 64 after 4: 6 bits',
    label: 'GPT-2,<br>associations',
    colour: COLOURS.second,
    symbol: 'square',
    side: 'under',
  },
  wideItems: {
    name: 'GPT-2, sequences as long as it is wide',
    item: 'width / 4 tokens of 64: 1.5 bits a unit',
    label: 'GPT-2,<br>long sequences',
    colour: COLOURS.ours,
    symbol: 'diamond',
    side: 'left',
  },
  classical: {
    name: 'classical Hopfield network',
    item: 'n signs: n bits',
    label: 'classical<br>Hopfield',
    colour: COLOURS.control,
    symbol: 'circle',
    side: 'right',
  },
};

/** How parameters grow with data D by theory, relative to a first D. */
const LAWS: { label: string; growth(d: number, first: number): number }[] = [
  { label: '√D', growth: (d, first) => Math.sqrt(d / first) },
  { label: 'D', growth: (d, first) => d / first },
  { label: 'D log D', growth: (d, first) => (d * Math.log(d)) / (first * Math.log(first)) },
  { label: 'D² (paper)', growth: (d, first) => (d / first) ** 2 },
];

const PARAMETERS: [low: number, high: number] = [2000, 1_500_000];
/** Axes, and the D from which the laws grow, below and right of all memories. */
const PANELS = {
  items: { axis: '', domain: [0, 0.42], range: [10, 1_000_000], first: 30_000, ticks: [10, 1000, 100_000] },
  bits: {
    axis: '2',
    domain: [0.55, 0.97],
    range: [1000, 50_000_000],
    first: 600_000,
    ticks: [1000, 100_000, 10_000_000],
  },
} as const;
/** Parameters from which they grow. */
const FROM = 2500;

type Side = 'above' | 'left' | 'right' | 'below' | 'under';
const ANCHORS: Record<Side, object> = {
  above: { xanchor: 'center', yanchor: 'bottom', yshift: 7 },
  left: { xanchor: 'right', yanchor: 'middle', xshift: -9 },
  right: { xanchor: 'left', yanchor: 'middle', xshift: 9 },
  below: { xanchor: 'left', yanchor: 'top', xshift: 4, yshift: -2 },
  under: { xanchor: 'center', yanchor: 'top', yshift: -7 },
};

/** A text at a point of axes with a logarithmic x. */
const pointLabel = (
  text: string,
  x: number,
  y: number,
  colour: string,
  side: Side,
  axes: object,
): object => ({
  text,
  x: Math.log10(x),
  y,
  showarrow: false,
  font: { size: 13, color: colour },
  ...ANCHORS[side],
  ...axes,
});

/** Parameters against what a memory keeps of its data: in items at the left, in bits at the right. */
export function exponentFigure(all = runs()): Figure {
  const memories = memoriesOf(all);
  const { M2 } = decidedBy(all);
  const [low, high] = PARAMETERS;
  const [data, annotations]: [Trace[], object[]] = [[], []];
  for (const unit of ['items', 'bits'] as const) {
    const { axis: suffix, range, first } = PANELS[unit];
    const axes = { xaxis: `x${suffix}`, yaxis: `y${suffix}`, showlegend: false };
    const refs = { xref: axes.xaxis, yref: axes.yaxis };
    const laws = LAWS.map(({ label, growth }) => {
      const points = Array.from({ length: 200 }, (_, i) => first * (range[1] / first) ** (i / 199))
        .map((d): Point => [d, FROM * growth(d, first)])
        .filter(([, n]) => n <= high);
      data.push(
        lineTrace(
          label,
          points.map(([d]) => d),
          points.map(([, n]) => n),
          { color: COLOURS.paper, width: 1.2, dash: 'dash' },
          { ...axes, hoverinfo: 'skip' },
        ),
      );
      const [x, y] = points.at(-1)!;
      return { text: label, x, y, colour: COLOURS.paper };
    });
    annotations.push(...endLabels(laws, { low, high, pixels: 340, log: true, logX: true }, refs));
    for (const [memory, { label, colour, symbol, side }] of Object.entries(LOOKS)) {
      const kept = memories[memory as Memory];
      const named = side === 'under' ? kept[0] : kept.at(-1);
      if (!named) continue;
      data.push(
        lineTrace(
          label.replace('<br>', ' '),
          kept.map((one) => one[unit]),
          kept.map(({ parameters }) => parameters),
          { color: colour, width: 2 },
          { ...axes, ...MARKED, marker: { size: 9, symbol, color: colour } },
        ),
      );
      const exponent = `<b>${exponentText(unit, memory as Memory, kept, 'short')}</b>`;
      const text = unit === 'items' ? `${label}<br>${exponent}` : exponent;
      annotations.push(pointLabel(text, named[unit], Math.log10(named.parameters), colour, side, refs));
    }
  }
  const x = (unit: 'items' | 'bits', what: string) =>
    logAxis(what, undefined, [...PANELS[unit].range], {
      domain: [...PANELS[unit].domain],
      anchor: `y${PANELS[unit].axis}` as never,
      tickvals: [...PANELS[unit].ticks],
      ticktext: PANELS[unit].ticks.map(count),
    });
  return {
    data,
    layout: {
      title: title(
        M2 && 'value' in M2
          ? `Linear in bits; ${isSquare(M2.value) ? 'the square' : 'far from it'} in items whose length grows with the width`
          : 'Linear in bits; in items only the Hopfield network is near the square',
        'N against the most that is memorised, left in items, right in bits; bold: exponent; dashed: theory',
      ),
      height: 480,
      xaxis: x('items', 'D in items, recalled whole'),
      yaxis: logAxis('parameters N', undefined, PARAMETERS),
      xaxis2: x('bits', 'D in bits'),
      yaxis2: {
        ...logAxis('', undefined, PARAMETERS, { anchor: 'x2', showticklabels: false }),
        title: { text: '' },
      },
      annotations: annotations as never,
    },
  };
}

/** Of each model the run that memorised most, as it went on. */
export function exposureFigure({ ladder, longer, longAssociations }: CapacityRuns): Figure {
  const panels: [what: Items, axis: '' | '2', domain: [number, number]][] = [
    ['sequences', '', [0, 0.44]],
    ['associations', '2', [0.56, 1]],
  ];
  const span: [number, number] = [10, 100_000];
  const high = 4.2;
  const colours = [COLOURS.second, '#2e93c9', COLOURS.ours, '#003f66'];
  const [data, annotations]: [Trace[], object[]] = [[], []];
  for (const [what, suffix, domain] of panels) {
    const axes = { xaxis: `x${suffix}`, yaxis: `y${suffix}`, showlegend: false };
    const refs = { xref: axes.xaxis, yref: axes.yaxis };
    const sides: Side[] = ['right', 'above', suffix ? 'right' : 'left', 'below'];
    const own = grouped(
      [...ladder, ...longer, ...longAssociations].filter(
        ({ config }) => config.what === what && config.precision === 'fp32',
      ),
      ({ config }) => layersByWidth(config.model),
    );
    own.forEach(([size, group], i) => {
      const { config, curve } = group.reduce((a, b) => (bitsPerParameter(b) > bitsPerParameter(a) ? b : a));
      const values = curve.map(({ memorisedBits }) => memorisedBits / gpt2Parameters(config.model).all);
      const x = curve.map(({ step }) => exposuresAt(config, step));
      data.push(lineTrace(`${what}, ${size}`, x, values, { color: colours[i]!, width: 2 }, axes));
      // The last of four ends where the others' labels are.
      const at = i < 3 ? x.length - 1 : Math.floor(x.length / 2);
      annotations.push(pointLabel(size, x[at]!, values[at]!, colours[i]!, sides[i]!, refs));
    });
    data.push(
      markerTrace(
        'facts',
        [ALLEN_ZHU.exposures],
        [ALLEN_ZHU.bits],
        { symbol: 'x', size: 9, color: COLOURS.paper },
        axes,
      ),
    );
    if (!suffix)
      annotations.push(
        pointLabel(
          'facts: Allen-Zhu<br>and Li',
          ALLEN_ZHU.exposures,
          ALLEN_ZHU.bits - 0.1,
          COLOURS.paper,
          'right',
          refs,
        ),
      );
    annotations.push({
      text: what,
      xref: 'paper',
      yref: 'paper',
      x: domain[0],
      y: 1.02,
      xanchor: 'left',
      yanchor: 'bottom',
      showarrow: false,
      font: { size: 14 },
    });
  }
  const y = axis('memorised', 'bits per parameter', { range: [0, high] });
  const morris = (suffix: string, label: string) => ({
    ...referenceLine(MORRIS_FP32.bits, label, { end: 'left', side: 'below' }),
    xref: `x${suffix} domain`,
    yref: `y${suffix}`,
  });
  return {
    data,
    layout: {
      title: title(
        'Larger models were stopped after fewer exposures of an item',
        'of each model the run that memorised most',
      ),
      height: 420,
      margin: { t: 104, r: 40 },
      xaxis: logAxis('exposures of an item', undefined, span, { domain: panels[0]![2] }),
      yaxis: y,
      xaxis2: logAxis('exposures of an item', undefined, span, { domain: panels[1]![2], anchor: 'y2' }),
      yaxis2: { ...y, anchor: 'x2' },
      shapes: [morris('', `${MORRIS_FP32.bits}: Morris et al., larger models`), morris('2', '')] as never,
      annotations: annotations as never,
    },
  };
}
