/** Tensors in place. */
import { dtypeOf, runOp, tf, type Attributes, type Tensor } from './engine';

let serial = 0;

/** A resource variable of TensorFlow. It takes over the tensors that it is given. */
export class Variable {
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
