/** `npm run data -- list | verify | remove`: data sets that are here. */
import {
  checkKnown,
  downloadedBytes,
  listDatasets,
  removeDataset,
  verifyDataset,
} from '../../data/text/inventory';
import { datasetNames } from '../../data/text/shards';
import { UserError } from '../../util/errors';
import { count, megabytes } from '../../util/format';
import { parse } from './arguments';
import { JSON_FLAG, none, printRows, type TableRow } from './datasets';

const LIST = {
  command: 'data',
  summary: 'Lists the data sets: tokens, documents, disk space, hash.',
  positionals: 'list',
  options: JSON_FLAG,
} as const;
const VERIFY = {
  command: 'data',
  summary: 'Checks hashes and ids of data sets; without names, of all.',
  positionals: 'verify [NAME...]',
  options: JSON_FLAG,
} as const;
const REMOVE = {
  command: 'data',
  summary: 'Removes data sets; "downloads" removes the downloaded files of OpenWebText.',
  positionals: 'remove NAME...',
  options: JSON_FLAG,
} as const;

export function list(argv: string[]): void {
  const { values, positionals } = parse(LIST, argv);
  none(positionals);
  const entries = listDatasets();
  if (values.json) return console.log(JSON.stringify(entries, null, 2));
  const rows = entries.map((entry): TableRow => {
    const { name, bytes } = entry;
    if ('fault' in entry) return [name, `damaged: ${entry.fault}`];
    const { meta, sha256 } = entry;
    return [
      name,
      `${count(meta.train.tokens)} + ${count(meta.validation.tokens)} tokens, ${count(meta.train.documents)} + ${count(meta.validation.documents)} documents, ${megabytes(bytes)}, ${sha256.slice(0, 12)}, ${meta.source}`,
    ];
  });
  if (!entries.length)
    rows.push(['no data set', 'make one with "npm run data -- openwebtext", "text" or "synthetic"']);
  const downloads = downloadedBytes();
  printRows(downloads ? [...rows, ['downloads', megabytes(downloads)]] : rows);
}

export async function verify(argv: string[]): Promise<void> {
  const { values, positionals } = parse(VERIFY, argv);
  positionals.forEach(checkKnown);
  const names = positionals.length ? positionals : datasetNames();
  if (!names.length) throw new UserError('expected a data set; there is none');
  const found: { name: string; verified: boolean; fault?: string }[] = [];
  for (const name of names) {
    try {
      await verifyDataset(name);
      found.push({ name, verified: true });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      found.push({ name, verified: false, fault: error.message });
    }
    if (!values.json) console.log(`${name}: ${found.at(-1)!.fault ?? 'verified'}`);
  }
  if (values.json) console.log(JSON.stringify(found, null, 2));
  if (found.some(({ verified }) => !verified)) process.exitCode = 1;
}

export async function remove(argv: string[]): Promise<void> {
  const { values, positionals } = parse(REMOVE, argv);
  if (!positionals.length)
    throw new UserError('remove: expected the name of a data set, or "downloads"; got nothing');
  const removed: { name: string; bytes: number }[] = [];
  for (const name of positionals) {
    const bytes = await removeDataset(name);
    removed.push({ name, bytes });
    if (!values.json) console.log(`${name}: removed, ${megabytes(bytes)} freed`);
  }
  if (values.json) console.log(JSON.stringify(removed, null, 2));
}
