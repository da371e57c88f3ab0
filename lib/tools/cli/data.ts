/** `npm run data -- DATASET [flags]`: what a data set is made of, and checks of its files. The sets of text are in datasets.ts. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { UserError, oneOf, wholeNumber } from '../../util/errors';
import { Random } from '../../util/random';
import {
  floor,
  memorisationFloor,
  monteCarloFloor,
  monteCarloUniqueFloor,
  uniqueLinesFloor,
} from '../../data/grammar/floor';
import { sentenceForms } from '../../data/grammar/forms';
import { sentenceProbability } from '../../data/grammar/grammar';
import {
  GRAMMAR,
  PUBLISHED_LINES,
  LINE_SPLITS,
  dataHash,
  formatLine,
  parseLine,
  lineTokens,
  sampleLine,
  sampleSplits,
  toLine,
} from '../../data/grammar/question-formation';
import type { Line } from '../../data/grammar/question-formation';
import { helpText, main, parse } from './arguments';
import { list, openwebtext, remove, synthetic, text, verify } from './datasets';

const QUESTION_FORMATION = {
  command: 'data',
  summary:
    'Question formation (McCoy et al. 2020): lines drawn from a grammar, so that the entropy of a line is known exactly.',
  positionals: 'question-formation',
  options: {
    floor: { type: 'boolean', help: 'print the lowest losses in reach, exact' },
    'monte-carlo': { type: 'string', help: 'with --floor: estimate it from this many drawn lines too' },
    check: { type: 'string', help: 'read lines SENTENCE MARKER<TAB>OUTPUT and count the wrong ones' },
    splits: { type: 'boolean', help: 'draw the published splits and print what is in them' },
    sample: { type: 'string', help: 'print this many lines drawn at random' },
    seed: { type: 'string', help: 'of everything drawn', default: '1' },
    json: { type: 'boolean', help: 'print JSON instead of text' },
  },
} as const;

/** Each takes the arguments after its name. */
const COMMANDS: Record<string, (argv: string[]) => Promise<void> | void> = {
  'question-formation': questionFormation,
  openwebtext,
  text,
  synthetic,
  list,
  verify,
  remove,
};

/** Prints rows `name  value`, or all of it as JSON. */
function print(
  result: Record<string, unknown>,
  rows: [name: string, value: string][],
  json: boolean | undefined,
): void {
  if (json) return console.log(JSON.stringify(result, null, 2));
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) console.log(`${name.padEnd(width)}  ${value}`);
}

const count = (n: number): string => n.toLocaleString('en-GB');

function questionFormation(argv: string[]): void {
  const { values, positionals } = parse(QUESTION_FORMATION, argv);
  if (positionals.length > 0)
    throw new UserError(`expected one data set; got "${positionals[0]}" too: put file names behind --check`);
  const actions = (['floor', 'check', 'splits', 'sample'] as const).filter(
    (name) => values[name] !== undefined,
  );
  if (actions.length !== 1)
    throw new UserError(
      `question-formation: expected one of --floor, --check FILE, --splits, --sample N; got ${actions.length === 0 ? 'none' : actions.map((a) => `--${a}`).join(' and ')}`,
    );
  if (values['monte-carlo'] !== undefined && !values.floor)
    throw new UserError('--monte-carlo: expected --floor with it; got it alone: add --floor');
  const seed = wholeNumber('--seed', values.seed, 1);
  if (values.floor) printFloors(values['monte-carlo'], seed, values.json);
  if (values.check !== undefined) checkFile(values.check, values.json);
  if (values.splits) printSplits(seed, values.json);
  if (values.sample !== undefined)
    printSample(wholeNumber('--sample', values.sample, 1, 1_000_000), seed, values.json);
}

function printFloors(monteCarloText: string | undefined, seed: number, json?: boolean): void {
  const monteCarloLines =
    monteCarloText === undefined ? undefined : wholeNumber('--monte-carlo', monteCarloText, 2, 100_000_000);
  const uniqueLines = PUBLISHED_LINES.train + PUBLISHED_LINES.dev + PUBLISHED_LINES.test;
  // Refuses a grammar in which a form has two derivations.
  const forms = sentenceForms(GRAMMAR).length;
  const result = {
    ambiguity: { forms, derivations: forms, ambiguousForms: 0 },
    iid: floor(GRAMMAR),
    unique: uniqueLinesFloor(GRAMMAR, uniqueLines),
    memorisation: memorisationFloor(sampleSplits(GRAMMAR, { seed, generalisation: 0 }).train),
    ...(monteCarloLines !== undefined && {
      monteCarlo: monteCarloFloor(GRAMMAR, monteCarloLines, seed),
      monteCarloUnique: monteCarloUniqueFloor(GRAMMAR, uniqueLines, seed),
    }),
  };
  const text = ({
    nats,
    tokensPerLine,
    natsPerToken,
  }: {
    nats: number;
    tokensPerLine: number;
    natsPerToken: number;
  }): string =>
    `${natsPerToken.toFixed(4)} nats a token = ${nats.toFixed(4)} nats over ${tokensPerLine.toFixed(4)} tokens a line`;
  const rows: [string, string][] = [
    ['ambiguity', `${forms} derivations of ${forms} class sequences, 0 with more than one`],
    ['i.i.d. lines, exact', text(result.iid)],
  ];
  if (result.monteCarlo)
    rows.push([
      `  ${count(result.monteCarlo.lines)} lines drawn`,
      `${text(result.monteCarlo)} ± ${result.monteCarlo.natsPerTokenError.toFixed(5)}, ${result.monteCarlo.natsError.toFixed(4)}, ${result.monteCarlo.tokensError.toFixed(4)} (1 s.e.)`,
    ]);
  rows.push([`${count(uniqueLines)} unique lines`, text(result.unique)]);
  if (result.monteCarloUnique)
    rows.push([
      '  one such set drawn',
      `${text(result.monteCarloUnique)} ± ${result.monteCarloUnique.natsPerTokenError.toFixed(5)}, ${result.monteCarloUnique.natsError.toFixed(4)}, ${result.monteCarloUnique.tokensError.toFixed(4)} (1 s.e., at most)`,
    ]);
  rows.push([`memorised, ${count(result.memorisation.distinctLines)} lines`, text(result.memorisation)]);
  print(result, rows, json);
}

/** Counts lines outside the language and lines whose output differs from ours. */
function checkFile(file: string, json?: boolean): void {
  const path = resolve(file);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new UserError(
      `--check: expected a readable file; got ${path}: ${(error as NodeJS.ErrnoException).code}`,
    );
  }
  const rows = text.replace(/\r?\n$/, '').split(/\r?\n/);
  if (text.trim() === '')
    throw new UserError(`--check: expected lines SENTENCE MARKER<TAB>OUTPUT; got an empty file ${path}`);
  const outside: number[] = [];
  const different: number[] = [];
  rows.forEach((row, i) => {
    const line = parseRow(row, `${file} line ${i + 1}`);
    const sentence = line.input.slice(0, -1);
    const [unmarked, marked] = sentenceProbability(GRAMMAR, sentence);
    if (unmarked + marked === 0) outside.push(i + 1);
    else if (formatLine(toLine(sentence, line.marker)) !== formatLine(line)) different.push(i + 1);
  });
  const result = {
    lines: rows.length,
    notInLanguage: outside.length,
    firstNotInLanguage: outside[0] ?? null,
    transformedDifferently: different.length,
    firstTransformedDifferently: different[0] ?? null,
  };
  const where = (lines: number[]): string =>
    `${count(lines.length)}${lines.length > 0 ? ` (first: line ${lines[0]})` : ''}`;
  print(
    result,
    [
      ['lines', count(rows.length)],
      ['not in the language', where(outside)],
      ['transformed differently', where(different)],
    ],
    json,
  );
  if (outside.length + different.length > 0) process.exitCode = 1;
}

function parseRow(row: string, where: string): Line {
  try {
    return parseLine(row);
  } catch (error) {
    throw error instanceof UserError
      ? new UserError(`${where}: ${error.message}: mend the line or drop it`)
      : error;
  }
}

function statistics(lines: readonly Line[]): {
  lines: number;
  meanTokens: number;
  longestTokens: number;
  questionShare: number;
} {
  const tokens = lines.map((line) => lineTokens(line) - 1);
  return {
    lines: lines.length,
    meanTokens: tokens.reduce((sum, n) => sum + n, 0) / lines.length,
    longestTokens: tokens.reduce((most, n) => Math.max(most, n), 0),
    questionShare: lines.filter((line) => line.marker === 'quest').length / lines.length,
  };
}

function printSplits(seed: number, json?: boolean): void {
  const splits = sampleSplits(GRAMMAR, { seed });
  const all = LINE_SPLITS.flatMap((split) => splits[split]);
  const result = {
    seed,
    hash: dataHash(splits),
    uniqueInputs: new Set(all.map((line) => line.input.join(' '))).size,
    wordTypes: new Set(all.flatMap((line) => [...line.input, ...line.output])).size,
    splits: Object.fromEntries(LINE_SPLITS.map((split) => [split, statistics(splits[split])])),
  };
  print(
    result,
    [
      ['seed', `${seed}`],
      ['hash', result.hash],
      ['unique inputs', `${count(result.uniqueInputs)} of ${count(all.length)}`],
      ['word types', `${result.wordTypes}`],
      ...Object.entries(result.splits).map(([name, s]): [string, string] => [
        name,
        `${count(s.lines)} lines, mean ${s.meanTokens.toFixed(2)} and at most ${s.longestTokens} tokens without the end token, ${(100 * s.questionShare).toFixed(1)}% questions`,
      ]),
    ],
    json,
  );
}

function printSample(lines: number, seed: number, json?: boolean): void {
  const random = new Random(seed, 'question-formation/sample');
  const drawn = Array.from({ length: lines }, () => formatLine(sampleLine(GRAMMAR, random)));
  console.log(json ? JSON.stringify(drawn, null, 2) : drawn.join('\n'));
}

main('data', ([name, ...rest]) => {
  const known = Object.keys(COMMANDS);
  if (name === '--help' || name === '-h')
    return console.log(
      helpText({
        command: 'data',
        summary: `Data sets and what can be done with them: ${known.join(', ')}. Each has its own --help.`,
        positionals: 'COMMAND',
        options: {},
      }),
    );
  return COMMANDS[oneOf('data set (first argument)', name, known)]!(rest);
});
