import assert from 'node:assert/strict';
import { test } from 'node:test';
import { median, turns } from '../../../lib/tools/bench/compare';
import { Contender } from '../../../lib/tools/bench/contender';
import { productFlops, SHAPES } from '../../../lib/tools/bench/shapes';
import { assertClose } from '../../assert-close';
import { refusal } from '../../refusal';

/** A contender that says it takes `seconds` a step. */
const pretended = (name: string, seconds: number) =>
  Contender.start(
    name,
    process.execPath,
    [
      '-e',
      `
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const n = Number(line.split(' ')[1]);
    console.log(JSON.stringify({ seconds: Array(n).fill(${seconds}), lossNats: 1, peakBytes: 7 }));
  });
  console.log('{}');`,
    ],
    process.env,
  );

test('products are counted as by hand: 6 per weight and token, 12 C per visible pair and layer', () => {
  const model = {
    kind: 'vanilla',
    layers: 2,
    width: 4,
    heads: 1,
    feedForward: 8,
    context: 3,
    vocabulary: 5,
    dropout: 0,
  } as const;
  // Per layer 4·16 + 2·4·8 = 128 weights, 20 in the head; 3 tokens make 6 visible pairs.
  assert.equal(
    productFlops({ model, lines: 2, tokens: 3, weightDecay: 0 }),
    2 * (6 * (2 * 128 + 20) * 3 + 12 * 4 * 2 * 6),
  );
  const { model: gpt2, lines, tokens } = SHAPES['gpt2-6x384'];
  assert.equal(
    productFlops({ model: gpt2, lines, tokens, weightDecay: 0 }) / (lines * tokens) / 6e6 > 29.9,
    true,
    '30 million weights at work per token',
  );
});

test('the median is the middle, or the mean of the two in the middle', () => {
  assertClose([median([3, 1, 2]), median([4, 1, 3, 2])], [2, 2.5], { absolute: 0, what: 'median' });
});

test('every contender gets its turns, and as many steps as fill one', async () => {
  const contenders = [await pretended('slow', 0.5), await pretended('fast', 0.1)];
  const results = await turns(contenders, 3);
  assert.deepEqual(
    results.map(({ seconds }) => seconds),
    [Array(12).fill(0.5), Array(60).fill(0.1)],
  );
  assert.deepEqual(
    results.map(({ peakBytes }) => peakBytes),
    [7, 7],
  );
  for (const contender of contenders) await contender.stop();
});

test('a contender that is missing or ends is one line', async () => {
  await assert.rejects(
    Contender.start('PyTorch', '/nowhere/python', [], process.env),
    refusal('PyTorch', '/nowhere/python', 'ENOENT'),
  );
  await assert.rejects(
    Contender.start(
      'PyTorch',
      process.execPath,
      ['-e', 'console.error("No module named torch"); process.exit(1)'],
      process.env,
    ),
    refusal('PyTorch', 'No module named torch'),
  );
});
