/** `npm run bench`: speed of a training step on the reference shapes, next to PyTorch if an interpreter with it is named. */
import { compare, soak, type Comparison, type Soak } from '../bench/compare';
import { SHAPE_NAMES, type ShapeName } from '../bench/shapes';
import { oneOf, UserError, wholeNumber } from '../../util/errors';
import { textTable } from '../../report/table';
import { main, parse } from './arguments';

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)}`;

function comparisonText({ shape, peakFlopsPerSecond, speeds, ratio }: Comparison): string {
  const rows = speeds.map(({ contender, secondsPerStep, tokensPerSecond, shareOfPeak, peakBytes }) => [
    contender,
    (secondsPerStep * 1000).toFixed(1),
    tokensPerSecond.toFixed(0),
    shareOfPeak === null ? '–' : `${(shareOfPeak * 100).toFixed(0)}%`,
    gigabytes(peakBytes),
  ]);
  const table = textTable(['contender', 'ms/step', 'tokens/s', 'of peak', 'peak GB'], rows);
  const end = ratio === null ? '' : `\nratio to the best of PyTorch: ${ratio.toFixed(2)}`;
  return `${shape} (peak of products ${(peakFlopsPerSecond / 1e9).toFixed(0)} GFLOP/s)\n${table}${end}\n`;
}

function soakText({ shape, steps, tensors, residentBytes, peakBytes }: Soak): string {
  const growth = (100 * (residentBytes.last - residentBytes.first)) / residentBytes.first;
  return `${shape}: over ${steps} steps tensors ${tensors.first} → ${tensors.last}, resident ${gigabytes(residentBytes.first)} → ${gigabytes(residentBytes.last)} GB (${growth.toFixed(1)}%), peak ${gigabytes(peakBytes)} GB`;
}

main('bench', async (argv) => {
  const { values } = parse(
    {
      command: 'bench',
      summary: 'Whole training steps (forward, backward, clip, AdamW) a second on the reference shapes.',
      options: {
        shape: { type: 'string', help: `one of ${SHAPE_NAMES.join(', ')}; default: all` },
        precision: { type: 'string', help: 'of this library: fp32 or bf16', default: 'bf16' },
        peer: {
          type: 'string',
          help: 'a Python interpreter with torch: PyTorch eager and compiled, fp32 and bf16, take turns with this library',
        },
        rounds: { type: 'string', help: 'turns of each contender', default: '5' },
        soak: { type: 'string', help: 'in place of speed: memory over this many steps' },
        json: { type: 'boolean', help: 'print JSON' },
      },
    },
    argv,
  );
  if (values.peer !== undefined && values.soak !== undefined)
    throw new UserError('--soak: expected without --peer; it measures this library alone');
  const shapes: ShapeName[] =
    values.shape === undefined ? SHAPE_NAMES : [oneOf('--shape', values.shape, SHAPE_NAMES)];
  const precision = oneOf('--precision', values.precision, ['fp32', 'bf16'] as const);
  const rounds = wholeNumber('--rounds', values.rounds, 1);
  const steps = values.soak === undefined ? null : wholeNumber('--soak', values.soak, 1);
  const results: (Comparison | Soak)[] = [];
  for (const shape of shapes) {
    const result =
      steps === null
        ? await compare(shape, precision, rounds, values.peer)
        : await soak(shape, precision, steps);
    results.push(result);
    if (!values.json) console.log('speeds' in result ? comparisonText(result) : soakText(result));
  }
  if (values.json) console.log(JSON.stringify(results, null, 1));
});
