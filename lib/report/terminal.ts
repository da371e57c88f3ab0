/** Progress on a terminal: a bar, a line that is written over, and the observer of a run in `npm run train`. Loads no plot library. */
import type { CurvePoint, Measures } from '../train/record';
import type { TrainingObserver, TrainingProgress } from '../train/observer';
import { count, duration } from '../util/format';
import { tick } from './display';

/** `[████████░░░░]` */
export function bar(share: number, width = 24): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)}`;
}

/** Whole percent of the steps done, rounded down: 100% is the end alone. */
export const percentDone = ({ step, steps }: TrainingProgress): string =>
  `${Math.floor((100 * step) / steps)}%`;

/** `step 300 of 1,200 · 1.234 nats per token · 4,321 tokens/s · 3:05 left`; at its end without times, which a notebook would keep. */
export function progressText(at: TrainingProgress): string {
  const pace = `${count(Math.round(at.tokensPerSecond))} tokens/s · ${duration(at.secondsLeft)} left`;
  return `step ${count(at.step)} of ${count(at.steps)} · ${at.lossNats.toFixed(3)} nats per token · ${at.step < at.steps ? pace : 'done'}`;
}

/** What a run that does not begin at the beginning says first. */
export const startText = (fromStep: number, steps: number): string =>
  fromStep < steps
    ? `continues at step ${count(fromStep)} of ${count(steps)}`
    : `finished before, ${count(steps)} steps: read from its record`;

/** What a run says that another process trains. */
export const waitText = (owner: string): string => `${owner} trains this run; waiting until it ends`;

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

/** The losses of a point of the curve. */
export const lossText = ({ trainLossNats, heldOutLossNats }: CurvePoint): string =>
  `training ${trainLossNats.toFixed(4)}, held out ${heldOutLossNats.toFixed(4)} nats per token`;

/**
 * One line that moves on a terminal; into a file or a pipe, one line per evaluation.
 * @param summary of what an evaluation measured besides the losses
 */
export function terminalObserver<M extends Measures>(
  summary: (measures: M) => string,
  line = new TerminalLine(),
): TrainingObserver<M> {
  const pace = new Throttle(0.2);
  let latest: TrainingProgress | undefined;
  let waitedFor = '';
  return {
    waits(owner) {
      if (owner !== waitedFor) line.print(waitText(owner));
      waitedFor = owner;
    },
    started({ steps, fromStep }) {
      if (fromStep > 0) line.print(startText(fromStep, steps));
    },
    progressed(at) {
      latest = at;
      if (pace.passes() || at.step === at.steps)
        line.update(`${bar(at.step / at.steps)} ${percentDone(at)} · ${progressText(at)}`);
      // Lets Ctrl-C in, which only the event loop delivers.
      return tick();
    },
    evaluated(point) {
      line.print(
        `step ${count(point.step)}: ${lossText(point)}, ${summary(point)}${latest ? `, ${duration(latest.secondsLeft)} left` : ''}`,
      );
    },
    finished(record) {
      line.print(
        `${record.curve.length ? 'finished' : 'nothing to do'}: ${record.minutes.toFixed(1)} minutes, ${count(record.tokensPerSecond)} tokens/s`,
      );
    },
  };
}
