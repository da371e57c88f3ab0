/** Tables in a cell's output: compact, numbers to the right, units in the header. */
import { tabular } from '../util/format';
import { Display, escapeHtml } from './display';

type CellValue = string | number | boolean | null | undefined;

/** One line of a table: a value for each heading, which carries the unit, as in `{ 'loss (nats)': 1.02 }`. */
export type Row = Record<string, CellValue>;

/** The rows of a table that is written column by column; all columns have the labels of the first. */
export const rowsOf = (columns: Readonly<Record<string, Row>>): Row[] =>
  Object.keys(Object.values(columns)[0] ?? {}).map((label) => ({
    '': label,
    ...Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, column[label]!])),
  }));

/** A number as in `util/format`; "–" where there is no value; other values as they are. */
export function cellText(value: CellValue): string {
  if (value === null || value === undefined) return '–';
  return typeof value === 'number' ? tabular(value) : String(value);
}

const looksNumeric = (text: string): boolean => /^[+−-]?[\d.,]+(e[+-]?\d+)?%?$|^–$/.test(text);

/** Whether each column holds numbers only, and so goes to the right. */
const numericColumns = (columns: readonly string[], rows: readonly (readonly string[])[]): boolean[] =>
  columns.map((_, i) => rows.length > 0 && rows.every((row) => looksNumeric(row[i] ?? '')));

/** Values of so few letters stay on one line. */
const SHORT = 16;

/** What a cell says, and in HTML where that is more than the text. */
export type TableCell = string | { text: string; html: string };
export const textOfCell = (cell: TableCell): string => (typeof cell === 'string' ? cell : cell.text);
export const htmlOfCell = (cell: TableCell): string =>
  typeof cell === 'string' ? escapeHtml(cell) : cell.html;

export function htmlTable(columns: readonly string[], rows: readonly (readonly TableCell[])[]): string {
  const numeric = numericColumns(
    columns,
    rows.map((row) => row.map(textOfCell)),
  );
  const one = (tag: 'td' | 'th', cell: TableCell, i: number) => {
    const whole = tag === 'td' && textOfCell(cell).length <= SHORT ? '; white-space: nowrap' : '';
    return `<${tag} style="text-align: ${numeric[i] ? 'right' : 'left'}; padding: 0.25em 0.5em${whole}">${htmlOfCell(cell)}</${tag}>`;
  };
  const row = (tag: 'td' | 'th', cells: readonly TableCell[]) =>
    `<tr>${cells.map((cell, i) => one(tag, cell, i)).join('')}</tr>`;
  return `<table><thead>${row('th', columns)}</thead><tbody>${rows.map((cells) => row('td', cells)).join('')}</tbody></table>`;
}

export function textTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = numericColumns(columns, rows);
  const widths = columns.map((name, i) => Math.max(name.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) => (numeric[i] ? text.padStart(widths[i]!) : text.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(columns), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Columns in which rows differ, and the first; those with one value throughout, as `tier: desk`. */
export function varying(rows: readonly Row[]): { columns: string[]; constant: string[] } {
  const all = Object.keys(rows[0] ?? {});
  const isConstant = (name: string, i: number) =>
    i > 0 && rows.length > 1 && rows.every((row) => row[name] === rows[0]![name]);
  return {
    columns: all.filter((name, i) => !isConstant(name, i)),
    constant: all.filter(isConstant).map((name) => `${name}: ${cellText(rows[0]![name])}`),
  };
}

function tableParts(rows: readonly Row[]): { html: string; text: string } {
  const { columns, constant } = varying(rows);
  const texts = rows.map((row) => columns.map((name) => cellText(row[name])));
  const note = constant.length ? `In all rows ${constant.join(', ')}.` : '';
  return {
    html: htmlTable(columns, texts) + (note && `<p>${escapeHtml(note)}</p>`),
    text: [textTable(columns, texts), ...(note ? [note] : [])].join('\n'),
  };
}

/** Shows rows as a table in the cell's output; the first row's headings are the columns. What all rows share is said once, under it. */
export function showTable(rows: readonly Row[]): void {
  const { html, text } = tableParts(rows);
  new Display().show({ data: { 'text/html': html, 'text/plain': text } });
}

/** A table, or settings as JSON, that opens when its title is clicked. */
export function showFolded(title: string, content: readonly Row[] | object): void {
  const json = () => JSON.stringify(content, null, 1);
  const { html, text } = Array.isArray(content)
    ? tableParts(content as Row[])
    : { html: `<pre>${escapeHtml(json())}</pre>`, text: json() };
  new Display().show({
    data: {
      'text/html': `<details><summary>${escapeHtml(title)}</summary>${html}</details>`,
      'text/plain': `${title}\n${text}`,
    },
  });
}
