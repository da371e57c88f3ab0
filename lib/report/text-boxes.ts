/** Sizes of SVG text for a DOM without layout: Plotly asks for them to place ticks, legends and labels. */
import { createCanvas, GlobalFonts } from '@napi-rs/canvas';

export const FONT_FAMILY = 'DejaVu Sans';
export const FONT_FILES = [
  require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'),
  require.resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'),
];

/** DejaVu Sans: height of the letters above the base line, and of a line of text, in font sizes. */
const ASCENT = 0.93;
const LINE = 1.17;
/** Distance of the lines in one text, as Plotly sets it. */
const LINE_DISTANCE = 1.3;

/** The part of a DOM element that measuring needs. */
export interface SvgNode {
  tagName: string;
  textContent: string | null;
  parentNode: SvgNode | null;
  style?: Record<string, string>;
  getAttribute?(name: string): string | null;
  querySelectorAll(selector: string): Iterable<SvgNode>;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** x′ = a x + c y + e, y′ = b x + d y + f, in SVG's order. */
type Matrix = readonly [a: number, b: number, c: number, d: number, e: number, f: number];
const IDENTITY: Matrix = [1, 0, 0, 1, 0, 0];

const multiply = (m: Matrix, n: Matrix): Matrix => [
  m[0] * n[0] + m[2] * n[1],
  m[1] * n[0] + m[3] * n[1],
  m[0] * n[2] + m[2] * n[3],
  m[1] * n[2] + m[3] * n[3],
  m[0] * n[4] + m[2] * n[5] + m[4],
  m[1] * n[4] + m[3] * n[5] + m[5],
];

function rotation([degrees = 0, x = 0, y = 0]: number[]): Matrix {
  const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return [c, s, -s, c, x - c * x + s * y, y - s * x - c * y];
}

/** Matrix of a `transform` attribute. */
export function transformMatrix(transform: string): Matrix {
  let matrix = IDENTITY;
  for (const [, name, list] of transform.matchAll(/(\w+)\(([^)]*)\)/g)) {
    const v = list!
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(Number);
    const [x = 0, y] = v;
    if (name === 'translate') matrix = multiply(matrix, [1, 0, 0, 1, x, y ?? 0]);
    else if (name === 'scale') matrix = multiply(matrix, [x, 0, 0, y ?? x, 0, 0]);
    else if (name === 'rotate') matrix = multiply(matrix, rotation(v));
    else if (name === 'matrix') matrix = multiply(matrix, v as unknown as Matrix);
  }
  return matrix;
}

/** A CSS property as the element or its nearest ancestor sets it. */
function inherited(node: SvgNode, property: string): string {
  for (let at: SvgNode | null = node; at?.style; at = at.parentNode) {
    const value = at.style[property] || at.getAttribute?.(property);
    if (value) return value;
  }
  return '';
}

for (const file of FONT_FILES) GlobalFonts.registerFromPath(file, FONT_FAMILY);
const measuring = createCanvas(4, 4).getContext('2d');

/** Box of one text in its own coordinates. */
function textBox(node: SvgNode): Box {
  const size = parseFloat(inherited(node, 'font-size')) || 12;
  const bold = /bold|[6-9]00/.test(inherited(node, 'font-weight'));
  measuring.font = `${bold ? 'bold ' : ''}${size}px "${FONT_FAMILY}"`;
  const spans = [...node.querySelectorAll('tspan.line')].map((line) => line.textContent ?? '');
  const lines = spans.length ? spans : [node.textContent ?? ''];
  const width = Math.max(...lines.map((line) => measuring.measureText(line).width));
  const height = size * (LINE + LINE_DISTANCE * (lines.length - 1));
  const anchor = inherited(node, 'text-anchor');
  const left =
    Number(node.getAttribute?.('x') ?? 0) - (anchor === 'middle' ? width / 2 : anchor === 'end' ? width : 0);
  const top = Number(node.getAttribute?.('y') ?? 0) - ASCENT * size;
  return { left, top, right: left + width, bottom: top + height };
}

/** Matrix from a text's coordinates to those of an ancestor's parent. */
function matrixTo(text: SvgNode, ancestor: SvgNode): Matrix {
  let matrix = IDENTITY;
  for (let at: SvgNode | null = text; at?.getAttribute; at = at.parentNode) {
    matrix = multiply(transformMatrix(at.getAttribute('transform') ?? ''), matrix);
    if (at === ancestor) break;
  }
  return matrix;
}

/** Box of all texts in an element; empty for an element without text, whose size Plotly computes itself. */
export function boxOf(node: SvgNode): Box {
  const isText = /^(text|tspan)$/i.test(node.tagName);
  const texts = isText ? [node] : /^(g|svg)$/i.test(node.tagName) ? [...node.querySelectorAll('text')] : [];
  const corners = texts
    .filter((text) => text.textContent && inherited(text, 'display') !== 'none')
    .flatMap((text) => {
      const m = matrixTo(text, node);
      const { left, top, right, bottom } = textBox(text);
      return [
        [left, top],
        [right, top],
        [left, bottom],
        [right, bottom],
      ].map(([x, y]) => [m[0] * x! + m[2] * y! + m[4], m[1] * x! + m[3] * y! + m[5]] as const);
    });
  if (!corners.length) return { left: 0, top: 0, right: 0, bottom: 0 };
  const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}
