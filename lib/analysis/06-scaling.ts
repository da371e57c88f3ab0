/** What notebook 06 shows: how the held-out loss and the gap depend on the size of the text, at one size of model. */
import { isDeepStrictEqual } from 'node:util';
import type { TextConfig } from '../experiments/text-task';
import type { Tier } from '../train/config';
import type { EntropyMeta } from '../data/text/shards';
import type { Figure, Trace } from '../report/figure';
import { axis, COLOURS, referenceLine, seriesColour, title } from '../report/style';
import { showTable } from '../report/table';
import type { Question } from '../report/verdict';
import { mean } from '../util/statistics';
import { byTier, grouped } from '../train/record';
import { excepted } from './03-bound';
import { fitDataLaw, lossAt, type DataLaw, type SizedLoss } from './shared/data-law';
import { lossTraces, outcome, passes, short, subtitle, type TextRecord } from './shared/text-runs';

/** Largest gap at the end that counts as "close", nats per token; fixed before any run. */
export const CLOSE_NATS = 0.5;

/** Losses of GPT-2 small on 9B tokens of OpenWebText that are public, nats per token. */
const ANCHORS = [
  { nats: 2.85, label: 'nanoGPT, 124M, 9B tokens: 2.85' },
  { nats: 3.12, label: "OpenAI's GPT-2 small on OpenWebText: 3.12" },
] as const;

/** The data term of Chinchilla, β in L(N, D) = E + A N^−α + B D^−β (Hoffmann et al. 2022, arXiv:2203.15556, section 3.3). */
const CHINCHILLA_EXPONENT = 0.28;

/** Those with the model of their tier's main run: only they lie on one curve. */
export const ofTheModel = (records: readonly TextRecord[], main: Record<Tier, TextConfig>): TextRecord[] =>
  records.filter(({ config }) => isDeepStrictEqual(config.model, main[config.tier].model));

/** Whether the held-out loss has been lower than at the end: else its lowest value is a matter of steps, and not of D. */
const hasTurned = (record: TextRecord): boolean => outcome(record).riseNats > 0;

/** Sizes of D that it takes to fit the three numbers of the law with one to spare. */
const LEAST_SIZES = 4;

/** The law through the runs that have turned, or null where they are of too few sizes. */
function law(records: readonly TextRecord[]): DataLaw | null {
  const turned = points(records.filter(hasTurned));
  return new Set(turned.map(({ tokens }) => tokens)).size >= LEAST_SIZES ? fitDataLaw(turned) : null;
}

/** D and lowest held-out loss of each run. */
const points = (records: readonly TextRecord[]): SizedLoss[] =>
  records.map((record) => ({
    tokens: record.config.trainTokens,
    lossNats: outcome(record).lowest.heldOutLossNats,
  }));

const reference = (main: TextConfig, entropy: EntropyMeta | null) => [
  ...(entropy
    ? [
        referenceLine(
          entropy.natsPerToken,
          `entropy of the synthetic text ${entropy.natsPerToken.toFixed(3)}`,
          { colour: COLOURS.third, dash: 'dot', side: 'below', end: 'left' },
        ),
      ]
    : []),
  ...(main.tier === 'full' ? ANCHORS.map(({ nats, label }) => referenceLine(nats, label)) : []),
];

/** Losses over steps: main runs and, beside them, those of as many steps on less or more text. */
export function lossFigure(records: readonly TextRecord[], entropy: EntropyMeta | null): Figure {
  const [main] = records as [TextRecord];
  return {
    data: records.flatMap((record, i) => lossTraces(record, seriesColour(i), 'step')),
    layout: {
      title: title('Ten times the text: loss against steps', subtitle(records)),
      xaxis: axis('step', 'optimiser updates'),
      yaxis: axis('loss', 'nats per token', { rangemode: 'tozero' }),
      shapes: reference(main.config, entropy),
    },
  };
}

const lawTrace = (law: DataLaw, sizes: readonly number[], name: string, colour: string): Trace => {
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const x = Array.from({ length: 40 }, (_, i) => least * (most / least) ** (i / 39));
  return {
    type: 'scatter',
    mode: 'lines',
    name,
    x,
    y: x.map((tokens) => lossAt(law, tokens)),
    line: { color: colour, dash: 'dash' },
  };
};

/** Lowest held-out loss against D, means over seeds with their range, with the fitted law of each tier. */
export function sizeFigure(records: readonly TextRecord[], entropy: EntropyMeta | null): Figure {
  const traces = byTier(records).flatMap(([tier, runs], i): Trace[] => {
    const all = grouped(runs, ({ config }) => config.trainTokens).sort(([a], [b]) => a - b);
    const sizes = all.map(([tokens]) => tokens);
    const at = all.map(([, own]) => points(own).map(({ lossNats }) => lossNats));
    const colour = seriesColour(i);
    const fitted = law(runs);
    return [
      {
        type: 'scatter',
        mode: 'markers',
        name: `${tier}, ${runs[0]!.config.model.layers} × ${runs[0]!.config.model.width}`,
        x: sizes,
        y: at.map(mean),
        error_y: {
          type: 'data',
          symmetric: false,
          array: at.map((v) => Math.max(...v) - mean(v)),
          arrayminus: at.map((v) => mean(v) - Math.min(...v)),
        },
        text: at.map((v) => `${v.length} seed${v.length > 1 ? 's' : ''}`),
        marker: {
          color: colour,
          size: 9,
          symbol: all.map(([, own]) => (own.every(hasTurned) ? 'circle' : 'circle-open')),
        },
      },
      ...(fitted
        ? [
            lawTrace(
              fitted,
              sizes,
              `${fitted.irreducible.toFixed(2)} + ${fitted.factor.toPrecision(3)} D^−${fitted.exponent.toFixed(2)} (${tier})`,
              colour,
            ),
          ]
        : []),
    ];
  });
  return {
    data: traces,
    layout: {
      title: title(
        'Lowest held-out loss against the size of the text',
        'one size of model per tier; bars: range over seeds; hollow: not turned when the run ended, and not in the fit',
      ),
      xaxis: axis('D', 'training tokens, log scale', { type: 'log' }),
      yaxis: axis('lowest held-out loss', 'nats per token'),
      shapes: reference(records[0]!.config, entropy),
    },
  };
}

/** The fitted law of each tier beside Chinchilla's exponent. */
export function showLaws(records: readonly TextRecord[]): void {
  showTable(
    byTier(records).map(([tier, runs]) => {
      const turned = points(runs.filter(hasTurned)).map(({ tokens }) => tokens);
      const fitted = law(runs);
      return {
        tier,
        'runs that have turned': `${turned.length} of ${runs.length}`,
        'sizes of D': new Set(turned).size,
        from: short(Math.min(...turned)),
        to: short(Math.max(...turned)),
        'E (nats)': fitted?.irreducible ?? `not fitted: fewer than ${LEAST_SIZES} sizes`,
        B: fitted?.factor ?? null,
        β: fitted?.exponent ?? null,
        'β of Chinchilla': CHINCHILLA_EXPONENT,
      };
    }),
  );
}

/** Why a run says nothing on the paper's: as over-parameterised as its overfitting run, or on fewer passes than half of the published recipe's. */
function unlike({ config, parameters }: TextRecord, published: TextConfig): string | undefined {
  const few =
    passes(config) < passes(published) / 2
      ? `${passes(config).toFixed(1)} passes over its text; the full run has ${passes(published).toFixed(1)}`
      : undefined;
  return excepted(parameters, config.trainTokens) ?? few;
}

/** @param records main runs only @param published the full run */
export function gapQuestion(records: readonly TextRecord[], published: TextConfig): Question {
  return {
    claim:
      'On 1% of OpenWebText (90M tokens) training and validation loss of GPT-2 small stay close: ten times the text, and the same training does not overfit.',
    source: `arXiv 2405.08707, section 6 and Figure 3; "close" as within ${CLOSE_NATS} nats per token at the end`,
    paper: 0,
    tolerance: CLOSE_NATS,
    unit: 'nats per token',
    leastTier: 'desk',
    ours: records.map((record) => {
      const unfit = unlike(record, published);
      return {
        seed: record.config.seed,
        tier: record.config.tier,
        value: outcome(record).gapNats,
        ...(unfit ? { unfit } : {}),
      };
    }),
  };
}
