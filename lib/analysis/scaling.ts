/** What notebook 06 shows: how the held-out loss and the gap depend on the size of the text, at one size of model. */
import { isDeepStrictEqual } from 'node:util';
import type { TextConfig, Tier } from '../config';
import type { EntropyMeta } from '../data/shards';
import type { Figure, Trace } from '../report/figure';
import { axis, COLOURS, referenceLine, title } from '../report/style';
import { showTable } from '../report/table';
import type { Question } from '../report/verdict';
import { mean } from '../statistics';
import { byTier } from '../train/record';
import { fitDataLaw, lossAt, type DataLaw, type SizedLoss } from './data-law';
import { lossTraces, outcome, ownValues, RUN_COLOURS, short, subtitle, type TextRecord } from './text-runs';

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

/** D and lowest held-out loss of each run. */
const points = (records: readonly TextRecord[]): SizedLoss[] => records.map((record) => ({ tokens: record.config.trainTokens, lossNats: outcome(record).lowest.heldOutLossNats }));

const reference = (main: TextConfig, entropy: EntropyMeta | null) => [
  ...(entropy ? [referenceLine(entropy.natsPerToken, `entropy of the synthetic text ${entropy.natsPerToken.toFixed(3)}`, { colour: COLOURS.third, dash: 'dot', side: 'below', end: 'left' })] : []),
  ...(main.tier === 'full' ? ANCHORS.map(({ nats, label }) => referenceLine(nats, label)) : []),
];

/** Losses over steps: main runs and, beside them, those of as many steps on less or more text. */
export function lossFigure(records: readonly TextRecord[], entropy: EntropyMeta | null): Figure {
  const [main] = records as [TextRecord];
  return {
    data: records.flatMap((record, i) => lossTraces(record, RUN_COLOURS[i % RUN_COLOURS.length]!, 'step')),
    layout: {
      title: title('Ten times the text: loss against steps', subtitle(records)),
      xaxis: axis('step', 'optimiser updates'), yaxis: axis('loss', 'nats per token', { rangemode: 'tozero' }), shapes: reference(main.config, entropy),
    },
  };
}

const lawTrace = (law: DataLaw, sizes: readonly number[], name: string, colour: string): Trace => {
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
  const x = Array.from({ length: 40 }, (_, i) => least * (most / least) ** (i / 39));
  return { type: 'scatter', mode: 'lines', name, x, y: x.map((tokens) => lossAt(law, tokens)), line: { color: colour, dash: 'dash' } };
};

/** Lowest held-out loss against D, means over seeds with their range, with the fitted law of each tier. */
export function sizeFigure(records: readonly TextRecord[], entropy: EntropyMeta | null): Figure {
  const traces = byTier(records).flatMap(([tier, runs], i): Trace[] => {
    const all = points(runs);
    const sizes = [...new Set(all.map(({ tokens }) => tokens))].sort((a, b) => a - b);
    const at = sizes.map((tokens) => all.filter((p) => p.tokens === tokens).map(({ lossNats }) => lossNats));
    const colour = RUN_COLOURS[i]!;
    const law = sizes.length >= 3 ? fitDataLaw(all) : null;
    return [
      {
        type: 'scatter', mode: 'markers', name: `${tier}, ${runs[0]!.config.model.layers} × ${runs[0]!.config.model.width}`, x: sizes, y: at.map(mean),
        error_y: { type: 'data', symmetric: false, array: at.map((v) => Math.max(...v) - mean(v)), arrayminus: at.map((v) => mean(v) - Math.min(...v)) },
        text: at.map((v) => `${v.length} seed${v.length > 1 ? 's' : ''}`), marker: { color: colour, size: 9 },
      },
      ...(law ? [lawTrace(law, sizes, `${law.irreducible.toFixed(2)} + ${law.factor.toPrecision(3)} D^−${law.exponent.toFixed(2)} (${tier})`, colour)] : []),
    ];
  });
  return {
    data: traces,
    layout: {
      title: title('Lowest held-out loss against the size of the text', 'one size of model per tier; bars: range over seeds'),
      xaxis: axis('D', 'training tokens, log scale', { type: 'log' }), yaxis: axis('lowest held-out loss', 'nats per token'), shapes: reference(records[0]!.config, entropy),
    },
  };
}

/** The fitted law of each tier beside Chinchilla's exponent. */
export function showLaws(records: readonly TextRecord[]): void {
  showTable(byTier(records).flatMap(([tier, runs]) => {
    const all = points(runs);
    if (new Set(all.map(({ tokens }) => tokens)).size < 3) return [];
    const { irreducible, factor, exponent } = fitDataLaw(all);
    return [{ tier, runs: runs.length, 'D from': short(Math.min(...all.map((p) => p.tokens))), to: short(Math.max(...all.map((p) => p.tokens))), 'E (nats)': irreducible, B: factor, 'β': exponent, 'β of Chinchilla': CHINCHILLA_EXPONENT }];
  }));
}

/** @param records main runs only */
export function gapQuestion(records: readonly TextRecord[]): Question {
  return {
    claim: 'On 1% of OpenWebText (90M tokens) training and validation loss of GPT-2 small stay close: ten times the text, and the same training does not overfit.',
    source: `arXiv 2405.08707, section 6 and Figure 3; "close" as within ${CLOSE_NATS} nats per token at the end`, paper: 0, tolerance: CLOSE_NATS, unit: 'nats per token',
    ours: ownValues(records, (record) => outcome(record).gapNats),
  };
}
