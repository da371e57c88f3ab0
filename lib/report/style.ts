/** One look for all figures. Colours are Okabe and Ito's, which colour-blind readers tell apart (jfly.uni-koeln.de/color). */
import type { Layout, LayoutAxis, Shape, Template } from 'plotly.js';

/** Named by use: a colour has one meaning in every notebook. */
export const COLOURS = {
  ours: '#0072b2',
  /** A second model of ours. */
  second: '#56b4e9',
  /** An untrained model, or another control. */
  control: '#8a8f98',
  /** What is outside of a tolerance. */
  outside: '#d55e00',
  /** Exact values: entropies, floors. */
  exact: '#111418',
  /** Published values, dashed, and their tolerance as a band. */
  paper: '#4d4d4d',
  /** The run just made, dashed: it decides nothing. */
  own: '#8a8f98',
  third: '#009e73',
  fourth: '#cc79a7',
  fifth: '#e69f00',
  sixth: '#56b4e9',
  faint: '#b0b7bf',
} as const;

/** Of verdicts: the claim holds, it does not, it is open. */
export const BADGES = { yes: '#1a7f37', no: COLOURS.outside, open: '#57606a' } as const;

const SERIES = [COLOURS.ours, COLOURS.second, COLOURS.third, COLOURS.fourth, COLOURS.fifth];

/** One hue from light to dark, for the values of an ordered variable. */
export const shades = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => {
    const share = count === 1 ? 1 : i / (count - 1);
    return `hsl(${Math.round(202 + 6 * share)}, ${Math.round(65 + 30 * share)}%, ${Math.round(72 - 50 * share)}%)`;
  });

const INK = '#24292f';
const GRID = '#e7eaee';

const AXIS: Partial<LayoutAxis> = {
  automargin: true,
  gridcolor: GRID,
  linecolor: '#8c959f',
  showline: true,
  tickcolor: '#8c959f',
  ticks: 'outside',
  ticklen: 4,
  zeroline: false,
  title: { standoff: 10, font: { size: 14 } },
  tickformat: ',',
};

/** The colour scale of heat maps: cividis, even in brightness and alike for colour-blind readers. */
export const CIVIDIS: [number, string][] = [
  [0, '#00224e'],
  [0.125, '#123570'],
  [0.25, '#3b496c'],
  [0.375, '#575d6d'],
  [0.5, '#707173'],
  [0.625, '#8a8678'],
  [0.75, '#a59c74'],
  [0.875, '#c3b369'],
  [1, '#fee838'],
];

/** For values of both signs; white is zero. */
const BLUE_TO_ORANGE: [number, string][] = [
  [0, '#08417a'],
  [0.25, '#5a9bd0'],
  [0.5, '#f7f7f7'],
  [0.75, '#e08e4a'],
  [1, '#8a3a00'],
];

export const TEMPLATE: Template = {
  layout: {
    font: { family: '"DejaVu Sans", Verdana, system-ui, sans-serif', size: 13, color: INK },
    title: {
      font: { size: 18, weight: 700 },
      x: 0,
      xref: 'paper',
      xanchor: 'left',
      yref: 'container',
      y: 0.97,
      yanchor: 'top',
    },
    colorway: [...SERIES, COLOURS.paper],
    paper_bgcolor: 'white',
    plot_bgcolor: 'white',
    margin: { l: 64, r: 120, t: 84, b: 52 },
    xaxis: AXIS,
    yaxis: AXIS,
    colorscale: { sequential: CIVIDIS, sequentialminus: CIVIDIS, diverging: BLUE_TO_ORANGE },
    hovermode: 'closest',
    hoverlabel: { bgcolor: 'white', bordercolor: '#d0d7de', font: { color: INK } },
    legend: { orientation: 'h', x: 0, xanchor: 'left', y: -0.2, yanchor: 'top', font: { size: 12 } },
  } as Partial<Layout>,
  // Else these types would bring colours of their own.
  data: {
    heatmap: [{ autocolorscale: true }],
    contour: [{ autocolorscale: true }],
    surface: [{ autocolorscale: true }],
  } as object,
};

/** An axis and its unit: `axis('loss', 'nats per token')` reads "loss (nats per token)". Leave the unit out for counts. */
export function axis(name: string, unit?: string, more: Partial<LayoutAxis> = {}): Partial<LayoutAxis> {
  return { ...more, title: { text: unit ? `${name} (${unit})` : name } };
}

/** A label at the end of a line, in the line's colour. */
export interface EndLabel {
  text: string;
  x: number;
  y: number;
  colour: string;
}

/**
 * Labels right of the ends of lines, for `layout.annotations`; they take the place of a legend. Labels that would overlap are
 * moved apart, and none above the frame.
 * @param span of the y axis in its own units, `[low, high]`, and its height in pixels
 */
export function endLabels(
  labels: readonly EndLabel[],
  span: { low: number; high: number; pixels: number; log?: boolean; logX?: boolean },
  axes: { xref?: string; yref?: string } = {},
): object[] {
  const of = (v: number, log?: boolean) => (log ? Math.log10(v) : v);
  const [low, high] = [of(span.low, span.log), of(span.high, span.log)];
  const lineHeight = (16 * (high - low)) / span.pixels;
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  const rooms = sorted.map(({ text }) => (lineHeight * text.split('<br>').length) / 2);
  const places: number[] = [];
  sorted.forEach(({ y }, i) => {
    const below = i ? places[i - 1]! + rooms[i - 1]! : -Infinity;
    places.push(Math.max(of(y, span.log), below + rooms[i]!));
  });
  // A label above the frame would not be drawn: those at the top are moved down again.
  for (let [i, above] = [sorted.length - 1, high]; i >= 0 && places[i]! > above; i--) {
    places[i] = above;
    above -= rooms[i]! + (rooms[i - 1] ?? 0);
  }
  return sorted.map(({ text, x, colour }, i) => ({
    text,
    x: of(x, span.logX),
    y: places[i],
    xref: 'x',
    yref: 'y',
    ...axes,
    xanchor: 'left',
    yanchor: 'middle',
    align: 'left',
    xshift: 6,
    showarrow: false,
    font: { size: 13, color: colour },
  }));
}

/** An axis with a logarithmic scale from `low` to `high`: ticks at the decades, and at 2 and 5 times them if there are few. */
export function logAxis(
  name: string,
  unit: string | undefined,
  [low, high]: readonly [number, number],
  more: Partial<LayoutAxis> = {},
): Partial<LayoutAxis> {
  const steps = Math.log10(high / low) < 2.5 ? [1, 2, 5] : [1];
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const tickvals = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .flatMap((decade) => steps.map((step) => Number(`${step}e${decade}`)))
    .filter((value) => value >= low * 0.999 && value <= high * 1.001);
  return axis(name, unit ? `${unit}, log scale` : 'log scale', {
    type: 'log',
    range: [Math.log10(low), Math.log10(high)],
    tickvals,
    ticktext: tickvals.map((value) => value.toLocaleString('en', { maximumFractionDigits: 12 })),
    ...more,
  });
}

/** Title with a smaller second line, which says tier, seed and what else one must know to read the figure. */
export const title = (text: string, subtitle?: string): Layout['title'] =>
  ({
    text,
    ...(subtitle ? { subtitle: { text: subtitle, font: { size: 13, color: '#57606a' } } } : {}),
  }) as Layout['title'];

interface ReferenceOptions {
  colour?: string;
  dash?: 'solid' | 'dash' | 'dot' | 'dashdot';
  /** Place of the label: above or below the line, at its left or right end. */
  side?: 'above' | 'below';
  end?: 'left' | 'right';
}

/** A labelled horizontal line across the figure, for `layout.shapes`: the value that a paper reports, or an exact bound. */
export function referenceLine(
  y: number,
  label: string,
  { colour = COLOURS.paper, dash = 'dash', side = 'above', end = 'right' }: ReferenceOptions = {},
): Partial<Shape> {
  return {
    type: 'line',
    xref: 'paper',
    x0: 0,
    x1: 1,
    y0: y,
    y1: y,
    line: { color: colour, width: 1.5, dash },
    label: {
      text: label,
      font: { size: 12, color: colour },
      padding: 3,
      textposition: end === 'right' ? 'end' : 'start',
      xanchor: end,
      yanchor: side === 'above' ? 'bottom' : 'top',
    },
  };
}

/** A horizontal band y ± tolerance, drawn below the curves. */
export function referenceBand(y: number, tolerance: number, colour: string = COLOURS.paper): Partial<Shape> {
  return {
    type: 'rect',
    xref: 'paper',
    x0: 0,
    x1: 1,
    y0: y - tolerance,
    y1: y + tolerance,
    fillcolor: colour,
    opacity: 0.12,
    line: { width: 0 },
    layer: 'below',
  };
}
