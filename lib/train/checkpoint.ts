/**
 * Checkpoints: safetensors files that hold each parameter under its name and its two AdamW moments under `.m` and `.v`. The
 * metadata say where the run is, and the SHA-256 of the file with zeros in the hash's own place. The order of the data and
 * dropout follow from seed and step, so nothing else has to be kept. One parameter at a time is in memory besides the model.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import type { Parameter } from '../tensor/parameters';
import { UserError } from '../util/errors';
import { piecesOf, writePartsAtomically } from '../util/files';
import { SafetensorsFile, safetensorsParts } from '../util/safetensors';
import { mismatch, type Schema } from '../util/schema';
import type { TrainingConfig } from './config';
import { configHash, RECORD, runFolder, type Measures, type RunRecord, type Weights } from './record';

/** A run between two steps, but for its parameters. */
export interface RunState<C extends TrainingConfig = TrainingConfig, M extends Measures = Measures> {
  step: number;
  tokensSeen: number;
  record: RunRecord<C, M>;
  since: RunningMeans;
}

/** Sums since the last point of the curve. */
export interface RunningMeans {
  steps: number;
  tokens: number;
  nats: number;
  gradientNorms: number;
}

/** `last`: after the latest step that was kept; `best`: at the point of the curve with the lowest held-out loss. */
export const checkpointPath = (id: string, which: 'last' | 'best' = 'last'): string =>
  join(runFolder(id), `${which}.safetensors`);

const FORMAT = 'memorization-notebooks/checkpoint/4';
/** Metadata up to the hash; other tools read `format`. */
const METADATA = { format: 'pt', checkpoint: FORMAT };
const NO_HASH = '0'.repeat(64);
/** What a checkpoint says between the length of its header and the hash. */
const START = `{"__metadata__":${JSON.stringify({ ...METADATA, sha256: '' }).slice(0, -2)}`;
/** Offset of the hash in the file. */
const HASH_AT = 8 + START.length;

/**
 * A kill at any moment leaves the previous checkpoint intact. Throws a UserError where it cannot be written.
 * @param folder for the file until it is complete
 */
export async function saveCheckpoint(
  path: string,
  state: RunState,
  parameters: readonly Parameter[],
  folder?: string,
): Promise<void> {
  const tensors = parameters.flatMap(({ name, shape }) =>
    ['', '.m', '.v'].map((part) => ({ name: name + part, shape })),
  );
  const metadata = { ...METADATA, sha256: NO_HASH, state: JSON.stringify(state) };
  const hash = createHash('sha256');
  function* values(): Generator<Float32Array> {
    for (const p of parameters) {
      const { value, m, v } = p.state();
      yield value;
      yield m;
      yield v;
    }
  }
  function* hashed(): Generator<Uint8Array> {
    for (const part of safetensorsParts(tensors, values(), metadata)) {
      hash.update(part);
      yield part;
    }
  }
  await writePartsAtomically(path, hashed(), () => [Buffer.from(hash.digest('hex')), HASH_AT], folder);
}

const broken = (path: string, why: string): UserError =>
  new UserError(`checkpoint ${path}: ${why}; delete its folder to start this run from the beginning`);

/** SHA-256 of a file with zeros in the hash's own place, and the hash that is there. */
function hashes(path: string): { got: string; expected: string } {
  const hash = createHash('sha256');
  let expected: string | undefined;
  for (const piece of piecesOf(path)) {
    if (expected === undefined) {
      if (piece.toString('latin1', 8, HASH_AT) !== START)
        throw broken(
          path,
          `expected a checkpoint of format ${FORMAT}; it is foreign, damaged or of another version`,
        );
      expected = piece.toString('latin1', HASH_AT, HASH_AT + NO_HASH.length);
      piece.write(NO_HASH, HASH_AT, 'latin1');
    }
    hash.update(piece);
  }
  if (expected === undefined) throw broken(path, 'it is empty, so it is damaged');
  return { got: hash.digest('hex'), expected };
}

/** Throws a UserError unless all of a file is as it was written. */
function verify(path: string): void {
  try {
    const { got, expected } = hashes(path);
    if (got !== expected)
      throw broken(path, 'its content does not match its SHA-256: it is damaged or cut off');
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw broken(path, `expected a file; got ${(error as NodeJS.ErrnoException).code}`);
  }
}

const STATE: Schema = {
  step: 'count',
  tokensSeen: 'count',
  since: { steps: 'count', tokens: 'count', nats: 'number', gradientNorms: 'number' },
  record: RECORD,
};

/** The state in an open checkpoint's metadata. */
function stateIn({ path, metadata }: SafetensorsFile): RunState {
  let state: unknown;
  try {
    state = JSON.parse(metadata.state!);
  } catch {
    // Checked below.
  }
  const wrong = mismatch(state, STATE, 'state');
  if (wrong) throw broken(path, `${wrong}: it was edited, or is of another version`);
  return state as RunState;
}

/** What a checkpoint says of its run, its numbers unchecked; null where there is none that can be read. */
export function checkpointState(path: string): RunState | null {
  try {
    const file = new SafetensorsFile(path);
    file.close();
    return stateIn(file);
  } catch {
    return null;
  }
}

/** What a checkpoint holds. Equal trainings give equal weights. */
export function weightsIn(path: string): Weights {
  const file = new SafetensorsFile(path);
  file.close();
  const hash = createHash('sha256');
  for (const piece of piecesOf(path, file.start)) hash.update(piece);
  return { step: stateIn(file).step, sha256: hash.digest('hex') };
}

/**
 * Whether a finished run has to be trained further for its weights: its last checkpoint is of an earlier step than the
 * record's last, or there is none and `wanted` says that there should be.
 */
export function lacksWeights({ id, curve }: RunRecord, wanted = false): boolean {
  const [last, end] = [checkpointState(checkpointPath(id)), curve.at(-1)!.step];
  if (!last) return wanted;
  if (last.step < end)
    console.warn(
      `${id}: its record ends at step ${end}, its last checkpoint is of step ${last.step}: the steps between are trained again`,
    );
  return last.step < end;
}

/** Puts a checkpoint's numbers into the parameters. Returns null where there is no file; throws a UserError where it is not this run's. */
export function loadCheckpoint<C extends TrainingConfig, M extends Measures>(
  path: string,
  hash: string,
  parameters: readonly Parameter[],
): RunState<C, M> | null {
  if (!existsSync(path)) return null;
  verify(path);
  const file = new SafetensorsFile(path);
  try {
    const state = stateIn(file) as RunState<C, M>;
    if (state.record.configHash !== hash)
      throw new UserError(
        `checkpoint ${path}: expected config hash ${hash.slice(0, 12)}; got ${state.record.configHash.slice(0, 12)}: it belongs to another run`,
      );
    for (const { name, shape } of parameters) file.check(name, shape);
    for (const p of parameters)
      p.restore({
        value: file.read(p.name),
        m: file.read(`${p.name}.m`),
        v: file.read(`${p.name}.v`),
      });
    return state;
  } finally {
    file.close();
  }
}

/** The model in a checkpoint, for the caller to `dispose` of. */
export function loadedModel(path: string, config: TrainingConfig): LanguageModel {
  if (!existsSync(path))
    throw new UserError(
      `checkpoint: expected a file at ${path}; found none: delete its folder if there is one, and train this run here, with "npm run train -- EXPERIMENT --weights"`,
    );
  const model = buildModel(config.model, config.seed);
  try {
    loadCheckpoint(path, configHash(config), model.parameters);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}
