/** Trainable tensors, their AdamW moments, and the bfloat16 copies that matrix products read. */
import { dtypeOf, runOp, tf, type Attributes, type Tensor } from './engine';
import { functional, type AdamWNumbers, type AdamWVariables } from './functional';
import * as K from './kernels';
import { Node } from './tape';

let serial = 0;

/** A tensor in place: a resource variable of TensorFlow. It takes over the tensors that it is given. */
class Variable {
  readonly resource: Tensor;
  private readonly dtype: Attributes;

  constructor(value: Tensor) {
    this.dtype = { dtype: { dtype: dtypeOf(value) } };
    const shared_name = `variable-${process.pid}-${serial++}`;
    const attributes = { ...this.dtype, shape: value.shape, container: '', shared_name };
    this.resource = tf.keep(runOp('VarHandleOp', [], attributes)[0]!);
    this.assign(value);
  }

  /** Trap: dispose of it before the next update, or the update copies the whole tensor first. */
  read(): Tensor {
    return runOp('ReadVariableOp', [this.resource], this.dtype)[0]!;
  }

  assign(value: Tensor): void {
    runOp('AssignVariableOp', [this.resource, value], this.dtype, 0);
    value.dispose();
  }

  dispose(): void {
    runOp('DestroyResourceOp', [this.resource], { ignore_lookup_error: false }, 0);
    this.resource.dispose();
  }
}

/** What a checkpoint keeps of a parameter: its value and both moments, zero before the first update. */
export type ParameterState = Record<'value' | 'm' | 'v', Float32Array>;

/** A trainable tensor. Names are dotted paths such as `block.0.attention.qkv.weight`. */
export class Parameter {
  readonly size: number;
  private readonly value: Variable;
  private readonly moments: { m?: Variable; v?: Variable } = {};
  private bfloat16: Variable | null = null;

  constructor(
    readonly name: string,
    readonly shape: number[],
    values: Float32Array,
  ) {
    this.size = shape.reduce((a, b) => a * b, 1);
    if (values.length !== this.size)
      throw new RangeError(`${name}: expected ${this.size} values for [${shape}]; got ${values.length}`);
    this.value = new Variable(this.tensor(values));
  }

  private tensor(values: Float32Array): Tensor {
    return tf.tensor(values, this.shape, 'float32');
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
  readBfloat16(): Tensor {
    return (this.bfloat16 ??= new Variable(this.rounded())).read();
  }

  private rounded(): Tensor {
    const value = this.read();
    const rounded = K.bfloat16(value);
    value.dispose();
    return rounded;
  }

  /** Both as a forward pass takes them. */
  node(bf16: boolean): Node {
    const value = this.read();
    return new Node(value, bf16 && this.isMatrix ? this.readBfloat16() : value);
  }

  /** The moments stay. */
  write(values: Float32Array): void {
    this.value.assign(this.tensor(values));
    this.bfloat16?.assign(this.rounded());
  }

  state(): ParameterState {
    const numbers = (variable: Variable | undefined) => {
      const read = variable?.read();
      const values = (read?.dataSync() as Float32Array | undefined) ?? new Float32Array(this.size);
      read?.dispose();
      return values;
    };
    return { value: numbers(this.value), m: numbers(this.moments.m), v: numbers(this.moments.v) };
  }

  restore({ value, m, v }: ParameterState): void {
    this.write(value);
    this.moment('m').assign(this.tensor(m));
    this.moment('v').assign(this.tensor(v));
  }

  private moment(which: 'm' | 'v'): Variable {
    return (this.moments[which] ??= new Variable(tf.zeros(this.shape)));
  }

  /** Resources, for an update in place. */
  get variables(): AdamWVariables {
    return {
      value: this.value.resource,
      m: this.moment('m').resource,
      v: this.moment('v').resource,
      bfloat16: this.bfloat16?.resource ?? null,
    };
  }

  dispose(): void {
    for (const variable of [this.value, this.bfloat16, this.moments.m, this.moments.v]) variable?.dispose();
  }
}

/** Values of parameters, one parameter at a time in memory; with `moments`, m and v follow each value. */
export function* valuesOf(
  parameters: readonly Parameter[],
  { moments = false } = {},
): Generator<Float32Array, void, undefined> {
  for (const p of parameters) {
    const { value, m, v } = p.state();
    yield* moments ? [value, m, v] : [value];
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
