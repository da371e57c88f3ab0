/** The committed notebooks, as readers of the repository find them, and a smoke run of each. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { inTurn } from './in-turn';
import { paths } from '../lib/util/paths';
import type { Figure } from '../lib/report/figure';
import { CLAIMS_PAGE } from '../lib/report/claims';
import { execute } from '../lib/tools/jupyter/execute';
import { notebookNames, readNotebook, textOf, verdictsOf, type Output } from '../lib/report/notebook-files';
import { percentCells, sourceCells } from '../lib/tools/jupyter/pair';
import { VERDICT_MIME, type Question } from '../lib/report/verdict';
import { REPLICA_PREDICTIONS } from '../lib/experiments/replica-predictions';
import { rounded } from '../lib/util/format';

/** Headings of a notebook, in their order; the last where there are some. */
const SECTIONS = [
  'In short',
  'Claim',
  'Method',
  'Experiment',
  'Details',
  'Verdicts',
  'Best objection, and what would change it',
  'Predictions',
];
const MOST_COLUMNS = 8;
const MOST_LETTERS = 74;
const MOST_SUBTITLE = 116;
const MOST_CELLS = 20;
const MOST_LINES = 25;
const MOST_BYTES = 1_000_000;

/** All `## headings` of a notebook. */
const headings = (sources: string[]): string[] =>
  sources.flatMap((source) => [...source.matchAll(/^## (.*)$/gm)].map((match) => match[1]!.trim()));

/** All numbers in a figure or a verdict, those of packed arrays too. */
function numbersIn(value: unknown): number[] {
  if (typeof value === 'number') return [value];
  if (value === null || typeof value !== 'object') return [];
  const { dtype, bdata } = value as { dtype?: string; bdata?: string };
  if (bdata === undefined) return Object.values(value).flatMap(numbersIn);
  const bytes = Uint8Array.from(Buffer.from(bdata, 'base64')).buffer;
  return [...(dtype === 'f8' ? new Float64Array(bytes) : new Float32Array(bytes))];
}

/** All numbers in a text but those of references and units: 12%, 1,000 and 10^{-4} as well. */
const numbersStated = (text: string): number[] =>
  [
    ...text
      .replaceAll(/\*\*|arXiv [\d.]+|arxiv\.org\/abs\/[\d.]+|1 nat is 1\.44 bits|version 1/g, '')
      .matchAll(/10\^\{(-\d+)\}|(\d[\d,]*(?:\.\d+)?)(%?)/g),
  ].map(([, exponent, digits, percent]) =>
    exponent ? 10 ** Number(exponent) : Number(digits!.replaceAll(',', '')) / (percent ? 100 : 1),
  );

const decisive = ({ paper, tolerance, relation }: Question): number[] =>
  relation === 'at most'
    ? [paper + tolerance]
    : relation === 'at least'
      ? [paper - tolerance]
      : paper === 0
        ? [tolerance]
        : [paper, tolerance];

/** A prediction's are printed from its rule; some claims state them as well, by its id. */
const decisiveOf = (questions: readonly Question[], claim: string): Record<string, number[]> =>
  Object.fromEntries([
    ...questions
      .filter(({ kind }) => kind !== 'prediction')
      .map((question) => [question.claim, decisive(question)]),
    ...REPLICA_PREDICTIONS.filter(({ id }) => claim.includes(id)).map(({ id, rule: { atLeast, atMost } }) => [
      id,
      [atLeast, atMost].filter((x) => x !== undefined),
    ]),
  ]);

test('the claims of 05 and 06 state the numbers of all predictions on the replica', () => {
  const claims = notebookNames()
    .filter((name) => /^0[56]/.test(name))
    .map((name) => readFileSync(join(paths.notebooks, `${name}.ts`), 'utf8'));
  for (const { id } of REPLICA_PREDICTIONS)
    assert.ok(
      claims.some((text) => text.includes(`(${id})`) || text.includes(`${id}:`)),
      id,
    );
});

test('there are notebooks', () => assert.ok(notebookNames().length > 0));

for (const name of notebookNames()) {
  describe(name, () => {
    const path = join(paths.notebooks, `${name}.ipynb`);
    const notebook = readNotebook(path);
    const code = notebook.cells.filter(({ cell_type }) => cell_type === 'code');
    const outputs: Output[] = code.flatMap((cell) => cell.outputs ?? []);

    test('its sections, in their order', () => {
      const markdown = sourceCells(notebook)
        .filter(({ kind }) => kind === 'markdown')
        .map(({ source }) => source);
      const found = headings(markdown);
      assert.deepEqual(found, SECTIONS.slice(0, Math.max(found.length, SECTIONS.length - 1)));
    });

    if (name !== CLAIMS_PAGE)
      test('the numbers that its claim states are those that decide', () => {
        const claim = sourceCells(notebook).find(({ source }) => source.startsWith('## Claim'))!.source;
        const stated = numbersStated(claim);
        for (const [what, numbers] of Object.entries(decisiveOf(verdictsOf(notebook), claim)))
          for (const number of numbers)
            assert.ok(
              stated.some((x) => Math.abs(x - number) <= 1e-9 * Math.abs(number)),
              `${what} ${number} decides; stated are ${stated.join(', ')}`,
            );
      });

    test('the answer and its figure come first', () => {
      const [title, first] = sourceCells(notebook);
      assert.match(title!.source, /^# \d\d · /);
      assert.match(first!.source, /^import \* as \w+ from '\.\/lib\/analysis\/[\w-]+';\n/);
      const isClaims = name === CLAIMS_PAGE;
      assert.match(
        first!.source,
        isClaims
          ? /\.showAnswer\([^]*\.showFigure\(/
          : /\.showAnswer\([^]*\.showFigure\([^]*\.showHeadlines\(/,
      );
      assert.deepEqual(
        notebook.cells[1]!.outputs!.map(({ data }) => data?.['image/png'] !== undefined),
        isClaims ? [false, true] : [false, true, false],
      );
    });

    test(`no table has more than ${MOST_COLUMNS} columns`, () => {
      const tables = outputs.map(({ data }) => textOf((data?.['text/html'] ?? '') as string));
      for (const head of tables.flatMap((html) => html.match(/<thead>.*?<\/thead>/gs) ?? []))
        assert.ok(head.split('<th').length - 1 <= MOST_COLUMNS + 1, head);
    });

    test('its .ts holds the same cells', () => {
      assert.deepEqual(
        percentCells(readFileSync(join(paths.notebooks, `${name}.ts`), 'utf8')),
        sourceCells(notebook),
      );
    });

    test(`at most ${MOST_CELLS} cells of at most ${MOST_LINES} lines, under ${MOST_BYTES / 1e6} MB`, () => {
      assert.ok(notebook.cells.length <= MOST_CELLS, `${notebook.cells.length} cells`);
      for (const { source } of notebook.cells)
        assert.ok(textOf(source).split('\n').length <= MOST_LINES, `too long:\n${textOf(source)}`);
      assert.ok(statSync(path).size < MOST_BYTES, `${statSync(path).size} bytes`);
    });

    test('executed once from top to bottom, without error', () => {
      assert.deepEqual(
        code.map(({ execution_count }) => execution_count),
        code.map((_, i) => i + 1),
      );
      assert.deepEqual(
        outputs.filter(({ output_type }) => output_type === 'error'),
        [],
      );
    });

    test('every figure has a PNG, and none a script', () => {
      const figures = outputs.filter(({ data }) => data?.['application/vnd.plotly.v1+json'] !== undefined);
      assert.ok(figures.length > 0);
      for (const { data } of figures) {
        const text = textOf(data!['text/plain'] as string).replace('Figure: ', '');
        assert.ok(text.length <= MOST_LETTERS, `a title as wide as the figure is cut: ${text}`);
        const { layout } = data!['application/vnd.plotly.v1+json'] as unknown as Figure;
        const { subtitle } = layout?.title as { subtitle?: { text: string } };
        assert.ok(
          (subtitle?.text ?? '').length <= MOST_SUBTITLE,
          `a subtitle as wide as the figure is cut: ${subtitle?.text}`,
        );
      }
      for (const { data } of figures) {
        const png = Buffer.from(textOf(data!['image/png'] as string), 'base64');
        assert.equal(png.subarray(1, 4).toString(), 'PNG');
      }
      assert.ok(
        !outputs.some(({ data }) => textOf((data?.['text/html'] ?? '') as string).includes('<script')),
      );
    });

    test('its numbers have at most six digits, and it keeps no time or speed of a machine', () => {
      const numbers = outputs.flatMap(({ data }) =>
        numbersIn([data?.['application/vnd.plotly.v1+json'], data?.[VERDICT_MIME]]),
      );
      assert.ok(numbers.length > 0);
      assert.deepEqual(
        numbers.filter((x) => x !== rounded(x) && x !== Math.fround(rounded(x))),
        [],
      );
      const said = outputs.map(({ data }) => textOf((data?.['text/plain'] ?? '') as string)).join('\n');
      assert.doesNotMatch(said, /tokens\/s|after [\d.]+ minutes|Node \d/);
    });

    test('it names its tier, and ends with verdicts of a tier that counts', () => {
      const said = outputs.map(({ data }) => textOf((data?.['text/plain'] ?? '') as string)).join('\n');
      assert.match(said, /^Tier (quick|desk|full), seed \d+\./m);
      // The page of claims shows the verdicts of the others and has none of its own.
      if (name === CLAIMS_PAGE) assert.match(said, /^A\. .*: \d+ \w+/m);
      else assert.ok(verdictsOf(notebook).length > 0);
    });

    test('a smoke run works from top to bottom and decides nothing', async () => {
      mkdirSync(paths.local, { recursive: true });
      const folder = mkdtempSync(join(paths.local, 'smoke-'));
      // The tests of sweeps train the same runs.
      const turn = name === '09-capacity' ? await inTurn('capacity') : null;
      try {
        const places = { notebooks: paths.notebooks, reports: folder, figures: folder, venv: paths.venv };
        const { verdicts, report } = await execute({ name, tier: 'smoke', seed: 1, save: false, places });
        assert.equal(verdicts.length > 0, name !== CLAIMS_PAGE);
        // Verdicts are those of what is committed, whatever was run; one that counts this run says that it decides nothing.
        const committed = verdictsOf(notebook);
        for (const { claim, outcome, ours } of verdicts)
          assert.ok(
            ours.some((run) => run.tier === 'smoke') ||
              committed.some((v) => v.claim === claim && v.outcome === outcome),
            `${claim} ${outcome}`,
          );
        assert.match(readFileSync(report, 'utf8'), /Tier smoke, seed 1/);
      } finally {
        turn?.release();
        rmSync(folder, { recursive: true });
      }
    });
  });
}
