/** Progress of training in a running notebook: a bar and a live curve of the losses. */
import { writeFileSync } from 'node:fs';
import type { CurvePoint } from '../train/record';
import type { TrainingObserver, TrainingProgress } from '../train/observer';
import { Display, tick } from './display';
import { chart, show, type Figure } from './figure';
import { axis, COLOURS } from './style';
import { percentDone, progressText, startText, Throttle, waitText } from './terminal';

/** Bar of HTML's own element, so that it takes the look of the page. */
const htmlBar = (at: TrainingProgress, place: string): string =>
  `<progress value="${at.step}" max="${at.steps}" style="width: 16em; vertical-align: middle"></progress>&ensp;${place}${progressText(at)}`;

/** Training and held-out loss so far. */
export function curveFigure(curve: readonly CurvePoint[], steps: number, subtitle: string): Figure {
  const line = (name: string, color: string, loss: (p: CurvePoint) => number) => ({
    type: 'scatter' as const,
    mode: 'lines+markers' as const,
    name,
    x: curve.map((p) => p.step),
    y: curve.map(loss),
    line: { color },
    marker: { size: 5 },
  });
  return chart({
    title: 'Loss while training',
    subtitle,
    x: axis('step', 'optimiser updates', { range: [0, steps] }),
    y: axis('loss', 'nats per token'),
    data: [
      line('training', COLOURS.ours, (p) => p.trainLossNats),
      line('held out', COLOURS.second, (p) => p.heldOutLossNats),
    ],
    height: 340,
  });
}

/** File through which a notebook tells `reproduce` how far it is; `reproduce` names it in the environment, and reads what is whole. */
function tellReproduce(at: TrainingProgress): void {
  if (process.env.PROGRESS) writeFileSync(process.env.PROGRESS, JSON.stringify(at));
}

/** Live bar and loss curve in the running cell, which several runs take over from each other; the cell's interrupt stops a run after its step. */
export function notebookObserver(runs = 1): TrainingObserver {
  const [line, curves] = [new Display(), new Display()];
  const [barPace, filePace] = [new Throttle(0.2), new Throttle(1)];
  let [run, steps] = [0, 0];
  let [place, subtitle] = ['', ''];
  const draw = (curve: readonly CurvePoint[], still: boolean) =>
    show(curveFigure(curve, steps, subtitle), { display: curves, still });
  return {
    waits(owner) {
      if (barPace.passes()) line.show({ data: { 'text/plain': waitText(owner) } });
      return tick();
    },
    async started({ config, steps: all, fromStep, curve }) {
      steps = all;
      place = runs > 1 ? `run ${++run} of ${runs} · ` : '';
      subtitle = `${place}tier ${config.tier}, seed ${config.seed}, ${config.model.layers} layers`;
      if (fromStep > 0) line.show({ data: { 'text/plain': `${place}${startText(fromStep, all)}` } });
      if (curve.length) await draw(curve, false);
    },
    async progressed(at) {
      const last = at.step === at.steps;
      if (barPace.passes() || last)
        line.show({
          data: {
            'text/html': htmlBar(at, place),
            'text/plain': `${percentDone(at)} · ${place}${progressText(at)}`,
          },
        });
      if (filePace.passes() || last) tellReproduce(at);
      await tick();
    },
    async evaluated(point, curve) {
      if (point.step < steps) await draw(curve, false);
    },
    async finished(record) {
      await draw(record.curve, true);
    },
  };
}
