/**
 * Checkpoints: a line with format and SHA-256 of all that follows, a line of JSON that says what is inside, then every
 * parameter with its two moments as little-endian float32. Order and dropout follow from seed and step, so nothing else
 * has to be kept.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { UserError } from '../errors';
import { writePartsAtomically } from '../files';
import type { Parameter } from '../parameters';
import type { RunRecord } from './record';

/** A run between two steps, but for its parameters. */
export interface RunState {
  step: number;
  tokensSeen: number;
  record: RunRecord;
  since: RunningMeans;
}

interface Header extends RunState {
  parameters: { name: string; shape: number[] }[];
}

/** Sums since the last point of the curve. */
export interface RunningMeans {
  steps: number;
  tokens: number;
  nats: number;
  gradientNorms: number;
}

const FORMAT = 'memorization-notebooks/checkpoint/1';
const PARTS = ['value', 'm', 'v'] as const;

const bytes = (a: Float32Array): Buffer => Buffer.from(a.buffer, a.byteOffset, a.byteLength);

/** Writes aside, syncs and renames: a kill at any moment leaves the previous checkpoint whole. */
export async function saveCheckpoint(path: string, state: RunState, parameters: Parameter[]): Promise<void> {
  const header: Header = { ...state, parameters: parameters.map(({ name, shape }) => ({ name, shape })) };
  const parts = [Buffer.from(`${JSON.stringify(header)}\n`)];
  for (const p of parameters) {
    const snapshot = await p.snapshot();
    parts.push(...PARTS.map((part) => bytes(snapshot[part])));
  }
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  try {
    await writePartsAtomically(path, [Buffer.from(`${FORMAT} ${hash.digest('hex')}\n`), ...parts]);
  } catch (error) {
    throw new UserError(`checkpoint: expected to write ${path}; ${(error as Error).message}: free the disk or make the folder writable and start again; the previous checkpoint is whole`);
  }
}

/** Checks all of a checkpoint before any of it is used. */
function readWhole(path: string): { header: Header; body: Buffer } {
  const file = readFileSync(path);
  const broken = (why: string) => new UserError(`checkpoint ${path}: ${why}; delete it to start this run anew`);
  const first = file.indexOf(10);
  const [format, sha256] = file.toString('latin1', 0, Math.max(0, first)).split(' ');
  if (format !== FORMAT) throw broken(`expected format ${FORMAT}; got ${JSON.stringify(format?.slice(0, 60))}: it is foreign, damaged or of another version`);
  const rest = file.subarray(first + 1);
  if (createHash('sha256').update(rest).digest('hex') !== sha256) throw broken('its content does not match its SHA-256: it is damaged or cut off');
  const second = rest.indexOf(10);
  return { header: JSON.parse(rest.toString('utf8', 0, second)) as Header, body: rest.subarray(second + 1) };
}

/** Puts a checkpoint's numbers into the parameters. Returns null where there is no file; throws a UserError where it is not this run's. */
export function loadCheckpoint(path: string, configHash: string, parameters: Parameter[]): RunState | null {
  if (!existsSync(path)) return null;
  const { header, body } = readWhole(path);
  if (header.record.configHash !== configHash)
    throw new UserError(`checkpoint ${path}: expected config hash ${configHash.slice(0, 12)}; got ${header.record.configHash.slice(0, 12)}: it belongs to another run`);
  let at = 0;
  parameters.forEach((p, i) => {
    const there = header.parameters[i];
    if (there?.name !== p.name || there.shape.join() !== p.shape.join())
      throw new UserError(`checkpoint ${path}: expected ${p.name} [${p.shape}]; got ${there ? `${there.name} [${there.shape}]` : 'nothing'}: it belongs to another model`);
    const take = () => {
      const values = new Float32Array(p.size);
      bytes(values).set(body.subarray(at, (at += 4 * p.size)));
      return values;
    };
    p.restore({ value: take(), m: take(), v: take() });
  });
  const { step, tokensSeen, record, since } = header;
  return { step, tokensSeen, record, since };
}
