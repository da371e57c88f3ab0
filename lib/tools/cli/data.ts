/** `npm run data -- COMMAND`: question formation (entropy, splits, export, checks of published lines); data sets of text are in datasets.ts and inventory.ts. */
import { resolve } from 'node:path';
import { UserError, oneOf, wholeNumber } from '../../util/errors';
import { count } from '../../util/format';
import { Random } from '../../util/random';
import {
  floor,
  memorisationFloor,
  monteCarloFloor,
  monteCarloUniqueFloor,
  uniqueLinesFloor,
  type Floor,
  type SampledFloor,
} from '../../data/grammar/floor';
import { sentenceForms } from '../../data/grammar/forms';
import { wholeText } from '../../data/text/bytes';
import { exportLines, type ExportedFloors } from '../../data/grammar/export';
import { sentenceProbability, type Grammar } from '../../data/grammar/grammar';
import { FAMILY, FAMILY_NAMES } from '../../data/grammar/grammar-family';
import {
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
import { allCurves, writeCurvesTable, writeEvents } from '../../report/curves';
import { writeRunsTable } from '../../analysis/shared/runs-table';
import { helpText, main, parse } from './arguments';
import { none, openwebtext, printRows, synthetic, text, type TableRow } from './datasets';
import { list, remove, verify } from './inventory';

const QUESTION_FORMATION = {
  command: 'data',
  summary:
    'Question formation (McCoy et al. 2020): lines drawn from a grammar, so that the entropy of a line is known exactly.',
  positionals: 'question-formation',
  options: {
    floor: { type: 'boolean', help: 'print the exact entropy of a line: the lowest loss of any model' },
    'monte-carlo': { type: 'string', help: 'with --floor: also estimate it from this many drawn lines' },
    check: { type: 'string', help: 'file with lines SENTENCE MARKER<TAB>OUTPUT; counts the wrong ones' },
    splits: {
      type: 'boolean',
      help: 'draw splits of the published sizes and print their statistics and hash',
    },
    sample: { type: 'string', help: 'print this many random lines' },
    export: {
      type: 'string',
      help: 'new folder: writes the lines of every split and floors.json, the exact losses per token and position',
    },
    grammar: {
      type: 'string',
      help: `one of ${FAMILY_NAMES.join(', ')}: its entropy, nats a token, but for the last`,
      default: '1.0',
    },
    lines: { type: 'string', help: `with --export: training lines, instead of ${PUBLISHED_LINES.train}` },
    seed: { type: 'string', help: 'seed of the random draws', default: '1' },
    json: { type: 'boolean', help: 'print JSON instead of text' },
  },
} as const;

/** Called with the arguments after the name. */
const COMMANDS: Record<string, (argv: string[]) => Promise<void> | void> = {
  'question-formation': questionFormation,
  openwebtext,
  text,
  synthetic,
  list,
  verify,
  remove,
  runs,
};

const RUNS = {
  command: 'data',
  summary:
    "Writes data/runs.csv, a row a committed record, as --commit does; or the curves of all runs, committed and this folder's own.",
  positionals: 'runs',
  options: {
    tensorboard: { type: 'string', help: 'new folder: their curves as event files, a folder a run' },
    csv: { type: 'string', help: 'new file: their curves as one table, a row a point' },
  },
} as const;

function runs(argv: string[]): void {
  const { values, positionals } = parse(RUNS, argv);
  none(positionals);
  const { tensorboard, csv } = values;
  const curves = tensorboard === undefined && csv === undefined ? [] : allCurves();
  if (tensorboard !== undefined) writeEvents(resolve(tensorboard), curves);
  if (csv !== undefined) writeCurvesTable(resolve(csv), curves);
  console.log(`written: ${[tensorboard, csv].filter(Boolean).join(', ') || writeRunsTable()}`);
}

function print(result: Record<string, unknown>, rows: TableRow[], json: boolean | undefined): void {
  if (json) console.log(JSON.stringify(result, null, 2));
  else printRows(rows);
}

async function questionFormation(argv: string[]): Promise<void> {
  const { values, positionals } = parse(QUESTION_FORMATION, argv);
  if (positionals.length > 0)
    throw new UserError(
      `expected one data set; got "${positionals[0]}" too: put the name of a file after --check`,
    );
  const actions = (['floor', 'check', 'splits', 'sample', 'export'] as const).filter(
    (name) => values[name] !== undefined,
  );
  if (actions.length !== 1)
    throw new UserError(
      `question-formation: expected one of --floor, --check FILE, --splits, --sample N, --export FOLDER; got ${actions.length === 0 ? 'none' : actions.map((a) => `--${a}`).join(' and ')}`,
    );
  if (values['monte-carlo'] !== undefined && !values.floor)
    throw new UserError('--monte-carlo: expected --floor with it; got it alone: add --floor');
  if (values.lines !== undefined && values.export === undefined)
    throw new UserError('--lines: expected --export FOLDER with it; got it alone: add --export');
  const seed = wholeNumber('--seed', values.seed, 1);
  const name = oneOf('--grammar', values.grammar, FAMILY_NAMES);
  const grammar = FAMILY[name];
  if (values.floor) printFloors(grammar, values['monte-carlo'], seed, values.json);
  if (values.check !== undefined) await checkFile(grammar, values.check, values.json);
  if (values.splits) printSplits(grammar, seed, values.json);
  if (values.sample !== undefined)
    printSample(grammar, wholeNumber('--sample', values.sample, 1, 1_000_000), seed, values.json);
  if (values.export !== undefined) {
    const train = wholeNumber('--lines', values.lines ?? String(PUBLISHED_LINES.train), 1, 10_000_000);
    printExport(
      resolve(values.export),
      exportLines(resolve(values.export), name, { seed, train }),
      values.json,
    );
  }
}

function printExport(folder: string, floors: ExportedFloors, json?: boolean): void {
  print(
    { ...floors },
    [
      ['folder', folder],
      ...LINE_SPLITS.map((split): TableRow => [`${split}.txt`, `${count(floors.lines[split])} lines`]),
      ['entropy', `${floors.unique.natsPerToken.toFixed(4)} nats a token`],
      ['memorised', `${floors.memorised.natsPerToken.toFixed(4)} nats a token`],
    ],
    json,
  );
}

function printFloors(
  grammar: Grammar,
  monteCarloText: string | undefined,
  seed: number,
  json?: boolean,
): void {
  const monteCarloLines =
    monteCarloText === undefined ? undefined : wholeNumber('--monte-carlo', monteCarloText, 2, 100_000_000);
  const uniqueLines = PUBLISHED_LINES.train + PUBLISHED_LINES.dev + PUBLISHED_LINES.test;
  // Refuses a grammar in which a form has two derivations.
  const forms = sentenceForms(grammar).length;
  const result = {
    ambiguity: { forms, derivations: forms, ambiguousForms: 0 },
    iid: floor(grammar),
    unique: uniqueLinesFloor(grammar, uniqueLines),
    memorisation: memorisationFloor(sampleSplits(grammar, { seed, generalisation: 0 }).train),
    ...(monteCarloLines !== undefined && {
      monteCarlo: monteCarloFloor(grammar, monteCarloLines, seed),
      monteCarloUnique: monteCarloUniqueFloor(grammar, uniqueLines, seed),
    }),
  };
  const text = ({ nats, tokensPerLine, natsPerToken }: Floor): string =>
    `${natsPerToken.toFixed(4)} nats a token = ${nats.toFixed(4)} nats over ${tokensPerLine.toFixed(4)} tokens a line`;
  const sampled = (floor: SampledFloor, errors: string): string =>
    `${text(floor)} ± ${floor.natsPerTokenError.toFixed(5)}, ${floor.natsError.toFixed(4)}, ${floor.tokensError.toFixed(4)} (${errors})`;
  const rows: TableRow[] = [
    ['ambiguity', `${forms} derivations of ${forms} class sequences, 0 with more than one`],
    ['i.i.d. lines, exact', text(result.iid)],
  ];
  if (result.monteCarlo)
    rows.push([`  ${count(result.monteCarlo.lines)} lines drawn`, sampled(result.monteCarlo, '1 s.e.')]);
  rows.push([`${count(uniqueLines)} unique lines`, text(result.unique)]);
  if (result.monteCarloUnique)
    rows.push(['  one such set drawn', sampled(result.monteCarloUnique, '1 s.e., at most')]);
  rows.push([`memorised, ${count(result.memorisation.distinctLines)} lines`, text(result.memorisation)]);
  print(result, rows, json);
}

/** Counts lines outside the language and lines with another output than ours. */
async function checkFile(grammar: Grammar, file: string, json?: boolean): Promise<void> {
  const path = resolve(file);
  const text = await wholeText(path, '--check');
  if (text.trim() === '')
    throw new UserError(`--check: expected lines SENTENCE MARKER<TAB>OUTPUT; got an empty file ${path}`);
  const rows = text.replace(/\r?\n$/, '').split(/\r?\n/);
  const outside: number[] = [];
  const different: number[] = [];
  rows.forEach((row, i) => {
    const line = parseRow(row, `${file} line ${i + 1}`);
    const sentence = line.input.slice(0, -1);
    const [unmarked, marked] = sentenceProbability(grammar, sentence);
    if (unmarked + marked === 0) outside.push(i + 1);
    else if (formatLine(toLine(sentence, line.marker, grammar)) !== formatLine(line)) different.push(i + 1);
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
      ? new UserError(`${where}: ${error.message}: fix or remove the line`)
      : error;
  }
}

function statistics(lines: readonly Line[]) {
  const tokens = lines.map((line) => lineTokens(line) - 1);
  return {
    lines: lines.length,
    meanTokens: tokens.reduce((sum, n) => sum + n, 0) / lines.length,
    longestTokens: tokens.reduce((most, n) => Math.max(most, n), 0),
    questionShare: lines.filter((line) => line.marker === 'quest').length / lines.length,
  };
}

function printSplits(grammar: Grammar, seed: number, json?: boolean): void {
  const splits = sampleSplits(grammar, { seed });
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
      ...Object.entries(result.splits).map(([name, s]): TableRow => [
        name,
        `${count(s.lines)} lines, mean ${s.meanTokens.toFixed(2)} and at most ${s.longestTokens} tokens without the end token, ${(100 * s.questionShare).toFixed(1)}% questions`,
      ]),
    ],
    json,
  );
}

function printSample(grammar: Grammar, lines: number, seed: number, json?: boolean): void {
  const random = new Random(seed, 'question-formation/sample');
  const drawn = Array.from({ length: lines }, () => formatLine(sampleLine(grammar, random)));
  console.log(json ? JSON.stringify(drawn, null, 2) : drawn.join('\n'));
}

main('data', ([name, ...rest]) => {
  const known = Object.keys(COMMANDS);
  if (name === '--help' || name === '-h')
    return console.log(
      helpText({
        command: 'data',
        summary: `Makes, checks and lists data sets. Commands, each with --help: ${known.join(', ')}.`,
        positionals: 'COMMAND',
        options: {},
      }),
    );
  return COMMANDS[oneOf('data set (first argument)', name, known)]!(rest);
});
