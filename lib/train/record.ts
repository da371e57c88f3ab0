/** The record of a run: all that is needed to judge its numbers and to make them again. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import * as os from 'node:os';
import { join } from 'node:path';
import {
  TIERS,
  type CapacityConfig,
  type ConfigOf,
  type PlateauConfig,
  type RunConfig,
  type TextConfig,
  type Tier,
} from '../experiments/config';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { paths } from '../util/paths';
import { engine } from '../tensor/engine';
import { usesBf16 } from './step';

/** What an evaluation of question formation measures. */
export interface QuestionFormationMeasures {
  /** Mean over the tokens of held-out lines, without dropout. */
  heldOutLossNats: number;
  /** Share of generalisation questions whose first word the model prefers to be the main auxiliary over the first one. */
  generalisation: number;
}

/** What an evaluation on a text measures. */
export interface TextMeasures {
  /** Mean over the predicted tokens of held-out windows, without dropout. */
  heldOutLossNats: number;
  /** Passes over the training windows so far. */
  epoch: number;
  /** Share of training windows whose greedy continuation is the text itself; null where the config asks for none. */
  memorisedShare: number | null;
  /**
   * Mean distance energy (β = 1) of last-layer activations, with those of training windows as patterns: of the patterns
   * themselves (`own`, at most 0), of the patterns without those of their own window (`others`), and of held-out windows.
   * In units of distance; null where the config asks for none.
   */
  energies: { own: number; others: number; heldOut: number } | null;
  /** Mean distance to the nearest of the same patterns, its own window's left out, of training and of held-out activations. */
  nearest: { others: number; heldOut: number } | null;
}

/** What an evaluation on lines of the grammar family measures. Everything without dropout. */
export interface PlateauMeasures {
  /** Mean over the tokens of held-out lines. */
  heldOutLossNats: number;
  /** The same of training lines, the first of them. */
  trainLinesLossNats: number;
  /** Loss at each position of the held-out lines, a mean over all of them: lines that have ended count 0. */
  positionNats: number[];
  /** Share of lines whose second half of the sentence and all behind it the model predicts greedily, token by token; equal logits, as rounding makes them, count for it. */
  memorised: { train: number; heldOut: number };
}

/** What an evaluation on random items measures, over all of them. */
export interface CapacityMeasures {
  /** Mean over the predicted tokens of fresh items, which no one can know: at least the logarithm of their number of values. */
  heldOutLossNats: number;
  /** Σ over items of what the model saves of their bits, never below 0 for an item. */
  memorisedBits: number;
  /** Share of items that the model continues to their end without a mistake, greedily, from their first tokens. */
  recalledShare: number;
}

/** By the field `experiment`. */
export type Measures<C extends RunConfig> = C extends TextConfig
  ? TextMeasures
  : C extends PlateauConfig
    ? PlateauMeasures
    : C extends CapacityConfig
      ? CapacityMeasures
      : QuestionFormationMeasures;

/** One point of the curves. */
export type CurvePoint<C extends RunConfig = RunConfig> = Measures<C> & {
  step: number;
  tokensSeen: number;
  /** Mean over the tokens of the steps since the last point. */
  trainLossNats: number;
  learningRate: number;
  /** Mean over the steps since the last point, before clipping. */
  gradientNorm: number;
};

export interface RunRecord<C extends RunConfig = RunConfig> {
  format: 1;
  id: string;
  config: C;
  configHash: string;
  dataHash: string;
  /** The source the run was made with, all in order if it went on with another; "+" behind it: with changes that were not committed. */
  commit: string;
  versions: { node: string; tensorflow: string | null; tfjs: string };
  hardware: { cpu: string; cores: number; memoryGiB: number; device: 'cpu' | 'gpu' };
  /** What products were computed in: not what the config asks for where the hardware has no bfloat16. Records from before it was kept have none. */
  computedIn?: 'fp32' | 'bf16';
  startedAt: string;
  /** Null while the run has not ended. */
  finishedAt: string | null;
  /** Wall time over all sessions, evaluations included. */
  minutes: number;
  parameters: number;
  /** Mean over the training steps of the last session, evaluations left out. */
  tokensPerSecond: number;
  curve: CurvePoint<C>[];
}

/** Text of a value with the keys of its objects sorted, so that equal values have equal texts. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join()}}`;
}

/** SHA-256 of what decides the weights after any step and the points of the curve. A run may be given more steps later. */
export function configHash(config: RunConfig): string {
  const { steps, checkpointEverySteps, tier, ...decisive } = config;
  return createHash('sha256').update(canonical(decisive)).digest('hex');
}

/** What a run's name says of its data. */
function dataName(config: RunConfig): string {
  switch (config.experiment) {
    case 'question-formation':
      return '';
    case 'plateau-intervention':
      return `-width-${config.model.width}-grammar-${config.grammar}-${config.trainLines}-lines`;
    case 'capacity':
      return `-width-${config.model.width}-${config.items}-${config.what}`;
    case 'overfitting-9m':
    case 'scaling-90m':
      return `-${config.trainTokens}-tokens`;
  }
}

/** `question-formation-desk-6-layers-seed-1-` and the first six digits of the config's hash; of texts with `-900000-tokens`. */
export function runId(config: RunConfig): string {
  return `${config.experiment}-${config.tier}-${config.model.layers}-layers${dataName(config)}-seed-${config.seed}-${configHash(config).slice(0, 6)}`;
}

/** Folder of a run's checkpoint and, while it is not committed, its record. */
export const runFolder = (id: string): string => join(paths.local, 'runs', id);

/** Where a run's record is kept: desk and full ones are committed. */
export function recordPath(id: string, tier: RunConfig['tier']): string {
  return tier === 'desk' || tier === 'full'
    ? join(paths.runs, `${id}.json`)
    : join(runFolder(id), 'record.json');
}

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

/** Those of an experiment. */
export const committedRecords = <E extends RunConfig['experiment']>(
  experiment: E,
): RunRecord<ConfigOf<E>>[] =>
  allCommitted().filter(
    (record): record is RunRecord<ConfigOf<E>> => record.config.experiment === experiment,
  );

/** The records of an execution, and of others those that are not among them. */
export const beside = <C extends RunConfig>(
  own: readonly RunRecord<C>[],
  others: readonly RunRecord<C>[],
): RunRecord<C>[] => [...own, ...others.filter(({ id }) => !own.some((record) => record.id === id))];

function commit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: paths.root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain', '--', 'lib', 'package.json') ? '+' : '');
  } catch {
    return 'unknown: not a git checkout';
  }
}

/** `2 CPU cores`, `a GPU`: of all runs, each once. */
export const hardwareText = (records: readonly Pick<RunRecord, 'hardware'>[]): string =>
  [
    ...new Set(
      records.map(({ hardware: { cores, device } }) => (device === 'gpu' ? 'a GPU' : `${cores} CPU cores`)),
    ),
  ].join(', ');

/** Items of one key together, in the order in which keys come. */
export function grouped<T, K extends string | number>(
  items: readonly T[],
  key: (item: T) => K,
): [key: K, items: T[]][] {
  const groups = new Map<K, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups];
}

/** Those of the fullest tier among them. */
export const ofFullestTier = <T>(items: readonly T[], tierOf: (item: T) => Tier): T[] =>
  grouped(items, tierOf).sort(([a], [b]) => TIERS.indexOf(b) - TIERS.indexOf(a))[0]?.[1] ?? [];

/** Runs of one tier together: within one experiment only they share a model. */
export const byTier = <R extends Pick<RunRecord, 'config'>>(
  records: readonly R[],
): [tier: Tier, records: R[]][] => grouped(records, ({ config }) => config.tier);

/** Record of a run that begins now. */
export function newRecord(config: RunConfig, dataHash: string, parameters: number): RunRecord {
  const { tensorflowVersion, tfjsVersion, device } = engine();
  return {
    format: 1,
    id: runId(config),
    config,
    configHash: configHash(config),
    dataHash,
    commit: commit(),
    versions: { node: process.versions.node, tensorflow: tensorflowVersion, tfjs: tfjsVersion },
    hardware: {
      cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
      cores: os.cpus().length,
      memoryGiB: Math.round(os.totalmem() / 2 ** 30),
      device,
    },
    computedIn: usesBf16(config) ? 'bf16' : 'fp32',
    startedAt: new Date().toISOString(),
    finishedAt: null,
    minutes: 0,
    parameters,
    tokensPerSecond: 0,
    curve: [],
  };
}
