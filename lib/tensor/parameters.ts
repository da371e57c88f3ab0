/** Trainable tensors, their AdamW moments, and the bfloat16 copies that matrix products read. */
import { numbersOf, tf, type Tensor } from './engine';
import type { AdamWVariables } from './functional';
import * as K from './kernels';
import { Node } from './tape';
import { Variable } from './variable';

/** What a checkpoint keeps of a parameter: its value and both moments, zero before the first update. */
export type ParameterState = Record<'value' | 'm' | 'v', Float32Array>;

/** A trainable tensor. Names are dotted paths such as `block.0.attention.qkv.weight`. */
export class Parameter {
  readonly size: number;
  private readonly value: Variable;
  private m: Variable | null = null;
  private v: Variable | null = null;
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
    return tf.tidy(() => K.bfloat16(this.read()));
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
    const numbers = (variable: Variable | null) => numbersOf(() => variable?.read() ?? tf.zeros(this.shape));
    return { value: numbers(this.value), m: numbers(this.m), v: numbers(this.v) };
  }

  restore({ value, m, v }: ParameterState): void {
    this.write(value);
    this.variables.m.assign(this.tensor(m));
    this.variables.v.assign(this.tensor(v));
  }

  /** For an update in place. */
  get variables(): AdamWVariables {
    const { value, bfloat16 } = this;
    this.m ??= new Variable(tf.zeros(this.shape));
    this.v ??= new Variable(tf.zeros(this.shape));
    return { value, m: this.m, v: this.v, bfloat16 };
  }

  dispose(): void {
    for (const variable of [this.value, this.bfloat16, this.m, this.v]) variable?.dispose();
  }
}
