import assert from 'node:assert/strict';
import test from 'node:test';
import { blockEnergy, descend, normed, randomBlock } from '../../lib/energy/energy-transformer';
import { Random } from '../../lib/util/random';
import { assertClose } from '../assert-close';

const WIDTH = 8;
const tokens = (count: number, random: Random) =>
  Array.from({ length: count }, () => Float64Array.from(random.normals(WIDTH)));

test('the gradient is that of the energy', () => {
  const random = new Random(1, 'block');
  const block = randomBlock(WIDTH, random);
  const g = tokens(5, random);
  const { gradient } = blockEnergy(block, g);
  const h = 1e-5;
  const slopes = g.flatMap((token, t) =>
    [...token].map((_, k) => {
      const at = (by: number) =>
        blockEnergy(
          block,
          g.map((other, s) => (s === t ? other.map((v, j) => (j === k ? v + by : v)) : other)),
        ).energy;
      return (at(h) - at(-h)) / (2 * h);
    }),
  );
  assertClose(
    gradient.flatMap((slope) => [...slope]),
    slopes,
    { absolute: 1e-6, what: '∂E/∂g' },
  );
});

test('small steps never raise the energy, and the layers are the normed tokens', () => {
  const random = new Random(2, 'block');
  const block = randomBlock(WIDTH, random);
  const rows = { values: Float32Array.from(random.normals(WIDTH * 13)), rows: 13, width: WIDTH };
  const { layers, energies } = descend(block, rows, { length: 4, steps: 6, rate: 0.05 });
  assert.deepEqual([layers.length, layers[0]!.rows, energies.length], [7, 12, 3]);
  for (const path of energies)
    path.slice(1).forEach((energy, i) => assert.ok(energy < path[i]!, `${path.join()}`));
  assertClose([...layers[0]!.values.slice(0, WIDTH)], [...normed(rows.values.subarray(0, WIDTH))], {
    absolute: 1e-6,
    what: 'normed',
  });
});
