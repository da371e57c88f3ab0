import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { TrainingConfig } from '../../lib/train/config';
import { configHash, type RunRecord } from '../../lib/train/record';

/** What a checkpoint keeps of the record of a run that has begun. */
export const begunRecord = (id: string, config: TrainingConfig): RunRecord => ({
  format: 2,
  id,
  config,
  configHash: configHash(config),
  dataHash: '0'.repeat(64),
  commit: 'none',
  versions: { node: '20', tensorflow: '2', tfjs: '4' },
  hardware: { cpu: 'none', cores: 1, memoryGiB: 1, device: 'cpu' },
  startedAt: '2026-01-01',
  finishedAt: null,
  minutes: 0,
  parameters: 1,
  tokensPerSecond: 0,
  curve: [],
});

/** Weights and moments in a checkpoint: everything after its header. */
export function weightsIn(path: string): Buffer {
  const file = readFileSync(path);
  return file.subarray(8 + Number(file.readBigUInt64LE()));
}

/** Bits in which two files differ; of the longer one all that the other lacks. */
export function differingBits(a: Buffer, b: Buffer): number {
  let bits = 8 * Math.abs(a.length - b.length);
  for (let i = 0; i < Math.min(a.length, b.length); i++) for (let x = a[i]! ^ b[i]!; x; x &= x - 1) bits++;
  return bits;
}

/** Replaces text of a checkpoint's header by text of the same length, and its hash by the right one. */
export function changeHeader(path: string, change: (header: string) => string): void {
  const before = readFileSync(path).toString('latin1');
  const [, sha256] = /"sha256":"([0-9a-f]{64})"/.exec(before)!;
  const zeroed = change(before.replace(sha256!, '0'.repeat(64)));
  if (zeroed.length !== before.length) throw new Error('the header must keep its length');
  const hash = createHash('sha256').update(Buffer.from(zeroed, 'latin1')).digest('hex');
  writeFileSync(path, Buffer.from(zeroed.replace('0'.repeat(64), hash), 'latin1'));
}
