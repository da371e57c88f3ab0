import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { allCurves, writeCurvesTable, writeEvents } from '../../lib/report/curves';
import type { RunRecord } from '../../lib/train/record';
import { refusal } from '../refusal';

const folder = mkdtempSync(join(tmpdir(), 'curves-'));
after(() => rmSync(folder, { recursive: true }));

const point = (step: number, loss: number) => ({
  step,
  tokensSeen: 64 * step,
  trainLossNats: loss,
  heldOutLossNats: loss + 0.25,
  learningRate: 1e-3,
  gradientNorm: 0.5,
});
/** In numbers that float32 holds exactly, but for the rate. */
const RUN = {
  id: 'a-run',
  startedAt: '2026-01-02T03:04:05.000Z',
  minutes: 2,
  curve: [point(10, 2.5), { ...point(300, 1.5), energies: { own: -0.5 }, nearest: null }],
};

/** CRC-32C bit by bit, from its definition. */
function bitwiseCrc32c(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = sum & 1 ? (sum >>> 1) ^ 0x82f63b78 : sum >>> 1;
  }
  return ~sum >>> 0;
}

/** Contents of the records of a TFRecord file, whose checks are checked. */
function tfRecords(file: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < file.length;) {
    const length = Number(file.readBigUInt64LE(at));
    const parts = [file.subarray(at, at + 8), file.subarray(at + 12, at + 12 + length)] as const;
    const checks = [file.readUInt32LE(at + 8), file.readUInt32LE(at + 12 + length)];
    parts.forEach((part, i) => {
      const rotated = (checks[i]! - 0xa282ead8) >>> 0;
      assert.equal(((rotated >>> 17) | (rotated << 15)) >>> 0, bitwiseCrc32c(part));
    });
    records.push(parts[1]);
    at += 16 + length;
  }
  return records;
}

/** Fields of a protocol buffer by number: whole numbers, and bytes of fields of 4, 8 or any length. */
function fields(buffer: Buffer): Map<number, (bigint | Buffer)[]> {
  const found = new Map<number, (bigint | Buffer)[]>();
  let at = 0;
  const varint = () => {
    let [value, shift] = [0n, 0n];
    for (let byte = 128; byte & 128; shift += 7n) value |= BigInt((byte = buffer[at++]!) & 127) << shift;
    return value;
  };
  while (at < buffer.length) {
    const key = Number(varint());
    const [field, type] = [key >> 3, key & 7];
    if (type === 0) found.set(field, [...(found.get(field) ?? []), varint()]);
    else {
      const length = type === 1 ? 8 : type === 5 ? 4 : Number(varint());
      found.set(field, [...(found.get(field) ?? []), buffer.subarray(at, (at += length))]);
    }
  }
  return found;
}

/** Events as TensorBoard reads them. */
function eventsIn(path: string) {
  return tfRecords(readFileSync(path)).map((record) => {
    const event = fields(record);
    const one = (field: number) => event.get(field)?.[0];
    const summary = one(5) ? (fields(one(5) as Buffer).get(1) as Buffer[]) : [];
    return {
      time: (one(1) as Buffer).readDoubleLE(),
      step: Number(one(2) ?? 0),
      version: String(one(3) ?? ''),
      scalars: Object.fromEntries(
        summary
          .map(fields)
          .map((value) => [String(value.get(1)![0]), (value.get(2)![0] as Buffer).readFloatLE()]),
      ),
    };
  });
}

/** The only file in a folder of events. */
const fileIn = (place: string): string => {
  const names = readdirSync(place);
  assert.equal(names.length, 1, names.join());
  assert.match(names[0]!, /tfevents/);
  return join(place, names[0]!);
};

test('event files hold every number of a curve at its step and time', () => {
  writeEvents(join(folder, 'board'), [RUN, { ...RUN, id: 'begun', curve: [] }]);
  assert.deepEqual(readdirSync(join(folder, 'board')), ['a-run']);
  const [head, first, last, ...rest] = eventsIn(fileIn(join(folder, 'board', 'a-run')));
  assert.deepEqual(rest, []);
  const begun = Date.parse(RUN.startedAt) / 1000;
  assert.deepEqual(head, { time: begun, step: 0, version: 'brain.Event:2', scalars: {} });
  assert.deepEqual([first!.time, first!.step], [begun + 4, 10]);
  assert.deepEqual([last!.time, last!.step, last!.version], [begun + 120, 300, '']);
  assert.deepEqual(last!.scalars, {
    tokensSeen: 19_200,
    trainLossNats: 1.5,
    heldOutLossNats: 1.75,
    learningRate: Math.fround(1e-3),
    gradientNorm: 0.5,
    'energies/own': -0.5,
  });
});

test("they are as TensorFlow's own writer makes them", () => {
  const { node } = require('@tensorflow/tfjs-node-gpu') as {
    node: {
      summaryFileWriter(path: string): { scalar(name: string, x: number, step: number): void; flush(): void };
    };
  };
  const theirs = node.summaryFileWriter(join(folder, 'theirs'));
  for (const { step, trainLossNats } of RUN.curve) theirs.scalar('trainLossNats', trainLossNats, step);
  theirs.flush();
  const curve = RUN.curve.map(({ step, trainLossNats }) => ({ step, trainLossNats }));
  writeEvents(join(folder, 'ours'), [{ ...RUN, curve: curve as RunRecord['curve'] }]);
  /** Without the times, and without the head's name of what wrote the file. */
  const timeless = (path: string) =>
    tfRecords(readFileSync(path)).map((record, i) =>
      i === 0 ? String(fields(record).get(3)) : record.subarray(9).toString('hex'),
    );
  assert.deepEqual(timeless(fileIn(join(folder, 'ours', 'a-run'))), timeless(fileIn(join(folder, 'theirs'))));
});

test('the table has a row a point and a column a number, in full', () => {
  const path = join(folder, 'curves.csv');
  writeCurvesTable(path, [{ ...RUN, curve: [{ ...point(10, 2.5), learningRate: 1 / 3 }, RUN.curve[1]!] }]);
  assert.equal(
    readFileSync(path, 'utf8'),
    `id,step,tokensSeen,trainLossNats,heldOutLossNats,learningRate,gradientNorm,energies/own
a-run,10,640,2.5,2.75,${1 / 3},0.5,
a-run,300,19200,1.5,1.75,0.001,0.5,-0.5
`,
  );
});

test('nothing is written among other files', () => {
  const place = mkdtempSync(join(folder, 'full-'));
  writeFileSync(join(place, 'mine'), '');
  assert.throws(() => writeEvents(place, [RUN]), refusal('--tensorboard', place, 'mine'));
  assert.throws(() => writeCurvesTable(join(place, 'mine'), [RUN]), refusal('--csv', 'mine'));
  assert.deepEqual(readdirSync(place), ['mine']);
});

test('the committed runs have curves', () => {
  const curves = allCurves();
  assert.ok(curves.length > 0 && new Set(curves.map(({ id }) => id)).size === curves.length);
  writeEvents(join(folder, 'all'), curves);
  assert.equal(readdirSync(join(folder, 'all')).length, curves.filter(({ curve }) => curve.length).length);
});
