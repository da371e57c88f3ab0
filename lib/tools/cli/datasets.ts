/** `npm run data -- openwebtext | text | synthetic`: makes data sets of GPT-2 ids. */
import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { STORIES } from '../../data/grammar/synthetic-entropy';
import { makeGenerated } from '../../data/text/generated';
import { makeOpenWebText } from '../../data/text/openwebtext';
import {
  datasetFolder,
  datasetHash,
  SHARD_FILES,
  VOCABULARY,
  type DatasetMeta,
} from '../../data/text/shards';
import { makeText, type Progress } from '../../data/text/text';
import { SMALLEST_VOCABULARY } from '../../data/text/tokenizer';
import { bar, TerminalLine, Throttle } from '../../report/terminal';
import { UserError, wholeNumber } from '../../util/errors';
import { count, duration, megabytes } from '../../util/format';
import { paths } from '../../util/paths';
import { numberOfTokens, parse } from './arguments';

export const JSON_FLAG = { json: { type: 'boolean', help: 'print JSON instead of text' } } as const;
const COMMON = {
  ...JSON_FLAG,
  'validation-tokens': { type: 'string', help: 'maximum number of validation tokens', default: '500k' },
} as const;
const VOCABULARIES = {
  vocabulary: {
    type: 'string',
    help: "number of ids: GPT-2's byte-pair encoding stopped after its first merges, and end-of-text",
    default: String(VOCABULARY),
  },
} as const;

export const vocabularyFrom = (value: string | undefined): number =>
  wholeNumber('--vocabulary', value, SMALLEST_VOCABULARY, VOCABULARY);

const OPENWEBTEXT = {
  command: 'data',
  summary:
    'Downloads OpenWebText from Hugging Face in document order, resuming an interrupted download; split by document hash.',
  positionals: 'openwebtext',
  options: {
    tokens: { type: 'string', help: 'training tokens: 2M, 9M, 90M, ... or all' },
    name: { type: 'string', help: 'name of the data set instead of openwebtext-TOKENS' },
    'base-url': { type: 'string', help: 'address of the folder with the Parquet files on another server' },
    from: { type: 'string', help: 'folder with Parquet files downloaded before; needs no network' },
    ...COMMON,
  },
} as const;

const TEXT = {
  command: 'data',
  summary:
    "A data set of your own text: .parquet, .jsonl, .jsonl.gz, .jsonl.zst, .txt (one document per file), or nanoGPT's train.bin and val.bin.",
  positionals: 'text',
  options: {
    from: {
      type: 'string',
      help: 'folder or file; files named val or validation, or in a folder of this name, are validation',
    },
    name: { type: 'string', help: 'name of the data set' },
    tokens: { type: 'string', help: 'training tokens, the first in order', default: 'all' },
    validation: { type: 'string', help: 'folder or file with the validation documents' },
    'validation-share': {
      type: 'string',
      help: 'share of documents for validation, chosen by hash, if there are no validation files; at least one (default: 0.005); of a single document the end (default: 0.1)',
    },
    column: {
      type: 'string',
      help: 'column of the text in Parquet and JSON Lines; inside groups meta.text',
      default: 'text',
    },
    'gpt2-ids': { type: 'boolean', help: "take files of tokens for GPT-2's though they do not look so" },
    ...VOCABULARIES,
    ...COMMON,
  },
} as const;

const SYNTHETIC = {
  command: 'data',
  summary: 'Stories from a grammar whose entropy is known exactly; needs no network.',
  positionals: 'synthetic',
  options: {
    tokens: { type: 'string', help: 'training tokens, such as 2M' },
    seed: { type: 'string', help: 'seed of the random draws', default: '1' },
    name: { type: 'string', help: 'name of the data set', default: 'synthetic' },
    ...VOCABULARIES,
    ...COMMON,
  },
} as const;

/** `9m` for 9,000,000, `1234567` for what no unit divides: part of the name of a data set. */
function nameOf(tokens: number): string {
  if (!Number.isFinite(tokens)) return 'all';
  const units: [string, number][] = [
    ['b', 1e9],
    ['m', 1e6],
    ['k', 1e3],
  ];
  const [unit, size] = units.find(([, n]) => tokens % n === 0) ?? ['', 1];
  return `${tokens / size}${unit}`;
}

const tokensOrAll = (value: string): number =>
  value === 'all' ? Infinity : numberOfTokens('--tokens', value);

function required(flag: string, value: string | undefined, example: string): string {
  if (value !== undefined) return value;
  throw new UserError(`--${flag}: expected it; got nothing: add it, such as --${flag} ${example}`);
}

export function none(positionals: string[]): void {
  if (positionals.length) throw new UserError(`expected flags only; got "${positionals[0]}"`);
}

/** One line that is written over on a terminal; elsewhere a line every ten seconds. */
function reporter() {
  const line = new TerminalLine();
  const pace = new Throttle(line.isLive ? 0.2 : 10);
  pace.passes();
  let [what, begun, before] = ['', 0, 0];
  const show = (name: string, done: number, all: number, text: string): void => {
    // The rate counts from here: what was there before took no time now.
    if (name !== what) [what, begun, before] = [name, performance.now(), done];
    if (!pace.passes()) return;
    const left = ((performance.now() - begun) / 1000) * ((all - done) / (done - before));
    const until = Number.isFinite(left) ? `${duration(Math.max(0, left))} left` : 'time left unknown yet';
    const full = `${bar(all > 0 ? done / all : 0)} ${text} · ${until}`;
    if (line.isLive) line.update(full);
    else line.print(full);
  };
  return {
    line,
    onDownload: (file: string, bytes: number, all: number | null) =>
      show(
        file,
        bytes,
        all ?? 0,
        `${file} ${megabytes(bytes)} of ${all === null ? 'unknown' : megabytes(all)}`,
      ),
    onProgress: ({ bytes, bytesTotal, tokens, tokensTotal }: Progress) => {
      const limited = Number.isFinite(tokensTotal);
      show(
        'tokens',
        limited ? tokens : bytes,
        limited ? tokensTotal : bytesTotal,
        `${count(tokens)}${limited ? ` of ${count(tokensTotal)}` : ''} tokens, ${megabytes(bytes)} read`,
      );
    },
    onHashing: (bytes: number, all: number) =>
      show('sources', bytes, all, `sources compared, ${megabytes(bytes)} of ${megabytes(all)}`),
    onNotice: (text: string) => line.print(text),
    onRetry: (problem: string, seconds: number) =>
      line.print(`download: ${problem}; trying again${seconds ? ` in ${duration(seconds)}` : ''}`),
  };
}

export type TableRow = [name: string, value: string];

export function printRows(rows: TableRow[]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) console.log(`${name.padEnd(width)}  ${value}`);
}

/** Runs `make` with a progress line and prints what it made. @param next what to do with it */
async function making(
  name: string,
  json: boolean | undefined,
  make: (report: ReturnType<typeof reporter>) => Promise<{ meta: DatasetMeta; made: boolean }>,
  next?: (meta: DatasetMeta) => string,
): Promise<void> {
  const report = reporter();
  const begun = performance.now();
  const { meta, made } = await make(report).finally(() => report.line.clear());
  const seconds = (performance.now() - begun) / 1000;
  const sha256 = datasetHash(meta);
  if (json) return console.log(JSON.stringify({ name, made, seconds, meta, sha256 }, null, 2));
  const tokens = meta.train.tokens + meta.validation.tokens;
  const split = ({ tokens: n, documents, sha256 }: DatasetMeta['train']): string =>
    `${count(n)} tokens, ${count(documents)} documents, SHA-256 ${sha256}`;
  const rows: TableRow[] = [
    [
      name,
      made
        ? `${relative(paths.root, datasetFolder(name))}, ${seconds.toFixed(1)} s, ${(tokens / seconds / 1e6).toFixed(2)} M tokens/s`
        : 'made before from the same sources and settings; nothing to do',
    ],
    ['training', split(meta.train)],
    ['validation', split(meta.validation)],
  ];
  if (meta.leftOut)
    rows.push(['left out', `${count(meta.leftOut)} training documents that are in the validation text too`]);
  if (meta.withoutText) rows.push(['left out', `${count(meta.withoutText)} rows without a text`]);
  if (meta.entropy)
    rows.push([
      'entropy',
      `${meta.entropy.natsPerToken.toFixed(4)} nats a token exactly; of this validation text ${meta.entropy.validationNatsPerToken.toFixed(4)}`,
    ]);
  rows.push(['data hash', sha256]);
  printRows(next ? [...rows, ['next', next(meta)]] : rows);
}

export async function openwebtext(argv: string[]): Promise<void> {
  const { values, positionals } = parse(OPENWEBTEXT, argv);
  none(positionals);
  const train = tokensOrAll(required('tokens', values.tokens, '9M'));
  const { 'base-url': baseUrl } = values;
  if (values.from !== undefined && baseUrl !== undefined)
    throw new UserError('--from and --base-url: expected one of them; got both: leave one out');
  if (baseUrl !== undefined && !/^https?:\/\/./.test(baseUrl))
    throw new UserError(
      `--base-url: expected an address that begins with http:// or https://; got "${baseUrl}"`,
    );
  const from = values.from === undefined ? undefined : resolve(values.from);
  if (from !== undefined && !existsSync(from))
    throw new UserError(`--from: expected a folder; there is no ${from}`);
  const limits = { train, validation: numberOfTokens('--validation-tokens', values['validation-tokens']!) };
  const name = values.name ?? `openwebtext-${nameOf(train)}`;
  await making(name, values.json, (report) => makeOpenWebText({ name, limits, baseUrl, from }, report));
}

export async function text(argv: string[]): Promise<void> {
  const { values, positionals } = parse(TEXT, argv);
  none(positionals);
  const name = required('name', values.name, 'books');
  const from = resolve(required('from', values.from, 'FOLDER_OR_FILE'));
  const share = values['validation-share'];
  const validationShare = share === undefined ? undefined : Number(share);
  if (validationShare !== undefined && !(validationShare > 0 && validationShare < 1))
    throw new UserError(`--validation-share: expected a number between 0 and 1; got "${share}"`);
  const limits = {
    train: tokensOrAll(values.tokens!),
    validation: numberOfTokens('--validation-tokens', values['validation-tokens']!),
  };
  const validation = values.validation === undefined ? undefined : resolve(values.validation);
  const vocabulary = vocabularyFrom(values.vocabulary);
  const { column, 'gpt2-ids': gpt2Ids } = values;
  const options = { name, from, validation, column: column!, limits, validationShare, vocabulary, gpt2Ids };
  await making(
    name,
    values.json,
    (report) => makeText(options, report),
    () => `npm run train -- text --dataset ${name}`,
  );
}

/** Makes a data set of a smaller vocabulary from another one's tokens. */
export const makeCut = (dataset: string, name: string, vocabulary: number): Promise<void> =>
  making(name, false, (report) =>
    makeText(
      {
        name,
        from: join(datasetFolder(dataset), SHARD_FILES.train),
        validation: join(datasetFolder(dataset), SHARD_FILES.validation),
        column: 'text',
        limits: { train: Infinity, validation: Infinity },
        vocabulary,
      },
      report,
    ),
  );

export async function synthetic(argv: string[]): Promise<void> {
  const { values, positionals } = parse(SYNTHETIC, argv);
  none(positionals);
  const limits = {
    train: numberOfTokens('--tokens', required('tokens', values.tokens, '2M')),
    validation: numberOfTokens('--validation-tokens', values['validation-tokens']!),
  };
  const options = {
    name: values.name!,
    limits,
    seed: wholeNumber('--seed', values.seed, 1),
    vocabulary: vocabularyFrom(values.vocabulary),
  };
  await making(options.name, values.json, ({ onProgress }) => makeGenerated(STORIES, options, onProgress));
}
