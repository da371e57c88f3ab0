/** Runs of the replica: which arm and seed a run is, and what it came to. */
import { committedRecords } from '../../experiments/run';
import {
  arm,
  DECIDING_SEEDS,
  replica,
  type Arm,
  type ReplicaConfig,
  type ReplicaRecord,
} from '../../experiments/replica';
import {
  curveOf,
  gapOf,
  REPLICA_PREDICTIONS,
  type ReplicaPoint,
} from '../../experiments/replica-predictions';
import { judge, type SeededPrediction } from '../../experiments/prediction';
import { tokensPerStep } from '../../experiments/text-task';
import { gpt2Parameters } from '../../model/config';
import type { PredictionRow } from '../../report/predictions';
import { rowsOf, type Row } from '../../report/table';
import type { Question } from '../../report/verdict';
import { configHash } from '../../train/record';
import { count, layersByWidth, percent, rangeText } from '../../util/format';
import { registeredQuestion, registeredRow } from './registered';
import { passes } from './text-runs';

export const replicaRecords = (): ReplicaRecord[] => committedRecords(replica);

/** The paper's number of training tokens that an arm has in its place. */
export const IN_THE_PAPER: Record<Arm, string> = { A: '2M', B: '9M', C: '90M', F: '9B' };

/** A finished run, whose curve ends at the last step of its config, though the run may have been continued. */
export interface ReplicaRun {
  config: ReplicaConfig;
  curve: ReplicaPoint[];
  end: ReplicaPoint;
  /** The point with the lowest held-out loss. */
  lowest: ReplicaPoint;
  record: ReplicaRecord;
}

/** Those of some runs that are finished. */
export const finishedRuns = (
  records: readonly ReplicaRecord[],
  configs: readonly ReplicaConfig[],
): ReplicaRun[] =>
  configs.flatMap((config) => {
    const curve = curveOf(records, config);
    if (!curve) return [];
    const lowest = curve.reduce((a, b) => (b.heldOutLossNats < a.heldOutLossNats ? b : a));
    const record = records.find((one) => one.configHash === configHash(config))!;
    return [{ config, curve, end: curve.at(-1)!, lowest, record }];
  });

/** The finished runs of an arm, one a seed. */
export const armOf = (records: readonly ReplicaRecord[], name: Arm): ReplicaRun[] =>
  finishedRuns(
    records,
    DECIDING_SEEDS.map((seed) => arm('desk', name, seed)),
  );

/** So many decimals, and zero without a sign. */
export const decimals = (x: number, count: number): string => {
  const text = Math.abs(x).toFixed(count);
  return x < 0 && Number(text) !== 0 ? `−${text}` : text;
};

/** Two decimals, three below a tenth, one from ten on. */
export const nats = (x: number): string => decimals(x, Math.abs(x) < 0.1 ? 3 : Math.abs(x) < 10 ? 2 : 1);

/** The least and the most of what runs came to. */
export const overRuns = (
  runs: readonly ReplicaRun[],
  value: (run: ReplicaRun) => number,
  text: (x: number) => string = nats,
): string => rangeText(runs.map(value), text, 'no run yet');

const parametersPerToken = ({ model, trainTokens }: ReplicaConfig): number =>
  gpt2Parameters(model).all / trainTokens;

/** What the seeds of a kind of run came to, in one row. @param name of the kind */
export function summaryRow(name: string, config: ReplicaConfig, runs: readonly ReplicaRun[]): Row {
  const range = (value: (run: ReplicaRun) => number, text = nats) => overRuns(runs, value, text);
  const whole = (x: number) => String(Math.round(x));
  return {
    '': name,
    seeds: runs.length,
    'parameters a token': Number(parametersPerToken(config).toPrecision(3)),
    passes: Number(passes(config).toPrecision(3)),
    'training loss': range(({ end }) => end.trainWindowsLossNats),
    'held-out loss': range(({ end }) => end.heldOutLossNats),
    'lowest held-out (at pass)': runs.length
      ? `${range(({ lowest }) => lowest.heldOutLossNats)} (${range(({ lowest }) => lowest.epoch, whole)})`
      : range(() => NaN),
    recited: runs.some(({ end }) => end.memorisedShare === null)
      ? '–'
      : range(({ end }) => end.memorisedShare!, percent),
  };
}

/** One row a run. @param names of the kinds of runs, such as "C: 90M" */
export const replicaRunRows = (
  kinds: readonly (readonly [name: string, runs: readonly ReplicaRun[]])[],
): Row[] =>
  kinds.flatMap(([name, runs]) =>
    runs.map(({ config, end, lowest, record }) => ({
      '': `${name}, seed ${config.seed}`,
      'training loss': nats(end.trainWindowsLossNats),
      'held-out loss': nats(end.heldOutLossNats),
      gap: nats(gapOf(end)),
      'lowest held-out (at pass)': `${nats(lowest.heldOutLossNats)} (${Math.round(lowest.epoch)})`,
      recited: end.memorisedShare === null ? null : percent(end.memorisedShare),
      'lower energy in': end.energyAuc === null ? null : percent(end.energyAuc),
      minutes:
        record.config.steps === config.steps
          ? record.minutes.toFixed(1)
          : `${record.minutes.toFixed(1)} for ${count(record.config.steps)} steps`,
    })),
  );

/** The commits that registered the predictions; the probe of R8 was halved in a later one, before the first run. */
const REGISTERED: Record<string, string> = { R8: 'bcd2958' };
const REGISTERED_FIRST = '9e0b8c2';

const WHERE = 'arXiv 2405.08707, section 6 and Figure 3';
const OURS = 'ours, registered before the runs';

export function replicaPrediction(id: string): SeededPrediction<ReplicaRecord> {
  const found = REPLICA_PREDICTIONS.find((prediction) => prediction.id === id);
  if (!found) throw new RangeError(`replica: expected the id of a prediction; got ${id}`);
  return found;
}

/** Whether a prediction holds for the seeds that are finished: for all, none or some of them; null without any. */
export function holdsFor(id: string, records: readonly ReplicaRecord[]): 'all' | 'none' | 'some' | null {
  const finished = judge(replicaPrediction(id), records).values.filter(({ within }) => within !== null);
  if (!finished.length) return null;
  const within = finished.filter((seed) => seed.within).length;
  return within === finished.length ? 'all' : within ? 'some' : 'none';
}

export const replicaQuestions = (ids: readonly string[], records: readonly ReplicaRecord[]): Question[] =>
  ids
    .map(replicaPrediction)
    .map((prediction) => registeredQuestion(prediction, records, prediction.by === 'ours' ? OURS : WHERE));

export const replicaPredictionRows = (
  ids: readonly string[],
  records: readonly ReplicaRecord[],
): PredictionRow[] =>
  ids.map((id) => registeredRow(replicaPrediction(id), records, REGISTERED[id] ?? REGISTERED_FIRST));

/** What matters of some runs, a column each. */
export function methodColumns(
  configs: Record<string, ReplicaConfig>,
  made: Record<string, readonly ReplicaRun[]>,
): Row[] {
  const minutes = ({ record, config }: ReplicaRun) => (record.minutes * config.steps) / record.config.steps;
  const column = (config: ReplicaConfig, runs: readonly ReplicaRun[] = []) => {
    const { model, dataset, trainTokens, steps, schedule } = config;
    return {
      model: `${layersByWidth(model)}, context ${model.context}, ${count(gpt2Parameters(model).all)} parameters`,
      text: `${dataset}, vocabulary ${count(model.vocabulary)}`,
      'training tokens': count(trainTokens),
      'parameters a token': parametersPerToken(config).toPrecision(3),
      'a step': `${count(tokensPerStep(config))} tokens`,
      steps: count(steps),
      passes: passes(config).toPrecision(3),
      'learning rate': `${schedule.peak} after ${count(schedule.warmupSteps)} steps, then by a cosine to a tenth`,
      'minutes a run': rangeText(runs.map(minutes), (x) => x.toFixed(0)),
    };
  };
  return rowsOf(
    Object.fromEntries(Object.entries(configs).map(([name, config]) => [name, column(config, made[name])])),
  );
}
