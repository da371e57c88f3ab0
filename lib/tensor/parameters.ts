/** Trainable tensors, kept so that AdamW takes one native call for each matrix and one for all vectors of a model. */
import type { AdamWUpdate, Scales } from './adamw';
import * as K from './kernels';
import { DT, isNative, run, tf, type Tensor } from './engine';

const FLOAT = { dtype: { dtype: DT.float32 } };
let serial = 0;

/** One float32 slot: a native resource variable, updated in place, or a TFJS tensor that is replaced. */
class Slot {
  private handle: Tensor | null = null;
  private tensor: Tensor | null = null;

  constructor(
    readonly shape: number[],
    values: Float32Array,
  ) {
    if (isNative()) {
      const shared_name = `slot-${process.pid}-${serial++}`;
      this.handle = tf.keep(run('VarHandleOp', [], { ...FLOAT, shape, container: '', shared_name })[0]!);
    }
    this.write(values);
  }

  /** The resource behind the slot, for native updates in place. */
  get resource(): Tensor {
    return this.handle!;
  }

  read(): Tensor {
    return this.handle ? run('ReadVariableOp', [this.handle], FLOAT)[0]! : tf.clone(this.tensor!);
  }

  write(values: Float32Array): void {
    const fresh = tf.tensor(values, this.shape, 'float32');
    this.assign(fresh);
    fresh.dispose();
  }

  assign(value: Tensor): void {
    if (this.handle) run('AssignVariableOp', [this.handle, value], FLOAT, 0);
    else {
      this.tensor?.dispose();
      this.tensor = tf.keep(tf.clone(value));
    }
  }

  dispose(): void {
    if (this.handle) run('DestroyResourceOp', [this.handle], { ignore_lookup_error: false }, 0);
    this.handle?.dispose();
    this.tensor?.dispose();
  }
}

/** What a checkpoint keeps of a parameter: stored tensors and their scales. */
export interface ParameterState {
  scales: Scales;
  value: Float32Array;
  m: Float32Array;
  v: Float32Array;
}

/** Below it, the scale of a value is multiplied into the tensor. */
const LEAST_SCALE = 0.5;

const ADAM = { T: { dtype: DT.float32 }, use_locking: false, use_nesterov: false };

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** What is stored, read and updated as one tensor: one parameter as it is, or several end to end. */
export class Bank {
  private readonly value: Slot;
  private moments: { m: Slot; v: Slot } | null = null;
  private factors: Scales = { value: 1, m: 1, v: 1 };
  /** Matrices decay, vectors do not. */
  readonly isMatrix: boolean;

  /** @param shape of the one parameter, or `[total]` */
  constructor(
    readonly parameters: readonly Parameter[],
    readonly shape: number[],
    values: Float32Array,
  ) {
    this.isMatrix = parameters[0]!.isMatrix;
    this.value = new Slot(shape, values);
  }

  get scales(): Scales {
    return this.factors;
  }

  /** Trap: dispose of it before the next update, or TensorFlow copies the whole tensor first. */
  stored(): Tensor {
    return this.value.read();
  }

  /** Cuts a tensor like the bank's into those of its parameters. */
  parts(whole: Tensor): Tensor[] {
    const { parameters } = this;
    return parameters.length === 1
      ? [whole]
      : K.cut(
          whole,
          parameters.map(({ size }) => size),
        ).map((part, i) => K.reshape(part, parameters[i]!.shape));
  }

  /** Inverse of `parts`. */
  joined(parts: Tensor[]): Tensor {
    return parts.length === 1
      ? parts[0]!
      : K.concat(
          parts.map((part) => K.reshape(part, [-1])),
          0,
        );
  }

  /** Stored numbers of one of the parameters. */
  async state(place: Place): Promise<ParameterState> {
    const get = async (slot: Slot | undefined): Promise<Float32Array> => {
      if (!slot) return new Float32Array(place.size);
      const t = slot.read();
      const values = (await t.data()) as Float32Array;
      t.dispose();
      return this.parameters.length === 1 ? values : values.slice(place.from, place.from + place.size);
    };
    return {
      scales: this.factors,
      value: await get(this.value),
      m: await get(this.moments?.m),
      v: await get(this.moments?.v),
    };
  }

  /** Trap: parameters of one bank share their scales, so all of them are restored from one state of the bank. */
  restore(place: Place, { scales, value, m, v }: ParameterState): void {
    const moments = this.ensureMoments();
    this.fill(this.value, place, value);
    this.fill(moments.m, place, m);
    this.fill(moments.v, place, v);
    this.factors = scales;
  }

  write(place: Place, values: Float32Array): void {
    this.fill(this.value, place, values);
    this.factors = { ...this.factors, value: 1 };
  }

  private fill(slot: Slot, { from }: Place, values: Float32Array): void {
    if (this.parameters.length === 1) return slot.write(values);
    const all = tf.tidy(() => Float32Array.from(slot.read().dataSync()) as never) as unknown as Float32Array;
    all.set(values, from);
    slot.write(all);
  }

  private ensureMoments(): { m: Slot; v: Slot } {
    const zeros = () => new Slot(this.shape, new Float32Array(sizeOf(this.shape)));
    return (this.moments ??= { m: zeros(), v: zeros() });
  }

  /** Makes the stored tensor the value. */
  private multiplyIn(): void {
    tf.tidy(() => {
      this.value.assign(K.mul(this.stored(), tf.scalar(this.factors.value)));
    });
    this.factors = { ...this.factors, value: 1 };
  }

  /** @param gradient like the bank's tensor */
  update(gradient: Tensor, adamw: AdamWUpdate): void {
    const { m, v } = this.ensureMoments();
    if (this.factors.value < LEAST_SCALE) this.multiplyIn();
    const { scales, scalars, shrink } = adamw.move(this.factors, this.isMatrix);
    this.factors = scales;
    tf.tidy(() => {
      const g = shrink ? K.mul(gradient, shrink) : gradient;
      if (isNative()) {
        run('ResourceApplyAdam', [this.value.resource, m.resource, v.resource, ...scalars, g], ADAM, 0);
        return;
      }
      const [power1, power2, rate, beta1, beta2, epsilon] = scalars as [
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
        Tensor,
      ];
      m.assign(tf.add(tf.mul(m.read(), beta1), tf.mul(g, tf.sub(1, beta1))));
      v.assign(tf.add(tf.mul(v.read(), beta2), tf.mul(tf.square(g), tf.sub(1, beta2))));
      const corrected = tf.div(tf.mul(rate, tf.sqrt(tf.sub(1, power2))), tf.sub(1, power1));
      this.value.assign(
        tf.sub(this.value.read(), tf.mul(corrected, tf.div(m.read(), tf.add(tf.sqrt(v.read()), epsilon)))),
      );
    });
  }

  dispose(): void {
    this.value.dispose();
    this.moments?.m.dispose();
    this.moments?.v.dispose();
  }
}

/** Where a parameter lies in its bank. */
interface Place {
  from: number;
  size: number;
}

/** A trainable tensor with its AdamW moments. Names are dotted paths such as `block.0.attention.qkv.weight`. */
export class Parameter {
  readonly size: number;
  /** Set anew by `joinVectors` alone. */
  private home: { bank: Bank; from: number };

  constructor(
    readonly name: string,
    readonly shape: number[],
    values: Float32Array,
  ) {
    this.size = sizeOf(shape);
    if (values.length !== this.size)
      throw new RangeError(`${name}: expected ${this.size} values for [${shape}]; got ${values.length}`);
    this.home = { bank: new Bank([this], shape, values), from: 0 };
  }

  /**
   * Puts the vectors among new parameters into one bank: a model has dozens, and each native call on one costs what
   * thousands of numbers cost.
   */
  static joinVectors(parameters: readonly Parameter[]): void {
    const vectors = parameters.filter((p) => !p.isMatrix);
    if (vectors.length < 2) return;
    const values = new Float32Array(vectors.reduce((sum, { size }) => sum + size, 0));
    const places = vectors.reduce<number[]>((at, { size }, i) => [...at, at[i]! + size], [0]);
    vectors.forEach((p, i) =>
      tf.tidy(() => {
        values.set(p.read().dataSync(), places[i]);
      }),
    );
    for (const { bank } of vectors) bank.dispose();
    const bank = new Bank(vectors, [values.length], values);
    vectors.forEach((p, i) => {
      p.home = { bank, from: places[i]! };
    });
  }

  get bank(): Bank {
    return this.home.bank;
  }

  get isMatrix(): boolean {
    return this.shape.length > 1;
  }

  get scales(): Scales {
    return this.bank.scales;
  }

  private get place(): Place {
    return { from: this.home.from, size: this.size };
  }

  /** The stored tensor, for the caller to dispose of. Trap: before the next update, or TensorFlow copies the whole bank first. */
  stored(): Tensor {
    return tf.tidy(() => {
      const whole = this.bank.stored();
      return this.bank.parameters.length === 1
        ? whole
        : K.reshape(K.part(whole, 0, this.home.from, this.size), this.shape);
    });
  }

  /** Current value, for the caller to dispose of. */
  read(): Tensor {
    return tf.tidy(() =>
      this.scales.value === 1 ? this.stored() : K.mul(this.stored(), tf.scalar(this.scales.value)),
    );
  }

  /** The moments stay. */
  write(values: Float32Array): void {
    this.bank.write(this.place, values);
  }

  /** Value and both moments as plain numbers, moments zero before the first update. */
  async snapshot(): Promise<{ value: Float32Array; m: Float32Array; v: Float32Array }> {
    const { scales, ...stored } = await this.state();
    const times = (values: Float32Array, scale: number) =>
      scale === 1 ? values : values.map((x) => x * scale);
    return {
      value: times(stored.value, scales.value),
      m: times(stored.m, scales.m),
      v: times(stored.v, scales.v),
    };
  }

  state(): Promise<ParameterState> {
    return this.bank.state(this.place);
  }

  restore(state: ParameterState): void {
    this.bank.restore(this.place, state);
  }
}

/** Banks of some parameters, in the order of their first ones. */
export const banksOf = (parameters: readonly Parameter[]): Bank[] => [
  ...new Set(parameters.map(({ bank }) => bank)),
];

export function disposeParameters(parameters: readonly Parameter[]): void {
  for (const bank of banksOf(parameters)) bank.dispose();
}
