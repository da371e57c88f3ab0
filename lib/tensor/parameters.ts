/** Trainable tensors, their AdamW moments, and the bfloat16 copies that matrix products read. */
import { DT, runOp, tf, type Tensor } from './engine';
import * as K from './kernels';
import { functional, type AdamWNumbers, type AdamWVariables } from './functional';

export interface AdamWConfig {
  beta1: number;
  beta2: number;
  epsilon: number;
  /** Decoupled, on matrices only. */
  weightDecay: number;
}

let serial = 0;

/** A tensor in place: a resource variable of TensorFlow. */
class Variable {
  readonly resource: Tensor;
  private readonly dtype: { dtype: { dtype: number } };

  constructor(
    readonly shape: number[],
    dtype: number,
  ) {
    this.dtype = { dtype: { dtype } };
    const shared_name = `variable-${process.pid}-${serial++}`;
    const attributes = { ...this.dtype, shape, container: '', shared_name };
    this.resource = tf.keep(runOp('VarHandleOp', [], attributes)[0]!);
  }

  static of(shape: number[], values: Float32Array): Variable {
    const variable = new Variable(shape, DT.float32);
    variable.write(values);
    return variable;
  }

  /** Trap: dispose of it before the next update, or the update copies the whole tensor first. */
  read(): Tensor {
    return runOp('ReadVariableOp', [this.resource], this.dtype)[0]!;
  }

  assign(value: Tensor): void {
    runOp('AssignVariableOp', [this.resource, value], this.dtype, 0);
  }

  write(values: Float32Array): void {
    tf.tidy(() => this.assign(tf.tensor(values, this.shape, 'float32')));
  }

  dispose(): void {
    runOp('DestroyResourceOp', [this.resource], { ignore_lookup_error: false }, 0);
    this.resource.dispose();
  }
}

/** What a checkpoint keeps of a parameter. */
export interface ParameterState {
  value: Float32Array;
  m: Float32Array;
  v: Float32Array;
}

/** A trainable tensor. Names are dotted paths such as `block.0.attention.qkv.weight`. */
export class Parameter {
  readonly size: number;
  private readonly value: Variable;
  private readonly moments: { m?: Variable; v?: Variable } = {};
  private half: Variable | null = null;

  constructor(
    readonly name: string,
    readonly shape: number[],
    values: Float32Array,
  ) {
    this.size = shape.reduce((a, b) => a * b, 1);
    if (values.length !== this.size)
      throw new RangeError(`${name}: expected ${this.size} values for [${shape}]; got ${values.length}`);
    this.value = Variable.of(shape, values);
  }

  /** Matrices decay and take part in products, vectors do neither. */
  get isMatrix(): boolean {
    return this.shape.length > 1;
  }

  /** float32, for the caller to dispose of. Trap: as of `Variable.read`. */
  read(): Tensor {
    return this.value.read();
  }

  /** Rounded to bfloat16, for the caller to dispose of. From the first call on each update rounds again. Trap: as of `Variable.read`. */
  readHalf(): Tensor {
    if (!this.half) {
      this.half = new Variable(this.shape, DT.bfloat16);
      this.round();
    }
    return this.half.read();
  }

  private round(): void {
    tf.tidy(() => this.half?.assign(K.bfloat16(this.value.read())));
  }

  /** The moments stay. */
  write(values: Float32Array): void {
    this.value.write(values);
    this.round();
  }

  /** Value and both moments, zero before the first update. */
  async state(): Promise<ParameterState> {
    const get = async (variable: Variable | undefined): Promise<Float32Array> => {
      if (!variable) return new Float32Array(this.size);
      const t = variable.read();
      const values = (await t.data()) as Float32Array;
      t.dispose();
      return values;
    };
    return { value: await get(this.value), m: await get(this.moments.m), v: await get(this.moments.v) };
  }

  restore({ value, m, v }: ParameterState): void {
    this.write(value);
    this.moment('m').write(m);
    this.moment('v').write(v);
  }

  private moment(which: 'm' | 'v'): Variable {
    return (this.moments[which] ??= Variable.of(this.shape, new Float32Array(this.size)));
  }

  /** Resources, for an update in place. */
  get variables(): AdamWVariables {
    return {
      value: this.value.resource,
      m: this.moment('m').resource,
      v: this.moment('v').resource,
      half: this.half?.resource ?? null,
    };
  }

  dispose(): void {
    for (const variable of [this.value, this.half, this.moments.m, this.moments.v]) variable?.dispose();
  }
}

/** Values of parameters, one parameter at a time in memory; with `moments`, m and v follow each value. */
export async function* valuesOf(
  parameters: readonly Parameter[],
  { moments = false } = {},
): AsyncGenerator<Float32Array> {
  for (const p of parameters) {
    const { value, m, v } = await p.state();
    yield value;
    if (moments) {
      yield m;
      yield v;
    }
  }
}

/**
 * One AdamW update as in PyTorch (Loshchilov & Hutter 2019), of two parameter groups: matrices decay, vectors do not.
 * @param gradients one per parameter, float32 or bfloat16, of one dtype in each group
 */
export function adamW(
  parameters: readonly Parameter[],
  gradients: readonly Tensor[],
  numbers: AdamWNumbers,
): void {
  for (const [group, groupGradients] of parameterGroups(parameters, gradients))
    functional().adamW(
      group.map(({ variables }) => variables),
      groupGradients,
      { ...numbers, weightDecay: group[0]!.isMatrix ? numbers.weightDecay : 0 },
    );
}

/** Matrices and vectors, each with their gradients; none is empty. */
export const parameterGroups = (
  parameters: readonly Parameter[],
  gradients: readonly Tensor[],
): [Parameter[], Tensor[]][] =>
  [true, false]
    .map((matrices): [Parameter[], Tensor[]] => [
      parameters.filter(({ isMatrix }) => isMatrix === matrices),
      gradients.filter((_, i) => parameters[i]!.isMatrix === matrices),
    ])
    .filter(([group]) => group.length > 0);
