/**
 * Causal attention and its gradient, in blocks of queries against the keys that they may see, so that the masked half of
 * the weights is not computed; with a store of keys and values for generation.
 *
 * Letters: `N` tokens in a batch, `B` lines, `T` longest line, `C` width, `H` heads, `d` = C/H.
 */
import * as K from './kernels';
import type { Node, Tape } from './tape';
import { tf, type Tensor } from './engine';

/** Where the tokens of a batch stand. Tokens of all lines follow each other without padding. */
export interface Layout {
  lines: number;
  longest: number;
  /** Null when all lines have one length. */
  ragged: Ragged | null;
}

/** Where the tokens of unequal lines stand in the padded `[B·T]`. All that depends on T is here, so that one graph serves any. */
export interface Ragged {
  /** `[N]` int32, row of each token. */
  slots: Tensor;
  /** `[]` int32, B·T. */
  rows: Tensor;
  /** `[2]` int32, T and T. */
  square: Tensor;
}

/** Queries per block. Longer lines than that are cut: of T² weights, T (T + block) / 2 are computed. */
export const QUERY_BLOCK = 256;

/** Tokens of a line from which on its products are large enough for bfloat16 to pay for its casts. */
export const BF16_FROM = 64;

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
    for (const t of this.seen ?? []) t.dispose();
    this.seen = null;
  }
}

const masks = new Map<string, Tensor>();

/** −10³⁰ where key j lies behind query i, 0 elsewhere, for the last `queries` of `keys` tokens. Lives as long as the process. */
function causalMask(queries: number, keys: number): Tensor {
  const key = `${tf.getBackend()}:${queries}:${keys}`;
  let mask = masks.get(key);
  if (!mask) {
    const values = new Float32Array(queries * keys);
    for (let i = 0; i < queries; i++) values.fill(-1e30, i * keys + keys - queries + i + 1, (i + 1) * keys);
    masks.set(key, (mask = tf.keep(tf.tensor2d(values, [queries, keys]))));
  }
  return mask;
}

/** Rows to their places in the padded batch, zeros between. @param x `[N, n]` @returns `[B·T, n]` */
const pad = (x: Tensor, { ragged }: Layout): Tensor =>
  ragged ? K.sumRowsInto(x, ragged.slots, ragged.rows) : x;

/** Inverse of `pad`. */
const unpad = (x: Tensor, { ragged }: Layout): Tensor => (ragged ? K.gatherRows(x, ragged.slots) : x);

type Round = (x: Tensor) => K.Operand;

/** What a block of queries `[B, H, n, d]` got from keys and values `[B, H, m, d]`, and what its gradient needs. */
interface Block {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  weights: Tensor;
  mask: Tensor | null;
  out: Tensor;
}

/** The last n of m tokens look at all m, each at itself and what is before it. `q` is scaled by 1/√d. */
function attend(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  round: Round,
  causal: Tensor | null,
  dropoutMask: (weights: Tensor) => Tensor | null,
): Block {
  const scores = K.matmul(round(q), round(k), false, true);
  const weights = K.softmax(causal ? K.add(scores, causal) : scores);
  const mask = dropoutMask(weights);
  const out = K.matmul(round(mask ? K.mul(weights, mask) : weights), round(v));
  return { q, k, v, weights, mask, out };
}

/** Gradients with respect to q, k and v. */
function attendBackward(
  { q, k, v, weights, mask, out }: Block,
  dout: Tensor,
  round: Round,
): [Tensor, Tensor, Tensor] {
  const dropped = mask ? K.mul(weights, mask) : weights;
  const dweights = K.matmul(round(dout), round(v), false, true);
  const dp = mask ? K.mul(dweights, mask) : dweights;
  // Σ_j p_j dp_j = out · dout, row by row: no product of [n, m] matrices is needed.
  const ds = round(K.mul(weights, K.sub(dp, K.sumLast(K.mul(out, dout)))));
  return [
    K.matmul(ds, round(k)),
    K.matmul(ds, round(q), true, false),
    K.matmul(round(dropped), round(dout), true, false),
  ];
}

/**
 * Causal multi-head self-attention: softmax(q kᵀ / √d) v for every head (Vaswani et al. 2017, eq. 1), with dropout on
 * the weights. Lines do not see each other, and padding lies behind every token that could see it.
 * @param qkv `[N, 3C]`, queries, keys and values side by side @returns `[N, C]`, heads side by side
 */
export function attention(
  tape: Tape,
  qkv: Node,
  layout: Layout,
  heads: number,
  rate = 0,
  cache?: AttentionCache,
  queryBlock = QUERY_BLOCK,
): Node {
  const { lines: B, longest: T } = layout;
  const C = qkv.value.shape[1]! / 3;
  const d = C / heads;
  const scale = tf.scalar(1 / Math.sqrt(d));
  const dropoutMask = (weights: Tensor) =>
    tape.options.dropout && rate > 0 ? tape.dropoutMask(rate, weights) : null;
  const round: Round = (x) => K.operand(x, tape.options.bf16 && T >= BF16_FROM);
  const starts = Array.from({ length: Math.ceil(T / queryBlock) }, (_, i) => i * queryBlock);
  const rows = (start: number) => Math.min(queryBlock, T - start);
  const causal = (queries: number, keys: number): Tensor | null => {
    // Where one graph serves lines of any length, one of lines of a single token must not decide for the others.
    if (layout.ragged && T <= queryBlock && !cache)
      return K.corner(causalMask(queryBlock, queryBlock), layout.ragged.square);
    return queries === 1 ? null : causalMask(queries, keys);
  };

  const [y, blocks] = tf.tidy(() => {
    const split = K.transpose(K.reshape(pad(qkv.value, layout), [B, -1, 3, heads, d]), [2, 0, 3, 1, 4]);
    const [q, newK, newV] = K.unstack(split) as [Tensor, Tensor, Tensor];
    const [k, v] = cache ? cache.append(newK, newV) : [newK, newV];
    const scaled = K.mul(q, scale);
    const before = k.shape[2]! - T;
    const done = starts.map((start) => {
      const end = before + start + rows(start);
      return attend(
        K.part(scaled, 2, start, rows(start)),
        K.part(k, 2, 0, end),
        K.part(v, 2, 0, end),
        round,
        causal(rows(start), end),
        dropoutMask,
      );
    });
    const merged = K.reshape(
      K.transpose(
        K.concat(
          done.map((b) => b.out),
          2,
        ),
        [0, 2, 1, 3],
      ),
      [-1, C],
    );
    return [unpad(merged, layout), done] as never;
  }) as unknown as [Tensor, Block[]];

  return tape.computed(y, [qkv], (dy) => {
    const dout = K.transpose(K.reshape(pad(dy, layout), [B, -1, heads, d]), [0, 2, 1, 3]);
    const parts = blocks.map((block, i) =>
      attendBackward(block, K.part(dout, 2, starts[i]!, rows(starts[i]!)), round),
    );
    const total = (which: 1 | 2) =>
      parts.map((p) => K.padTo(p[which], 2, T)).reduce((sum, x) => K.add(sum, x));
    const dq = K.mul(
      K.concat(
        parts.map((p) => p[0]),
        2,
      ),
      scale,
    );
    const joined = K.transpose(K.stack([dq, total(1), total(2)]), [1, 3, 0, 2, 4]);
    return [unpad(K.reshape(joined, [-1, 3 * C]), layout)];
  });
}
