/** Curves of runs for other programs: TensorBoard's event files, and one table. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointPath, checkpointState } from '../train/checkpoint';
import { allCommitted, readRecord, recordPath, type RunRecord } from '../train/record';
import { crc32c } from '../util/crc32';
import { csvOf, type CsvField } from '../util/csv';
import { UserError } from '../util/errors';
import { checkEmpty, writeAtomically } from '../util/files';
import { paths } from '../util/paths';
import { double, float, int, message, string } from '../util/protobuf';

type Curve = Pick<RunRecord, 'id' | 'startedAt' | 'minutes' | 'curve'>;

/** Of all runs: committed ones, and those of this folder, finished or as far as their last checkpoint. */
export function allCurves(): Curve[] {
  const committed = allCommitted();
  const known = new Set(committed.map(({ id }) => id));
  const folder = join(paths.local, 'runs');
  const here = (existsSync(folder) ? readdirSync(folder).sort() : []).filter((id) => !known.has(id));
  return [
    ...committed,
    ...here.flatMap((id) =>
      existsSync(recordPath(id))
        ? readRecord(recordPath(id))
        : (checkpointState(checkpointPath(id))?.record ?? []),
    ),
  ];
}

/** All numbers of a point under their names, `energies/own` of one inside another. */
const numbersOf = (value: object, above = ''): [name: string, x: number][] =>
  Object.entries(value).flatMap(([name, x]): [string, number][] =>
    typeof x === 'number'
      ? [[above + name, x]]
      : x !== null && typeof x === 'object'
        ? numbersOf(x, `${above}${name}/`)
        : [],
  );

/** Writes `FILE`, a row a point, in the order of the runs and of their steps. */
export function writeCurvesTable(path: string, curves: readonly Curve[]): void {
  if (existsSync(path))
    throw new UserError(`--csv: expected a new file; ${path} is there: choose another name or remove it`);
  const rows = curves.flatMap(({ id, curve }) =>
    curve.map((point): Record<string, CsvField> => ({ id, ...Object.fromEntries(numbersOf(point)) })),
  );
  writeAtomically(path, csvOf([...new Set(rows.flatMap(Object.keys))], rows));
}

const uint32 = (x: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(x);
  return bytes;
};

/** TensorFlow stores checks of its records so that the check of bytes that hold one is not trivial (its lib/hash/crc32c.h). */
function masked(bytes: Buffer): Buffer {
  const crc = crc32c(bytes);
  return uint32((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
}

/** A record of a TFRecord file: length, its check, content, its check. */
function tfRecord(content: Buffer): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(content.length));
  return Buffer.concat([length, masked(length), content, masked(content)]);
}

/** The time of a step, in seconds, as if all steps of a run had taken equally long. */
const secondsAt = ({ startedAt, minutes, curve }: Curve, step: number): number =>
  Date.parse(startedAt) / 1000 + (60 * minutes * step) / curve.at(-1)!.step;

/** TensorFlow's Event messages (its util/event.proto and framework/summary.proto) of a run. */
function events(run: Curve): Buffer[] {
  const at = (step: number) => double(1, secondsAt(run, step));
  const scalar = ([name, x]: [string, number]) => message(1, string(1, name), float(2, x));
  return [
    Buffer.concat([at(0), string(3, 'brain.Event:2')]),
    ...run.curve.map(({ step, ...point }) =>
      Buffer.concat([at(step), int(2, step), message(5, ...numbersOf(point).map(scalar))]),
    ),
  ];
}

/** Writes `FOLDER/RUN/events.out.tfevents.TIME.curves` of each run that has a curve; TensorBoard shows `FOLDER`. */
export function writeEvents(folder: string, curves: readonly Curve[]): void {
  checkEmpty('--tensorboard', folder);
  for (const run of curves.filter(({ curve }) => curve.length))
    writeAtomically(
      join(folder, run.id, `events.out.tfevents.${Math.floor(secondsAt(run, 0))}.curves`),
      Buffer.concat(events(run).map(tfRecord)),
    );
}
