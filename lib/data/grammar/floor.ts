/** Exact floors of the loss on lines of question formation, and estimates of them from drawn lines. */
import { UserError } from '../../util/errors';
import { Random } from '../../util/random';
import { crossing } from '../../util/statistics';
import { plus, sentenceForms, sentenceMoments } from './forms';
import type { Moments } from './forms';
import { perGrammar, sentenceProbability } from './grammar';
import type { Grammar } from './grammar';
import { formatLine, lineTokens, sampleLine, sampleUniqueLines, toLine } from './question-formation';
import type { Line, Marker } from './question-formation';

/**
 * Moments of the sentences of kept lines. A line is (sentence, marker); its output follows from both. Sentence s and
 * marker m have probability P(s)/2 each, and a question with a relative clause on its subject (a marked sentence) is
 * rejected:
 *   P(line) = P(s) / 2κ,   κ = ½ (P(unmarked) + P(marked)) + ½ P(unmarked), the mass of these moments
 */
const keptMoments = perGrammar((grammar): Moments => {
  const [unmarked, { mass, surprisalNats, words }] = sentenceMoments(grammar);
  return plus(unmarked, { mass: mass / 2, surprisalNats: surprisalNats / 2, words: words / 2 });
});

/** Entropy of lines: the lowest expected loss of any model that has not seen them. */
export interface Floor {
  /** Entropy of a line. */
  nats: number;
  /** Mean number of predicted tokens per line: all words, the marker and the end token, the first word included. */
  tokensPerLine: number;
  natsPerToken: number;
}

/** Predicted tokens of a line: the sentence, an output of the same length, the marker and the end token. */
const tokensForWords = (sentenceWords: number): number => 2 * sentenceWords + 2;

/**
 * Exact floor of i.i.d. lines in closed form (`keptMoments`):
 *   nats = (s₀ + s₁/2)/κ + ln 2κ,   tokens = 2 (w₀ + w₁/2)/κ + 2   (₀ unmarked, ₁ marked sentences)
 */
export function floor(grammar: Grammar): Floor {
  const kept = keptMoments(grammar);
  const nats = kept.surprisalNats / kept.mass + Math.log(2 * kept.mass);
  const tokensPerLine = tokensForWords(kept.words / kept.mass);
  return { nats, tokensPerLine, natsPerToken: nats / tokensPerLine };
}

/** Exact ln P(line) of an i.i.d. line; −∞ for a line that cannot occur, such as one with a wrong output. */
export function lineLogProb(grammar: Grammar, line: Line): number {
  const sentence = line.input.slice(0, -1);
  const [unmarked, marked] = sentenceProbability(grammar, sentence);
  if (unmarked + marked === 0 || (marked > 0 && line.marker === 'quest')) return -Infinity;
  if (formatLine(toLine(sentence, line.marker, grammar)) !== formatLine(line)) return -Infinity;
  return Math.log(unmarked + marked) - Math.log(2 * keptMoments(grammar).mass);
}

/** All lines with the same word classes and marker: `lines` of them, each of probability `each`. */
interface LineForm {
  letters: string;
  classSizes: number[];
  marker: Marker;
  tokens: number;
  lines: number;
  each: number;
}

function lineForms(grammar: Grammar): LineForm[] {
  const twiceKept = 2 * keptMoments(grammar).mass;
  return sentenceForms(grammar).flatMap(({ classes, mass, marked, sentences }) => {
    const form = {
      letters: classes.map((c) => c.letter).join(''),
      classSizes: classes.map((c) => c.words.length),
      tokens: tokensForWords(classes.length),
      lines: sentences,
      each: mass / sentences / twiceKept,
    };
    const markers: Marker[] = marked ? ['decl'] : ['decl', 'quest'];
    return markers.map((marker) => ({ ...form, marker }));
  });
}

interface PositionEntropy {
  /** Share of lines that reach this position, counted from 0. */
  share: number;
  /** Entropy of the token given all before it, averaged over all lines; lines that have ended count 0. */
  nats: number;
}

/**
 * Exact conditional entropy at each position of an i.i.d. line or, with `uniqueLines`, of a line of that many unique ones:
 *   H_t = Σ_forms P(form) [ln P(classes < t) − ln P(classes ≤ t) + ln |class_t|]
 * with prefix probabilities summed over all forms. The output follows from what precedes it, so its entropies are 0. The
 * sum over positions is the `nats` of `floor` or `uniqueLinesFloor`.
 */
export function positionEntropies(grammar: Grammar, uniqueLines?: number): PositionEntropy[] {
  const law = uniqueLines === undefined ? lineForms(grammar) : uniqueLaw(grammar, uniqueLines).forms;
  const forms = law.map((form) => ({
    ...form,
    steps: [...form.letters, form.marker],
    mass: form.lines * form.each,
  }));
  const prefixes = new Map<string, number>();
  for (const { steps, mass } of forms) {
    for (let t = 0; t <= steps.length; t++) {
      const key = steps.slice(0, t).join('');
      prefixes.set(key, (prefixes.get(key) ?? 0) + mass);
    }
  }
  const longest = Math.max(...forms.map((form) => form.tokens));
  const positions = Array.from({ length: longest }, () => ({ share: 0, nats: 0 }));
  for (const { steps, mass, tokens, classSizes } of forms) {
    for (let t = 0; t < tokens; t++) positions[t]!.share += mass;
    for (let t = 0; t < steps.length; t++) {
      const step = prefixes.get(steps.slice(0, t).join(''))! / prefixes.get(steps.slice(0, t + 1).join(''))!;
      positions[t]!.nats += mass * (Math.log(step) + Math.log(classSizes[t] ?? 1));
    }
  }
  return positions;
}

/** Floor of unique lines, and their law. */
export interface UniqueFloor extends Floor {
  lines: number;
  /** Cross-entropy of the i.i.d. law P on such lines, −Σ q ln P; KL(q ‖ P) above `nats`. */
  iidCrossEntropyNats: number;
  /** Probability that a new i.i.d. line is in the set. */
  coveredMass: number;
  /** ln q of a line from its i.i.d. ln P. */
  logProb: (iidLogProb: number) => number;
}

/** The law q of `uniqueLinesFloor`: lines of a form have probability `each` under q and `iid` under P. */
function uniqueLaw(grammar: Grammar, lines: number): { forms: (LineForm & { iid: number })[]; tau: number } {
  const forms = lineForms(grammar);
  const all = forms.reduce((sum, form) => sum + form.lines, 0);
  if (!(lines >= 1 && lines < all))
    throw new UserError(
      `unique lines: expected from 1 to fewer than the ${all} of the language; got ${lines}`,
    );
  const drawn = (tau: number): number =>
    forms.reduce((sum, form) => sum - form.lines * Math.expm1(-form.each * tau), 0);
  const tau = crossing(drawn, lines, lines);
  return {
    forms: forms.map((form) => ({ ...form, iid: form.each, each: -Math.expm1(-form.each * tau) / lines })),
    tau,
  };
}

/**
 * Floor of unique lines: the first `lines` distinct ones of an i.i.d. sequence. The best law that is fixed before the set
 * is drawn gives each line its expected share of the set; its entropy is the floor of every model that has not memorised
 * the set:
 *   q(line) = (1 − exp(−P(line) τ)) / lines,   τ such that Σ q = 1
 * (Poissonised draws; the error is of order 1/lines). Likely lines occur once only, so q is flatter than P and lines are
 * longer.
 */
export function uniqueLinesFloor(grammar: Grammar, lines: number): UniqueFloor {
  const { forms, tau } = uniqueLaw(grammar, lines);
  let [nats, tokensPerLine, iidCrossEntropyNats, coveredMass] = [0, 0, 0, 0];
  for (const { each, iid, lines: count, tokens } of forms) {
    const share = count * each;
    nats -= share * Math.log(each);
    iidCrossEntropyNats -= share * Math.log(iid);
    tokensPerLine += share * tokens;
    coveredMass += iid * share * lines;
  }
  return {
    lines,
    nats,
    tokensPerLine,
    natsPerToken: nats / tokensPerLine,
    iidCrossEntropyNats,
    coveredMass,
    logProb: (iid) => Math.log(-Math.expm1(-Math.exp(iid) * tau) / lines),
  };
}

/** A floor estimated from drawn lines, with standard errors; the error of the ratio is by the delta method. */
export interface SampledFloor extends Floor {
  lines: number;
  natsError: number;
  tokensError: number;
  natsPerTokenError: number;
}

/** Mean surprisal of `lines` i.i.d. lines, scored by `lineLogProb` from their words alone. */
export function monteCarloFloor(grammar: Grammar, lines: number, seed: number): SampledFloor {
  const random = new Random(seed, 'question-formation/monte-carlo');
  return estimate(lines, () => {
    const line = sampleLine(grammar, random);
    return [-lineLogProb(grammar, line), lineTokens(line)];
  });
}

/**
 * Mean surprisal of one drawn set of unique lines under the law q of `uniqueLinesFloor`.
 * Trap: lines drawn without repetition vary less than independent ones, so the errors are upper bounds.
 */
export function monteCarloUniqueFloor(grammar: Grammar, lines: number, seed: number): SampledFloor {
  const law = uniqueLinesFloor(grammar, lines);
  const drawn = sampleUniqueLines(grammar, lines, seed);
  return estimate(lines, (i) => [-law.logProb(lineLogProb(grammar, drawn[i]!)), lineTokens(drawn[i]!)]);
}

function estimate(lines: number, draw: (i: number) => [nats: number, tokens: number]): SampledFloor {
  let [x, y, xx, yy, xy] = [0, 0, 0, 0, 0];
  for (let i = 0; i < lines; i++) {
    const [nats, tokens] = draw(i);
    x += nats;
    y += tokens;
    xx += nats * nats;
    yy += tokens * tokens;
    xy += nats * tokens;
  }
  const [nats, tokensPerLine] = [x / lines, y / lines];
  const natsPerToken = nats / tokensPerLine;
  const [varX, varY, covXY] = [
    xx / lines - nats ** 2,
    yy / lines - tokensPerLine ** 2,
    xy / lines - nats * tokensPerLine,
  ];
  const errorOf = (variance: number): number => Math.sqrt(Math.max(variance, 0) / (lines - 1));
  return {
    lines,
    nats,
    natsError: errorOf(varX),
    tokensPerLine,
    tokensError: errorOf(varY),
    natsPerToken,
    natsPerTokenError: errorOf(varX - 2 * natsPerToken * covXY + natsPerToken ** 2 * varY) / tokensPerLine,
  };
}

/**
 * Loss of a model that has memorised the training lines and knows nothing else: the entropy of a line drawn from the list,
 * ln(number of lines) where none repeats.
 */
export function memorisationFloor(lines: readonly Line[]): Floor & { distinctLines: number } {
  if (lines.length === 0) throw new UserError('memorisation floor: expected at least one line; got none');
  const counts = new Map<string, number>();
  let tokens = 0;
  for (const line of lines) {
    const key = line.input.join(' ');
    counts.set(key, (counts.get(key) ?? 0) + 1);
    tokens += lineTokens(line);
  }
  let nats = Math.log(lines.length);
  for (const count of counts.values()) nats -= (count * Math.log(count)) / lines.length;
  const tokensPerLine = tokens / lines.length;
  return { distinctLines: counts.size, nats, tokensPerLine, natsPerToken: nats / tokensPerLine };
}
