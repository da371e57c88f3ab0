/** Training windows of a text, and the order in which training goes through them. */
import { UserError } from '../../util/errors';
import { Random } from '../../util/random';

/** Whatever gives a stretch of its tokens. */
export interface TokenSource {
  readonly tokens: number;
  read(start: number, count: number): Uint16Array;
}

/**
 * The endless sequence of epochs over the items 0 … size − 1: each epoch a permutation of its own, drawn from (seed,
 * epoch) alone, so that a run continued anywhere reads what it would have read; without a seed, the items as they stand.
 */
export class Epochs {
  private current = { epoch: -1, items: new Uint32Array() };

  constructor(
    readonly size: number,
    private readonly seed: number | null,
  ) {}

  /** The item at a place of the sequence, counted from 0. */
  at(place: number): number {
    const within = place % this.size;
    if (this.seed === null) return within;
    const epoch = Math.floor(place / this.size);
    if (this.current.epoch !== epoch)
      this.current = { epoch, items: new Random(this.seed, `order/${epoch}`).permutation(this.size) };
    return this.current.items[within]!;
  }

  /** The `size` items of a step, counted from 1. */
  step(step: number, size: number): number[] {
    return Array.from({ length: size }, (_, i) => this.at((step - 1) * size + i));
  }
}

/**
 * Windows of T + 1 tokens over the first `tokens` of a text: T are predicted in each, and the next window begins with
 * the last of them. The last window ends with the text: where the text does not divide, it overlaps the one before it,
 * so that every token but the first is predicted in every epoch, and T − ((tokens − 1) mod T) of them twice.
 */
export class Windows {
  readonly count: number;

  /** @param what names the text in errors */
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

  /** Numbers of `n` windows, evenly spread over the text. */
  spread(n: number): number[] {
    if (n > this.count)
      throw new UserError(
        `${this.what}: expected at most ${this.count} windows, all that ${this.tokens} tokens hold at context ${this.context}; got ${n}: take fewer`,
      );
    return Array.from({ length: n }, (_, i) => Math.floor((i * this.count) / n));
  }
}
