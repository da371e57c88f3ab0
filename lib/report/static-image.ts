/** Plotly figures as PNG without a browser: jsdom for the DOM, Skia for canvas and text widths, resvg for the pixels. */
import { existsSync, readFileSync } from 'node:fs';
import type { Canvas } from '@napi-rs/canvas';
import { UserError } from '../util/errors';
import { paths } from '../util/paths';
import { boxOf, FONT_FAMILY, FONT_FILES, type SvgNode } from './text-boxes';

/** A figure as plain JSON. */
export interface PlainFigure {
  data: { type?: string }[];
  layout?: Record<string, unknown>;
}

interface PlotlyWindow {
  JSON: typeof JSON;
  Plotly: {
    toImage(figure: PlainFigure, options: { format: 'svg'; width: number; height: number }): Promise<string>;
  };
}

/** Trace types drawn by WebGL, which is not there: some would come out blank, one would spin for minutes. */
const NEEDS_WEBGL = new Set([
  'scatter3d',
  'surface',
  'mesh3d',
  'cone',
  'streamtube',
  'isosurface',
  'volume',
  'splom',
  'parcoords',
  'scatterpolargl',
]);

/** What the DOM lacks for Plotly: 2-D canvas, sizes of text, lengths of paths. */
function completeDom(window: any): void {
  const { createCanvas } = require('@napi-rs/canvas') as typeof import('@napi-rs/canvas');
  const { svgPathProperties } = require('svg-path-properties') as typeof import('svg-path-properties');
  window.URL.createObjectURL = () => '';
  window.matchMedia = () => ({
    matches: false,
    addListener() {},
    removeListener() {},
    addEventListener() {},
    removeEventListener() {},
  });

  const canvases = new WeakMap<object, Canvas>();
  const canvasOf = (element: { width: number; height: number }): Canvas => {
    const known = canvases.get(element);
    if (known && known.width === element.width && known.height === element.height) return known;
    const canvas = createCanvas(element.width, element.height);
    canvases.set(element, canvas);
    return canvas;
  };
  const canvas = window.HTMLCanvasElement.prototype;
  canvas.getContext = function (kind: string) {
    return kind === '2d' ? canvasOf(this).getContext('2d') : null;
  };
  canvas.toDataURL = function () {
    return canvasOf(this).toDataURL('image/png');
  };

  const rectangle = function (this: SvgNode) {
    const box = boxOf(this);
    return { ...box, x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
  };
  const svg = window.SVGElement.prototype;
  svg.getBBox = rectangle;
  window.Element.prototype.getBoundingClientRect = rectangle;
  svg.getComputedTextLength = function () {
    return rectangle.call(this).width;
  };
  const path = (element: SvgNode) => new svgPathProperties(element.getAttribute?.('d') || 'M0,0');
  svg.getTotalLength = function () {
    return path(this).getTotalLength();
  };
  svg.getPointAtLength = function (length: number) {
    return path(this).getPointAtLength(length);
  };
}

let booted: PlotlyWindow | undefined;

/** A page with plotly.js in it; takes about a second, once. */
function page(): PlotlyWindow {
  if (booted) return booted;
  if (!existsSync(paths.plotly))
    throw new UserError(`expected ${paths.plotly}, which set-up makes; found none; run "npm run doctor"`);
  const { JSDOM } = require('jsdom');
  const { window } = new JSDOM('<body></body>', { runScripts: 'outside-only', pretendToBeVisual: true });
  completeDom(window);
  window.eval(readFileSync(paths.plotly, 'utf8'));
  return (booted = window as PlotlyWindow);
}

/**
 * SVG text of a figure, in pixels of the screen.
 * Trap: the copy is made by the page's own JSON, for Plotly tests for its own Array and Object.
 */
async function toSvg(figure: PlainFigure, width: number, height: number): Promise<string> {
  const webgl = figure.data.find(({ type }) => type !== undefined && NEEDS_WEBGL.has(type));
  if (webgl)
    throw new UserError(
      `figure: expected a 2-D "still" with the 3-D trace "${webgl.type}"; got none; give the figure one for its PNG`,
    );
  const { JSON: pageJson, Plotly } = page();
  const copy = pageJson.parse(JSON.stringify(figure)) as PlainFigure;
  for (const trace of copy.data) if (trace.type === 'scattergl') trace.type = 'scatter';
  copy.layout = { ...copy.layout, width, height };
  const uri = await Plotly.toImage(copy, { format: 'svg', width, height });
  return decodeURIComponent(uri.replace(/^data:image\/svg\+xml,/, ''))
    .replace(/url\((?:'|&quot;)(#[^'&]*)(?:'|&quot;)\)/g, 'url($1)')
    .replace(/image-rendering: (pixelated|crisp-edges)/g, 'image-rendering: optimizeSpeed');
}

/** @param scale pixels of the image per pixel of the screen */
export async function toPng(
  figure: PlainFigure,
  width: number,
  height: number,
  scale: number,
): Promise<Buffer> {
  const { Resvg } = require('@resvg/resvg-js') as typeof import('@resvg/resvg-js');
  const font = {
    loadSystemFonts: false,
    fontFiles: FONT_FILES,
    defaultFontFamily: FONT_FAMILY,
    sansSerifFamily: FONT_FAMILY,
  };
  const image = new Resvg(await toSvg(figure, width, height), {
    background: 'white',
    fitTo: { mode: 'zoom', value: scale },
    font,
  });
  return image.render().asPng();
}
