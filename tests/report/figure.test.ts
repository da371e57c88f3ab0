import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { loadImage, createCanvas } from '@napi-rs/canvas';
import { figureBundle, plainFigure, pngOf, saveFigure, type Figure } from '../../lib/report/figure';
import { COLOURS, endLabels, referenceBand, referenceLine } from '../../lib/report/style';
import { transformMatrix } from '../../lib/report/text-boxes';
import { refusal } from '../refusal';

const unpack = ({ dtype, bdata }: { dtype: string; bdata: string }): number[] => {
  const bytes = Uint8Array.from(Buffer.from(bdata, 'base64')).buffer;
  return Array.from(dtype === 'f8' ? new Float64Array(bytes) : new Float32Array(bytes));
};
const traceOf = (figure: Figure, pack = true): any => plainFigure(figure, { pack }).data[0];

test('long lists of numbers are packed without loss that shows, large integers without any', () => {
  const y = Array.from({ length: 60 }, (_, i) => i / 8);
  assert.deepEqual(unpack(traceOf({ data: [{ y }] }).y), y);
  const tokens = y.map((_, i) => 2 ** 24 + 2 * i + 1);
  assert.deepEqual(unpack(traceOf({ data: [{ x: tokens }] }).x), tokens);
  assert.deepEqual(traceOf({ data: [{ y: [1, 2] }] }).y, [1, 2]);
});

test('numbers have six digits, so that machines that differ in the last ones write the same file', () => {
  const [here, there] = [0.1 + 0.2, 0.3].map((x) => ({
    data: [{ y: [x, 1e7 / 3], z: Array(60).fill(x), text: `${x}`.slice(0, 3) }],
    layout: { shapes: [{ x0: x }] },
  }));
  for (const pack of [true, false])
    assert.deepEqual(plainFigure(here!, { pack }), plainFigure(there!, { pack }));
  assert.deepEqual(traceOf(here!, false).y, [0.3, 3333330]);
});

test('matrices keep their shape', () => {
  const z = Array.from({ length: 10 }, (_, i) => Array.from({ length: 7 }, (_, j) => 10 * i + j));
  const packed = traceOf({ data: [{ type: 'heatmap', z }] }).z;
  assert.equal(packed.shape, '10, 7');
  assert.deepEqual(unpack(packed), z.flat());
});

test('the JSON that is saved has plain numbers; what is not a number is a gap', () => {
  const y = [1, NaN, Infinity, ...Array(60).fill(2)];
  assert.deepEqual(traceOf({ data: [{ y }] }, false).y, [1, null, null, ...Array(60).fill(2)]);
});

test('a figure is Plotly, PNG and text, never HTML; a frame of a live one has no PNG', async () => {
  const figure: Figure = { data: [{ y: [1, 2] }], layout: { title: { text: 'Loss' } } };
  const { data, metadata } = await figureBundle(figure, { png: true });
  assert.deepEqual(Object.keys(data).sort(), ['application/vnd.plotly.v1+json', 'image/png', 'text/plain']);
  assert.equal(data['text/plain'], 'Figure: Loss');
  assert.deepEqual(metadata?.['image/png'], { width: 860, height: 400 });
  assert.ok(!('image/png' in (await figureBundle(figure, { png: false })).data));
});

test('further rows of a legend are added to the height, so that the drawing keeps its own', () => {
  const height = (names: string[], more: object = {}, layout: Figure['layout'] = {}) =>
    (
      plainFigure(
        { data: names.map((name) => ({ y: [1], name, ...more })), layout },
        { pack: false },
      ) as unknown as { layout: { height: number } }
    ).layout.height;
  const rows = (n: number, base = 400) => base + 19 * (n - 1);
  const long = 'a curve whose name is so long that no other stands beside it';
  assert.deepEqual(
    [['a'], ['a', 'b', 'c'], [long], [long, 'b'], [long, 'b', 'c', 'd']].map((names) => height(names)),
    [rows(1), rows(1), rows(1), rows(2), rows(4)],
  );
  assert.deepEqual(
    [height([long, 'b'], {}, { height: 300 }), height([long, 'b'], {}, { width: 2000 })],
    [rows(2, 300), rows(1)],
  );
  assert.deepEqual(
    [
      height([long, 'b'], { showlegend: false }),
      height([long, 'b'], { type: 'heatmap' }),
      height([long, 'b'], {}, { showlegend: false }),
    ],
    [rows(1), rows(1), rows(1)],
  );
});

/** Colours of an image's pixels: how many are within 24 of a colour in each channel. */
async function pixelsLike(png: Buffer, hex: string): Promise<number> {
  const image = await loadImage(png);
  const canvas = createCanvas(image.width, image.height);
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const wanted = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  let count = 0;
  for (let i = 0; i < data.length; i += 4)
    if (wanted.every((c, k) => Math.abs(data[i + k]! - c) <= 24)) count++;
  return count;
}

test('the PNG shows curve and reference line in their colours, at twice the size', async () => {
  const curve: Figure = {
    data: [{ x: [0, 1, 2], y: [1, 3, 2], mode: 'lines', type: 'scatter' }],
    layout: {
      shapes: [referenceBand(2, 0.1), referenceLine(2, 'paper', { colour: COLOURS.outside, dash: 'solid' })],
    },
  };
  const png = await pngOf(curve);
  const { width, height } = await loadImage(png);
  assert.deepEqual([width, height], [1720, 800]);
  assert.ok((await pixelsLike(png, COLOURS.ours)) > 1000, 'the curve');
  assert.ok((await pixelsLike(png, COLOURS.outside)) > 1000, 'the line');
  const bare = await pngOf({ data: [{ x: [0, 2], y: [1, 3], mode: 'none' as never, type: 'scatter' }] });
  assert.ok((await pixelsLike(bare, COLOURS.ours)) < 50);
});

test("a heat map is drawn, pixel by pixel, in the project's colours", async () => {
  const z = [
    [1, 0],
    [0, 1],
  ];
  const png = await pngOf({ data: [{ type: 'heatmap', z, showscale: false }] });
  for (const colour of ['#00224e', '#fee838']) assert.ok((await pixelsLike(png, colour)) > 100_000, colour);
});

test('a 3-D figure needs a still, and is refused without one instead of hanging', async () => {
  const surface: Figure = {
    data: [
      {
        type: 'surface',
        z: [
          [1, 2],
          [3, 4],
        ],
      },
    ],
  };
  await assert.rejects(pngOf(surface), refusal('still', 'surface'));
  const png = await pngOf({
    ...surface,
    still: {
      data: [
        {
          type: 'heatmap',
          z: [
            [1, 2],
            [3, 4],
          ],
        },
      ],
    },
  });
  assert.ok((await pixelsLike(png, '#00224e')) > 10_000);
});

test('saving writes the PNG and the JSON that made it, and nothing else; a name is a name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'figures-'));
  process.env.FIGURES = folder;
  try {
    await saveFigure('a-curve', { data: [{ y: [1, 2] }] });
    assert.deepEqual(readdirSync(folder).sort(), ['a-curve.json', 'a-curve.png']);
    assert.deepEqual(JSON.parse(readFileSync(join(folder, 'a-curve.json'), 'utf8')).data, [{ y: [1, 2] }]);
    await assert.rejects(saveFigure('../curve', { data: [] }), refusal('figure name', '../curve'));
  } finally {
    delete process.env.FIGURES;
    rmSync(folder, { recursive: true });
  }
});

test('transforms: translate, then rotate about a point', () => {
  const [a, b, c, d, e, f] = transformMatrix('translate(10,20) rotate(90,1,0)');
  const apply = (x: number, y: number) =>
    [a * x + c * y + e, b * x + d * y + f].map((v) => Math.round(v * 1e9) / 1e9);
  assert.deepEqual(apply(1, 0), [11, 20]);
  assert.deepEqual(apply(2, 0), [11, 21]);
});

test('labels at the ends of lines are apart, and none is above the frame, where it would not be drawn', () => {
  const labels = [84, 85, 88, 99].map((y) => ({ text: `at ${y}`, x: 3, y, colour: '#000' }));
  const span = { low: 0, high: 100, pixels: 320 };
  const places = (endLabels(labels, span) as { text: string; y: number }[]).map(({ text, y }) => [text, y]);
  assert.deepEqual(places, [
    ['at 84', 84],
    ['at 85', 89],
    ['at 88', 94],
    ['at 99', 99],
  ]);
  const many = endLabels([...labels, { text: 'two<br>lines', x: 3, y: 99, colour: '#000' }], span);
  assert.deepEqual(
    (many as { y: number }[]).map(({ y }) => y),
    [77.5, 82.5, 87.5, 92.5, 100],
  );
});
