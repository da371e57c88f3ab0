import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from '../../refusal';
import {
  floor,
  lineLogProb,
  memorisationFloor,
  monteCarloFloor,
  monteCarloUniqueFloor,
  positionEntropies,
  uniqueLinesFloor,
} from '../../../lib/data/grammar/floor';
import { FAMILY } from '../../../lib/data/grammar/grammar-family';
import { GRAMMAR, lineTokens, toLine } from '../../../lib/data/grammar/question-formation';
import type { Grammar } from '../../../lib/data/grammar/grammar';
import { entropy, enumerateLines } from './enumerate';

const close = (ours: number, expected: number, tolerance = 1e-10): void =>
  assert.ok(Math.abs(ours - expected) <= tolerance, `expected ${expected} ± ${tolerance}; got ${ours}`);

/** Question formation with few words and other weights: small enough to write out all of its lines. */
const reduced: Grammar = {
  start: 'ROOT',
  rules: GRAMMAR.rules.map(([weight, left, right, mark], i) => [
    mark ? 3 : weight + (i % 3) / 2,
    left,
    right,
    mark,
  ]),
  words: {
    Det: 'the',
    N_S: 'newt yak',
    N_P: 'newts',
    V_intrans: 'eat wait',
    V_trans: 'amuse',
    Aux_S: "does doesn't",
    Aux_P: 'do',
    Prep: 'near',
    Rel: 'who',
    Stop: '.',
  },
};
const lines = enumerateLines(reduced);

/** "n does eat ." (2/3) and, marked, "n r does eat does eat ." (1/3): kept as decl, quest, decl with odds 2 : 2 : 1. */
const tiny: Grammar = {
  start: 'S',
  rules: [
    [2, 'S', 'N Aux_S V Stop'],
    [1, 'S', 'N C Aux_S V Stop', 'clause'],
    [1, 'C', 'Rel Aux_S V'],
  ],
  words: { N: 'n', Aux_S: 'does', V: 'eat', Rel: 'r', Stop: '.' },
};

test('a tiny table: floor and probabilities as worked out by hand', () => {
  const { nats, tokensPerLine, natsPerToken } = floor(tiny);
  close(nats, entropy([2 / 5, 2 / 5, 1 / 5]));
  close(tokensPerLine, (4 / 5) * 10 + (1 / 5) * 16);
  close(natsPerToken, nats / tokensPerLine);
  close(lineLogProb(tiny, toLine(['n', 'does', 'eat', '.'], 'quest', tiny)), Math.log(2 / 5));
  close(lineLogProb(tiny, toLine('n r does eat does eat .'.split(' '), 'decl', tiny)), Math.log(1 / 5));
});

test('the closed form equals the sum over every line written out', () => {
  const { nats, tokensPerLine } = floor(reduced);
  assert.ok(lines.length > 2000);
  close(nats, entropy(lines.map((l) => l.probability)));
  close(
    tokensPerLine,
    lines.reduce((sum, { line, probability }) => sum + probability * lineTokens(line), 0),
  );
  for (const { line, probability } of lines) close(lineLogProb(reduced, line), Math.log(probability));
});

test('lines that never occur have probability 0', () => {
  const marked = 'the yak who does eat does wait .'.split(' ');
  const line = toLine(marked, 'decl', reduced);
  assert.ok(Number.isFinite(lineLogProb(reduced, line)));
  assert.equal(lineLogProb(reduced, toLine(marked, 'quest', reduced)), -Infinity);
  assert.equal(lineLogProb(reduced, { ...line, output: [...line.output].reverse() }), -Infinity);
  const short = 'the yak does wait .'.split(' ');
  assert.ok(Number.isFinite(lineLogProb(reduced, toLine(short, 'quest', reduced))));
  assert.equal(
    lineLogProb(reduced, { ...toLine(short, 'quest', reduced), input: [...short, 'decl'] }),
    -Infinity,
  );
  assert.equal(
    lineLogProb(reduced, { input: ['yak', '.', 'decl'], output: ['yak', '.'], marker: 'decl' }),
    -Infinity,
  );
});

test('the grammar of question formation: 20.31 nats over 20.58 tokens', () => {
  const { nats, tokensPerLine, natsPerToken } = floor(GRAMMAR);
  close(nats, 20.31, 0.005);
  close(tokensPerLine, 20.58, 0.005);
  close(natsPerToken, 0.987, 0.0005);
});

test('entropies by position equal those of all prefixes written out, and add up to the floor', () => {
  const prefixes = new Map<string, number>();
  for (const { line, probability } of lines) {
    const words = [...line.input, ...line.output, '<end>'];
    for (let t = 0; t <= words.length; t++)
      prefixes.set(
        words.slice(0, t).join(' '),
        (prefixes.get(words.slice(0, t).join(' ')) ?? 0) + probability,
      );
  }
  const expected: number[] = [];
  for (const { line, probability } of lines) {
    const words = [...line.input, ...line.output, '<end>'];
    words.forEach((_, t) => {
      const conditional =
        prefixes.get(words.slice(0, t + 1).join(' '))! / prefixes.get(words.slice(0, t).join(' '))!;
      expected[t] = (expected[t] ?? 0) - probability * Math.log(conditional);
    });
  }
  const ours = positionEntropies(reduced);
  assert.equal(ours.length, expected.length);
  ours.forEach(({ nats }, t) => close(nats, expected[t]!));
  for (const grammar of [reduced, GRAMMAR]) {
    const positions = positionEntropies(grammar);
    close(
      positions.reduce((sum, { nats }) => sum + nats, 0),
      floor(grammar).nats,
      1e-9,
    );
    close(
      positions.reduce((sum, { share }) => sum + share, 0),
      floor(grammar).tokensPerLine,
      1e-9,
    );
  }
});

test('position entropies of unique lines: their sum is their floor, for every grammar of the family', () => {
  for (const [name, grammar] of Object.entries(FAMILY)) {
    const [law, positions] = [uniqueLinesFloor(grammar, 111_000), positionEntropies(grammar, 111_000)];
    close(
      positions.reduce((sum, { nats }) => sum + nats, 0),
      law.nats,
      1e-9,
    );
    close(
      positions.reduce((sum, { share }) => sum + share, 0),
      law.tokensPerLine,
      1e-9,
    );
    if (name !== 'fewer-objects') close(law.natsPerToken, Number(name), 0.01);
  }
  close(uniqueLinesFloor(FAMILY['fewer-objects'], 111_000).natsPerToken, 0.92, 0.01);
  assert.notDeepEqual(positionEntropies(GRAMMAR, 111_000), positionEntropies(GRAMMAR));
});

test('50,000 drawn lines agree with the closed form within 4 standard errors', () => {
  const exact = floor(GRAMMAR);
  const drawn = monteCarloFloor(GRAMMAR, 50_000, 1);
  close(drawn.nats, exact.nats, 4 * drawn.natsError);
  close(drawn.tokensPerLine, exact.tokensPerLine, 4 * drawn.tokensError);
  close(drawn.natsPerToken, exact.natsPerToken, 4 * drawn.natsPerTokenError);
  // Standard deviations of a line: 7.30 nats, 6.32 tokens.
  close(drawn.natsError, 7.3 / Math.sqrt(50_000), 0.001);
  close(drawn.tokensError, 6.32 / Math.sqrt(50_000), 0.001);
  // 0.0742 for one line; the ratios of 60 sets of 10,000 lines scatter with 0.067 ± 0.006.
  close(drawn.natsPerTokenError, 0.0742 / Math.sqrt(50_000), 5e-6);
});

test('unique lines: the law sums to 1, its entropy is the floor, and drawn sets agree', () => {
  const law = uniqueLinesFloor(reduced, 500);
  const q = lines.map(({ line }) => Math.exp(law.logProb(lineLogProb(reduced, line))));
  close(
    q.reduce((sum, p) => sum + p, 0),
    1,
  );
  close(law.nats, entropy(q));
  close(
    law.tokensPerLine,
    q.reduce((sum, p, i) => sum + p * lineTokens(lines[i]!.line), 0),
  );
  close(
    law.iidCrossEntropyNats,
    q.reduce((sum, p, i) => sum - p * Math.log(lines[i]!.probability), 0),
  );
  close(
    law.coveredMass,
    q.reduce((sum, p, i) => sum + 500 * p * lines[i]!.probability, 0),
  );
  const drawn = monteCarloUniqueFloor(GRAMMAR, 20_000, 1);
  const exact = uniqueLinesFloor(GRAMMAR, 20_000);
  close(drawn.nats, exact.nats, 4 * drawn.natsError);
  close(drawn.tokensPerLine, exact.tokensPerLine, 4 * drawn.tokensError);
  close(drawn.natsPerToken, exact.natsPerToken, 4 * drawn.natsPerTokenError);
});

test('unique lines lie between the i.i.d. law (few of them) and the uniform law (nearly all)', () => {
  close(uniqueLinesFloor(GRAMMAR, 1).natsPerToken, floor(GRAMMAR).natsPerToken, 1e-4);
  const all = uniqueLinesFloor(reduced, lines.length - 1);
  close(all.nats, Math.log(lines.length), 1e-3);
  assert.throws(
    () => uniqueLinesFloor(reduced, lines.length),
    refusal('unique lines: ', `got ${lines.length}`),
  );
  assert.throws(() => uniqueLinesFloor(reduced, 0), refusal('unique lines: ', 'got 0'));
});

test('the memorisation floor is ln of the distinct lines, or the entropy of repeated ones', () => {
  const [a, b] = [
    toLine(['n', 'does', 'eat', '.'], 'decl', tiny),
    toLine('n r does eat does eat .'.split(' '), 'decl', tiny),
  ];
  const once = memorisationFloor([a, b]);
  close(once.nats, Math.LN2);
  close(once.natsPerToken, Math.LN2 / 13);
  const repeated = memorisationFloor([a, a, a, b]);
  assert.equal(repeated.distinctLines, 2);
  close(repeated.nats, entropy([3 / 4, 1 / 4]));
  close(repeated.tokensPerLine, (3 * 10 + 16) / 4);
  assert.throws(() => memorisationFloor([]), refusal('memorisation floor: ', 'none'));
});
