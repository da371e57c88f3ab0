/** The review as one HTML file that needs no network. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { escapeHtml } from '../../report/display';
import { pageHtml } from '../../report/page';
import { expectedText, ownText, valueText, type OwnValue, type Verdict } from '../../report/verdict';
import { state, type CellsChange, type FigureChange, type RecordChange, type VerdictChange } from './changes';
import type { Hunk } from './diff';
import { cause, headline, linesText, pixelsText, plural, recordText, type Review } from './summary';

const tag = (name: string, html: string, attributes = ''): string =>
  `<${name}${attributes && ` ${attributes}`}>${html}</${name}>`;

const row = (...cells: string[]): string => tag('tr', cells.map((html) => tag('td', html)).join(''));

function table(columns: readonly string[], rows: readonly string[]): string {
  const head = tag('tr', columns.map((name) => tag('th', escapeHtml(name))).join(''));
  return rows.length
    ? tag('div', tag('table', tag('thead', head) + tag('tbody', rows.join(''))), 'class="wide"')
    : '';
}

const folded = (title: string, html: string, isOpen: boolean): string =>
  html && tag('details', tag('summary', title) + html, isOpen ? 'open' : '');

const marked = {
  same: escapeHtml,
  old: (text: string) => tag('del', escapeHtml(text)),
  new: (text: string) => tag('ins', escapeHtml(text)),
};

/** Old and new text, or the one where both are the same; undefined: missing. */
const change = (before: string | undefined, after: string | undefined): string =>
  before === after
    ? escapeHtml(after ?? '–')
    : [before === undefined ? '' : marked.old(before), after === undefined ? '' : marked.new(after)].join(
        ' ',
      );

const ownValueText = (own: OwnValue | undefined): string | undefined =>
  own && valueText(own.value, 6) + (own.unfit ? ` (not counted: ${own.unfit})` : '');

function verdictHtml(v: VerdictChange): string {
  const field = (text: (v: Verdict) => string) =>
    change(v.before && text(v.before), v.after && text(v.after));
  const why = v.records.reduce(
    (html, id) => html.replace(id, tag('a', id, `href="#${id}"`)),
    escapeHtml(cause(v)),
  );
  const facts = [
    row(
      'claim',
      field(({ claim }) => claim),
    ),
    row('holds if', field(expectedText)),
    row('found', field(ownText)),
    row(
      'verdict',
      `${tag(
        'b',
        field(({ outcome }) => outcome),
      )}<br>${field(({ reason }) => reason)}`,
    ),
    row('why', why),
  ];
  const values = v.values.map(({ before, after }) => {
    const { tier, seed } = (after ?? before)!;
    return row(tier, String(seed), change(ownValueText(before), ownValueText(after)));
  });
  return tag(
    'article',
    tag('h3', escapeHtml(v.notebook)) +
      tag('table', facts.join(''), 'class="facts"') +
      folded(plural(values.length, 'value'), table(['tier', 'seed', 'value'], values), values.length <= 12),
  );
}

function verdictsHtml(verdicts: readonly VerdictChange[]): string {
  const of = (...weights: VerdictChange['weight'][]) =>
    weights.flatMap((wanted) => verdicts.filter(({ weight }) => weight === wanted).map(verdictHtml));
  const own = of('own runs');
  return (
    of('verdict', 'evidence').join('') +
    folded(
      `${plural(own.length, 'verdict')} with other values of the notebook's own runs`,
      own.join(''),
      false,
    )
  );
}

function figureHtml(figure: FigureChange): string {
  const { name, before, after, difference } = figure;
  const panel = (kind: string, png?: Buffer) =>
    png
      ? tag(
          'figure',
          `<figcaption>${kind}</figcaption><img alt="${kind} ${escapeHtml(name)}" src="data:image/png;base64,${png.toString('base64')}">`,
          `class="${kind}"`,
        )
      : '';
  const differs = difference && difference.different > 0;
  const modes = ['side by side', 'swipe', 'difference'].map((mode) =>
    tag('button', mode, `data-mode="${mode.split(' ')[0]}"`),
  );
  const slider = (name: string, text: string, [least, most, at]: [number, number, number]) =>
    tag(
      'label',
      `${text} <input type="range" class="${name}" min="${least}" max="${most}" step="any" value="${at}">`,
      `class="for-${name}"`,
    );
  const tools = [
    ...(differs ? modes : []),
    slider('zoom', 'zoom', [1, 4, 1]),
    slider('at', 'old or new', [0, 100, 50]),
  ];
  const panels =
    panel('old', before) + panel('new', after) + (differs ? panel('difference', difference.image) : '');
  return tag(
    'article',
    tag('h3', `${escapeHtml(name)} ${tag('small', escapeHtml(pixelsText(figure)))}`) +
      tag('div', tools.join(''), 'class="tools"') +
      tag('div', panels, 'class="panels"'),
    'class="compare" data-mode="side"',
  );
}

const hunksHtml = (hunks: readonly Hunk[]): string =>
  hunks
    .map((hunk) =>
      tag('pre', hunk.map((line) => line.map(({ kind, text }) => marked[kind](text)).join('')).join('\n')),
    )
    .join('');

const cellsHtml = (notebook: CellsChange): string =>
  tag(
    'article',
    tag('h3', `${escapeHtml(notebook.notebook)} ${tag('small', linesText(notebook))}`) +
      folded('cells', hunksHtml(notebook.source), true) +
      folded('text that the cells show', hunksHtml(notebook.outputs), false),
  );

function recordHtml(record: RecordChange): string {
  const rows = record.fields.map(({ field, before, after }) => row(escapeHtml(field), change(before, after)));
  const what = record.next ? `${record.replaces ? 'replaced' : 'nearest'} config, this one` : 'value';
  return tag(
    'article',
    tag('h3', `${escapeHtml(record.id)} ${tag('small', state(record))}`) +
      tag('p', escapeHtml(recordText(record))) +
      table(['field', what], rows),
    `id="${escapeHtml(record.id)}"`,
  );
}

export function reviewPage(review: Review): string {
  const { base, head, verdicts, figures, cells, records, faults } = review;
  const [css, js] = ['page.css', 'switches.js'].map((name) => readFileSync(join(__dirname, name), 'utf8'));
  const sections: [title: string, n: number, html: string][] = [
    ['Verdicts and values', verdicts.length, verdictsHtml(verdicts)],
    ['Figures', figures.length, figures.map(figureHtml).join('')],
    ['Cells', cells.length, cells.map(cellsHtml).join('')],
    ['Records', records.length, records.map(recordHtml).join('')],
    [
      'What is wrong',
      faults.length,
      table(
        ['file', 'what'],
        faults.map(({ where, what }) => row(escapeHtml(where), escapeHtml(what))),
      ),
    ],
  ];
  const links = sections.map(([title, n], i) => tag('a', `${title} <b>${n}</b>`, `href="#part-${i + 1}"`));
  const parts = sections.map(([title, , html], i) =>
    tag('section', tag('h2', `${i + 1} · ${title}`) + (html || tag('p', 'None.')), `id="part-${i + 1}"`),
  );
  const what = `${tag('h1', 'Review')}<p>${escapeHtml(head.name)} compared with ${escapeHtml(base.name)}: ${headline(review)}.</p>`;
  const body = [what + tag('nav', links.join('')), ...parts, tag('script', js!)];
  return pageHtml('Review', css!, body.join('\n'));
}
