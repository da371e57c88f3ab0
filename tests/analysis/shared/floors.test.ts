/** What is kept of drawn lines is what their data gives. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { measuredDraw, drawOf, drawKey } from '../../../lib/analysis/shared/floors';
import { committedMeasure } from '../../../lib/report/measure';
import { allCommitted } from '../../../lib/train/record';
import { assertClose } from '../../assert-close';

type Kept = Record<string, ReturnType<typeof measuredDraw>>;
const kept = committedMeasure<Kept>('drawn-lines');
const draws = allCommitted()
  .filter(({ config }) => 'trainLines' in config)
  .map(drawOf);

const numbers = ({ memory, surprisal: { train, dev } }: Kept[string]): number[] =>
  [memory, train, dev].flatMap(Object.values);

test('the lines of every committed record are known: "npm run data -- runs" draws those that are new', () =>
  assert.deepEqual(new Set(Object.keys(kept)), new Set(draws.map(drawKey))));

test('kept values are those of the lines, computed again for few lines and for one draw of each size', () => {
  const chosen = draws.filter(
    ({ trainLines }, i) =>
      trainLines <= 10_000 || draws.findIndex((other) => other.trainLines === trainLines) === i,
  );
  for (const draw of chosen)
    assertClose(numbers(kept[drawKey(draw)]!), numbers(measuredDraw(draw)), {
      relative: 1e-12,
      what: drawKey(draw),
    });
});

test('draws of one size from one grammar have lines of nearly one length', () => {
  for (const [i, draw] of draws.entries()) {
    const first = draws.findIndex((o) => o.grammar === draw.grammar && o.trainLines === draw.trainLines);
    const [one, other] = [draws[first]!, draws[i]!].map((d) => kept[drawKey(d)]!.memory.tokensPerLine);
    // A mean over n lines varies as 1/√n: of 100,000 by half a percent at the very most.
    const relative = 0.005 * Math.sqrt(1e5 / draw.trainLines);
    assertClose([one!], [other!], { relative, what: drawKey(draw) });
  }
});
