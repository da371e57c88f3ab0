/**
 * Checkpoints: one JSON line (what is inside, and the SHA-256 of the rest), then every parameter with its two moments
 * as little-endian float32. Order and dropout follow from seed and step, so nothing else has to be kept.
 */
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from '../errors';
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
  format: 'memorization-notebooks/checkpoint/1';
  configHash: string;
  parameters: { name: string; shape: number[] }[];
  sha256: string;
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
  const body: Buffer[] = [];
  const hash = createHash('sha256');
  for (const p of parameters) {
    const snapshot = await p.snapshot();
    for (const part of PARTS) {
      body.push(bytes(snapshot[part]));
      hash.update(body[body.length - 1]!);
    }
  }
  const header: Header = {
    format: FORMAT, ...state, configHash: state.record.configHash,
    parameters: parameters.map(({ name, shape }) => ({ name, shape })), sha256: hash.digest('hex'),
  };
  mkdirSync(dirname(path), { recursive: true });
  const aside = `${path}.part`;
  try {
    const file = openSync(aside, 'w');
    try {
      for (const part of [Buffer.from(`${JSON.stringify(header)}\n`), ...body]) writeWhole(file, part);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw new UserError(`checkpoint: expected to write ${path}; ${(error as Error).message}: free the disk or make the folder writable and start again; the previous checkpoint is whole`);
  }
}

function writeWhole(file: number, data: Buffer): void {
  for (let at = 0; at < data.length; ) at += writeSync(file, data, at);
}

function readHeader(path: string, file: Buffer): { header: Header; body: Buffer } {
  const end = file.indexOf(10);
  const broken = (why: string) => new UserError(`checkpoint ${path}: ${why}; delete it to start this run anew`);
  let header: Header;
  try {
    header = JSON.parse(file.toString('utf8', 0, end)) as Header;
  } catch {
    throw broken('expected a line of JSON at its beginning; the file is foreign or damaged');
  }
  if (header.format !== FORMAT) throw broken(`expected format ${FORMAT}; got ${String(header.format)}`);
  const body = file.subarray(end + 1);
  const expected = 4 * PARTS.length * header.parameters.reduce((n, p) => n + p.shape.reduce((a, b) => a * b, 1), 0);
  if (body.length !== expected) throw broken(`expected ${expected} bytes of numbers; got ${body.length}: it was cut off`);
  if (createHash('sha256').update(body).digest('hex') !== header.sha256) throw broken('its numbers do not match their SHA-256: the file is damaged');
  return { header, body };
}

/** Puts a checkpoint's numbers into the parameters. Returns null where there is no file; throws a UserError where it is not this run's. */
export function loadCheckpoint(path: string, configHash: string, parameters: Parameter[]): RunState | null {
  if (!existsSync(path)) return null;
  const { header, body } = readHeader(path, readFileSync(path));
  if (header.configHash !== configHash)
    throw new UserError(`checkpoint ${path}: expected config hash ${configHash.slice(0, 12)}; got ${header.configHash.slice(0, 12)}: it belongs to another run`);
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
