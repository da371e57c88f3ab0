/** Every random number of the project: a seeded generator, and TensorFlow's stateless uniforms. */

/** SplitMix32: expands a 32-bit seed into well mixed words. */
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

/** FNV-1a hash, 32 bits: gives each named stream of a seed its own state. */
function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** Philox 4×32 with 10 rounds (Salmon et al. 2011, section 3.3): four random words from a counter and a key. */
function philox(counter: readonly number[], key: readonly number[]): [number, number, number, number] {
  let [a, b, c, d] = counter as [number, number, number, number];
  let [k, l] = key as [number, number];
  for (let round = 0; round < 10; round++) {
    const [high0, high2] = [highProduct(0xd2511f53, a), highProduct(0xcd9e8d57, c)];
    [a, b, c, d] = [
      (high2 ^ b ^ k) >>> 0,
      Math.imul(0xcd9e8d57, c) >>> 0,
      (high0 ^ d ^ l) >>> 0,
      Math.imul(0xd2511f53, a) >>> 0,
    ];
    [k, l] = [(k + 0x9e3779b9) >>> 0, (l + 0xbb67ae85) >>> 0];
  }
  return [a, b, c, d];
}

/** Upper 32 bits of the product of two 32-bit numbers. */
function highProduct(a: number, b: number): number {
  const [a1, a0, b1, b0] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  return (a1 * b1 + Math.floor(middle / 65536) + ((middle % 65536) + a0 * b1) / 65536) >>> 0;
}

/** `n` uniform numbers on [0, 1) with 23 bits, equal to TensorFlow's StatelessRandomUniform with seed [seed, stream]. */
export function uniforms(seed: number, stream: number, n: number): Float32Array {
  const [k, l, high0, high1] = philox([seed, 0, stream, 0], [0x3ec8f720, 0x02461e29]);
  const values = new Float32Array(n);
  for (let i = 0; i < n; i += 4) {
    const words = philox([i / 4, 0, high0, high1], [k, l]);
    for (let j = 0; j < 4 && i + j < n; j++) values[i + j] = (words[j]! & 0x7fffff) / 2 ** 23;
  }
  return values;
}

/**
 * Seeded generator (xoshiro128**, Blackman & Vigna 2018) for initialisation, shuffling, dropout and sampling.
 * Trap: seed and `stream` name determine the sequence, so two purposes must never share a name.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private d: number;
  private spare: number | null = null;

  constructor(seed: number, stream = '') {
    if (!Number.isSafeInteger(seed) || seed < 1)
      throw new RangeError(`seed: expected a whole number of at least 1; got ${seed}`);
    const next = splitMix((seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b) ^ hash32(stream)) >>> 0);
    [this.a, this.b, this.c, this.d] = [next(), next(), next(), next()];
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

  /** Index drawn in proportion to weights, whose sum is `total`. */
  weighted(weights: ArrayLike<number>, total: number): number {
    let left = this.uniform() * total;
    let drawn = 0;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i] === 0) continue;
      drawn = i; // Rounding may leave a rest after the last one.
      if ((left -= weights[i]!) < 0) break;
    }
    return drawn;
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
