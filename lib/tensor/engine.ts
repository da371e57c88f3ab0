/** The only file that imports TensorFlow: it loads it, says what computes, and runs native ops by name. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import * as util from 'node:util';
import type * as tfjs from '@tensorflow/tfjs';
import type { TensorMetadata, TFEOpAttr, TFJSBinding } from '@tensorflow/tfjs-node-gpu/dist/tfjs_binding';
import { vectorFeatures } from '../util/cpu';
import { UserError, oneOf } from '../util/errors';
import { paths } from '../util/paths';

export type Tensor = tfjs.Tensor;

/** What computes. */
export interface Engine {
  device: 'cpu' | 'gpu';
  tensorflowVersion: string;
  tfjsVersion: string;
  /** Whether products in bfloat16 run in hardware here. */
  bf16: boolean;
  /** Whether the fused ops of `native/ops.cc` are loaded; without them compositions of stock ops compute the same. */
  fused: boolean;
}

/** The part of tfjs-node's backend that this file needs, some of it private there. */
interface NativeBackend {
  isUsingGpuDevice: boolean;
  binding: TFJSBinding;
  tensorMap: { get(dataId: object): { dtype: number }; set(dataId: object, value: object): void };
  getInputTensorIds(tensors: Tensor[]): number[];
  readSync(dataId: object): unknown;
}

/** TensorFlow's numbers of the dtypes in use. */
export const DT = { float32: 1, int32: 3, bool: 10, bfloat16: 14, resource: 20 } as const;

/** What TFJS calls them. It has no name for bfloat16, and may not read one. */
const TFJS_DTYPE = new Map<number, tfjs.DataType>([
  [DT.float32, 'float32'],
  [DT.int32, 'int32'],
  [DT.bool, 'bool'],
  [DT.bfloat16, 'float32'],
  [DT.resource, 'string'],
]);

/** Node 23 removed util.isNullOrUndefined, which tfjs-node 4.22 calls (tensorflow/tfjs pull request 8425, merged and not released). */
function restoreIsNullOrUndefined(): void {
  const legacy = util as unknown as { default?: object };
  for (const target of [util, legacy.default]) {
    if (target && !('isNullOrUndefined' in target) && Object.isExtensible(target))
      Object.assign(target, { isNullOrUndefined: (x: unknown) => x === null || x === undefined });
  }
}

function load() {
  const { DEVICE } = process.env;
  const wanted = DEVICE === undefined ? undefined : oneOf('DEVICE', DEVICE, ['cpu', 'gpu']);
  if (wanted === 'cpu') process.env.CUDA_VISIBLE_DEVICES = '-1';
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
  restoreIsNullOrUndefined();
  let tf: typeof tfjs;
  try {
    tf = require('@tensorflow/tfjs-node-gpu') as typeof tfjs;
  } catch (error) {
    throw new UserError(
      `engine: expected TensorFlow's native library; it does not load (${(error as Error).message.split('\n')[0]}); run "npm run doctor"`,
    );
  }
  const native = tf.backend() as unknown as NativeBackend;
  const device = native.isUsingGpuDevice ? 'gpu' : 'cpu';
  if (wanted === 'gpu' && device === 'cpu')
    throw new UserError(
      'DEVICE=gpu: expected an NVIDIA GPU that TensorFlow can use; found none; run "npm run doctor", or leave DEVICE out to compute on the CPU',
    );
  const engine: Engine = {
    device,
    tensorflowVersion: native.binding.TF_Version,
    tfjsVersion: tf.version.tfjs ?? tf.version['tfjs-core'],
    bf16: device === 'gpu' || vectorFeatures().some((name) => /^(avx512|amx)_bf16$/.test(name)),
    fused: device === 'cpu' && loadFusedOps(),
  };
  const { getInputTensorIds, readSync } = native;
  native.getInputTensorIds = (inputs) => {
    for (const x of inputs) takenByTfjs(x.dataId);
    return getInputTensorIds.call(native, inputs);
  };
  native.readSync = (dataId) => (takenByTfjs(dataId), readSync.call(native, dataId));
  /** The backend's own, which takes tensors of any dtype. */
  const inputIds = (inputs: Tensor[]): number[] => getInputTensorIds.call(native, inputs);
  return { tf, native, engine, inputIds };
}

const fusedOps = join(paths.cache, 'native', 'ops.so');

/** Set-up compiles them where there is a compiler. `FUSED=0` does without. */
function loadFusedOps(): boolean {
  if (process.env.FUSED === '0' || !existsSync(fusedOps)) return false;
  try {
    // Global, so that it stays: TensorFlow holds what it registers.
    const { RTLD_NOW, RTLD_GLOBAL } = constants.dlopen;
    (process as unknown as { dlopen(module: object, file: string, flags: number): void }).dlopen(
      { exports: {} },
      fusedOps,
      RTLD_NOW | RTLD_GLOBAL,
    );
    return true;
  } catch (error) {
    console.warn(
      `warning: the fused ops do not load, so stock ops compute, slower; run "npm run doctor" (${(error as Error).message.split('\n')[0]})`,
    );
    return false;
  }
}

let loaded: ReturnType<typeof load> | null = null;

/** TensorFlow, loaded at the first call: programs that only read files answer at once. */
const theEngine = () => (loaded ??= load());
const native = (): NativeBackend => theEngine().native;
export const isLoaded = (): boolean => loaded !== null;

/** TFJS on the engine of this machine. */
export const tf = new Proxy({} as typeof tfjs, {
  get: (_, name: keyof typeof tfjs) => theEngine().tf[name],
});

/** The numbers of one computed tensor. Read after `tf.tidy`, which looks for tensors in what it returns, number by number. */
export function numbersOf(compute: () => Tensor): Float32Array {
  const result = tf.tidy(compute);
  const numbers = result.dataSync() as Float32Array;
  result.dispose();
  return numbers;
}

export const engine = (): Engine => theEngine().engine;

/** One line for notebooks and logs. */
export function banner(): string {
  const { device, tensorflowVersion, tfjsVersion, bf16 } = engine();
  return `TensorFlow ${tensorflowVersion} on the ${device.toUpperCase()}, TFJS ${tfjsVersion}, bf16 ${bf16 ? 'in hardware' : 'not in hardware'}, Node ${process.versions.node}`;
}

/** Attributes of a native op: a dtype as `{ dtype }`, a float as `{ float }`; whole numbers, booleans, texts and shapes as they are. */
export type Attributes = Record<
  string,
  { dtype: number } | { float: number } | number | boolean | string | number[]
>;

function nativeAttribute([name, value]: [string, Attributes[string]]): TFEOpAttr {
  const b = native().binding;
  if (typeof value === 'boolean') return { name, type: b.TF_ATTR_BOOL, value };
  if (typeof value === 'number') return { name, type: b.TF_ATTR_INT, value };
  if (typeof value === 'string') return { name, type: b.TF_ATTR_STRING, value };
  if (Array.isArray(value)) return { name, type: b.TF_ATTR_SHAPE, value };
  if ('float' in value) return { name, type: b.TF_ATTR_FLOAT, value: value.float };
  return { name, type: b.TF_ATTR_TYPE, value: value.dtype };
}

/** Runs any TensorFlow op; the outputs are TFJS tensors, so that `tidy` and `dispose` hold. */
export function runOp(op: string, inputs: Tensor[], attributes: Attributes, outputs = 1): Tensor[] {
  const list = Object.entries(attributes).map(nativeAttribute);
  const results = native().binding.executeOp(op, list, theEngine().inputIds(inputs), outputs).map(tensorOf);
  watcher?.ran(op, inputs, attributes, results);
  return results;
}

/** TensorFlow's number of a tensor's dtype, which TFJS does not know of bfloat16. */
export const dtypeOf = (x: Tensor): number => native().tensorMap.get(x.dataId).dtype;

function tensorOf({ id, dtype, shape }: TensorMetadata): Tensor {
  const name = TFJS_DTYPE.get(dtype);
  if (!name)
    throw new Error(
      `tensor: expected a dtype of ${Object.keys(DT).join(', ')}; TensorFlow gave number ${dtype}: add it to DT`,
    );
  const dataId = {};
  native().tensorMap.set(dataId, { shape, dtype, id, values: null, refCount: 1 });
  return tf.engine().makeTensorFromTensorInfo({ dataId, shape, dtype: name });
}

/** Someone other than `runOp` takes a tensor's numbers: an op of TFJS, or a readback. */
function takenByTfjs(dataId: object): void {
  if (native().tensorMap.get(dataId)?.dtype === DT.bfloat16)
    throw new Error('tensor: TFJS cannot read bfloat16; give it float32(x) of lib/tensor/kernels.ts');
  watcher?.read(dataId);
}

/** Observer of ops during tracing. */
export interface Watcher {
  ran(op: string, inputs: Tensor[], attributes: Attributes, outputs: Tensor[]): void;
  /** An op of TFJS or a readback takes a tensor's numbers. */
  read(dataId: object): void;
}
let watcher: Watcher | null = null;

export function watched<R>(by: Watcher, body: () => R): R {
  watcher = by;
  try {
    return body();
  } finally {
    watcher = null;
  }
}

/** A graph in TensorFlow's own session. */
export class Graph {
  private readonly id: number;
  private readonly inputs: string;
  private readonly outputs: string;

  /** @param definition a SavedModel with the tag `graph` @param inputs names `node:output` */
  constructor(
    readonly definition: Buffer,
    inputs: string[],
    outputs: string[],
  ) {
    [this.inputs, this.outputs] = [inputs.join(), outputs.join()];
    mkdirSync(paths.cache, { recursive: true });
    const folder = mkdtempSync(join(paths.cache, 'graph-'));
    try {
      writeFileSync(join(folder, 'saved_model.pb'), definition);
      this.id = native().binding.loadSavedModel(folder, 'graph');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  run(inputs: Tensor[]): Tensor[] {
    const { native, inputIds } = theEngine();
    return native.binding.runSavedModel(this.id, inputIds(inputs), this.inputs, this.outputs).map(tensorOf);
  }

  dispose(): void {
    native().binding.deleteSavedModel(this.id);
  }
}
