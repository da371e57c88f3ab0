/**
 * Causal attention on the tape, and keys and values kept for generation.
 *
 * Letters: `N` tokens in a batch, `B` lines, `T` longest line, `C` width, `H` heads, `d` = C/H.
 */
import { tf, type Tensor } from './engine';
import * as K from './kernels';
import { functional, type Layout } from './functional';
import { attentionWeights } from './stock';
import type { Node, Tape } from './tape';

/** Keys and values `[B, H, t, d]` of all tokens that a layer has seen in generation. */
export class AttentionCache {
  private seen: [Tensor, Tensor] | null = null;

  get tokens(): number {
    return this.seen?.[0].shape[2] ?? 0;
  }

  /** Adds the keys and values of new tokens; returns all. */
  append(k: Tensor, v: Tensor): [Tensor, Tensor] {
    const old = this.seen;
    const all = tf.tidy(() =>
      old ? [K.concat([old[0], k], 2), K.concat([old[1], v], 2)] : [tf.clone(k), tf.clone(v)],
    ) as [Tensor, Tensor];
    this.dispose();
    return (this.seen = [tf.keep(all[0]), tf.keep(all[1])]);
  }

  dispose(): void {
    tf.dispose(this.seen ?? []);
    this.seen = null;
  }
}

/** Attention of new tokens `[N, 3C]` of lines of one length to themselves and to those in the cache. */
function continued(qkv: Tensor, lines: number, heads: number, cache: AttentionCache): Tensor {
  const C = qkv.shape[1]! / 3;
  const split = K.transpose(K.reshape(qkv, [lines, -1, 3, heads, C / heads]), [2, 0, 3, 1, 4]);
  const [q, newK, newV] = K.unstack(split) as [Tensor, Tensor, Tensor];
  const [k, v] = cache.append(newK, newV);
  const y = K.matMul(K.castLike(attentionWeights(q, k), v), v);
  return K.reshape(K.transpose(y, [0, 2, 1, 3]), [-1, C]);
}

/**
 * Causal multi-head self-attention: softmax(q kᵀ / √d) v for every head (Vaswani et al. 2017, eq. 1), with dropout on
 * the weights. Lines do not see each other.
 * @param qkv `[N, 3C]`, queries, keys and values next to each other @param cache without gradients @returns `[N, C]`, heads next to each other
 */
export function attention(
  tape: Tape,
  qkv: Node,
  layout: Layout,
  heads: number,
  rate = 0,
  cache?: AttentionCache,
): Node {
  if (cache) return tape.node(tf.tidy(() => continued(qkv.value, layout.lines, heads, cache)));
  const dropout = tape.dropout(rate);
  const outputs = tf.tidy(() => functional().attention(qkv.value, layout, heads, dropout));
  return tape.computed(outputs[0], [qkv], (dy) => [
    functional().attentionGradient(dy, qkv.value, outputs, layout, heads, dropout),
  ]);
}
