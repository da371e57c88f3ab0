/** The record of a run as JSON: all that is needed to judge its numbers and to reproduce them. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Arithmetic } from './arithmetic';
import { UserError } from '../util/errors';
import { writeAtomically } from '../util/files';
import { paths } from '../util/paths';
import { mismatch, type Schema } from '../util/schema';
import { checkTraining, type TrainingConfig } from './config';

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

/** What a checkpoint holds: after which step, and the SHA-256 of parameters and moments. */
export interface Weights {
  step: number;
  sha256: string;
}

/** What ran the steps up to one. */
export interface Machine extends Pick<RunRecord, 'versions' | 'hardware' | 'engine'> {
  untilStep: number;
}

export interface RunRecord<C extends TrainingConfig = TrainingConfig, M extends Measures = Measures> {
  /** Records of format 1 have neither `engine` nor `sha256`. */
  format: 1 | 2;
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
  /** Machines that differ in it may differ in bits. */
  engine?: Arithmetic;
  /** Where earlier steps were made, if elsewhere: their bits may be other than this machine's. */
  before?: Machine[];
  startedAt: string;
  /** Null while the run has not ended. */
  finishedAt: string | null;
  /** Wall time over all sessions, evaluations included. */
  minutes: number;
  parameters: number;
  /** Mean over the training steps of the last session, evaluations left out. */
  tokensPerSecond: number;
  curve: CurvePoint<M>[];
  /** Of the checkpoints that belong to the record: equal trainings have equal weights. Old records have none. */
  weights?: { last: Weights; best?: Weights };
  /** Of the record without this field. */
  sha256?: string;
}

/** Step of the lowest held-out loss, the first of equal ones. */
export const bestStep = (curve: readonly CurvePoint[]): number | undefined =>
  curve.length
    ? curve.reduce((best, point) => (point.heldOutLossNats < best.heldOutLossNats ? point : best)).step
    : undefined;

/** Text of a value with the keys of its objects sorted, so that equal values have equal texts. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join()}}`;
}

const sha256 = (value: unknown): string => createHash('sha256').update(canonical(value)).digest('hex');

/** SHA-256 of what decides the weights after any step and the points of the curve. A run may be given more steps later. */
export function configHash(config: TrainingConfig): string {
  const { steps, checkpointEverySteps, tier, ...decisive } = config;
  return sha256(decisive);
}

/** As it reads from its file. */
function recordHash({ sha256: _, ...rest }: RunRecord): string {
  return sha256(JSON.parse(JSON.stringify(rest)));
}

/** Folder of a run's checkpoints and record. */
export const runFolder = (id: string): string => join(paths.local, 'runs', id);

/** Where a run leaves its record. */
export const recordPath = (id: string): string => join(runFolder(id), 'record.json');
/** Where a record that was committed on purpose is. */
export const committedPath = (id: string): string => join(paths.runs, `${id}.json`);

/** @param folder for the file until it is complete @returns the record with its hash */
export function writeRecord<R extends RunRecord>(record: R, folder?: string): R {
  const sealed = { ...record, sha256: recordHash(record) };
  writeAtomically(recordPath(record.id), `${JSON.stringify(sealed, null, 1)}\n`, folder);
  return sealed;
}

const WEIGHTS: Schema = { step: 'count', sha256: 'hash' };

const MACHINE = {
  versions: { node: 'text', 'tensorflow?': 'text', tfjs: 'text' },
  hardware: { cpu: 'text', cores: 'count', memoryGiB: 'number', device: 'text' },
  'engine?': { threads: 'count', oneDnn: 'boolean', cpuFeatures: ['text'], fused: 'boolean' },
} satisfies Schema;

const HEAD = {
  id: 'text',
  configHash: 'hash',
  dataHash: 'hash',
  commit: 'text',
  ...MACHINE,
  'computedIn?': 'text',
  'before?': [{ ...MACHINE, untilStep: 'count' }],
  startedAt: 'text',
  minutes: 'number',
  parameters: 'count',
  tokensPerSecond: 'number',
  'weights?': { last: WEIGHTS, 'best?': WEIGHTS },
} satisfies Schema;
const POINT: Schema = {
  step: 'count',
  tokensSeen: 'count',
  trainLossNats: 'number',
  heldOutLossNats: 'number',
  learningRate: 'number',
  gradientNorm: 'number',
};

/** Of a finished record, or of what a checkpoint keeps of an unfinished one. */
export const RECORD: Schema = { ...HEAD, curve: [POINT] };

/** What is wrong with what was read as a record: expected what, got what. */
function fault(record: RunRecord, place: string): string | undefined {
  const { id, config, curve, finishedAt } = record;
  if (!(record.format === 1 || record.format === 2) || !Array.isArray(curve) || !config?.model)
    return `expected format 1 or 2 with config and curve; got format ${String(record.format)}: it is from another program or version`;
  const wrong = mismatch(record, HEAD);
  if (wrong) return `${wrong}: it was edited or damaged`;
  const hash = configHash(config);
  if (record.configHash !== hash)
    return `expected config hash ${hash.slice(0, 12)}; it says ${String(record.configHash).slice(0, 12)}: it was edited or damaged`;
  const [start, end] = [
    `${config.experiment}-${config.tier}-${config.model.layers}-layers`,
    `-seed-${config.seed}-${hash.slice(0, 6)}`,
  ];
  if (!id.startsWith(start) || !id.endsWith(end))
    return `expected the id ${start}…${end}; got ${id}: it was edited or damaged`;
  if (id !== place) return `expected the record of ${place}; it is that of ${id}`;
  if (!(Date.parse(finishedAt ?? '') > 0))
    return `expected the time when the run ended; got ${finishedAt}: the run has not ended`;
  const bad = curve.findIndex(
    (point, i) =>
      !(point?.step > (curve[i - 1]?.step ?? 0) && point.step <= config.steps) ||
      !Number.isFinite(point.trainLossNats) ||
      !Number.isFinite(point.heldOutLossNats),
  );
  const at = curve[bad];
  if (!curve.length || bad >= 0)
    return `expected a curve of ascending steps with both losses; got ${at ? `${at.trainLossNats} and ${at.heldOutLossNats} at step ${at.step}` : 'none'}: it was edited or damaged`;
  if (record.format === 2 && record.sha256 !== recordHash(record))
    return `expected SHA-256 ${recordHash(record).slice(0, 12)}; it says ${String(record.sha256).slice(0, 12)}: it was edited or damaged`;
  return mismatch(record, RECORD) ?? configFault(config);
}

function configFault(config: TrainingConfig): string | undefined {
  try {
    checkTraining(config);
  } catch (error) {
    return (error as Error).message;
  }
}

/** Reads a record and checks all that can be checked; throws a UserError that names the first fault. */
export function readRecord(path: string): RunRecord {
  const isCommitted = path.startsWith(paths.runs);
  const remedy = isCommitted
    ? `restore it with "git checkout -- data/runs/${basename(path)}"`
    : 'delete it and run the experiment again, with "npm run train" or "npm run sweep"';
  const refuse = (why: string): never => {
    throw new UserError(`record ${path}: ${why}; ${remedy}`);
  };
  let record: RunRecord | null;
  try {
    record = JSON.parse(readFileSync(path, 'utf8')) as RunRecord | null;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      throw new UserError(`record: expected a file at ${path}; found none: run the experiment first`);
    return refuse(code ? `expected a file; got ${code}` : 'expected JSON; it is damaged');
  }
  if (record === null || typeof record !== 'object') return refuse('expected an object; it is damaged');
  const why = fault(record, isCommitted ? basename(path, '.json') : basename(dirname(path)));
  return why === undefined ? record : refuse(why);
}

/** A record of at least the steps of a config, if there is one at a path. */
export function recordAt<C extends TrainingConfig, M extends Measures>(
  path: string,
  { steps }: C,
): RunRecord<C, M> | null {
  if (!existsSync(path)) return null;
  const record = readRecord(path) as RunRecord<C, M>;
  return record.config.steps >= steps ? record : null;
}

/** All committed records, in the order of their ids. */
export const allCommitted = (): RunRecord[] =>
  (existsSync(paths.runs) ? readdirSync(paths.runs) : [])
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => readRecord(join(paths.runs, name)));
