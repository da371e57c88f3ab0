/** Tables: compact, numbers to the right, units in the header. */
import type { DataFrame } from 'danfojs-node';
import { Display, escapeHtml } from './display';

export type CellValue = string | number | boolean | null | undefined;

/** Up to six significant digits, thousands apart; other values as they are. */
export function cellText(value: CellValue): string {
  if (value === null || value === undefined) return '–';
  if (typeof value !== 'number') return String(value);
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e12)) return value.toExponential(2);
  return value.toLocaleString(
    'en',
    Number.isInteger(value) ? {} : { maximumFractionDigits: size < 10 ? 4 : size < 1000 ? 2 : 0 },
  );
}

const looksNumeric = (text: string): boolean => /^[+−-]?[\d.,]+(e[+-]?\d+)?%?$|^–$/.test(text);

/** Whether each column holds numbers only, and so goes to the right. */
const numericColumns = (columns: readonly string[], rows: readonly (readonly string[])[]): boolean[] =>
  columns.map((_, i) => rows.length > 0 && rows.every((row) => looksNumeric(row[i] ?? '')));

/** Values of so few letters stay on one line. */
const SHORT = 16;

export function htmlTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const numeric = numericColumns(columns, rows);
  const cell = (tag: 'td' | 'th', text: string, i: number) => {
    const whole = tag === 'td' && text.length <= SHORT ? '; white-space: nowrap' : '';
    return `<${tag} style="text-align: ${numeric[i] ? 'right' : 'left'}; padding: 0.25em 0.5em${whole}">${escapeHtml(text)}</${tag}>`;
  };
  const row = (tag: 'td' | 'th', texts: readonly string[]) =>
    `<tr>${texts.map((text, i) => cell(tag, text, i)).join('')}</tr>`;
  return `<table><thead>${row('th', columns)}</thead><tbody>${rows.map((texts) => row('td', texts)).join('')}</tbody></table>`;
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

/**
 * A danfojs DataFrame of records; columns in the order of the first record's keys, which carry the units: `{ 'loss (nats)': 1.02 }`.
 * Trap: danfojs is loaded after lib/tf.ts, so that it takes the native engine instead of starting a second one; and only here, for it takes a second.
 */
export function frame(records: Record<string, CellValue>[]): DataFrame {
  require('../tensor/engine');
  const danfo = require('danfojs-node') as typeof import('danfojs-node');
  return new danfo.DataFrame(records);
}

/** Shows a DataFrame, or records, as a table in the cell's output. */
export function showTable(table: DataFrame | Record<string, CellValue>[]): void {
  const df = Array.isArray(table) ? frame(table) : table;
  const rows = (df.values as CellValue[][]).map((row) => row.map(cellText));
  const data = { 'text/html': htmlTable(df.columns, rows), 'text/plain': textTable(df.columns, rows) };
  new Display().show({ data });
}
