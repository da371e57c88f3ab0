/** Trainable tensors, and AdamW on them in one native call each. */
import type { AdamWConfig } from './config';
import * as K from './kernels';
import { DT, isNative, run, tf, type Tensor } from './tf';

/**
 * One AdamW update as in PyTorch (Loshchilov & Hutter 2019): p ← p − η·λ·p − η·m̂ / (√v̂ + ε), decay on matrices only.
 * TensorFlow's op adds its ε to √v, before the correction; ε·√(1 − β₂ᵗ) makes both the same.
 * Trap: its scalars are made once for all parameters and belong to the caller's `tidy`.
 */
export class AdamWUpdate {
  readonly decay: Tensor | null;
  /** β₁ᵗ, β₂ᵗ, η, β₁, β₂ and TensorFlow's ε, in the order of its op. */
  readonly scalars: Tensor[];

  /** @param step updates done with this one included, from 1 */
  constructor(readonly config: AdamWConfig, readonly step: number, readonly learningRate: number) {
    const { beta1, beta2, epsilon, weightDecay } = config;
    this.decay = weightDecay === 0 ? null : tf.scalar(1 - learningRate * weightDecay);
    this.scalars = [beta1 ** step, beta2 ** step, learningRate, beta1, beta2, epsilon * Math.sqrt(1 - beta2 ** step)].map((x) => tf.scalar(x));
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

/** A trainable tensor with its AdamW moments. Names are dotted paths such as `block.0.attention.qkv.weight`. */
export class Parameter {
  private readonly value: Slot;
  private moments: { m: Slot; v: Slot } | null = null;

  constructor(readonly name: string, readonly shape: number[], values: Float32Array) {
    const size = shape.reduce((a, b) => a * b, 1);
    if (values.length !== size) throw new RangeError(`${name}: expected ${size} values for [${shape}]; got ${values.length}`);
    this.value = new Slot(shape, values);
  }

  get size(): number {
    return this.shape.reduce((a, b) => a * b, 1);
  }

  /** Current value. Trap: dispose of it before the next update, or TensorFlow copies the whole tensor first. */
  read(): Tensor {
    return this.value.read();
  }

  write(values: Float32Array): void {
    this.value.write(values);
  }

  /** Value and both moments as plain numbers, moments zero before the first update. */
  async snapshot(): Promise<{ value: Float32Array; m: Float32Array; v: Float32Array }> {
    const get = async (slot: Slot | undefined): Promise<Float32Array> => {
      if (!slot) return new Float32Array(this.size);
      const t = slot.read();
      const values = (await t.data()) as Float32Array;
      t.dispose();
      return values;
    };
    return { value: await get(this.value), m: await get(this.moments?.m), v: await get(this.moments?.v) };
  }

  /** Puts a snapshot back. */
  restore(s: { value: Float32Array; m: Float32Array; v: Float32Array }): void {
    this.value.write(s.value);
    const { m, v } = this.ensureMoments();
    m.write(s.m);
    v.write(s.v);
  }

  private ensureMoments(): { m: Slot; v: Slot } {
    const zeros = () => new Slot(this.shape, new Float32Array(this.size));
    return (this.moments ??= { m: zeros(), v: zeros() });
  }

  update(gradient: Tensor, { decay, scalars }: AdamWUpdate): void {
    const { m, v } = this.ensureMoments();
    tf.tidy(() => {
      if (decay && this.shape.length > 1) this.value.assign(K.mul(this.value.read(), decay));
      if (isNative()) {
        const inputs = [this.value.resource, m.resource, v.resource, ...scalars, gradient];
        run('ResourceApplyAdam', inputs, { T: { dtype: DT.float32 }, use_locking: false, use_nesterov: false }, 0);
        return;
      }
      const [power1, power2, rate, beta1, beta2, epsilon] = scalars as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
      m.assign(tf.add(tf.mul(m.read(), beta1), tf.mul(gradient, tf.sub(1, beta1))));
      v.assign(tf.add(tf.mul(v.read(), beta2), tf.mul(tf.square(gradient), tf.sub(1, beta2))));
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
