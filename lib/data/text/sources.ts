/** Which files a folder gives: one walk with one rule, and a count of what it passes over. */
import { accessSync, constants, readdirSync, realpathSync, statSync, type Dirent } from 'node:fs';
import { basename, join, relative, sep } from 'node:path';
import { UserError } from '../../util/errors';

const FORMATS = ['parquet', 'jsonl', 'jsonl.gz', 'jsonl.zst', 'txt', 'bin'] as const;
export type Format = (typeof FORMATS)[number];

export interface InputFile {
  path: string;
  /** Relative to the folder. */
  name: string;
  bytes: number;
  format: Format;
}

const formatOf = (name: string): Format | undefined =>
  FORMATS.find((format) => name.toLowerCase().endsWith(`.${format}`));

/** Whether files are validation by their name, `val.txt`, `val-00.jsonl`, `validation-000.parquet`, or by that of a folder, `val` or `validation`. */
export function isNamedValidation({ name }: InputFile): boolean {
  const [file, ...folders] = name.split(sep).reverse() as [string, ...string[]];
  return /^val(id(ation)?)?(?![a-z])/i.test(file) || folders.some((part) => /^val(id(ation)?)?$/i.test(part));
}

/** Names, of which a few are enough. */
export const few = (names: readonly string[], most = 3): string =>
  names
    .slice(0, most)
    .map((name) => (name.length > 60 ? `${name.slice(0, 60)}…` : name))
    .join(', ') + (names.length > most ? ', …' : '');

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

/**
 * Files below a folder, each once. Hidden files and folders are passed over. Links are followed unless they lead nowhere,
 * to what is read already, or to a folder that holds the link's own.
 */
class Walk {
  readonly files: InputFile[] = [];
  private readonly reasons = new Map<string, string[]>();
  /** Real paths of the folders and files that were met. */
  private readonly met = new Set<string>();
  private readonly links: string[] = [];
  private readonly root: string;

  constructor(private readonly from: string) {
    this.root = realpathSync(from);
    this.folder(from);
    // Links come last, so that a file is read under its own name.
    for (let link; (link = this.links.shift()) !== undefined;) this.link(link);
    this.files.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** `3 hidden (._a.txt, …), 1 empty (b.txt)`; nothing passed over: the empty string. */
  get passedOver(): string {
    return [...this.reasons]
      .map(([reason, all]) => `${all.length} ${reason} (${few(all.sort())})`)
      .join(', ');
  }

  private pass(path: string, reason: string): void {
    const names = this.reasons.get(reason) ?? [];
    this.reasons.set(reason, [...names, relative(this.from, path)]);
  }

  private isNew(path: string): boolean {
    const real = realpathSync(path);
    if (this.met.has(real)) return false;
    this.met.add(real);
    return true;
  }

  private folder(path: string): void {
    this.isNew(path);
    let entries: Dirent[];
    try {
      entries = readdirSync(path, { withFileTypes: true });
    } catch {
      return this.pass(path, 'that cannot be read');
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const inside = join(path, entry.name);
      if (entry.name.startsWith('.')) this.pass(inside, 'hidden');
      else if (entry.isSymbolicLink()) this.links.push(inside);
      else if (entry.isDirectory()) this.folder(inside);
      else if (entry.isFile()) this.file(inside);
      else this.pass(inside, 'that are no files');
    }
  }

  private link(path: string): void {
    let isFolder: boolean;
    try {
      isFolder = statSync(path).isDirectory();
    } catch {
      return this.pass(path, 'links to nowhere');
    }
    const holds = `${this.root}${sep}`.startsWith(`${realpathSync(path)}${sep}`);
    if (holds || this.met.has(realpathSync(path))) this.pass(path, 'links to what is read already');
    else if (isFolder) this.folder(path);
    else this.file(path);
  }

  private file(path: string): void {
    const format = formatOf(path);
    const { size } = statSync(path);
    if (!format) return this.pass(path, 'of other kinds');
    if (size === 0) return this.pass(path, 'empty');
    try {
      accessSync(path, constants.R_OK);
    } catch {
      return this.pass(path, 'that cannot be read');
    }
    if (this.isNew(path)) this.files.push({ path, name: relative(this.from, path), bytes: size, format });
  }
}

const KINDS = FORMATS.map((format) => `.${format}`).join(', ');

/**
 * Files of a folder and its subfolders in the order of their names, or a single file; all have one format.
 * @param onNotice called with a line on what was passed over
 */
export function inputFiles(flag: string, from: string, onNotice: (text: string) => void): InputFile[] {
  let walk: Walk | undefined;
  let single: number;
  try {
    const stat = statSync(from);
    single = stat.size;
    if (stat.isDirectory()) walk = new Walk(from);
    else if (!stat.isFile()) throw new Error('a device or a pipe, which cannot be read twice');
  } catch (error) {
    throw new UserError(`${flag}: expected a folder or file that can be read; got ${from}: ${codeOf(error)}`);
  }
  const format = formatOf(from);
  const file = format && { path: from, name: basename(from), bytes: single, format };
  const files = walk?.files ?? (file ? [file] : []);
  const passedOver = walk?.passedOver ? `${walk.passedOver}` : '';
  if (files.length === 0)
    throw new UserError(
      `${flag}: expected files of ${KINDS}; got none in ${from}${passedOver && `, passed over: ${passedOver}`}`,
    );
  if (passedOver) onNotice(`passed over in ${basename(from)}: ${passedOver}`);
  const other = files.find(({ format }) => format !== files[0]!.format);
  if (other)
    throw new UserError(
      `${flag}: expected files of one format; got ${files[0]!.name} and ${other.name}: name one file, or give a folder with one kind`,
    );
  return files;
}
