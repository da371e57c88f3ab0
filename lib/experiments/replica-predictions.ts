/** Predictions on the replica, registered before its runs. */
import { configHash } from '../train/record';
import type { SeededPrediction } from './prediction';
import {
  arm,
  continuedRuns,
  loadOf,
  loadRuns,
  LOADS,
  DECIDING_SEEDS,
  type Arm,
  type ReplicaConfig,
  type ReplicaMeasures,
  type ReplicaRecord,
} from './replica';

/** A point of a run's curve. */
export type ReplicaPoint = ReplicaRecord['curve'][number];

/** Held-out less training loss, both evaluated without an update, nats a token. */
export const gapOf = ({
  heldOutLossNats,
  trainWindowsLossNats,
}: Pick<ReplicaMeasures, 'heldOutLossNats' | 'trainWindowsLossNats'>): number =>
  heldOutLossNats - trainWindowsLossNats;

/** The curve of a run up to its last step, or null while the run has not come so far. */
export function curveOf(records: readonly ReplicaRecord[], config: ReplicaConfig): ReplicaPoint[] | null {
  const hash = configHash(config);
  const curve = records
    .find(({ configHash }) => configHash === hash)
    ?.curve.filter(({ step }) => step <= config.steps);
  return curve?.at(-1)?.step === config.steps ? curve : null;
}

const armCurve = (records: readonly ReplicaRecord[], name: Arm, seed: number): ReplicaPoint[] | null =>
  curveOf(records, arm('desk', name, seed));

/** The passes that R3 and R4 are reported at too; they are read at the nearest evaluations. */
export const PASSES = [1, 2, 4, 8, 16, 21.6] as const;
export const atPass = (curve: readonly ReplicaPoint[], passes: number): ReplicaPoint =>
  curve.reduce((a, b) => (Math.abs(b.epoch - passes) < Math.abs(a.epoch - passes) ? b : a));

const GAP = 0.5;

/** Passes after which the gap first reaches 0.5 nats, between two evaluations on a straight line; infinite if it never does. */
export function crossingOf(curve: readonly ReplicaPoint[]): number {
  const after = curve.findIndex((point) => gapOf(point) >= GAP);
  if (after < 0) return Infinity;
  const at = (i: number) => (i < 0 ? ([0, 0] as const) : ([curve[i]!.epoch, gapOf(curve[i]!)] as const));
  const [[from, low], [to, high]] = [at(after - 1), at(after)];
  return from + ((GAP - low) / (high - low)) * (to - from);
}

/** The larger of C − F in held-out and in training loss at the same step. */
export const excessOf = (c: ReplicaPoint, f: ReplicaPoint): number =>
  Math.max(c.heldOutLossNats - f.heldOutLossNats, c.trainWindowsLossNats - f.trainWindowsLossNats);

/** What a seed's arm says at its end. */
const atEndOf =
  (name: Arm, measure: (end: ReplicaPoint, curve: ReplicaPoint[]) => number | null) =>
  (records: readonly ReplicaRecord[], seed: number): number | null => {
    const curve = armCurve(records, name, seed);
    return curve && measure(curve.at(-1)!, curve);
  };

const unit = 'nats a token';
const REACHES = `where arm C's gap first reaches ${GAP} ${unit}`;
const three = { seeds: DECIDING_SEEDS } as const;

export const REPLICA_PREDICTIONS: SeededPrediction<ReplicaRecord>[] = [
  {
    id: 'R1',
    claim: 'On 9M tokens the training loss vanishes',
    by: 'the article',
    rule: { quantity: "arm B's evaluated training loss at the end", atMost: 0.1, unit },
    ...three,
    value: atEndOf('B', (end) => end.trainWindowsLossNats),
  },
  {
    id: 'R2',
    claim: 'On 9M tokens the model overfits',
    by: 'the article',
    rule: { quantity: "arm B's held-out loss at the end above its lowest", atLeast: 0.5, unit },
    ...three,
    value: atEndOf(
      'B',
      (end, curve) => end.heldOutLossNats - Math.min(...curve.map((point) => point.heldOutLossNats)),
    ),
  },
  {
    id: 'R3',
    claim: 'On 90M tokens training and validation loss stay close',
    by: 'the article',
    rule: { quantity: "arm C's held-out less its training loss at the end", atMost: GAP, unit },
    ...three,
    value: atEndOf('C', gapOf),
  },
  {
    id: 'R4',
    claim: 'On 90M tokens the losses are like those on 9B',
    by: 'the article',
    rule: { quantity: 'arm C less arm F at the end, in held-out and in training loss', atMost: 0.25, unit },
    ...three,
    value(records, seed) {
      const [c, f] = [armCurve(records, 'C', seed), armCurve(records, 'F', seed)];
      return c && f && excessOf(c.at(-1)!, f.at(-1)!);
    },
  },
  {
    id: 'R5',
    claim: 'Whether the losses part is decided by the load of the memory',
    by: 'ours',
    rule: {
      quantity: `of the loads ${[LOADS[0], loadOf(arm('desk', 'C', 1)).toFixed(1), LOADS[1]].join(', ')}, each after ${PASSES.at(-1)} passes, the smallest whose gap is under ${GAP} nats a token`,
      atLeast: 0.5,
      atMost: 2,
      unit: 'times 3.6 bits a parameter',
    },
    ...three,
    value(records, seed) {
      const runs = [...loadRuns('desk').filter((run) => run.seed === seed), arm('desk', 'C', seed)];
      const ends = runs.map((run) => ({ load: loadOf(run), end: curveOf(records, run)?.at(-1) }));
      if (ends.some(({ end }) => !end)) return null;
      return Math.min(...ends.filter(({ end }) => gapOf(end!) < GAP).map(({ load }) => load));
    },
  },
  {
    id: 'R6',
    claim: 'Whether the losses part is decided by when training stops',
    by: 'ours',
    rule: { quantity: REACHES, atMost: 66, unit: 'passes' },
    ...three,
    value(records, seed) {
      const crossed = atEndOf('C', (_, curve) => crossingOf(curve))(records, seed);
      if (crossed !== Infinity) return crossed;
      const longer = continuedRuns('desk').find((run) => run.seed === seed)!;
      const curve = curveOf(records, longer);
      return curve && crossingOf(curve);
    },
  },
  {
    id: 'R7',
    claim: 'On 90M tokens the losses part in the middle of training',
    by: 'ours',
    rule: {
      quantity: REACHES,
      atLeast: 12,
      atMost: 18,
      unit: 'passes',
    },
    ...three,
    value: atEndOf('C', (_, curve) => crossingOf(curve)),
  },
  {
    id: 'R8',
    claim: 'The distance energy tells training text from other text of its kind',
    by: 'the article',
    rule: {
      quantity:
        "share of pairs in arm B's end where a training window has a lower energy than a held-out window of the same collection",
      atLeast: 0.75,
      unit: '',
    },
    ...three,
    value: atEndOf('B', (end) => end.energyAuc),
  },
];
