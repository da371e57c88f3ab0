/** `npm run data -- openwebtext | text | synthetic | list | verify | remove`: data sets of GPT-2 ids, made and looked after. */
import { existsSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { UserError, wholeNumber } from '../../util/errors';
import { count, duration, megabytes } from '../../util/format';
import { paths } from '../../util/paths';
import { bar, TerminalLine, Throttle } from '../../report/terminal';
import type { DatasetMeta } from '../../data/text/shards';
import type { Progress } from '../../data/text/text';
import { numberOfTokens, parse } from './arguments';

const COMMON = {
  'validation-tokens': { type: 'string', help: 'at most this many validation tokens', default: '500k' },
} as const;

const OPENWEBTEXT = {
  command: 'data',
  summary:
    'OpenWebText in document order, from Hugging Face; an interrupted download goes on where it was. The split is by document hash.',
  positionals: 'openwebtext',
  options: {
    tokens: { type: 'string', help: 'training tokens: 2M, 9M, 90M, ... or all' },
    name: { type: 'string', help: 'of the data set, in place of openwebtext-TOKENS' },
    'base-url': { type: 'string', help: 'folder of the Parquet files on another server' },
    from: { type: 'string', help: 'folder of Parquet files that were downloaded before; nothing is fetched' },
    ...COMMON,
  },
} as const;

const TEXT = {
  command: 'data',
  summary:
    "A data set of your own text: .parquet, .jsonl, .jsonl.gz, .jsonl.zst, .txt (a document per file), or nanoGPT's train.bin and val.bin.",
  positionals: 'text',
  options: {
    from: { type: 'string', help: 'folder or file; files whose names begin with "val" are validation' },
    name: { type: 'string', help: 'of the data set' },
    tokens: { type: 'string', help: 'training tokens, the first in order', default: 'all' },
    validation: { type: 'string', help: 'folder or file with the validation documents' },
    'validation-share': {
      type: 'string',
      help: 'of the documents, by hash, where no files are named for validation',
      default: '0.005',
    },
    column: { type: 'string', help: 'of the text in Parquet and JSON Lines', default: 'text' },
    ...COMMON,
  },
} as const;

const SYNTHETIC = {
  command: 'data',
  summary: 'Stories from a grammar whose entropy is known exactly; no network.',
  positionals: 'synthetic',
  options: {
    tokens: { type: 'string', help: 'training tokens, as 2M' },
    seed: { type: 'string', help: 'of everything drawn', default: '1' },
    name: { type: 'string', help: 'of the data set', default: 'synthetic' },
    ...COMMON,
  },
} as const;

const LIST = {
  command: 'data',
  summary: 'The data sets that are made: tokens, documents, disk, hash.',
  positionals: 'list',
  options: { json: { type: 'boolean', help: 'print JSON instead of text' } },
} as const;
const VERIFY = {
  command: 'data',
  summary: 'Hashes data sets again and checks their ids; all of them without names.',
  positionals: 'verify [NAME...]',
  options: {},
} as const;
const REMOVE = {
  command: 'data',
  summary: 'Removes data sets; "downloads" stands for the files that OpenWebText was made from.',
  positionals: 'remove NAME...',
  options: {},
} as const;

/** 9000000 as "9M". */
const short = (tokens: number): string => {
  const [unit, size] = (
    [
      ['B', 1e9],
      ['M', 1e6],
      ['k', 1e3],
    ] as const
  ).find(([, n]) => tokens % n === 0) ?? ['', 1];
  return `${tokens / size}${unit}`;
};

const tokensOrAll = (value: string): number =>
  value === 'all' ? Infinity : numberOfTokens('--tokens', value);

function required(flag: string, value: string | undefined, example: string): string {
  if (value !== undefined) return value;
  throw new UserError(`--${flag}: expected it; got nothing: add it, as --${flag} ${example}`);
}

function none(positionals: string[]): void {
  if (positionals.length) throw new UserError(`expected flags only; got "${positionals[0]}"`);
}

/** One line on a terminal that moves; elsewhere a line every ten seconds. */
function reporter() {
  const line = new TerminalLine();
  const pace = new Throttle(line.isLive ? 0.2 : 10);
  pace.passes();
  let [what, begun, before] = ['', 0, 0];
  // `from` is what was there when this began: it took no time now.
  const show = (name: string, done: number, all: number, text: string): void => {
    if (name !== what) [what, begun, before] = [name, performance.now(), done];
    if (!pace.passes()) return;
    const share = all > 0 ? Math.min(1, done / all) : 0;
    const left = ((performance.now() - begun) / 1000) * ((all - done) / (done - before));
    const full = `${bar(share)} ${text} · ${duration(Math.max(0, left))} left`;
    if (line.isLive) line.update(full);
    else line.print(full);
  };
  return {
    line,
    download: (file: string, bytes: number, all: number | null) =>
      show(
        file,
        bytes,
        all ?? 0,
        `${file} ${megabytes(bytes)} of ${all === null ? 'unknown' : megabytes(all)}`,
      ),
    progress: ({ bytes, bytesTotal, tokens, tokensTotal }: Progress) => {
      const limited = Number.isFinite(tokensTotal);
      show(
        'tokens',
        limited ? tokens : bytes,
        limited ? tokensTotal : bytesTotal,
        `${count(tokens)}${limited ? ` of ${count(tokensTotal)}` : ''} tokens, ${megabytes(bytes)} read`,
      );
    },
    retry: (problem: string, seconds: number) =>
      line.print(`download: ${problem}; trying again${seconds ? ` in ${duration(seconds)}` : ''}`),
  };
}

function printRows(rows: [name: string, value: string][]): void {
  const width = Math.max(...rows.map(([name]) => name.length));
  for (const [name, value] of rows) console.log(`${name.padEnd(width)}  ${value}`);
}

/** Runs what makes a data set and says what it is. */
async function making(
  name: string,
  make: (report: ReturnType<typeof reporter>) => Promise<{ meta: DatasetMeta; made: boolean }>,
): Promise<void> {
  const { datasetFolder, datasetHash } =
    require('../../data/text/shards') as typeof import('../../data/text/shards');
  const report = reporter();
  const begun = performance.now();
  const { meta, made } = await make(report).finally(() => report.line.clear());
  const seconds = (performance.now() - begun) / 1000;
  const tokens = meta.train.tokens + meta.validation.tokens;
  const split = ({ tokens: n, documents, sha256 }: DatasetMeta['train']): string =>
    `${count(n)} tokens, ${count(documents)} documents, SHA-256 ${sha256}`;
  printRows([
    [
      name,
      made
        ? `${relative(paths.root, datasetFolder(name))}, ${seconds.toFixed(1)} s, ${(tokens / seconds / 1e6).toFixed(2)} M tokens/s`
        : 'made before from the same; nothing to do',
    ],
    ['training', split(meta.train)],
    ['validation', split(meta.validation)],
    ...(meta.leftOut
      ? [
          ['left out', `${count(meta.leftOut)} training documents that are in the validation text too`] as [
            string,
            string,
          ],
        ]
      : []),
    ...(meta.entropy
      ? [
          [
            'entropy',
            `${meta.entropy.natsPerToken.toFixed(4)} nats a token exactly; of this validation text ${meta.entropy.validationNatsPerToken.toFixed(4)}`,
          ] as [string, string],
        ]
      : []),
    ['data hash', datasetHash(meta)],
  ]);
}

export async function openwebtext(argv: string[]): Promise<void> {
  const { values, positionals } = parse(OPENWEBTEXT, argv);
  none(positionals);
  const train = tokensOrAll(required('tokens', values.tokens, '9M'));
  if (values.from !== undefined && values['base-url'] !== undefined)
    throw new UserError('--from and --base-url: expected one of them; got both: leave one out');
  const baseUrl = values['base-url'];
  if (baseUrl !== undefined && !/^https?:\/\/./.test(baseUrl))
    throw new UserError(
      `--base-url: expected an address that begins with http:// or https://; got "${baseUrl}"`,
    );
  const from = values.from === undefined ? undefined : resolve(values.from);
  if (from !== undefined && !existsSync(from))
    throw new UserError(`--from: expected a folder; there is no ${from}`);
  const limits = { train, validation: numberOfTokens('--validation-tokens', values['validation-tokens']!) };
  const name = values.name ?? `openwebtext-${Number.isFinite(train) ? short(train).toLowerCase() : 'all'}`;
  const { makeOpenWebText } =
    require('../../data/text/openwebtext') as typeof import('../../data/text/openwebtext');
  await making(name, (report) =>
    makeOpenWebText(
      { name, limits, baseUrl, from },
      { onProgress: report.progress, onDownload: report.download, onRetry: report.retry },
    ),
  );
}

export async function text(argv: string[]): Promise<void> {
  const { values, positionals } = parse(TEXT, argv);
  none(positionals);
  const name = required('name', values.name, 'books');
  const from = resolve(required('from', values.from, 'FOLDER_OR_FILE'));
  const share = Number(values['validation-share']);
  if (!(share > 0 && share < 1))
    throw new UserError(
      `--validation-share: expected a number between 0 and 1; got "${values['validation-share']}"`,
    );
  const limits = {
    train: tokensOrAll(values.tokens!),
    validation: numberOfTokens('--validation-tokens', values['validation-tokens']!),
  };
  const options = {
    name,
    from,
    validation: values.validation === undefined ? undefined : resolve(values.validation),
    column: values.column!,
    limits,
    validationShare: share,
  };
  const { makeText } = require('../../data/text/text') as typeof import('../../data/text/text');
  await making(name, (report) => makeText(options, report.progress));
}

export async function synthetic(argv: string[]): Promise<void> {
  const { values, positionals } = parse(SYNTHETIC, argv);
  none(positionals);
  const limits = {
    train: numberOfTokens('--tokens', required('tokens', values.tokens, '2M')),
    validation: numberOfTokens('--validation-tokens', values['validation-tokens']!),
  };
  const seed = wholeNumber('--seed', values.seed, 1);
  const { STORIES } =
    require('../../data/grammar/synthetic-entropy') as typeof import('../../data/grammar/synthetic-entropy');
  const { makeGenerated } =
    require('../../data/text/generated') as typeof import('../../data/text/generated');
  await making(values.name!, (report) =>
    makeGenerated(STORIES, { name: values.name!, limits, seed }, report.progress),
  );
}

const inventory = () => require('../../data/text/inventory') as typeof import('../../data/text/inventory');

export function list(argv: string[]): void {
  const { values, positionals } = parse(LIST, argv);
  none(positionals);
  const { downloadedBytes, listDatasets } = inventory();
  const entries = listDatasets();
  if (values.json) return console.log(JSON.stringify(entries, null, 2));
  const rows = entries.map(({ name, meta, bytes, sha256 }): [string, string] => [
    name,
    `${count(meta.train.tokens)} + ${count(meta.validation.tokens)} tokens, ${count(meta.train.documents)} + ${count(meta.validation.documents)} documents, ${megabytes(bytes)}, ${sha256.slice(0, 12)}, ${meta.source}`,
  ]);
  printRows([
    ...rows,
    ...(downloadedBytes() ? [['downloads', megabytes(downloadedBytes())] as [string, string]] : []),
    ...(entries.length
      ? []
      : [
          ['no data set', 'make one with "npm run data -- openwebtext", "text" or "synthetic"'] as [
            string,
            string,
          ],
        ]),
  ]);
}

export async function verify(argv: string[]): Promise<void> {
  const { positionals } = parse(VERIFY, argv);
  const { checkKnown, listDatasets, verifyDataset } = inventory();
  positionals.forEach(checkKnown);
  const names = positionals.length ? positionals : listDatasets().map(({ name }) => name);
  if (!names.length) throw new UserError('expected a data set; none is made');
  for (const name of names) {
    await verifyDataset(name);
    console.log(`${name}: whole`);
  }
}

export async function remove(argv: string[]): Promise<void> {
  const { positionals } = parse(REMOVE, argv);
  if (!positionals.length)
    throw new UserError('remove: expected the name of a data set, or "downloads"; got nothing');
  for (const name of positionals)
    console.log(`${name}: removed, ${megabytes(await inventory().removeDataset(name))}`);
}
