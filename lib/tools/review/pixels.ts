/** Figures drawn from their JSON, and compared pixel by pixel: the renderer is exact, so equal data give equal pixels. */
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCanvas, loadImage } from '@napi-rs/canvas';
import { toPng, type PlainFigure } from '../../report/static-image';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';

/** What decides the pixels of a figure besides its JSON. */
let renderer: string | undefined;
const rendererHash = (): string => {
  const { dependencies } = JSON.parse(readFileSync(join(paths.root, 'package.json'), 'utf8'));
  const sources = ['static-image', 'text-boxes'].map((name) =>
    readFileSync(join(paths.root, 'lib', 'report', `${name}.ts`)),
  );
  return (renderer ??= createHash('sha256')
    .update(JSON.stringify(dependencies))
    .update(Buffer.concat(sources))
    .digest('hex'));
};

/** Width and height of a figure in pixels of the screen, and the pixels of its PNG per pixel of the screen, a multiple of ½. */
function sizeOf(
  figure: PlainFigure,
  png: Buffer | undefined,
): [width: number, height: number, scale: number] {
  const height = Number(figure.layout?.height);
  const [pngWidth, pngHeight] = png ? [png.readUInt32BE(16), png.readUInt32BE(20)] : [860, height];
  const scale = Math.round((2 * pngHeight) / height) / 2;
  return [Math.round(pngWidth / scale), height, scale];
}

/**
 * The PNG that a figure's JSON draws, as large as `png`. It is drawn once on a machine and kept in .cache.
 * Throws where the JSON is no figure.
 */
export async function drawn(json: Buffer, png: Buffer | undefined): Promise<Buffer> {
  const figure = JSON.parse(json.toString('utf8')) as PlainFigure;
  const size = sizeOf(figure, png);
  const key = createHash('sha256').update(rendererHash()).update(size.join()).update(json).digest('hex');
  const kept = join(paths.cache, 'review', `${key}.png`);
  if (existsSync(kept)) return readFileSync(kept);
  const drawing = await toPng(figure, ...size);
  writeAtomically(kept, drawing);
  return drawing;
}

/** The files of a figure in a tree. */
export const figurePaths = (name: string): [json: string, png: string] => [
  `figures/${name}.json`,
  `figures/${name}.png`,
];

/** Fewer figures are drawn sooner than a process starts. */
const WORTH_A_PROCESS = 3;

/** Draws figures of the working tree in a process of its own: `drawn` finds them afterwards, and tells of those that cannot be drawn. */
export const drawnApart = (names: readonly string[]): Promise<void> =>
  new Promise((resolve) => {
    if (names.length < WORTH_A_PROCESS) return resolve();
    const child = fork(__filename, names, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    child.once('error', () => resolve()).once('close', () => resolve());
  });

export interface PixelDifference {
  /** Pixels that differ, of how many. */
  different: number;
  pixels: number;
  /** The new image, faint, with these pixels in red. */
  image: Buffer;
}

/** Pixels as numbers, 0xAABBGGRR. */
const RED = 0xff3200d5;
const WHITE = 0xffffffff;
/** Half-way from a colour to white, channel by channel. */
const paler = (pixel: number): number => ((pixel >>> 1) & 0x7f7f7f7f) + ((WHITE >>> 1) & 0x7f7f7f7f);

/** Of two images of any sizes, put on one white canvas at their upper left corners. */
export async function pixelDifference(before: Buffer, after: Buffer): Promise<PixelDifference> {
  const images = await Promise.all([loadImage(before), loadImage(after)]);
  const width = Math.max(...images.map((image) => image.width));
  const height = Math.max(...images.map((image) => image.height));
  const layers = images.map((image) => {
    const context = createCanvas(width, height).getContext('2d');
    context.fillStyle = 'white';
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0);
    return { context, data: context.getImageData(0, 0, width, height) };
  });
  const [old, now] = layers.map(({ data }) => new Uint32Array(data.data.buffer)) as [
    Uint32Array,
    Uint32Array,
  ];
  let different = 0;
  for (let i = 0; i < now.length; i++) {
    const differs = now[i] !== old[i];
    different += Number(differs);
    now[i] = differs ? RED : paler(paler(now[i]!));
  }
  const { context, data } = layers[1]!;
  context.putImageData(data, 0, 0);
  return { different, pixels: width * height, image: context.canvas.toBuffer('image/png') };
}

async function drawAll(names: readonly string[]): Promise<void> {
  for (const name of names) {
    const [json, png] = figurePaths(name).map((path) => join(paths.root, path)) as [string, string];
    await drawn(readFileSync(json), existsSync(png) ? readFileSync(png) : undefined);
  }
}

if (require.main === module) void drawAll(process.argv.slice(2));
