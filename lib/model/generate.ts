/** Generation of text by a language model, and the share of its training text that it has memorised. */
import { UserError } from '../util/errors';
import * as K from '../tensor/kernels';
import { Random } from '../util/random';
import { inGroups } from '../util/groups';
import { sum } from '../util/statistics';
import { attentionWeights } from '../tensor/stock';
import { Node, Tape } from '../tensor/tape';
import { tf, type Tensor } from '../tensor/engine';
import { checkTokens, inputsOf, type LanguageModel } from './model';

interface GenerateOptions {
  maxNewTokens: number;
  /** Divides the logits; 0 means greedy decoding. Default: 1. */
  temperature?: number;
  /** Only tokens with the k largest logits, ties with the k-th included, can be drawn. Default: all. */
  topK?: number;
  /** Seed of the draws; required unless decoding is greedy. */
  seed?: number;
}

/** Keys and values `[B, H, t, d]` of all tokens that a layer has seen. */
class AttentionCache {
  private seen: [Tensor, Tensor] | null = null;

  /** Attention of new tokens `[N, 3C]` of lines of one length to themselves and to those before. @returns `[N, C]` */
  attend(qkv: Tensor, lines: number, heads: number): Tensor {
    const C = qkv.shape[1]! / 3;
    const split = K.transpose(K.reshape(qkv, [lines, -1, 3, heads, C / heads]), [2, 0, 3, 1, 4]);
    const [q, newK, newV] = K.unstack(split) as [Tensor, Tensor, Tensor];
    const [k, v] = [newK, newV].map((x, i) =>
      tf.keep(this.seen ? K.concat([this.seen[i]!, x], 2) : tf.clone(x)),
    ) as [Tensor, Tensor];
    this.dispose();
    this.seen = [k, v];
    const y = K.matMul(K.castLike(attentionWeights(q, k), v), v);
    return K.reshape(K.transpose(y, [0, 2, 1, 3]), [-1, C]);
  }

  dispose(): void {
    tf.dispose(this.seen ?? []);
    this.seen = null;
  }
}

/** Selects the next token of each line. @param logits `[B, V]` @returns `[B]` */
type Choose = (logits: Tensor) => ArrayLike<number>;

const greedy: Choose = (logits) => tf.argMax(logits, 1).dataSync();

/** Continues lines of one length in a batch, with cached keys and values; yields the next token of each line. */
function* continuing(
  model: LanguageModel,
  prompts: readonly ArrayLike<number>[],
  newTokens: number,
  choose: Choose,
): Generator<number[], void, undefined> {
  const [lines, longest] = [prompts.length, prompts[0]!.length];
  const caches = Array.from({ length: model.config.layers }, () => new AttentionCache());
  try {
    let unread = prompts;
    for (let n = 0; n < newTokens; n++) {
      const chosen: number[] = [];
      tf.tidy(() => {
        const tape = new Tape(model.parameters, { bf16: false, record: false });
        let layer = 0;
        const x = model.hidden(tape, inputsOf(unread, n === 0 ? 0 : longest + n - 1), {
          attend: (_, qkv, layout, heads) =>
            new Node(tf.tidy(() => caches[layer++]!.attend(qkv.value, layout.lines, heads))),
        });
        const width = unread[0]!.length;
        const last = K.gather(
          x.value,
          tf.tensor1d(
            Array.from({ length: lines }, (_, b) => (b + 1) * width - 1),
            'int32',
          ),
        );
        chosen.push(...Array.from(choose(model.head(tape, new Node(last)))));
      });
      yield chosen;
      unread = chosen.map((id) => [id]);
    }
  } finally {
    for (const cache of caches) cache.dispose();
  }
}

/** Samples from softmax(logits / temperature) over the `topK` largest logits. */
function draw(logits: ArrayLike<number>, temperature: number, topK: number, random: Random): number {
  const sorted = Float32Array.from(logits).sort();
  const [largest, least] = [sorted[sorted.length - 1]!, sorted[Math.max(0, sorted.length - topK)]!];
  const masses = Float64Array.from(logits, (z) => (z >= least ? Math.exp((z - largest) / temperature) : 0));
  return random.weighted(masses, sum(masses));
}

/** Throws a UserError for settings that cannot be. */
function chooser({ maxNewTokens, temperature = 1, topK = Infinity, seed }: GenerateOptions): Choose {
  if (!Number.isSafeInteger(maxNewTokens) || maxNewTokens < 1)
    throw new UserError(`maxNewTokens: expected a whole number of at least 1; got ${maxNewTokens}: set one`);
  if (!(temperature >= 0 && temperature < Infinity))
    throw new UserError(
      `temperature: expected a number of at least 0; got ${temperature}: 0 takes the likeliest token, 1 draws by the model's probabilities`,
    );
  if (!(topK === Infinity || (Number.isSafeInteger(topK) && topK >= 1)))
    throw new UserError(
      `topK: expected a whole number of at least 1; got ${topK}: leave it out to draw from all tokens`,
    );
  if (temperature === 0) return greedy;
  if (seed === undefined)
    throw new UserError(
      'seed: expected one for temperatures above 0; got none: set seed, or temperature 0 for the likeliest tokens',
    );
  const random = new Random(seed, 'generate');
  return (logits) => [draw(logits.dataSync(), temperature, topK, random)];
}

/**
 * Continues a prompt by new tokens. Trap: a vanilla model expects its start token first; include it in the prompt.
 * @returns `[maxNewTokens]`
 */
export function generate(
  model: LanguageModel,
  prompt: ArrayLike<number>,
  options: GenerateOptions,
): number[] {
  const choose = chooser(options);
  const { maxNewTokens } = options;
  const { context } = model.config;
  if (prompt.length < 1 || prompt.length + maxNewTokens > context)
    throw new UserError(
      `prompt: expected 1 token or more, and with the ${maxNewTokens} new ones at most ${context}, the model's context; got ${prompt.length}: change the prompt or maxNewTokens`,
    );
  checkTokens([prompt], model.config);
  return Array.from(continuing(model, [prompt], maxNewTokens, choose), ([id]) => id!);
}

/**
 * The same token by token, however long prompt and text are: where the context is full, the model reads on from its second
 * half.
 */
export function* generateOn(
  model: LanguageModel,
  prompt: readonly number[],
  options: GenerateOptions,
): Generator<number, void, undefined> {
  const choose = chooser(options);
  const { context } = model.config;
  if (prompt.length < 1) throw new UserError('prompt: expected 1 token or more; got none: write one');
  prompt.forEach((id) => checkTokens([[id]], model.config));
  let text = [...prompt];
  for (let left = options.maxNewTokens; left > 0;) {
    const read = text.length < context ? text : text.slice(-Math.ceil(context / 2));
    const room = Math.min(left, Math.max(1, context - read.length));
    const added: number[] = [];
    for (const [id] of continuing(model, [read], room, choose)) {
      added.push(id!);
      yield id!;
    }
    text = [...read, ...added];
    left -= room;
  }
}

/** Windows per batch: few enough for their keys and values to fit in memory. */
const WINDOWS_AT_A_TIME = 32;

/** Greedy continuations of prompts, all of one length, by so many tokens that all are at most one more than the context. */
export function continuations(
  model: LanguageModel,
  prompts: readonly ArrayLike<number>[],
  newTokens: number,
): number[][] {
  checkTokens(prompts, model.config);
  return inGroups(prompts, WINDOWS_AT_A_TIME).flatMap((some) => {
    const steps = [...continuing(model, some, newTokens, greedy)];
    return some.map((_, b) => steps.map((chosen) => chosen[b]!));
  });
}

/** A prefix of a window of the training text, what follows it there, and what the model continues it with. */
interface Recalled {
  prefix: number[];
  text: number[];
  continuation: number[];
  /** Tokens up to the first that differs. */
  equal: number;
}

/**
 * Greedy continuations of windows of the training text by `continuation` tokens, from their first `prefix` tokens.
 * @param windows each of at least `prefix + continuation` tokens; the rest is ignored
 */
export function recalled(
  model: LanguageModel,
  windows: readonly ArrayLike<number>[],
  { prefix = 32, continuation = 32 } = {},
): Recalled[] {
  const length = prefix + continuation;
  if (!(
    Number.isSafeInteger(prefix) &&
    prefix >= 1 &&
    Number.isSafeInteger(continuation) &&
    continuation >= 1
  ))
    throw new UserError(
      `memorised: expected prefix and continuation of 1 token or more; got ${prefix} and ${continuation}: set both`,
    );
  const shortest = windows.reduce((least, w) => Math.min(least, w.length), Infinity);
  if (windows.length === 0 || shortest < length)
    throw new UserError(
      `memorised: expected windows of at least ${length} tokens (prefix ${prefix}, continuation ${continuation}); got ${windows.length === 0 ? 'none' : `one of ${shortest}`}: use longer windows or shorter parts`,
    );
  const texts = windows.map((w) => Array.prototype.slice.call(w, 0, length) as number[]);
  checkTokens(texts, model.config);
  const prompts = texts.map((text) => text.slice(0, prefix));
  return continuations(model, prompts, continuation).map((added, i) => {
    const text = texts[i]!.slice(prefix);
    const differs = added.findIndex((id, t) => id !== text[t]);
    return { prefix: prompts[i]!, text, continuation: added, equal: differs < 0 ? continuation : differs };
  });
}

/**
 * Share of windows of the training text that the model has memorised: given the first `prefix` tokens of a window, its greedy
 * continuation equals the next `continuation` tokens (Carlini et al. 2023, arXiv 2202.07646, section 3). Arguments as in
 * `recalled`.
 */
export function memorisedShare(...args: Parameters<typeof recalled>): number {
  const all = recalled(...args);
  return all.filter(({ equal, text }) => equal === text.length).length / all.length;
}
