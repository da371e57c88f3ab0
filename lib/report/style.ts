/** One look for all figures. Colours are Okabe and Ito's, which colour-blind readers tell apart (jfly.uni-koeln.de/color). */
import type { Layout, LayoutAxis, Shape, Template } from 'plotly.js';

/** Named by use, so that one thing has one colour in every notebook. */
export const COLOURS = {
  ours: '#0072b2',
  second: '#d55e00',
  third: '#009e73',
  fourth: '#cc79a7',
  fifth: '#e69f00',
  sixth: '#56b4e9',
  /** The paper's values. */
  paper: '#4d4d4d',
  faint: '#b0b7bf',
} as const;

/** Of verdicts. */
export const OUTCOME_COLOURS = {
  REPRODUCED: COLOURS.third,
  'NOT REPRODUCED': COLOURS.second,
  INCONCLUSIVE: COLOURS.ours,
} as const;

const SERIES = [COLOURS.ours, COLOURS.second, COLOURS.third, COLOURS.fourth, COLOURS.fifth, COLOURS.sixth];

/** The colour of the i-th of several series. */
export const seriesColour = (i: number): string => SERIES[i % SERIES.length]!;

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
  title: { standoff: 10 },
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
    font: { family: '"DejaVu Sans", Verdana, system-ui, sans-serif', size: 12, color: INK },
    title: {
      font: { size: 15 },
      x: 0,
      xref: 'paper',
      xanchor: 'left',
      yref: 'container',
      y: 0.96,
      yanchor: 'top',
    },
    colorway: [...SERIES, COLOURS.paper],
    paper_bgcolor: 'white',
    plot_bgcolor: 'white',
    margin: { l: 56, r: 24, t: 64, b: 48 },
    xaxis: AXIS,
    yaxis: AXIS,
    colorscale: { sequential: CIVIDIS, sequentialminus: CIVIDIS, diverging: BLUE_TO_ORANGE },
    hovermode: 'closest',
    hoverlabel: { bgcolor: 'white', bordercolor: '#d0d7de', font: { color: INK } },
    legend: { orientation: 'h', x: 0, xanchor: 'left', y: -0.2, yanchor: 'top', font: { size: 11 } },
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

/** Title with a smaller second line, which says tier, seed and what else one must know to read the figure. */
export const title = (text: string, subtitle?: string): Layout['title'] =>
  ({
    text,
    ...(subtitle ? { subtitle: { text: subtitle, font: { size: 11, color: '#57606a' } } } : {}),
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
      font: { size: 11, color: colour },
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
