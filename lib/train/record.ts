/** The record of a run as JSON: all that is needed to judge its numbers and to reproduce them. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { paths } from '../util/paths';
import { decides, TIERS, type Tier, type TrainingConfig } from './config';

/** What an evaluation measures; an experiment adds its own. */
export interface Measures {
  /** Mean over the predicted tokens of data that is not trained on, without dropout. */
  heldOutLossNats: number;
}

/** One point of the curves. */
export type CurvePoint<M extends Measures = Measures> = M & {
  step: number;
  tokensSeen: number;
  /** Mean over the tokens of the steps since the last point. */
  trainLossNats: number;
  learningRate: number;
  /** Mean over the steps since the last point, before clipping. */
  gradientNorm: number;
};

export interface RunRecord<C extends TrainingConfig = TrainingConfig, M extends Measures = Measures> {
  format: 1;
  id: string;
  config: C;
  configHash: string;
  dataHash: string;
  /** Commits of the source, in order, if the run was continued with another; "+" marks changes that were not committed. */
  commit: string;
  versions: { node: string; tensorflow: string | null; tfjs: string };
  hardware: { cpu: string; cores: number; memoryGiB: number; device: 'cpu' | 'gpu' };
  /** Precision of products: fp32 where the hardware has no bfloat16, whatever the config asks for. Old records have none. */
  computedIn?: 'fp32' | 'bf16';
  startedAt: string;
  /** Null while the run has not ended. */
  finishedAt: string | null;
  /** Wall time over all sessions, evaluations included. */
  minutes: number;
  parameters: number;
  /** Mean over the training steps of the last session, evaluations left out. */
  tokensPerSecond: number;
  curve: CurvePoint<M>[];
}

/** Text of a value with the keys of its objects sorted, so that equal values have equal texts. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join()}}`;
}

/** SHA-256 of what decides the weights after any step and the points of the curve. A run may be given more steps later. */
export function configHash(config: TrainingConfig): string {
  const { steps, checkpointEverySteps, tier, ...decisive } = config;
  return createHash('sha256').update(canonical(decisive)).digest('hex');
}

/** Folder of a run's checkpoint and, while it is not committed, its record. */
export const runFolder = (id: string): string => join(paths.local, 'runs', id);

/** Where a run's record is kept: desk and full ones are committed. */
export const recordPath = (id: string, tier: Tier): string =>
  decides(tier) ? join(paths.runs, `${id}.json`) : join(runFolder(id), 'record.json');

export function writeRecord(record: RunRecord): void {
  writeAtomically(recordPath(record.id, record.config.tier), `${JSON.stringify(record, null, 1)}\n`);
}

export function readRecord(path: string): RunRecord {
  if (!existsSync(path))
    throw new UserError(`record: expected a file at ${path}; found none: run the experiment first`);
  let record: RunRecord;
  try {
    record = JSON.parse(readFileSync(path, 'utf8')) as RunRecord;
  } catch {
    throw new UserError(
      `record ${path}: expected JSON; it is damaged: restore it from git or run the experiment again`,
    );
  }
  const whole = record.format === 1 && Array.isArray(record.curve) && record.config !== undefined;
  if (!whole)
    throw new UserError(
      `record ${path}: expected format 1 with config and curve; got format ${String(record.format)}: it is from another program or version`,
    );
  if (configHash(record.config) !== record.configHash)
    throw new UserError(
      `record ${path}: expected config hash ${configHash(record.config).slice(0, 12)}; it says ${String(record.configHash).slice(0, 12)}: it was edited or damaged, restore it from git`,
    );
  return record;
}

/** All committed records, in the order of their ids. */
export const allCommitted = (): RunRecord[] =>
  (existsSync(paths.runs) ? readdirSync(paths.runs) : [])
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => readRecord(join(paths.runs, name)));

/** Records, and those of others that are not among them. */
export const withOthers = <R extends RunRecord>(own: readonly R[], others: readonly R[]): R[] => [
  ...own,
  ...others.filter(({ id }) => !own.some((record) => record.id === id)),
];

/** `2 CPU cores, a GPU`: the hardware of some runs. */
export const hardwareText = (records: readonly Pick<RunRecord, 'hardware'>[]): string =>
  [
    ...new Set(
      records.map(({ hardware: { cores, device } }) => (device === 'gpu' ? 'a GPU' : `${cores} CPU cores`)),
    ),
  ].join(', ');

/** Items by key, in the order of the first item of each. */
export function grouped<T, K extends string | number>(
  items: readonly T[],
  key: (item: T) => K,
): [key: K, items: T[]][] {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups];
}

/** The items of the fullest tier that any of them has. */
export const ofFullestTier = <T>(items: readonly T[], tierOf: (item: T) => Tier): T[] =>
  grouped(items, tierOf).sort(([a], [b]) => TIERS.indexOf(b) - TIERS.indexOf(a))[0]?.[1] ?? [];

/** Records by tier. */
export const byTier = <R extends Pick<RunRecord, 'config'>>(
  records: readonly R[],
): [tier: Tier, records: R[]][] => grouped(records, ({ config }) => config.tier);
