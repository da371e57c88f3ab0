/** Trainable tensors, and AdamW on them in one native call each. */
import type { AdamWConfig } from './config';
import * as K from './kernels';
import { DT, isNative, run, tf, type Tensor } from './tf';

/** Value and moments of a parameter are kept as a number times a stored tensor: these are the numbers. 1 but for decay and clipping. */
export type Scales = Readonly<{ value: number; m: number; v: number }>;

/** What one update does to parameters with the same scales. */
interface Move {
  scales: Scales;
  /** β₁ᵗ, β₂ᵗ, rate, β₁, β₂ and ε as TensorFlow's op takes them, in its order. */
  scalars: Tensor[];
  /** Multiplies the gradient first; null: nothing does. */
  shrink: Tensor | null;
}

/** How far clipping may fall below the root mean square of its past before the gradient itself is multiplied. */
const LEAST_CLIP = 0.5;

/**
 * One AdamW update as in PyTorch (Loshchilov & Hutter 2019) with the clipped gradient c·g, decay on matrices only:
 *   p ← p − η·λ·p − η·m̂ / (√v̂ + ε),  m ← β₁ m + (1 − β₁) c g,  v ← β₂ v + (1 − β₂) c² g²
 * Decay and clipping only multiply; as passes over memory they would take a third of the update's time. So p = s q, m = k M
 * and v = K V are kept as numbers times tensors, and TensorFlow's op gets the tensors with other scalars:
 *   s′ = (1 − ηλ) s,  k′ = β₁ k + (1 − β₁) c,  K′ = β₂ K + (1 − β₂) c²
 *   M ← a M + (1 − a) g, a = β₁ k / k′;  V ← b V + (1 − b) g², b = β₂ K / K′;  q ← q − (η k′ / (s′ √K′)) M̂ / (√V̂ + ε / √K′)
 * The op adds its ε to √V, before the correction; a factor √(1 − β₂ᵗ) makes both the same.
 * Trap: its tensors belong to the caller's `tidy`.
 */
export class AdamWUpdate {
  private readonly moves = new Map<string, Move>();

  /** @param step updates done with this one included, from 1 @param clip c, at most 1 */
  constructor(readonly config: AdamWConfig, readonly step: number, readonly learningRate: number, readonly clip = 1) {}

  move(scales: Scales, isMatrix: boolean): Move {
    const key = `${scales.value} ${scales.m} ${scales.v} ${isMatrix}`;
    let move = this.moves.get(key);
    if (!move) this.moves.set(key, (move = this.compute(scales, isMatrix)));
    return move;
  }

  private compute(scales: Scales, isMatrix: boolean): Move {
    const { config: { beta1, beta2, epsilon, weightDecay }, step, learningRate } = this;
    // The op takes b and computes 1 − b in float32, which has few digits left where c² is far below K.
    const shrink = Math.min(1, this.clip / (LEAST_CLIP * Math.sqrt(scales.v)));
    const clip = this.clip / shrink;
    const value = scales.value * (isMatrix ? 1 - learningRate * weightDecay : 1);
    const m = beta1 * scales.m + (1 - beta1) * clip;
    const v = beta2 * scales.v + (1 - beta2) * clip ** 2;
    const root = Math.sqrt(v);
    const scalars = [beta1 ** step, beta2 ** step, (learningRate * m) / (value * root), (beta1 * scales.m) / m, (beta2 * scales.v) / v, (epsilon * Math.sqrt(1 - beta2 ** step)) / root];
    return { scales: { value, m, v }, scalars: scalars.map((x) => tf.scalar(x)), shrink: shrink === 1 ? null : tf.scalar(shrink) };
  }
}

const FLOAT = { dtype: { dtype: DT.float32 } };
let serial = 0;

/** One float32 slot: a native resource variable, updated in place, or a TFJS tensor that is replaced. */
class Slot {
  private handle: Tensor | null = null;
  private tensor: Tensor | null = null;

  constructor(readonly shape: number[], values: Float32Array) {
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

/** A trainable tensor with its AdamW moments. Names are dotted paths such as `block.0.attention.qkv.weight`. */
export class Parameter {
  private readonly value: Slot;
  private moments: { m: Slot; v: Slot } | null = null;
  private factors: Scales = { value: 1, m: 1, v: 1 };

  constructor(readonly name: string, readonly shape: number[], values: Float32Array) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (values.length !== size) throw new RangeError(`${name}: expected ${size} values for [${shape}]; got ${values.length}`);
    this.value = new Slot(shape, values);
  }

  get size(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }

  /** Matrices decay, vectors do not. */
  get isMatrix(): boolean {
    return this.shape.length > 1;
  }

  get scales(): Scales {
    return this.factors;
  }

  /** Trap: dispose of it before the next update, or TensorFlow copies the whole tensor first. */
  stored(): Tensor {
    return this.value.read();
  }

  /** Current value, for the caller to dispose of. */
  read(): Tensor {
    return tf.tidy(() => (this.scales.value === 1 ? this.stored() : K.mul(this.stored(), tf.scalar(this.scales.value))));
  }

  /** The moments stay. */
  write(values: Float32Array): void {
    this.value.write(values);
    this.factors = { ...this.scales, value: 1 };
  }

  /** Value and both moments as plain numbers, moments zero before the first update. */
  async snapshot(): Promise<{ value: Float32Array; m: Float32Array; v: Float32Array }> {
    const { scales, ...stored } = await this.state();
    const times = (values: Float32Array, scale: number) => (scale === 1 ? values : values.map((x) => x * scale));
    return { value: times(stored.value, scales.value), m: times(stored.m, scales.m), v: times(stored.v, scales.v) };
  }

  async state(): Promise<ParameterState> {
    const get = async (slot: Slot | undefined): Promise<Float32Array> => {
      if (!slot) return new Float32Array(this.size);
      const t = slot.read();
      const values = (await t.data()) as Float32Array;
      t.dispose();
      return values;
    };
    return { scales: this.scales, value: await get(this.value), m: await get(this.moments?.m), v: await get(this.moments?.v) };
  }

  restore({ scales, value, m, v }: ParameterState): void {
    this.value.write(value);
    const moments = this.ensureMoments();
    moments.m.write(m);
    moments.v.write(v);
    this.factors = scales;
  }

  private ensureMoments(): { m: Slot; v: Slot } {
    const zeros = () => new Slot(this.shape, new Float32Array(this.size));
    return (this.moments ??= { m: zeros(), v: zeros() });
  }

  /** Makes the stored tensor the value. */
  private multiplyIn(): void {
    const value = this.read();
    this.value.assign(value);
    value.dispose();
    this.factors = { ...this.scales, value: 1 };
  }

  update(gradient: Tensor, adamw: AdamWUpdate): void {
    const { m, v } = this.ensureMoments();
    if (this.scales.value < LEAST_SCALE) this.multiplyIn();
    const { scales, scalars, shrink } = adamw.move(this.scales, this.isMatrix);
    this.factors = scales;
    tf.tidy(() => {
      const g = shrink ? K.mul(gradient, shrink) : gradient;
      if (isNative()) {
        run('ResourceApplyAdam', [this.value.resource, m.resource, v.resource, ...scalars, g], { T: { dtype: DT.float32 }, use_locking: false, use_nesterov: false }, 0);
        return;
      }
      const [power1, power2, rate, beta1, beta2, epsilon] = scalars as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      m.assign(tf.add(tf.mul(m.read(), beta1), tf.mul(g, tf.sub(1, beta1))));
      v.assign(tf.add(tf.mul(v.read(), beta2), tf.mul(tf.square(g), tf.sub(1, beta2))));
      const corrected = tf.div(tf.mul(rate, tf.sqrt(tf.sub(1, power2))), tf.sub(1, power1));
      this.value.assign(tf.sub(this.value.read(), tf.mul(corrected, tf.div(m.read(), tf.add(tf.sqrt(v.read()), epsilon)))));
    });
  }

  dispose(): void {
    this.value.dispose();
    this.moments?.m.dispose();
    this.moments?.v.dispose();
  }
}
