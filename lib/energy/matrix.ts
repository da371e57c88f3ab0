/**
 * Matrices of patterns and states, checked, and the one way to call what is in `energy/`: several arguments come by name in one
 * object, a single number alone; methods of a memory take states first. Letters in `energy/`: `n` width, `d` number of patterns, `q` number of states,
 * `ρ_i` pattern i, `x` a state, `β` inverse temperature.
 */
import { UserError } from '../util/errors';
import * as K from '../tensor/kernels';
import { tf, type Tensor } from '../tensor/engine';

/** `values` in row-major order. */
export interface Matrix {
  values: Float32Array;
  rows: number;
  width: number;
}

/** A matrix or a list of rows, which are rounded to float32. */
export type Rows = Matrix | readonly ArrayLike<number>[];

function packed(what: string, rows: Rows): Matrix {
  if (rows instanceof Object && 'width' in rows) {
    if (rows.values.length === rows.rows * rows.width) return rows;
    throw new UserError(
      `${what}: expected ${rows.rows} × ${rows.width} numbers; got ${rows.values.length}; make rows and width fit the values`,
    );
  }
  if (!Array.isArray(rows) || rows.some((row) => typeof row?.length !== 'number'))
    throw new UserError(
      `${what}: expected a list of vectors; got ${Array.isArray(rows) ? 'a list of something else' : typeof rows}; pass named arguments, such as { patterns: [[1, 2], [3, 4]], beta: 1 }`,
    );
  const width = rows[0]?.length ?? 0;
  const values = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    if (row.length !== width)
      throw new UserError(
        `${what}: expected rows of one width; row 0 has ${width} numbers and row ${i} has ${row.length}; give every row the same width`,
      );
    values.set(row, i * width);
  });
  return { values, rows: rows.length, width };
}

const entry = ({ values, width }: Matrix, i: number): string =>
  `row ${Math.floor(i / width)}, column ${i % width} is ${values[i]} in float32`;

/** Throws a UserError unless there is a row, all have one width (that of `patterns`, if given) and all numbers are finite. */
export function matrix(what: string, rows: Rows, patterns?: Matrix): Matrix {
  const m = packed(what, rows);
  const { values, width } = m;
  if (values.length === 0)
    throw new UserError(
      `${what}: expected at least one row of at least one number; got none; pass a list of vectors`,
    );
  if (patterns && width !== patterns.width)
    throw new UserError(
      `${what}: expected width ${patterns.width}, that of the patterns; got ${width}; pass vectors of that width`,
    );
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i]!))
      throw new UserError(
        `${what}: expected finite numbers; ${entry(m, i)}; leave the row out, or scale the data`,
      );
  return m;
}

/** As `matrix`, for entries −1 and 1 only. */
export function spins(what: string, rows: Rows, patterns?: Matrix): Matrix {
  const m = matrix(what, rows, patterns);
  const at = m.values.findIndex((v) => v !== 1 && v !== -1);
  if (at >= 0)
    throw new UserError(
      `${what}: expected -1 or 1 everywhere; ${entry(m, at)}; take signs, or use a memory of real patterns`,
    );
  return m;
}

/** The arguments of a function of `energy/`. Throws a UserError that says how to call it where one does not come by name. */
export function named<T extends object>(what: string, args: T, names: readonly (keyof T & string)[]): T {
  const missing = names.find((name) => (args as Partial<T> | undefined)?.[name] === undefined);
  if (missing === undefined) return args;
  const isNamed = args instanceof Object && !Array.isArray(args) && !ArrayBuffer.isView(args);
  const got = isNamed
    ? `undefined in { ${Object.keys(args).join(', ')} }`
    : Array.isArray(args)
      ? 'a list'
      : typeof args;
  throw new UserError(
    `${missing}: expected by name, as in ${what}({ ${names.join(', ')} }); got ${got}: call it so`,
  );
}

/** Throws a UserError unless the value is a finite number above 0. */
export function positive(what: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  throw new UserError(`${what}: expected a finite number above 0; got ${value}; choose a larger one`);
}

/** Up to `count` rows from `first` on, a view. */
export function rowRange({ values, rows, width }: Matrix, first: number, count: number): Matrix {
  const end = Math.min(first + count, rows);
  return { values: values.subarray(first * width, end * width), rows: end - first, width };
}
/** Row i, a view. */
export const row = (m: Matrix, i: number): Float32Array => rowRange(m, i, 1).values;
export const tensorOf = (m: Matrix): Tensor => tf.tensor2d(m.values, [m.rows, m.width]);

/** a b or a bᵀ, `[m, n]`; if `coarse`, in bfloat16. */
export const matrixProduct = (a: Tensor, b: Tensor, transposeB = false, coarse = false): Tensor =>
  coarse
    ? K.float32(K.matMul(K.bfloat16(a), K.bfloat16(b), false, transposeB))
    : K.matMul(a, b, false, transposeB);
