/** What published laws say of the loss of a language model with N parameters, by the tokens that it is trained on. */
import { arm } from '../experiments/replica';
import { tokensPerStep } from '../experiments/text-task';
import { gpt2Parameters } from '../model/config';

/** L(N, D) = E + A N^−α + B D^−β, nats a token. */
export interface LossLaw {
  irreducible: number;
  a: number;
  alpha: number;
  b: number;
  beta: number;
}

/** Hoffmann et al. 2022, arXiv:2203.15556, section 3.3. */
export const CHINCHILLA: LossLaw = { irreducible: 1.69, a: 406.4, alpha: 0.34, b: 410.7, beta: 0.28 };
/** The same runs fitted again: Besiroglu et al. 2024, arXiv:2404.10102. */
export const CHINCHILLA_REFIT: LossLaw = {
  irreducible: 1.8172,
  a: 482.01,
  alpha: 0.3478,
  b: 2085.43,
  beta: 0.3658,
};

export const lossBy = (
  { irreducible, a, alpha, b, beta }: LossLaw,
  parameters: number,
  tokens: number,
): number => irreducible + a * parameters ** -alpha + b * tokens ** -beta;

/** Muennighoff et al. 2023, arXiv:2305.16264: a law of the same form, in the worth of repeated tokens and of surplus parameters. */
const REPEATED: LossLaw = { irreducible: 1.87, a: 521, alpha: 0.353, b: 1488, beta: 0.353 };
/** After how many repetitions most of the worth is gone. */
const FADES = { tokens: 15.4, parameters: 5.3 };
/** Parameters for which so many different tokens are just enough, by that law. */
const PARAMETERS_PER_TOKEN = 0.051;

/** `first`, repeated so often that it makes `all`, is worth as much as so many new ones. */
const worth = (first: number, all: number, fade: number): number =>
  first * (1 + fade * (1 - Math.exp(-(all / first - 1) / fade)));

/** The worth of `seen` tokens, of which `different` are different. */
export const worthOfTokens = (different: number, seen: number): number =>
  worth(Math.min(different, seen), seen, FADES.tokens);

/** @param surplus whether parameters are worth less that the different tokens have no use for */
export function lossOnRepeated(
  parameters: number,
  { different, seen }: { different: number; seen: number },
  { surplus }: { surplus: boolean },
): number {
  const useful = Math.min(parameters, PARAMETERS_PER_TOKEN * Math.min(different, seen));
  return lossBy(
    REPEATED,
    surplus ? worth(useful, parameters, FADES.parameters) : parameters,
    worthOfTokens(different, seen),
  );
}

/** The run on 90M tokens at the paper's size. */
export const FULL = arm('full', 'C', 1);
/** The paper's model, its different tokens, and all tokens that it reads in 4,000 steps, 21.8 passes. */
export const PAPER = { parameters: gpt2Parameters(FULL.model).all, different: FULL.trainTokens };
export const SEEN = FULL.steps * tokensPerStep(FULL);

/** By how much the loss is above that of as many tokens that are all different, at the paper's size after some passes. */
export const lawExcess = (pass: number, options: { surplus: boolean }): number => {
  const seen = pass * PAPER.different;
  const loss = (different: number) => lossOnRepeated(PAPER.parameters, { different, seen }, options);
  return loss(PAPER.different) - loss(seen);
};
