import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { overfitting9m } from '../../lib/experiments/overfitting-9m';
import { questionFormation, type QuestionFormationMeasures } from '../../lib/experiments/question-formation';
import { curveFigure, notebookObserver } from '../../lib/report/progress';
import { bar, progressText, TerminalLine, terminalObserver, Throttle } from '../../lib/report/terminal';
import type { CurvePoint } from '../../lib/train/record';

const at = (step: number) => ({
  step,
  steps: 40,
  lossNats: 1.23456,
  tokensPerSecond: 4321.4,
  secondsLeft: 185,
});
const point = (step: number): CurvePoint<QuestionFormationMeasures> => ({
  step,
  tokensSeen: step,
  trainLossNats: 2,
  heldOutLossNats: 2.5,
  generalisation: 0.25,
  learningRate: 1,
  gradientNorm: 1,
});

/** A stream that remembers what was written, as a terminal or as a file. */
function stream(isTTY: boolean): { line: TerminalLine; written: () => string } {
  const sink = new PassThrough();
  return {
    line: new TerminalLine(Object.assign(sink, { isTTY, columns: 60 }) as unknown as NodeJS.WriteStream),
    written: () => (sink.read() as Buffer | null)?.toString() ?? '',
  };
}

test('the bar is full at the end only', () =>
  assert.deepEqual([bar(0, 4), bar(0.5, 4), bar(1, 4), bar(2, 4)], ['░░░░', '██░░', '████', '████']));

test('the text has step, loss with its unit, speed and time left', () => {
  assert.equal(progressText(at(10)), 'step 10 of 40 · 1.235 nats per token · 4,321 tokens/s · 3:05 left');
  assert.match(progressText(at(40)), /done$/);
  assert.doesNotMatch(progressText(at(40)), /tokens\/s/, 'a notebook keeps it');
});

test('a throttle passes the first and then one per period', () => {
  const throttle = new Throttle(0.5);
  assert.deepEqual(
    [0, 0.4, 0.5, 0.9, 1.01].map((now) => throttle.passes(now)),
    [true, false, true, false, true],
  );
});

test('a terminal gets one line that is written over and cut to its width', () => {
  const { line, written } = stream(true);
  line.update('x'.repeat(100));
  line.print('kept');
  assert.equal(written(), `\r\u001b[2K${'x'.repeat(59)}\r\u001b[2Kkept\n`);
});

test('a file gets a line per evaluation and none per step', async () => {
  const { line, written } = stream(false);
  const observer = terminalObserver(questionFormation.summary, line);
  await observer.started({ config: questionFormation.tiers.smoke, steps: 40, fromStep: 10, curve: [] });
  for (let step = 11; step <= 20; step++) await observer.progressed(at(step));
  await observer.evaluated(point(20), [point(20)]);
  assert.equal(
    written(),
    'continues at step 10 of 40\nstep 20: training 2.0000, held out 2.5000 nats per token, hierarchical 25%, 3:05 left\n',
  );
  const { generalisation, ...measured } = point(30);
  const ofText = terminalObserver(overfitting9m.summary, line);
  await ofText.progressed(at(20));
  for (const memorisedShare of [0.5, null])
    await ofText.evaluated({ ...measured, epoch: 1.5, memorisedShare, energies: null, nearest: null }, []);
  assert.equal(
    written(),
    ['epoch 1.5, memorised 50%', 'epoch 1.5']
      .map((text) => `step 30: training 2.0000, held out 2.5000 nats per token, ${text}, 3:05 left\n`)
      .join(''),
  );
});

test('a notebook tells reproduce how far it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'progress-'));
  process.env.PROGRESS = join(folder, 'progress.json');
  try {
    await notebookObserver().progressed(at(40));
    assert.deepEqual(JSON.parse(readFileSync(process.env.PROGRESS, 'utf8')), at(40));
  } finally {
    delete process.env.PROGRESS;
    rmSync(folder, { recursive: true });
  }
});

test('several runs share one bar and one curve, which say which run they show', async () => {
  const KERNEL = Symbol.for('memorization-notebooks.kernel');
  const shown = new Map<string, unknown>();
  const texts: string[] = [];
  const display = ({
    data,
    transient,
  }: {
    data: Record<string, unknown>;
    transient: { display_id: string };
  }) => {
    shown.set(transient.display_id, data['text/html'] ?? data['text/plain']);
    texts.push(String(data['text/plain']));
  };
  Object.assign(globalThis, { [KERNEL]: { display, interrupted: () => false } });
  try {
    const observer = notebookObserver(2);
    for (const fromStep of [0, 40]) {
      await observer.started({
        config: questionFormation.tiers.smoke,
        steps: 40,
        fromStep,
        curve: [point(20)],
      });
      if (fromStep === 0) await observer.progressed(at(40));
    }
    assert.equal(shown.size, 2, 'a bar and a curve');
    assert.deepEqual(
      texts.filter((text) => !text.startsWith('Figure')),
      [
        `100% · run 1 of 2 · ${progressText(at(40))}`,
        'run 2 of 2 · finished before, 40 steps: read from its record',
      ],
    );
    texts.length = 0;
    await notebookObserver().started({
      config: questionFormation.tiers.smoke,
      steps: 40,
      fromStep: 40,
      curve: [],
    });
    assert.deepEqual(
      texts,
      ['finished before, 40 steps: read from its record'],
      'one run alone is not counted',
    );
  } finally {
    delete (globalThis as Record<symbol, unknown>)[KERNEL];
  }
});

test('the live curve holds both losses over the whole length of the run', () => {
  const { data, layout } = curveFigure([point(10), point(20)], 40, 's');
  assert.deepEqual(
    data.map((trace) => [(trace as { x: unknown }).x, (trace as { y: unknown }).y]),
    [
      [
        [10, 20],
        [2, 2],
      ],
      [
        [10, 20],
        [2.5, 2.5],
      ],
    ],
  );
  assert.deepEqual(layout?.xaxis?.range, [0, 40]);
});
