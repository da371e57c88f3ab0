/** Progress of training in a running notebook: a bar and a live curve of the losses. */
import { writeFileSync } from 'node:fs';
import { decides } from '../train/config';
import type { CurvePoint } from '../train/record';
import type { TrainingObserver, TrainingProgress } from '../train/observer';
import { Display, tick } from './display';
import { chart, show, type Figure } from './figure';
import { axis, COLOURS } from './style';
import { percentDone, progressText, startText, Throttle, waitText } from './terminal';

/** Bar of HTML's own element, so that it takes the look of the page. */
const htmlBar = (at: TrainingProgress, place: string): string =>
  `<progress value="${at.step}" max="${at.steps}" style="width: 16em; vertical-align: middle"></progress>&ensp;${place}${progressText(at)}`;

type Curve = readonly CurvePoint[];

/**
 * Training and held-out loss of the run so far, grey and dashed, in front of committed curves.
 * @param beside curves of committed runs, whose training losses are drawn up to the same step
 */
export function curveFigure(
  curve: Curve,
  steps: number,
  subtitle: string,
  beside: readonly Curve[] = [],
): Figure {
  const line = (points: Curve, name: string, look: object, loss: (p: CurvePoint) => number) => ({
    type: 'scatter' as const,
    mode: 'lines' as const,
    name,
    x: points.map((p) => p.step),
    y: points.map(loss),
    ...look,
  });
  const training = (p: CurvePoint) => p.trainLossNats;
  return chart({
    title: 'The run just made',
    subtitle,
    x: axis('step', 'optimiser updates', { range: [0, steps] }),
    y: axis('loss', 'nats per token'),
    data: [
      line(curve, 'this run, training', { line: { color: COLOURS.own, dash: 'dash' } }, training),
      line(
        curve,
        'this run, held out',
        { line: { color: COLOURS.own, dash: 'dot' } },
        (p) => p.heldOutLossNats,
      ),
      ...beside.map((points, i) => {
        const look = {
          line: { color: COLOURS.second, width: 1 },
          legendgroup: 'committed',
          showlegend: i === 0,
        };
        return line(
          points.filter(({ step }) => step <= steps),
          'committed runs, training',
          look,
          training,
        );
      }),
    ],
    height: 300,
    legend: { y: -0.36 },
  });
}

/** File through which a notebook tells `reproduce` how far it is; `reproduce` names it in the environment, and reads what is whole. */
function tellReproduce(at: TrainingProgress): void {
  if (process.env.PROGRESS) writeFileSync(process.env.PROGRESS, JSON.stringify(at));
}

/**
 * Live bar and loss curve in the running cell, which several runs take over from each other; the cell's interrupt stops a run after its step.
 * @param committed runs to draw next to it
 */
export function notebookObserver(
  runs = 1,
  committed: readonly { curve: readonly CurvePoint[] }[] = [],
): TrainingObserver {
  const [line, curves] = [new Display(), new Display()];
  const beside = committed.map(({ curve }) => curve);
  const [barPace, filePace] = [new Throttle(0.2), new Throttle(1)];
  let [run, steps] = [0, 0];
  let [place, subtitle] = ['', ''];
  const draw = (curve: readonly CurvePoint[], still: boolean) =>
    show(curveFigure(curve, steps, subtitle, beside), { display: curves, still });
  return {
    waits(owner) {
      if (barPace.passes()) line.show({ data: { 'text/plain': waitText(owner) } });
      return tick();
    },
    async started({ config, steps: all, fromStep, curve }) {
      steps = all;
      place = runs > 1 ? `run ${++run} of ${runs} · ` : '';
      subtitle = `${place}tier ${config.tier}, seed ${config.seed}, ${config.model.layers} layers${decides(config.tier) ? '' : '; a quick look, decides nothing'}`;
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
