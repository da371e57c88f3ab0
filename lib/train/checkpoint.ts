/**
 * Checkpoints: safetensors files that hold each parameter under its name and its two AdamW moments under `.m` and `.v`. The
 * metadata say where the run is, and the SHA-256 of the file with zeros in the hash's own place. The order of the data and
 * dropout follow from seed and step, so nothing else has to be kept. One parameter at a time is in memory besides the model.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { valuesOf, type Parameter } from '../tensor/parameters';
import { UserError } from '../util/errors';
import { writePartsAtomically } from '../util/files';
import { SafetensorsFile, safetensorsParts } from '../util/safetensors';
import type { TrainingConfig } from './config';
import { configHash, runFolder, type Measures, type RunRecord } from './record';

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
  async function* hashed(): AsyncGenerator<Uint8Array> {
    for await (const part of safetensorsParts(tensors, valuesOf(parameters, { moments: true }), metadata)) {
      hash.update(part);
      yield part;
    }
  }
  await writePartsAtomically(path, hashed(), () => [Buffer.from(hash.digest('hex')), HASH_AT], folder);
}

const PIECE = 2 ** 22;

/** A file piece by piece. */
function* pieces(path: string): Generator<Buffer> {
  const file = openSync(path, 'r');
  try {
    for (;;) {
      const piece = Buffer.allocUnsafe(PIECE);
      const length = readSync(file, piece, 0, PIECE, null);
      if (length === 0) return;
      yield piece.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}

/** Throws a UserError unless all of a file is as it was written. */
function verify(path: string): void {
  const broken = (why: string) =>
    new UserError(`checkpoint ${path}: ${why}; delete it to start this run from the beginning`);
  const hash = createHash('sha256');
  let sha256: string | undefined;
  for (const piece of pieces(path)) {
    if (sha256 === undefined) {
      const start = piece.toString('latin1', 8, HASH_AT);
      if (start !== START)
        throw broken(
          `expected a checkpoint of format ${FORMAT}; it is foreign, damaged or of another version`,
        );
      sha256 = piece.toString('latin1', HASH_AT, HASH_AT + NO_HASH.length);
      piece.write(NO_HASH, HASH_AT, 'latin1');
    }
    hash.update(piece);
  }
  if (sha256 === undefined) throw broken('it is empty, so it is damaged');
  if (hash.digest('hex') !== sha256)
    throw broken('its content does not match its SHA-256: it is damaged or cut off');
}

/** What a checkpoint says of its run, unchecked; null where there is none that can be read. */
export function checkpointState(path: string): RunState | null {
  try {
    const file = new SafetensorsFile(path);
    file.close();
    return JSON.parse(file.metadata.state!) as RunState;
  } catch {
    return null;
  }
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
    const state = JSON.parse(file.metadata.state!) as RunState<C, M>;
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
    throw new UserError(`checkpoint: expected a file at ${path}; found none: train this run here first`);
  const model = buildModel(config.model, config.seed);
  try {
    loadCheckpoint(path, configHash(config), model.parameters);
  } catch (error) {
    model.dispose();
    throw error;
  }
  return model;
}
