/**
 * Checkpoints: a line with format and SHA-256 of all that follows, a line of JSON that says what is inside, then every
 * parameter with its two moments as little-endian float32. Order and dropout follow from seed and step, so nothing else
 * has to be kept. One parameter at a time is in memory beside the model.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { UserError } from '../util/errors';
import { linkAtomically, writePartsAtomically } from '../util/files';
import type { Scales } from '../tensor/adamw';
import type { Parameter } from '../tensor/parameters';
import type { TrainingConfig } from './config';
import { configHash, runFolder, type Measures, type RunRecord } from './record';

/** A run between two steps, but for its parameters. */
export interface RunState<C extends TrainingConfig = TrainingConfig, M extends Measures = Measures> {
  step: number;
  tokensSeen: number;
  record: RunRecord<C, M>;
  since: RunningMeans;
}

interface Header extends RunState {
  parameters: { name: string; shape: number[]; scales: Scales }[];
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
  join(runFolder(id), `${which}.checkpoint`);

const FORMAT = 'memorization-notebooks/checkpoint/2';
const PARTS = ['value', 'm', 'v'] as const;

const bytes = (a: Float32Array): Buffer => Buffer.from(a.buffer, a.byteOffset, a.byteLength);

/** Everything behind the first line. */
async function* content(state: RunState, parameters: Parameter[]): AsyncGenerator<Buffer> {
  const header: Header = {
    ...state,
    parameters: parameters.map(({ name, shape, scales }) => ({ name, shape, scales })),
  };
  yield Buffer.from(`${JSON.stringify(header)}\n`);
  for (const p of parameters) {
    const state = await p.state();
    for (const part of PARTS) yield bytes(state[part]);
  }
}

const unwritten = (path: string, error: unknown): UserError =>
  new UserError(
    `checkpoint: expected to write ${path}; ${(error as Error).message}: free the disk or make the folder writable and start again; the previous checkpoint is whole`,
  );

/** Writes aside, syncs and renames: a kill at any moment leaves the previous checkpoint whole. */
export async function saveCheckpoint(path: string, state: RunState, parameters: Parameter[]): Promise<void> {
  const hash = createHash('sha256');
  for await (const part of content(state, parameters)) hash.update(part);
  async function* file(): AsyncGenerator<Buffer> {
    yield Buffer.from(`${FORMAT} ${hash.digest('hex')}\n`);
    yield* content(state, parameters);
  }
  await writePartsAtomically(path, file()).catch((error) => {
    throw unwritten(path, error);
  });
}

/** Gives the checkpoint at `path` a second name; both are one file until the first is written anew. */
export function linkCheckpoint(path: string, second: string): void {
  try {
    linkAtomically(path, second);
  } catch (error) {
    throw unwritten(second, error);
  }
}

const PIECE = 2 ** 22;

/** A file from byte `at` on, piece by piece. */
function* pieces(file: number, at: number): Generator<Buffer> {
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE);
    const length = readSync(file, piece, 0, PIECE, at);
    if (length === 0) return;
    yield piece.subarray(0, length);
    at += length;
  }
}

/** The line that begins at byte `at`, without its end. */
function lineAt(file: number, at: number): Buffer {
  const read: Buffer[] = [];
  for (const piece of pieces(file, at)) {
    const end = piece.indexOf(10);
    read.push(end < 0 ? piece : piece.subarray(0, end));
    if (end >= 0) break;
  }
  return Buffer.concat(read);
}

/** Checks all of a checkpoint before any of it is used. */
function checked(path: string, file: number): { header: Header; body: number } {
  const broken = (why: string) =>
    new UserError(`checkpoint ${path}: ${why}; delete it to start this run anew`);
  const first =
    pieces(file, 0)
      .next()
      .value?.subarray(0, FORMAT.length + 66)
      .toString('latin1') ?? '';
  const [format, sha256] = first.split('\n')[0]!.split(' ');
  if (format !== FORMAT)
    throw broken(
      `expected format ${FORMAT}; got ${JSON.stringify(format?.slice(0, 60))}: it is foreign, damaged or of another version`,
    );
  const hash = createHash('sha256');
  for (const piece of pieces(file, first.length)) hash.update(piece);
  if (hash.digest('hex') !== sha256)
    throw broken('its content does not match its SHA-256: it is damaged or cut off');
  const header = lineAt(file, first.length);
  return { header: JSON.parse(header.toString('utf8')) as Header, body: first.length + header.length + 1 };
}

/** `size` numbers that begin at byte `at`. */
function floatsAt(file: number, at: number, size: number): Float32Array {
  const values = new Float32Array(size);
  const target = bytes(values);
  for (let done = 0; done < target.length;)
    done += readSync(file, target, done, target.length - done, at + done);
  return values;
}

/** Puts a checkpoint's numbers into the parameters. Returns null where there is no file; throws a UserError where it is not this run's. */
export function loadCheckpoint<C extends TrainingConfig, M extends Measures>(
  path: string,
  hash: string,
  parameters: Parameter[],
): RunState<C, M> | null {
  if (!existsSync(path)) return null;
  const file = openSync(path, 'r');
  try {
    const { header, body } = checked(path, file);
    if (header.record.configHash !== hash)
      throw new UserError(
        `checkpoint ${path}: expected config hash ${hash.slice(0, 12)}; got ${header.record.configHash.slice(0, 12)}: it belongs to another run`,
      );
    let at = body;
    parameters.forEach((p, i) => {
      const there = header.parameters[i];
      if (there?.name !== p.name || there.shape.join() !== p.shape.join())
        throw new UserError(
          `checkpoint ${path}: expected ${p.name} [${p.shape}]; got ${there ? `${there.name} [${there.shape}]` : 'nothing'}: it belongs to another model`,
        );
      const [value, m, v] = PARTS.map((_, part) => floatsAt(file, at + 4 * p.size * part, p.size)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      at += 4 * p.size * PARTS.length;
      p.restore({ scales: there.scales, value, m, v });
    });
    const { step, tokensSeen, record, since } = header;
    return { step, tokensSeen, record: record as RunRecord<C, M>, since };
  } finally {
    closeSync(file);
  }
}

/** The model of a run as its checkpoint has it. Its memory is the caller's to `dispose` of. */
export function loadedModel(path: string, config: TrainingConfig): LanguageModel {
  if (!existsSync(path))
    throw new UserError(`checkpoint: expected a file at ${path}; found none: train this run here first`);
  const model = buildModel(config.model, config.seed);
  loadCheckpoint(path, configHash(config), model.parameters);
  return model;
}
