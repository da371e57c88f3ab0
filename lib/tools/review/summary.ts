/** The review in Markdown, for a pull request, and what it and the page say in the same words. */

import { expectedText, ownText, type Verdict } from '../../report/verdict';
import { count, percent } from '../../util/format';
import {
  endText,
  state,
  type CellsChange,
  type Changes,
  type FigureChange,
  type RecordChange,
  type VerdictChange,
} from './changes';
import { lineCounts } from './diff';
import type { Fault } from './faults';
import type { Tree } from './trees';

export interface Review extends Changes {
  base: Tree;
  head: Tree;
  faults: Fault[];
}

export const plural = (n: number, what: string): string => `${count(n)} ${what}${n === 1 ? '' : 's'}`;

/** What a review found, in one line. */
export const headline = ({ verdicts, figures, cells, records, faults }: Review): string =>
  [
    plural(verdicts.filter(({ weight }) => weight === 'verdict').length, 'verdict'),
    plural(figures.length, 'figure'),
    plural(cells.length, 'notebook'),
    `${plural(records.length, 'record')} changed`,
    faults.length ? `${faults.length} wrong` : 'nothing wrong',
  ].join(', ');

/** Why a verdict or its values differ, where it can be told. */
export function cause({ values, records, weight }: VerdictChange): string {
  if (records.length) return `Records that made the difference: ${records.join(', ')}`;
  if (!values.length) return 'No value changed: the claim, its tolerance or its rule did.';
  return weight === 'own runs'
    ? 'No record changed: these runs are of the execution of the notebook.'
    : 'No record of these runs changed: the notebook was executed in another tier or later than its records, or the code that reads them changed.';
}

export function pixelsText({ difference, before, note }: FigureChange): string {
  const { different = 0, pixels = 1 } = difference ?? {};
  const found = !difference
    ? before
      ? 'removed'
      : 'new'
    : different
      ? `${count(different)} of ${count(pixels)} pixels differ (${percent(different / pixels, 2)})`
      : 'no pixel differs';
  return note ? `${found}; ${note}` : found;
}

export function linesText({ source, changedOutputs }: CellsChange): string {
  const { added, removed } = lineCounts(source);
  const outputs = changedOutputs ? `, ${plural(changedOutputs, 'cell')} with another output` : '';
  return `${source.length ? `+${added} −${removed} lines` : 'same source'}${outputs}`;
}

export function recordText({ before, after, next, replaces, fields }: RecordChange): string {
  if (before && after) return `${plural(fields.length, 'field')} changed; ${endText(after)}`;
  const other = next ? `; ${replaces ? 'replaces' : 'nearest config:'} ${next}` : '';
  return endText((after ?? before)!) + other;
}

/** GitHub takes 65,536 characters of a comment; the page has the rest. */
const MOST = { rows: 40, cell: 300, text: 60_000 };

const shortened = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most)} …` : text;

const tableRow = (cells: readonly string[]): string => {
  const safe = (text: string) =>
    text.replace(/\s+/g, ' ').replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('@', '&#64;');
  return `| ${cells.map((text) => safe(shortened(text, MOST.cell))).join(' | ')} |`;
};

function section(title: string, columns: string[], rows: string[][]): string {
  const table = [columns, columns.map(() => '---'), ...rows.slice(0, MOST.rows)].map(tableRow).join('\n');
  const more = rows.length > MOST.rows ? `\n\n… and ${rows.length - MOST.rows} more.` : '';
  return `### ${title}\n\n${rows.length ? table + more : 'None.'}`;
}

/** `old → new` of a verdict's field, or the one text where it is the same. */
function arrow({ before, after }: VerdictChange, text: (v: Verdict) => string): string {
  const [old, now] = [before, after].map((v) => (v ? text(v) : '–'));
  return old === now ? now! : `${old} → ${now}`;
}

export function summaryMarkdown(review: Review): string {
  const { base, head, verdicts, figures, cells, records, faults } = review;
  const own = verdicts.filter(({ weight }) => weight === 'own runs').length;
  const text = [
    `## Review: ${headline(review)}`,
    `${head.name} compared with ${base.name}.`,
    section(
      'What is wrong',
      ['file', 'what'],
      faults.map(({ where, what }) => [where, what]),
    ),
    section(
      'Verdicts and values',
      ['notebook', 'claim', 'holds if', 'found', 'verdict', 'why'],
      verdicts
        .filter(({ weight }) => weight !== 'own runs')
        .map((v) => [
          v.notebook,
          arrow(v, ({ claim }) => claim),
          arrow(v, expectedText),
          arrow(v, ownText),
          arrow(v, ({ outcome }) => outcome),
          cause(v),
        ]),
    ),
    ...(own ? [`Of ${plural(own, 'verdict')} only values of the notebook's own runs changed.`] : []),
    section(
      'Figures',
      ['figure', 'difference'],
      figures.map((figure) => [figure.name, pixelsText(figure)]),
    ),
    section(
      'Notebooks',
      ['notebook', 'cells'],
      cells.map((notebook) => [notebook.notebook, linesText(notebook)]),
    ),
    section(
      'Records',
      ['record', 'is', 'what'],
      records.map((record) => [record.id, state(record), recordText(record)]),
    ),
  ].join('\n\n');
  return `${shortened(text, MOST.text)}\n`;
}
