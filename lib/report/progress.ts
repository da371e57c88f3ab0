/** Progress of long work: a bar and a live curve in a running notebook, one line on a terminal. */
import type { CurvePoint } from '../train/record';
import type { TrainingObserver, TrainingProgress } from '../train/observer';
import { writeAtomically } from '../util/files';
import { Display, tick } from './display';
import { show, type Figure } from './figure';
import { axis, COLOURS, title } from './style';

/** `7 s`, `3:05`, `1:02:03` */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const [hours, minutes] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(s % 60)}` : `${minutes}:${two(s % 60)}`;
}

/** `[████████░░░░]` */
export function bar(share: number, width = 24): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

const percent = ({ step, steps }: TrainingProgress): string => `${Math.floor((100 * step) / steps)}%`;

/** `step 300 of 1,200 · 1.234 nats per token · 4,321 tokens/s · 3:05 left` */
export function progressText(at: TrainingProgress): string {
  const count = (n: number) => Math.round(n).toLocaleString('en');
  const end = at.step < at.steps ? `${duration(at.secondsLeft)} left` : 'done';
  return `step ${count(at.step)} of ${count(at.steps)} · ${at.lossNats.toFixed(3)} nats per token · ${count(at.tokensPerSecond)} tokens/s · ${end}`;
}

/** What a run that does not begin at the beginning says first. */
const startText = (fromStep: number, steps: number): string =>
  fromStep < steps
    ? `continues at step ${fromStep.toLocaleString('en')} of ${steps.toLocaleString('en')}`
    : `finished before, ${steps.toLocaleString('en')} steps: read from its record`;

/** The first call and then one per `seconds` pass. */
export class Throttle {
  private last = -Infinity;
  constructor(private readonly seconds: number) {}

  passes(now = performance.now() / 1000): boolean {
    if (now - this.last < this.seconds) return false;
    this.last = now;
    return true;
  }
}

/** A line that is written over on a terminal; elsewhere `update` is silent and only `print` writes. */
export class TerminalLine {
  private shown = false;
  constructor(private readonly stream: NodeJS.WriteStream = process.stderr) {}

  get isLive(): boolean {
    return this.stream.isTTY === true;
  }

  update(text: string): void {
    if (!this.isLive) return;
    this.stream.write(`\r\u001b[2K${text.slice(0, (this.stream.columns || 80) - 1)}`);
    this.shown = true;
  }

  clear(): void {
    if (this.shown) this.stream.write('\r\u001b[2K');
    this.shown = false;
  }

  /** A line that stays. */
  print(text: string): void {
    this.clear();
    this.stream.write(`${text}\n`);
  }
}

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
  return {
    data: [
      line('training', COLOURS.ours, (p) => p.trainLossNats),
      line('held out', COLOURS.second, (p) => p.heldOutLossNats),
    ],
    layout: {
      title: title('Loss while training', subtitle),
      xaxis: axis('step', 'optimiser updates', { range: [0, steps] }),
      yaxis: axis('loss', 'nats per token'),
      height: 340,
    },
  };
}

/** File through which a notebook tells `reproduce` how far it is; `reproduce` names it in the environment. */
function tellReproduce(at: TrainingProgress): void {
  if (process.env.PROGRESS) writeAtomically(process.env.PROGRESS, JSON.stringify(at));
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
            'text/plain': `${percent(at)} · ${place}${progressText(at)}`,
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

/** The losses of a point of the curve. */
export const lossText = ({ trainLossNats, heldOutLossNats }: CurvePoint): string =>
  `training ${trainLossNats.toFixed(4)}, held out ${heldOutLossNats.toFixed(4)} nats per token`;

/** What an evaluation measured beside the losses. */
function measuresText(point: CurvePoint): string {
  const percent = (share: number) => `${(100 * share).toFixed(0)}%`;
  if ('generalisation' in point) return `hierarchical ${percent(point.generalisation)}`;
  if ('memorised' in point) return `memorised ${percent(point.memorised.train)} of training lines`;
  if ('memorisedBits' in point)
    return `${Math.round(point.memorisedBits).toLocaleString('en')} bits memorised, ${percent(point.recalledShare)} recalled`;
  return `epoch ${point.epoch.toFixed(1)}${point.memorisedShare === null ? '' : `, memorised ${percent(point.memorisedShare)}`}`;
}

/** One line that moves on a terminal; into a file or a pipe, one line per evaluation. */
export function terminalObserver(line = new TerminalLine()): TrainingObserver {
  const pace = new Throttle(0.2);
  let latest: TrainingProgress | undefined;
  return {
    started({ steps, fromStep }) {
      if (fromStep > 0) line.print(startText(fromStep, steps));
    },
    progressed(at) {
      latest = at;
      if (pace.passes() || at.step === at.steps)
        line.update(`${bar(at.step / at.steps)} ${percent(at)} · ${progressText(at)}`);
      // Lets Ctrl-C in, which only the event loop delivers.
      return tick();
    },
    evaluated(point) {
      line.print(
        `step ${point.step.toLocaleString('en')}: ${lossText(point)}, ${measuresText(point)}${latest ? `, ${duration(latest.secondsLeft)} left` : ''}`,
      );
    },
    finished(record) {
      line.print(
        `${record.curve.length ? 'finished' : 'nothing to do'}: ${record.minutes.toFixed(1)} minutes, ${record.tokensPerSecond.toLocaleString('en')} tokens/s`,
      );
    },
  };
}
