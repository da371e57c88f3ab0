/** Traces of figures. Their keys keep the order given here, which is that of the committed figures' JSON. */
import type { PlotData, PlotMarker, ScatterLine } from 'plotly.js';
import type { Trace } from '../../report/figure';

/** What a trace may have besides its points and their look. */
type More = Partial<PlotData> & { text?: string[] };

/** A line through points, with a mark at each if `more.mode` says `lines+markers`. */
export const lineTrace = (
  name: string,
  x: readonly number[],
  y: readonly (number | null)[],
  line: Partial<ScatterLine>,
  { text, ...more }: More = {},
): Trace => ({ type: 'scatter', mode: 'lines', name, x: [...x], y: [...y], text, line, ...more }) as Trace;

/** Marks alone. */
export const markerTrace = (
  name: string,
  x: readonly number[],
  y: readonly number[],
  marker: Partial<PlotMarker>,
  { text, ...more }: More = {},
): Trace =>
  ({ type: 'scatter', mode: 'markers', name, x: [...x], y: [...y], text, marker, ...more }) as Trace;

export const MARKED = { mode: 'lines+markers' } as const;

/** A circle for each of what counts, hollow for what does not. */
export const circles = <T>(items: readonly T[], counts: (item: T) => boolean): string[] =>
  items.map((item) => (counts(item) ? 'circle' : 'circle-open'));

/** Bars from the least to the largest of several values around their means. */
export const rangeBars = (groups: readonly { mean: number; least: number; most: number }[]) => ({
  type: 'data' as const,
  symmetric: false,
  array: groups.map(({ mean, most }) => most - mean),
  arrayminus: groups.map(({ mean, least }) => mean - least),
});
