/** What notebook 06 shows: how the held-out loss and the gap depend on the size of the text, at one size of model. */
import { isDeepStrictEqual } from 'node:util';
import type { EntropyMeta } from '../data/text/shards';
import { overfitting9m } from '../experiments/overfitting-9m';
import { committedRecords, run, runAll } from '../experiments/run';
import { scaling90m, smallerRuns } from '../experiments/scaling-90m';
import type { TextConfig, TextRecord } from '../experiments/text-task';
import { chart, type Figure, type Trace } from '../report/figure';
import { axis, referenceLine, seriesColour } from '../report/style';
import { notebookObserver } from '../report/progress';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import { layersByWidth, short } from '../util/format';
import { excepted } from './shared/bound';
import { fitDataLaw, lossAt, type DataLaw, type SizedLoss } from './shared/data-law';
import { byTier, ownValues, withOthers } from './shared/runs';
import { summaries } from './shared/summary';
import { endOf, entropyLines, passes, subtitle, textScaleRows, textTraces } from './shared/text-runs';
import { circles, lineTrace, rangeBars } from './shared/traces';

export * from './shared/notebook';
export { endRows, entropyOf } from './shared/text-runs';
export { deviations } from '../train/config';
export { scaling90m };

/** Largest gap at the end that counts as "close", nats per token; fixed before any run. */
const CLOSE_NATS = 0.5;

/** Losses of GPT-2 small on 9B tokens of OpenWebText that are public, nats per token. */
const ANCHORS = [
  { nats: 2.85, label: 'nanoGPT, 124M, 9B tokens: 2.85' },
  { nats: 3.12, label: "OpenAI's GPT-2 small on OpenWebText: 3.12" },
] as const;

/** The data term of Chinchilla, β in L(N, D) = E + A N^−α + B D^−β (Hoffmann et al. 2022, arXiv:2203.15556, section 3.3). */
const CHINCHILLA_EXPONENT = 0.28;

const mainOf = ({ config }: TextRecord): TextConfig => scaling90m.tiers[config.tier];

/** Those with the model of their tier's main run: only they are on one curve. */
export const ofTheModel = (records: readonly TextRecord[]): TextRecord[] =>
  records.filter((record) => isDeepStrictEqual(record.config.model, mainOf(record).model));

/** The committed runs of one model per tier, also those of notebook 05, after `own` ones. */
export const runs = (own: readonly TextRecord[]): TextRecord[] =>
  withOthers(own, ofTheModel([...committedRecords(scaling90m), ...committedRecords(overfitting9m)]));

/** The run of notebook 05, on a tenth of the main run's text. */
const tenthOf = ({ tier, seed }: TextConfig): TextConfig => ({ ...overfitting9m.tiers[tier], seed });

/** The runs on less text: on a tenth of it, and on less still. */
export async function runSmaller(main: TextConfig): Promise<TextRecord[]> {
  const less = smallerRuns(main);
  const observer = notebookObserver(1 + less.length);
  return [await run(overfitting9m, tenthOf(main), observer), ...(await runAll(scaling90m, less, observer))];
}

export const scaleRows = (main: TextConfig): Row[] =>
  textScaleRows([main, tenthOf(main), ...smallerRuns(main)], runs([]), scaling90m.tiers.full);

/** Whether the held-out loss has been lower than at the end: else its lowest value is a matter of steps, not of D. */
const hasTurned = (record: TextRecord): boolean => endOf(record).riseNats > 0;

/** Sizes of D that it takes to fit the three numbers of the law with one to spare. */
const LEAST_SIZES = 4;

/** D and lowest held-out loss of each run. */
const points = (records: readonly TextRecord[]): SizedLoss[] =>
  records.map((record) => ({
    tokens: record.config.trainTokens,
    lossNats: endOf(record).lowest.heldOutLossNats,
  }));

/** The law through the runs that have turned, or null where they are of too few sizes. */
function law(records: readonly TextRecord[]): DataLaw | null {
  const turned = points(records.filter(hasTurned));
  return new Set(turned.map(({ tokens }) => tokens)).size >= LEAST_SIZES ? fitDataLaw(turned) : null;
}

const references = ({ tier }: TextConfig, entropy: EntropyMeta | null) => [
  ...entropyLines(entropy),
  ...(tier === 'full' ? ANCHORS.map(({ nats, label }) => referenceLine(nats, label)) : []),
];

/** Losses over steps of the main run, the first of all, and of those of its seed and as many steps on less or more text. */
export function lossFigure(all: readonly TextRecord[], entropy: EntropyMeta | null): Figure {
  const main = all[0]!.config;
  const records = all.filter(
    (record) => record.config.seed === main.seed && record.config.steps === mainOf(record).steps,
  );
  return chart({
    title: 'Ten times the text: loss against steps',
    subtitle: subtitle(records),
    x: axis('step', 'optimiser updates'),
    y: axis('loss', 'nats per token', { rangemode: 'tozero' }),
    data: textTraces(records, 'step'),
    shapes: references(main, entropy),
  });
}

function lawTrace(fitted: DataLaw, sizes: readonly number[], tier: string, color: string): Trace {
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const x = Array.from({ length: 40 }, (_, i) => least * (most / least) ** (i / 39));
  const { irreducible, factor, exponent } = fitted;
  return lineTrace(
    `${irreducible.toFixed(2)} + ${factor.toPrecision(3)} D^−${exponent.toFixed(2)} (${tier})`,
    x,
    x.map((tokens) => lossAt(fitted, tokens)),
    { color, dash: 'dash' },
  );
}

/** Lowest held-out loss against D, means over seeds with their range, and the fitted law of each tier. */
export const sizeFigure = (records: readonly TextRecord[], entropy: EntropyMeta | null): Figure =>
  chart({
    title: 'Lowest held-out loss against the size of the text',
    subtitle:
      'one size of model per tier; bars: range over seeds; hollow: not turned when the run ended, and not in the fit',
    x: axis('D', 'training tokens, log scale', { type: 'log' }),
    y: axis('lowest held-out loss', 'nats per token'),
    data: byTier(records).flatMap(([tier, own], i): Trace[] => {
      const groups = summaries(
        points(own).map(({ tokens, lossNats }) => ({ tokens, value: lossNats })),
        ['tokens'],
        'tokens',
      );
      const sizes = groups.map(({ tokens }) => tokens);
      const fitted = law(own);
      const color = seriesColour(i);
      const allTurned = (tokens: number) =>
        own.every((record) => record.config.trainTokens !== tokens || hasTurned(record));
      return [
        {
          type: 'scatter',
          mode: 'markers',
          name: `${tier}, ${layersByWidth(own[0]!.config.model)}`,
          x: sizes,
          y: groups.map(({ mean }) => mean),
          error_y: rangeBars(groups),
          text: groups.map(({ count }) => `${count} seed${count > 1 ? 's' : ''}`),
          marker: { color, size: 9, symbol: circles(sizes, allTurned) },
        },
        ...(fitted ? [lawTrace(fitted, sizes, tier, color)] : []),
      ];
    }),
    shapes: references(records[0]!.config, entropy),
  });

/** The fitted law of each tier next to Chinchilla's exponent. */
export const lawRows = (records: readonly TextRecord[]): Row[] =>
  byTier(records).map(([tier, own]) => {
    const turned = points(own.filter(hasTurned)).map(({ tokens }) => tokens);
    const fitted = law(own);
    return {
      tier,
      'runs that have turned': `${turned.length} of ${own.length}`,
      'sizes of D': new Set(turned).size,
      from: short(Math.min(...turned)),
      to: short(Math.max(...turned)),
      'E (nats)': fitted?.irreducible ?? `not fitted: fewer than ${LEAST_SIZES} sizes`,
      B: fitted?.factor ?? null,
      β: fitted?.exponent ?? null,
      'β of Chinchilla': CHINCHILLA_EXPONENT,
    };
  });

/** Why a run says nothing on the paper's: as over-parameterised as its overfitting run, or on fewer passes than half of the published recipe's. */
function unlike({ config, parameters }: TextRecord): string | undefined {
  const [own, published] = [passes(config), passes(scaling90m.tiers.full)];
  return (
    excepted(parameters, config.trainTokens) ??
    (own < published / 2
      ? `${own.toFixed(1)} passes over its text; the full run has ${published.toFixed(1)}`
      : undefined)
  );
}

/** The gap of the main runs, those on the text of their tier. */
export const questions = (records: readonly TextRecord[]): Question[] => [
  {
    claim:
      'On 1% of OpenWebText (90M tokens) training and validation loss of GPT-2 small stay close: ten times the text, and the same training does not overfit.',
    source: `arXiv 2405.08707, section 6 and Figure 3; "close" as within ${CLOSE_NATS} nats per token at the end`,
    paper: 0,
    tolerance: CLOSE_NATS,
    unit: 'nats per token',
    leastTier: 'desk',
    ours: ownValues(
      records.filter((record) => record.config.trainTokens === mainOf(record).trainTokens),
      (record) => endOf(record).gapNats,
      unlike,
    ),
  },
];
