/** Figures: interactive in JupyterLab and in reports, a PNG where neither is (GitHub), both from one Plotly description. */
import { join } from 'node:path';
import type { Config, Data, Layout, LayoutAxis, PlotData } from 'plotly.js';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { paths } from '../util/paths';
import { rounded } from '../util/format';
import { Display, type Bundle } from './display';
import { toPng, type PlainFigure } from './static-image';
import { TEMPLATE, title as titled } from './style';

/** A trace, with what @types/plotly.js leaves out. */
export type Trace = Partial<Data> | (Partial<PlotData> & { zmid?: number });

export interface Figure {
  data: Trace[];
  layout?: Partial<Layout>;
  config?: Partial<Config>;
  /** 2-D figure for the PNG of a 3-D one, which needs one. */
  still?: Figure;
}

/** A figure with two axes; of the layout all else, such as its height or lines across it, as Plotly has it. */
export const chart = ({ title, subtitle, x: xaxis, y: yaxis, data, ...layout }: Chart): Figure => ({
  data,
  layout: { title: titled(title, subtitle), xaxis, yaxis, ...layout },
});

interface Chart extends Omit<Partial<Layout>, 'title' | 'xaxis' | 'yaxis'> {
  title: string;
  /** Tier, seed and what else one must know to read it. */
  subtitle?: string;
  x: Partial<LayoutAxis>;
  y: Partial<LayoutAxis>;
  data: Trace[];
}

const PLOTLY_MIME = 'application/vnd.plotly.v1+json';
const SIZE = { width: 860, height: 400 };
/** Pixels of a PNG per pixel of the screen. */
const SCALE = 2;
/** Arrays from this length on are packed: nbformat writes each number on a line of its own. */
const PACK_FROM = 50;
/** Integers up to here are exact in float32. */
const FLOAT32_INTEGERS = 2 ** 24;

type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

/**
 * Plotly's form of many numbers: base64 of their bytes. float32 has seven digits, more than are kept; float64 where
 * integers would change.
 */
function packed(values: number[], shape?: string): Plain {
  const isLarge = values.some((x) => Number.isInteger(x) && Math.abs(x) > FLOAT32_INTEGERS);
  const kept = values.map(rounded);
  const array = isLarge ? Float64Array.from(kept) : Float32Array.from(kept);
  const bdata = Buffer.from(array.buffer).toString('base64');
  return { dtype: isLarge ? 'f8' : 'f4', bdata, ...(shape && { shape }) };
}

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((x) => typeof x === 'number');

/** Long number[] and number[][] packed, or undefined for others. */
function packedNumbers(value: unknown[]): Plain | undefined {
  if (value.length >= PACK_FROM && isNumbers(value)) return packed(value);
  const columns = Array.isArray(value[0]) ? value[0].length : 0;
  const isMatrix =
    columns > 0 &&
    value.length * columns >= PACK_FROM &&
    value.every((row) => isNumbers(row) && row.length === columns);
  return isMatrix ? packed((value as number[][]).flat(), `${value.length}, ${columns}`) : undefined;
}

/** JSON copy of a value, its numbers rounded; NaN and ∞, which JSON lacks, become null, which Plotly draws as a gap. */
function plain(value: unknown, pack: boolean): Plain {
  if (ArrayBuffer.isView(value)) return plain(Array.from(value as unknown as ArrayLike<number>), pack);
  if (Array.isArray(value))
    return (pack ? packedNumbers(value) : undefined) ?? value.map((x) => plain(x, pack));
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'number') return Number.isFinite(value) ? rounded(value) : null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (value === null || typeof value !== 'object') return null;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, x]) => x !== undefined && typeof x !== 'function')
      .map(([key, x]) => [key, plain(x, pack)]),
  );
}

/** Pixels of a legend: the height of a row, the width of an entry's symbol and of a letter of its name; and of the margins on both sides. */
const LEGEND = { row: 19, symbol: 44, letter: 6.5, margins: 184 };

/** Traces that have a scale of colours instead. */
const WITHOUT_LEGEND: PlotData['type'][] = ['heatmap', 'contour', 'surface'];

/** Rows of the legend, whose entries are in columns as wide as the widest of them. */
function legendRows({ data, layout }: Figure, width: number): number {
  const entries = (data as Partial<PlotData>[]).filter(
    ({ name, showlegend, type = 'scatter' }) =>
      name && showlegend !== false && !WITHOUT_LEGEND.includes(type),
  );
  const letters = entries.map(({ name }) => name!.length);
  if (letters.length < 2 || layout?.showlegend === false) return 1;
  const columns = Math.floor(
    (width - LEGEND.margins) / (LEGEND.symbol + LEGEND.letter * Math.max(...letters)),
  );
  return Math.ceil(letters.length / Math.max(1, columns));
}

/** `layout.height` is that of a figure with one row of legend; further rows come on top, so that they take nothing from the drawing. */
function sizeOf(figure: Figure): { width: number; height: number } {
  const { width = SIZE.width, height = SIZE.height } = figure.layout ?? {};
  return { width, height: height + LEGEND.row * (legendRows(figure, width) - 1) };
}

/** The figure as Plotly's JSON, in the project's style. */
export function plainFigure(figure: Figure, { pack }: { pack: boolean }): PlainFigure {
  const { data, layout, config } = figure;
  return plain(
    { data, layout: { template: TEMPLATE, ...layout, height: sizeOf(figure).height }, config },
    pack,
  ) as unknown as PlainFigure;
}

export function pngOf(figure: Figure): Promise<Buffer> {
  const { width, height } = sizeOf(figure);
  return toPng(plainFigure(figure.still ?? figure, { pack: false }), width, height, SCALE);
}

/** The output of a cell: Plotly's JSON, PNG, text. No HTML, so that the notebook holds no script. */
export async function figureBundle(figure: Figure, { png }: { png: boolean }): Promise<Bundle> {
  const text = (figure.layout?.title as { text?: string } | undefined)?.text;
  const data: Bundle['data'] = {
    [PLOTLY_MIME]: plainFigure(figure, { pack: true }),
    'text/plain': text ? `Figure: ${text}` : 'Figure',
  };
  if (!png) return { data };
  data['image/png'] = (await pngOf(figure)).toString('base64');
  return { data, metadata: { 'image/png': sizeOf(figure) } };
}

/**
 * Shows a figure, or redraws it in place: give the same `display` again.
 * @param still whether to make the PNG too (tens of milliseconds; the first a second): of a figure that moves, the last
 */
export async function show(figure: Figure, { display = new Display(), still = true } = {}): Promise<void> {
  display.show(await figureBundle(figure, { png: still }));
}

/**
 * Writes NAME.png and NAME.json, the description that made it, into reports/figures/, which git does not track: figures/
 * has those of the notebooks as committed. `reproduce` sets FIGURES to collect them first and put them in place together.
 */
export async function saveFigure(name: string, figure: Figure): Promise<void> {
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name))
    throw new UserError(`figure name: expected small letters, digits and hyphens; got "${name}"`);
  const folder = process.env.FIGURES ?? join(paths.reports, 'figures');
  const png = await pngOf(figure);
  writeAtomically(join(folder, `${name}.json`), `${JSON.stringify(plainFigure(figure, { pack: false }))}\n`);
  writeAtomically(join(folder, `${name}.png`), png);
}

/** Shows a figure of committed results, and writes it into figures/. */
export async function showFigure(name: string, figure: Figure): Promise<void> {
  await saveFigure(name, figure);
  await show(figure);
}
