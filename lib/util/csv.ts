/** Tables as comma-separated values (RFC 4180). */

/** Nothing is written for what is not known. */
export type CsvField = string | number | null | undefined;

/** @param decimal how a number that is not whole is written */
export function csvOf(
  columns: readonly string[],
  rows: readonly Readonly<Record<string, CsvField>>[],
  decimal: (x: number) => string = String,
): string {
  const text = (value: CsvField): string => {
    if (typeof value === 'number') return Number.isInteger(value) ? String(value) : decimal(value);
    return /[",\n]/.test(value ?? '') ? `"${value!.replaceAll('"', '""')}"` : (value ?? '');
  };
  return [columns.join(), ...rows.map((row) => columns.map((name) => text(row[name])).join())]
    .map((line) => `${line}\n`)
    .join('');
}
