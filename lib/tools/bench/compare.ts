/** Training speed on one shape: this library and PyTorch train in turn, so that what slows the machine for a while slows all. */
import { ours, peers, type Answer, type Contender, type OwnAnswer, type Precision } from './contender';
import { productFlops, SHAPES, type ShapeName } from './shapes';

export interface Speed {
  contender: string;
  /** Median over all turns. */
  secondsPerStep: number;
  tokensPerSecond: number;
  /** Share of the machine's best rate of matrix products, measured in the same run; this library only. */
  shareOfPeak: number | null;
  peakBytes: number;
}

export interface Comparison {
  shape: ShapeName;
  /** Floating-point operations a second of matrix products, in the precision of this library's run. */
  peakFlopsPerSecond: number;
  speeds: Speed[];
  /** Speed of this library over the best of PyTorch's four ways; null without PyTorch. */
  ratio: number | null;
}

export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
};

/** Length of a turn, about. */
const TURN_SECONDS = 2;

/** Steps that are not measured: they compile, trace and grow the heap. A step of the vanilla shape gets faster for its first 60 steps. */
const WARM_UP_SECONDS = 12;

/** Seconds per step of each contender, measured in rounds. */
export async function turns(
  contenders: Contender[],
  rounds: number,
): Promise<{ seconds: number[]; peakBytes: number }[]> {
  const results = contenders.map(() => ({ seconds: [] as number[], peakBytes: 0 }));
  const steps: number[] = [];
  for (const contender of contenders) {
    await contender.ask<Answer>('steps 2');
    const { seconds: first } = await contender.ask<Answer>('steps 2');
    const { seconds } = await contender.ask<Answer>(
      `steps ${Math.max(2, Math.round(WARM_UP_SECONDS / median(first)))}`,
    );
    steps.push(Math.max(2, Math.round(TURN_SECONDS / median(seconds))));
  }
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      const { seconds, peakBytes } = await contender.ask<Answer>(`steps ${steps[i]}`);
      results[i]!.seconds.push(...seconds);
      results[i]!.peakBytes = peakBytes;
    }
  }
  return results;
}

/** @param python an interpreter with torch; without it this library alone is measured */
export async function compare(
  shape: ShapeName,
  precision: Precision,
  rounds: number,
  python?: string,
): Promise<Comparison> {
  const starting = [ours(shape, precision), ...(python ? peers(shape, python) : [])];
  try {
    const contenders = await Promise.all(starting);
    const peaks: number[] = [];
    const peak = async () =>
      peaks.push((await contenders[0]!.ask<{ flopsPerSecond: number }>('peak')).flopsPerSecond);
    await peak();
    const results = await turns(contenders, rounds);
    await peak();
    const peakFlopsPerSecond = Math.max(...peaks);
    const { lines, tokens } = SHAPES[shape];
    const speeds = results.map(({ seconds, peakBytes }, i): Speed => {
      const secondsPerStep = median(seconds);
      const shareOfPeak = i === 0 ? productFlops(SHAPES[shape]) / secondsPerStep / peakFlopsPerSecond : null;
      return {
        contender: contenders[i]!.name,
        secondsPerStep,
        tokensPerSecond: (lines * tokens) / secondsPerStep,
        shareOfPeak,
        peakBytes,
      };
    });
    const [own, ...others] = speeds as [Speed, ...Speed[]];
    const ratio = others.length
      ? Math.min(...others.map((s) => s.secondsPerStep)) / own.secondsPerStep
      : null;
    return { shape, peakFlopsPerSecond, speeds, ratio };
  } finally {
    for (const result of await Promise.allSettled(starting))
      if (result.status === 'fulfilled') await result.value.stop();
  }
}

export interface Soak {
  shape: ShapeName;
  steps: number;
  tensors: { first: number; last: number };
  residentBytes: { first: number; last: number };
  peakBytes: number;
}

/** Memory of this library over many steps, after a tenth as many. */
export async function soak(shape: ShapeName, precision: Precision, steps: number): Promise<Soak> {
  const contender = await ours(shape, precision);
  try {
    const first = await contender.ask<OwnAnswer>(`steps ${Math.ceil(steps / 10)}`);
    const last = await contender.ask<OwnAnswer>(`steps ${steps}`);
    const both = (of: (answer: OwnAnswer) => number) => ({ first: of(first), last: of(last) });
    return {
      shape,
      steps,
      tensors: both((a) => a.tensors),
      residentBytes: both((a) => a.residentBytes),
      peakBytes: last.peakBytes,
    };
  } finally {
    await contender.stop();
  }
}
