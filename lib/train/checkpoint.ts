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
import type { Parameter } from '../tensor/parameters';
import { UserError } from '../util/errors';
import { linkAtomically, writePartsAtomically } from '../util/files';
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

async function* valuesOf(parameters: readonly Parameter[]): AsyncGenerator<Float32Array> {
  for (const p of parameters) {
    const { value, m, v } = await p.state();
    yield value;
    yield m;
    yield v;
  }
}

const unwritten = (path: string, error: unknown): UserError =>
  new UserError(
    `checkpoint: expected to write ${path}; ${(error as Error).message}: free the disk or make the folder writable and start again; the previous checkpoint is whole`,
  );

/** A kill at any moment leaves the previous checkpoint whole. */
export async function saveCheckpoint(
  path: string,
  state: RunState,
  parameters: readonly Parameter[],
): Promise<void> {
  const tensors = parameters.flatMap(({ name, shape }) =>
    ['', '.m', '.v'].map((part) => ({ name: name + part, shape })),
  );
  const parts = (sha256: string) =>
    safetensorsParts(tensors, valuesOf(parameters), {
      ...METADATA,
      sha256,
      state: JSON.stringify(state),
    });
  const hash = createHash('sha256');
  for await (const part of parts(NO_HASH)) hash.update(part);
  await writePartsAtomically(path, parts(hash.digest('hex'))).catch((error) => {
    throw unwritten(path, error);
  });
}

/** Gives the checkpoint at `path` a second name; both are one file until the first is written again. */
export function linkCheckpoint(path: string, second: string): void {
  try {
    linkAtomically(path, second);
  } catch (error) {
    throw unwritten(second, error);
  }
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
      const start = piece.toString('latin1', 8, 8 + START.length);
      if (start !== START)
        throw broken(
          `expected a checkpoint of format ${FORMAT}; it is foreign, damaged or of another version`,
        );
      sha256 = piece.toString('latin1', 8 + START.length, 8 + START.length + NO_HASH.length);
      piece.write(NO_HASH, 8 + START.length, 'latin1');
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
  loadCheckpoint(path, configHash(config), model.parameters);
  return model;
}
