/** State of a `Random`: enough to continue the stream exactly. `spare` is the second normal of a Box-Muller pair. */
export interface RandomState {
  words: [number, number, number, number];
  spare: number | null;
}

/** SplitMix32: turns any 32-bit seed into well mixed words. */
function splitMix(seed: number): () => number {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x9e3779b9) >>> 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** FNV-1a hash of a text, 32 bits: gives each named stream of one seed its own start. */
function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** Cumulative geometric distribution in 32 bits, and for each leading byte the first gap that it can mean. */
interface GapTable { limits: Float64Array; first: Uint16Array }
const gapTables = new Map<number, GapTable>();

/** `limits[k]` = 2³² P(gap ≤ k), with P(gap ≥ k) = (1 − rate)ᵏ, as far as 32 bits tell it from 1. */
function gapTable(rate: number): GapTable {
  let table = gapTables.get(rate);
  if (!table) {
    const gaps = Math.ceil((33 * Math.LN2) / -Math.log1p(-rate)) + 1;
    const limits = Float64Array.from({ length: gaps }, (_, k) => (k === gaps - 1 ? 2 ** 32 : 2 ** 32 * (1 - (1 - rate) ** (k + 1))));
    const first = Uint16Array.from({ length: 256 }, (_, byte) => limits.findIndex((limit) => byte * 2 ** 24 < limit));
    gapTables.set(rate, (table = { limits, first }));
  }
  return table;
}

/**
 * Seeded generator (xoshiro128**, Blackman & Vigna 2018) behind initialisation, shuffling, dropout and sampling.
 * Trap: one seed gives one stream per `stream` name; two purposes must never share a name.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;
  private spare: number | null = null;

  constructor(seed: number, stream = '') {
    if (!Number.isSafeInteger(seed) || seed < 1) throw new RangeError(`seed: expected a whole number of at least 1; got ${seed}`);
    const next = splitMix((seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b) ^ hash32(stream)) >>> 0);
    [this.a, this.b, this.c, this.d] = [next(), next(), next(), next()];
  }

  state(): RandomState {
    return { words: [this.a, this.b, this.c, this.d], spare: this.spare };
  }

  restore(state: RandomState): void {
    [this.a, this.b, this.c, this.d] = state.words;
    this.spare = state.spare;
  }

  /** Uniform on 0 … 2³² − 1. */
  uint32(): number {
    const x = Math.imul(this.b, 5);
    const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = (this.d << 11) | (this.d >>> 21);
    return result;
  }

  /** Uniform on [0, 1) with 53 random bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** Uniform whole number on 0 … n − 1, without bias. */
  int(n: number): number {
    if (!(n >= 1 && n <= 2 ** 32)) throw new RangeError(`int: expected n from 1 to 2^32; got ${n}`);
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const x = this.uint32();
      if (x < limit) return x % n;
    }
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    if (this.spare !== null) {
      const z = this.spare;
      this.spare = null;
      return z;
    }
    const r = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const phi = 2 * Math.PI * this.uniform();
    this.spare = r * Math.sin(phi);
    return r * Math.cos(phi);
  }

  /** `n` normals of mean 0 and the given standard deviation. */
  normals(n: number, std = 1): Float32Array {
    return Float32Array.from({ length: n }, () => std * this.normal());
  }

  /**
   * Positions in 0 … n − 1, each taken with probability `rate` independently of the others, in order. The gaps between
   * them are drawn from their geometric distribution: one draw per position taken.
   */
  sparse(n: number, rate: number): Int32Array {
    if (!(rate > 0 && rate < 1)) throw new RangeError(`sparse: expected a rate between 0 and 1; got ${rate}`);
    const { limits, first } = gapTable(rate);
    const positions = new Int32Array(Math.ceil(n * rate + 8 * Math.sqrt(n * rate) + 16));
    let count = 0;
    for (let i = -1; ; ) {
      const u = this.uint32();
      let gap = first[u >>> 24]!;
      while (u >= limits[gap]!) gap++;
      i += 1 + gap;
      if (i >= n) return positions.slice(0, count);
      if (count === positions.length) throw new Error(`sparse: more than ${count} of ${n} at rate ${rate}`);
      positions[count++] = i;
    }
  }

  /** Uniformly random order of 0 … n − 1 (Fisher-Yates). */
  permutation(n: number): Uint32Array {
    const p = Uint32Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const x = p[i]!;
      p[i] = p[j]!;
      p[j] = x;
    }
    return p;
  }
}
