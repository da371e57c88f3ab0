/** What notebook 02 shows: whether the energy falls along a trained stack, and along others, and whether it does in steps of the theory. */
import { chart, type Figure } from '../report/figure';
import { axis, COLOURS, endLabels } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import { percent, rangeText } from '../util/format';
import { mean } from '../util/statistics';
import { committedStacks, type Stacks } from './02-stacks';
import { descentQuestions, measuredViolations } from './02-steps';
import { lineTrace, MARKED, rangeBars } from './shared/traces';

export * from './shared/notebook';
export { ownStacks, stacks } from './02-stacks';
export { stepFigure } from './02-steps';

/** How many of the orders, the true one included, let at least as many tokens fall as the true one. */
export const rankOf = ({ orders }: Pick<Stacks, 'orders'>): number =>
  orders.filter((share) => share >= orders[0]!).length;

/** `7 to 9`: the ranks of the true order. */
const placesOf = (all: readonly Stacks[]): string => rangeText(all.map(rankOf), String);

/** Why the measure cannot see training; undefined: it does, for every seed. */
export function blindness(all: readonly Stacks[]): string | undefined {
  const share = (which: 'trained' | 'untrained') => all.map((one) => mean(one[which].falling));
  const seen = all.every(
    (one) =>
      mean(one.trained.falling) > mean(one.untrained.falling) && rankOf(one) <= 0.05 * one.orders.length,
  );
  return seen
    ? undefined
    : `an untrained stack scores ${percentRange(share('untrained'))}, the trained one ${percentRange(share('trained'))}; of ${all[0]!.orders.length} orders of the blocks the true one has rank ${placesOf(all)}`;
}

/** `5% to 7%` */
const percentRange = (values: readonly number[]): string => rangeText(values, percent);

const KINDS = {
  steps: { name: 'steps of the theory', colour: COLOURS.exact, dash: 'dot' },
  energyBlock: { name: 'Energy Transformer', colour: COLOURS.third, dash: 'solid' },
  trained: { name: 'trained', colour: COLOURS.ours, dash: 'solid' },
  trainedNormed: { name: 'trained, normed', colour: COLOURS.ours, dash: 'dash' },
  untrained: { name: 'untrained', colour: COLOURS.control, dash: 'solid' },
  untrainedNormed: { name: 'untrained, normed', colour: COLOURS.control, dash: 'dash' },
  tied: { name: 'one trained block, repeated', colour: COLOURS.second, dash: 'solid' },
} as const;
type KindOfStack = keyof typeof KINDS;
const DRAWN = (Object.keys(KINDS) as KindOfStack[]).filter((kind) => kind !== 'tied');

export function answer(all: readonly Stacks[]): string {
  const of = (kind: KindOfStack) => percentRange(all.map((one) => mean(one[kind].falling)));
  const blind = blindness(all);
  return [
    blind
      ? `**The test cannot tell: from block to block of a trained GPT-2 the energy falls for ${of('trained')} of the tokens, before training for ${of('untrained')}, and the true order of the blocks is only at place ${placesOf(all)} of ${all[0]!.orders.length} orders (${all.length} seeds).**`
      : `**From block to block of a trained GPT-2 the energy falls for ${of('trained')} of the tokens, and before training for ${of('untrained')}.**`,
    `That it can fall is shown by two stacks that are made to descend: an Energy Transformer, on an energy of its own (${of('energyBlock')} on average), and the steps of the theory (${of('steps')}).`,
    `With activations brought to one length (normed) the shares are ${of('trainedNormed')}, and before training ${of('untrainedNormed')}.`,
  ].join(' ');
}

export function stackFigure(all: readonly Stacks[]): Figure {
  const pairs = all[0]!.trained.falling.map((_, t) => t + 1);
  const span = { low: 0, high: 1.04, pixels: 290 };
  const means = (kind: KindOfStack) => pairs.map((_, t) => mean(all.map((one) => one[kind].falling[t]!)));
  return chart({
    title: blindness(all)
      ? 'In GPT-2 the energy rises for most tokens, trained or not'
      : 'Share of tokens whose energy falls',
    subtitle: `share of held-out tokens whose global energy falls; mean and range of ${all.length} seeds; band: ours, at least ${percent(DESCENDS)}`,
    x: axis('from block to block', undefined, {
      tickvals: pairs,
      ticktext: pairs.map((t) => `${t} → ${t + 1}`),
      range: [0.9, pairs.length + 0.1],
    }),
    y: axis('tokens whose energy falls', undefined, { range: [span.low, span.high], tickformat: '.0%' }),
    data: DRAWN.map((kind) => {
      const groups = pairs.map((_, t) => {
        const values = all.map((one) => one[kind].falling[t]!);
        return { mean: mean(values), least: Math.min(...values), most: Math.max(...values) };
      });
      return lineTrace(
        KINDS[kind].name,
        pairs,
        means(kind),
        { color: KINDS[kind].colour, dash: KINDS[kind].dash },
        { ...MARKED, error_y: rangeBars(groups) },
      );
    }),
    showlegend: false,
    height: 420,
    margin: { r: 170 },
    shapes: [
      {
        type: 'rect',
        xref: 'paper',
        x0: 0,
        x1: 1,
        y0: DESCENDS,
        y1: 1,
        line: { width: 0 },
        fillcolor: COLOURS.paper,
        opacity: 0.12,
        layer: 'below',
      },
    ],
    annotations: endLabels(
      DRAWN.map((kind) => ({
        text: KINDS[kind].name,
        x: pairs.at(-1)!,
        y: means(kind).at(-1)!,
        colour: KINDS[kind].colour,
      })),
      span,
    ) as never,
  });
}

/** A row a stack: shares of falling tokens pair by pair, and the mean over pairs. */
export const stackRows = (all: readonly Stacks[]): Row[] =>
  (Object.keys(KINDS) as KindOfStack[]).map((kind) => ({
    stack: KINDS[kind].name,
    ...Object.fromEntries(
      all[0]!.trained.falling.map((_, t) => [
        `falls ${t + 1} → ${t + 2}`,
        percentRange(all.map((one) => one[kind].falling[t]!)),
      ]),
    ),
    mean: percentRange(all.map((one) => mean(one[kind].falling))),
  }));

/** Where the true order of the blocks is among all orders, a row a seed. */
export const orderRows = (all: readonly Stacks[]): Row[] =>
  all.map((one) => ({
    seed: one.seed,
    'true order': percent(one.orders[0]!, 1),
    'best order': percent(Math.max(...one.orders), 1),
    'worst order': percent(Math.min(...one.orders), 1),
    'mean of all orders': percent(mean(one.orders), 1),
    'rank of the true one': `${rankOf(one)} of ${one.orders.length}`,
  }));

/** "Descends", as a share of tokens, a mean over blocks; fixed before any run. */
const DESCENDS = 0.9;

/** "Layers of a Transformer descend one global energy". */
export const stackQuestion = (all: readonly Stacks[]): Question => {
  const blind = blindness(all);
  return {
    claim: 'The layers of a trained Transformer descend one global energy.',
    source: `arXiv 2405.08707, section 4.1 (layers as steps of majorisation-minimisation); share of held-out tokens whose energy falls from block to block, a mean over blocks; ${percent(DESCENDS)} is ours`,
    table: 'theory',
    paper: DESCENDS,
    tolerance: 0,
    relation: 'at least',
    unit: 'share of tokens',
    ...(blind ? { blind } : {}),
    ours: all.map(({ seed, trained }) => ({ seed, tier: 'desk', value: mean(trained.falling) })),
  };
};

/** All questions of the notebook, to the committed measures. */
export const questions = (): Question[] => [
  stackQuestion(committedStacks()),
  ...descentQuestions(measuredViolations(), 'quick', 1),
];
