/** Windows of a text, and the order in which training reads them. */
import { UserError } from '../../util/errors';
import { Random } from '../../util/random';

/** A sequence of tokens that is read by range. */
export interface TokenSource {
  readonly tokens: number;
  read(start: number, count: number): Uint16Array;
}

/**
 * Endless sequence of epochs over the items 0 … size − 1. Each epoch is a permutation drawn from (seed, epoch) alone, so
 * that a run resumed at any step reads the same items.
 */
export class Epochs {
  private current = { epoch: -1, items: new Uint32Array() };

  constructor(
    readonly size: number,
    private readonly seed: number,
  ) {}

  /** The item at a position of the sequence, counted from 0. */
  at(position: number): number {
    const epoch = Math.floor(position / this.size);
    if (this.current.epoch !== epoch)
      this.current = { epoch, items: new Random(this.seed, `order/${epoch}`).permutation(this.size) };
    return this.current.items[position % this.size]!;
  }

  /** The `size` items of a step; steps count from 1. */
  step(step: number, size: number): number[] {
    return Array.from({ length: size }, (_, i) => this.at((step - 1) * size + i));
  }
}

/**
 * Windows of T + 1 tokens over the first `tokens` of a text. T tokens of each are predicted; the next window begins with
 * the last of them. The last window ends with the text and may overlap the one before it, so that every token but the
 * first is predicted in every epoch, up to T − 1 of them twice.
 */
export class Windows {
  readonly count: number;

  /** @param what name of the text in errors @param context T */
  constructor(
    private readonly what: string,
    private readonly source: TokenSource,
    private readonly tokens: number,
    private readonly context: number,
  ) {
    if (tokens > source.tokens)
      throw new UserError(
        `${what}: expected at least ${tokens} tokens; it has ${source.tokens}: take fewer or make a larger data set with "npm run data"`,
      );
    if (tokens <= context)
      throw new UserError(
        `${what}: expected at least ${context + 1} tokens, one window of context ${context}; got ${tokens}: take more or shorten the context`,
      );
    this.count = Math.ceil((tokens - 1) / context);
  }

  /** @returns `[T + 1]` */
  read(i: number): Uint16Array {
    return this.source.read(Math.min(i * this.context, this.tokens - 1 - this.context), this.context + 1);
  }

  /** Indices of `n` windows, evenly spread over the text. */
  spread(n: number): number[] {
    if (n > this.count)
      throw new UserError(
        `${this.what}: expected at most ${this.count} windows, all that ${this.tokens} tokens hold at context ${this.context}; got ${n}: take fewer`,
      );
    return Array.from({ length: n }, (_, i) => Math.floor((i * this.count) / n));
  }

  /** `n` windows, evenly spread over the text. @returns `n` times `[T + 1]` */
  readSpread(n: number): Uint16Array[] {
    return this.spread(n).map((i) => this.read(i));
  }
}
