/** What decides the bits of a result besides config and code. */
import { availableParallelism } from 'node:os';
import { engine } from '../tensor/engine';
import { vectorFeatures } from '../util/cpu';

export interface Arithmetic {
  /** Threads within an op: sums over them are split by their number. */
  threads: number;
  /** Whether TensorFlow computes with oneDNN. */
  oneDnn: boolean;
  /** The CPU's instructions for vectors and matrices. */
  cpuFeatures: string[];
  /** Whether the fused ops are used. */
  fused: boolean;
}

/** TensorFlow's own rule for oneDNN on Linux: on where the CPU has one of these, unless TF_ENABLE_ONEDNN_OPTS says otherwise. */
const ONEDNN_FEATURES = ['avx512_vnni', 'avx512_bf16', 'avx_vnni', 'amx_tile', 'amx_int8', 'amx_bf16'];

/** Threads that TensorFlow takes when it is loaded now. */
export const threadsNow = (): number => Number(process.env.TF_NUM_INTRAOP_THREADS) || availableParallelism();

/** Loads the engine. */
export function arithmetic(): Arithmetic {
  const { fused } = engine();
  const [features, wish] = [vectorFeatures(), process.env.TF_ENABLE_ONEDNN_OPTS];
  const oneDnn = wish ? /^(1|true)$/i.test(wish) : ONEDNN_FEATURES.some((name) => features.includes(name));
  return { threads: threadsNow(), oneDnn, cpuFeatures: features, fused };
}
