/** What notebook 06 shows: when training and held-out loss part, by the load of the memory and the passes over the text. */
import {
  arm,
  DECIDING_SEEDS,
  loaded,
  loadOf,
  LOADS,
  replica,
  shorterWarmupRuns,
  widerRuns,
  type Arm,
  type ReplicaConfig,
  type ReplicaRecord,
} from '../experiments/replica';
import {
  atPass,
  crossingOf,
  excessOf,
  gapOf,
  PASSES,
  type ReplicaPoint,
} from '../experiments/replica-predictions';
import { tokensPerStep } from '../experiments/text-task';
import { gpt2Parameters } from '../model/config';
import { chart, type Figure, type Trace } from '../report/figure';
import type { PredictionRow } from '../report/predictions';
import { axis, COLOURS, endLabels, referenceLine, shades, title, type EndLabel } from '../report/style';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import type { CosineSchedule } from '../train/config';
import { count } from '../util/format';
import { mean } from '../util/statistics';
import { CHINCHILLA, CHINCHILLA_REFIT, lossBy, lossOnRepeated, type LossLaw } from './06-laws';
import {
  armOf,
  decimals,
  finishedRuns,
  holdsFor,
  IN_THE_PAPER,
  methodColumns,
  nats,
  rangeText,
  replicaPrediction,
  replicaPredictionRows,
  replicaQuestions,
  replicaRecords,
  replicaRunRows,
  type ReplicaRun,
} from './shared/replica-runs';
import { passes } from './shared/text-runs';
import { lineTrace } from './shared/traces';

export * from './shared/notebook';
export { arm, replica };

const ARTICLE = ['R3', 'R4'] as const;
const IDS = [...ARTICLE, 'R5', 'R6', 'R7'] as const;

/** @public The check of stored verdicts reads it. */
export const runs = replicaRecords;
export const questions = (records = runs()): Question[] =>
  replicaQuestions(IDS, records).map((question, i) => ({ ...question, ...noteOf(IDS[i]!, records) }));
/** What the article claims. */
export const articleQuestions = (records = runs()): Question[] => questions(records).slice(0, ARTICLE.length);
/** The runs on 90M tokens. */
export const deciding = (records = runs()): ReplicaRun[] => armOf(records, 'C');
export const predictions = (records = runs()): PredictionRow[] => replicaPredictionRows(IDS, records);

/** Held-out less training loss at which they have parted. */
const PARTED = replicaPrediction('R3').rule.atMost!;

/** Texts of one load: what they are called, and the configs of their seeds. */
interface Kind {
  name: string;
  load: number;
  configs: ReplicaConfig[];
}

const ofSeeds = (config: (seed: number) => ReplicaConfig): ReplicaConfig[] => DECIDING_SEEDS.map(config);
const kind = (name: string, configs: ReplicaConfig[]): Kind => ({ name, load: loadOf(configs[0]!), configs });
const inThePaper = (name: Arm): string => `${IN_THE_PAPER[name]} in the paper`;
const armKind = (name: Arm): Kind =>
  kind(
    inThePaper(name),
    ofSeeds((seed) => arm('desk', name, seed)),
  );

/** In the order of their load. */
const KINDS: readonly Kind[] = [
  ...(['A', 'B', 'C', 'F'] as const).map(armKind),
  ...LOADS.map((load) =>
    kind(
      '',
      ofSeeds((seed) => loaded('desk', load, seed)),
    ),
  ),
].sort((a, b) => a.load - b.load);

const warmupOf = ({ schedule }: ReplicaConfig): string => count((schedule as CosineSchedule).warmupSteps);

/** Arms B and C of one seed with something changed: the warm-up, or the size of the model and with it that of the text. */
interface Variant extends Kind {
  /** Name of the kind that has the usual warm-up and size. */
  of: string;
  dash: Dash;
}
type Dash = 'solid' | 'dash' | 'dot';
const variants = (configs: ReplicaConfig[], dash: Dash, what: (config: ReplicaConfig) => string): Variant[] =>
  configs.map((config, i) => {
    const name = (['B', 'C'] as const)[i]!;
    return { ...kind(`${IN_THE_PAPER[name]}, ${what(config)}`, [config]), of: inThePaper(name), dash };
  });
const WARMUPS = variants(shorterWarmupRuns('desk'), 'dash', (config) => `warm-up ${warmupOf(config)} steps`);
const WIDER = variants(widerRuns('desk'), 'dot', () => 'twice as wide');
const VARIANTS = [...WARMUPS, ...WIDER];
/** The shorter warm-up and the usual one. */
const WARMUP_TEXT = `${warmupOf(WARMUPS[1]!.configs[0]!)} steps in place of ${warmupOf(arm('desk', 'C', 1))}`;
/** Parameters of the wider model over those of the usual one. */
const TIMES = (
  gpt2Parameters(WIDER[1]!.configs[0]!.model).all / gpt2Parameters(arm('desk', 'C', 1).model).all
).toFixed(1);

/** A whole curve, also beyond the end of its config where the run was continued. */
const wholeCurves = (records: readonly ReplicaRecord[], { configs }: Kind): ReplicaPoint[][] =>
  finishedRuns(records, configs).map(({ record }) => record.curve);

/** Straight line between evaluations; null outside of them. */
function gapAt(curve: readonly ReplicaPoint[], pass: number): number | null {
  const after = curve.findIndex(({ epoch }) => epoch >= pass);
  if (after < 0 || (after === 0 && curve[0]!.epoch > pass)) return null;
  const [a, b] = [curve[Math.max(0, after - 1)]!, curve[after]!];
  const share = b.epoch === a.epoch ? 0 : (pass - a.epoch) / (b.epoch - a.epoch);
  return gapOf(a) + share * (gapOf(b) - gapOf(a));
}

/** Means over those seeds that have a value, null where none has. */
function meanGap(curves: readonly ReplicaPoint[][], pass: number): number | null {
  const values = curves.map((curve) => gapAt(curve, pass)).filter((gap) => gap !== null);
  return values.length ? mean(values as number[]) : null;
}

const oneDecimal = (x: number): string => x.toFixed(1);
/** Two decimals: a rule has its border at 12 passes. */
const passText = (x: number): string => (Number.isFinite(x) ? x.toFixed(2) : 'never');

/** The first pass at which arm C is more above F than R4 allows; infinite if there is none. */
const unlikeFrom = (c: ReplicaRun, f: ReplicaRun): number =>
  c.curve.find((point, i) => excessOf(point, f.curve[i]!) > replicaPrediction('R4').rule.atMost!)?.epoch ??
  Infinity;

/** Up to where what the article says holds. */
function noteOf(id: (typeof IDS)[number], records: readonly ReplicaRecord[]): { note?: string } {
  const [c, f] = [armOf(records, 'C'), armOf(records, 'F')];
  const passesUpTo = {
    R3: () => c.map(({ curve }) => crossingOf(curve)),
    R4: () => pairs(c, f).map(([one, other]) => unlikeFrom(one, other)),
  };
  if (!(id in passesUpTo) || !c.length) return {};
  const upTo = passesUpTo[id as keyof typeof passesUpTo]();
  return {
    note: `it holds up to pass ${rangeText(upTo, passText)} of ${oneDecimal(c[0]!.end.epoch)}, our choice: the paper does not give its number`,
  };
}

/** Whether the size of the text decides as well: the passes of those beside arm C, which have no name in the paper. */
function sizeSentence(records: readonly ReplicaRecord[]): string[] {
  const texts = KINDS.filter(({ name }) => !name).map((one) => ({
    times: (one.load / loadOf(arm('desk', 'C', 1))).toPrecision(2),
    passes: mean(wholeCurves(records, one).map(crossingOf)),
  }));
  if (!texts.every(({ passes }) => Number.isFinite(passes))) return [];
  const listed = (of: (text: (typeof texts)[number]) => string) => texts.map(of).join(' and ');
  const crossing = (variant: Variant) => wholeCurves(records, variant).map(crossingOf).map(oneDecimal)[0];
  const [warmedUp, wide] = [WARMUPS, WIDER].map((list) => crossing(list[1]!));
  return [
    `Size and schedule decide too: texts of ${listed(({ times }) => times)} times that size part after ${listed(({ passes }) => oneDecimal(passes))} passes${warmedUp ? `, and with a warm-up of ${WARMUP_TEXT} it is ${warmedUp}` : ''}.`,
    ...(wide ? [`With ${TIMES} times the parameters and the text it is ${wide}.`] : []),
  ];
}

/** Two or three sentences from the committed runs. */
export function answer(records = runs()): string {
  const [c, f] = [armOf(records, 'C'), armOf(records, 'F')];
  if (!c.length) return 'The runs that decide have not been made yet.';
  const lead = ARTICLE.every((id) => holdsFor(id, records) === 'all')
    ? 'Yes: with ten times the text training and held-out loss stay close.'
    : 'Only at first: with ten times the text training and held-out loss are close for about twelve passes over it, and apart at the end of the training.';
  const crossings = c.map(({ curve }) => crossingOf(curve));
  const excess = pairs(c, f).map(([one, other]) => one.end.heldOutLossNats - other.end.heldOutLossNats);
  return [
    `**${lead}**`,
    `Their gap reaches ${PARTED} nats a token after ${rangeText(crossings, passText)} passes over the text and ${rangeText(
      c.map(({ end }) => gapOf(end)),
      nats,
    )} after ${oneDecimal(c[0]!.end.epoch)}, where we stop; the held-out loss is then ${rangeText(excess, nats)} above that of a text that is read once.`,
    'The paper does not say how many passes it made: up to where they part its claim holds, so it is a statement on when training stops.',
    ...sizeSentence(records),
  ].join(' ');
}

/** Runs of two arms with the same seed. */
const pairs = (a: readonly ReplicaRun[], b: readonly ReplicaRun[]): [ReplicaRun, ReplicaRun][] =>
  a.flatMap((one) => {
    const other = b.find(({ config }) => config.seed === one.config.seed);
    return other ? [[one, other] as [ReplicaRun, ReplicaRun]] : [];
  });

/** Cells of the phase diagram: edges in passes, a dozen an octave. */
const EDGES = Array.from({ length: 133 }, (_, i) => 2 ** (i / 12 - 1));

const kindLabel = ({ name, load }: Kind): string => `load ${load.toPrecision(2)}${name && `<br>${name}`}`;

/** The gap over load and passes: blue where the losses are close, vermilion where they have parted. */
export function phaseFigure(records = runs()): Figure {
  const rows = KINDS.map((one) => ({ one, curves: wholeCurves(records, one) }));
  const labels = rows.map(({ one }) => kindLabel(one));
  const crossings = rows.flatMap(({ one, curves }, i) => {
    const at = mean(curves.map(crossingOf));
    if (!Number.isFinite(at)) return [];
    const step = (at * one.configs[0]!.trainTokens) / tokensPerStep(one.configs[0]!);
    return [
      { at, label: labels[i]!, text: `${oneDecimal(at)} passes, step ${count(10 * Math.round(step / 10))}` },
    ];
  });
  const centre = (i: number) => Math.sqrt(EDGES[i]! * EDGES[i + 1]!);
  return {
    data: [
      {
        type: 'heatmap',
        x: EDGES,
        y: labels,
        z: rows.map(({ curves }) => EDGES.slice(1).map((_, i) => meanGap(curves, centre(i)))),
        zmin: 0,
        zmid: PARTED,
        zmax: 2 * PARTED,
        autocolorscale: false,
        colorscale: [
          [0, COLOURS.ours],
          [0.5, '#f7f7f7'],
          [1, COLOURS.outside],
        ],
        xgap: 0,
        ygap: 20,
        hoverongaps: false,
        colorbar: {
          orientation: 'h',
          title: { text: 'gap (nats a token)', side: 'top', font: { size: 13 } },
          tickvals: [0, PARTED, 2 * PARTED],
          ticktext: ['0', String(PARTED), `${2 * PARTED} or more`],
          thickness: 12,
          len: 0.34,
          x: 1,
          xanchor: 'right',
          y: -0.17,
          yanchor: 'top',
        },
      } as Trace,
      {
        type: 'scatter',
        mode: 'text+markers',
        x: crossings.map(({ at }) => at),
        y: crossings.map(({ label }) => label),
        text: crossings.map(({ text }) => text),
        textposition: 'top center',
        marker: { symbol: 'line-ns', size: 26, line: { width: 3, color: COLOURS.exact } },
        showlegend: false,
      } as Trace,
    ],
    layout: {
      title: title(
        'Training and held-out loss part with the passes over the text',
        `colour: held-out less training loss; black: it reaches ${PARTED} nats; load: bits of the text over bits that fit`,
      ),
      height: 560,
      margin: { b: 110 },
      xaxis: axis('passes over the training text', 'log scale', {
        type: 'log',
        range: [Math.log10(EDGES[0]!), Math.log10(EDGES.at(-1)!)],
        tickvals: [0.5, 1, 2, 4, 8, 16, 64, 256, 1024],
        ticktext: ['0.5', '1', '2', '4', '8', '16', '64', '256', '1,024'],
        showgrid: false,
      }),
      yaxis: { type: 'category', categoryarray: labels, showgrid: false },
      annotations: rows.map(({ curves }, i) => {
        const ends = curves.map((curve) => curve.at(-1)!);
        return {
          xref: 'paper',
          x: 1,
          y: labels[i],
          xanchor: 'left',
          xshift: 6,
          align: 'left',
          showarrow: false,
          text: ends.length
            ? `${nats(mean(ends.map(gapOf)))} nats<br>after ${count(Math.round(ends[0]!.epoch))} pass${Math.round(ends[0]!.epoch) === 1 ? '' : 'es'}`
            : 'not run',
        };
      }) as never,
    },
  };
}

const COLOUR_OF = new Map(shades(KINDS.length).map((colour, i) => [KINDS[i]!, colour]));

/** The gap against steps and against passes: what do the curves share? */
export function gapFigure(records = runs()): Figure {
  const low = 0.01;
  const [labels, data]: [EndLabel[], Trace[]] = [[], []];
  const draw = (one: Kind, colour: string, dash: Dash, label: string) => {
    const curves = wholeCurves(records, one);
    for (const curve of curves) {
      const points = curve.filter((point) => gapOf(point) > low);
      const gaps = points.map(gapOf);
      const look = { color: colour, width: 1.5, dash };
      data.push(
        lineTrace(
          label,
          points.map(({ step }) => step),
          gaps,
          look,
          { showlegend: false },
        ),
        lineTrace(
          label,
          points.map(({ epoch }) => epoch),
          gaps,
          look,
          { showlegend: false, xaxis: 'x2', yaxis: 'y2' },
        ),
      );
    }
    const end = curves[0]?.at(-1);
    if (end)
      labels.push({
        text: label,
        x: end.epoch,
        y: mean(curves.map((curve) => gapOf(curve.at(-1)!))),
        colour,
      });
  };
  for (const one of KINDS) draw(one, COLOUR_OF.get(one)!, 'solid', `load ${one.load.toPrecision(2)}`);
  for (const one of VARIANTS)
    draw(one, COLOUR_OF.get(KINDS.find(({ name }) => name === one.of)!)!, one.dash, '');
  const range = [Math.log10(low), Math.log10(20)];
  const y = (more: object) => ({ type: 'log' as const, range, tickvals: [0.01, 0.1, 1, 10], ...more });
  const line = (x: string, yref: string, text: string) => ({
    ...referenceLine(PARTED, text, { end: 'left' }),
    xref: `${x} domain`,
    yref,
  });
  return {
    data,
    layout: {
      title: title(
        'Neither steps nor passes alone decide when the losses part',
        `held-out less training loss, a line a seed; dashed: warm-up of ${WARMUP_TEXT}; dotted: ${TIMES} times the size`,
      ),
      height: 420,
      xaxis: axis('step', undefined, { domain: [0, 0.46] }),
      yaxis: axis('gap', 'nats a token, log scale', y({})),
      xaxis2: axis('passes', 'log scale', {
        type: 'log',
        domain: [0.54, 1],
        anchor: 'y2',
        tickvals: [1, 10, 100, 1000],
      }),
      yaxis2: y({ anchor: 'x2' }),
      shapes: [line('x', 'y', `close: under ${PARTED}`), line('x2', 'y2', '')] as never,
      annotations: endLabels(
        labels,
        { low, high: 20, pixels: 280, log: true, logX: true },
        { xref: 'x2', yref: 'y2' },
      ) as never,
    },
  };
}

const FULL = arm('full', 'C', 1);
/** The paper's model, its different tokens, and its tokens in all after some passes, of which 21.6 are ours. */
const PAPER = { parameters: gpt2Parameters(FULL.model).all, different: FULL.trainTokens };
const SEEN = FULL.steps * tokensPerStep(FULL);

/** By how much the loss is above that of as many tokens that are all different, at the paper's size after some passes. */
export const lawExcess = (pass: number, options: { surplus: boolean }): number => {
  const seen = pass * PAPER.different;
  const loss = (different: number) => lossOnRepeated(PAPER.parameters, { different, seen }, options);
  return loss(PAPER.different) - loss(seen);
};

/** Arm C over arm F in held-out loss at the same step, and what the law of repeated tokens says of the paper's size. */
export function excessFigure(records = runs()): Figure {
  const both = pairs(armOf(records, 'C'), armOf(records, 'F'));
  const last = PASSES.at(-1)!;
  const grid = Array.from({ length: 60 }, (_, i) => 1 + ((last - 1) * i) / 59);
  const law = (surplus: boolean) => grid.map((at) => lawExcess(at, { surplus }));
  const { rule } = replicaPrediction('R4');
  const excess = (c: ReplicaRun, f: ReplicaRun) =>
    c.curve.map((point, i) => point.heldOutLossNats - f.curve[i]!.heldOutLossNats);
  const labels = [
    ...(both.length
      ? [{ text: 'ours', x: last, y: mean(both.map(([c, f]) => excess(c, f).at(-1)!)), colour: COLOURS.ours }]
      : []),
    { text: 'law, repeated<br>tokens alone', x: last, y: law(false).at(-1)!, colour: COLOURS.paper },
    { text: 'law, with surplus<br>parameters', x: last, y: law(true).at(-1)!, colour: COLOURS.paper },
  ];
  return chart({
    title: 'Repetition costs what a known law says for 13 passes, then more',
    subtitle: `held-out loss on repeated less that on new text; ${both.length} seeds; law: Muennighoff et al. 2023`,
    x: axis('passes over the training text', undefined, { range: [0, last] }),
    y: axis('excess', 'nats a token', { range: [-0.05, 0.8] }),
    data: [
      ...both.map(([c, f]) =>
        lineTrace(
          'ours',
          c.curve.map(({ epoch }) => epoch),
          excess(c, f),
          { color: COLOURS.ours, width: 1.5 },
        ),
      ),
      ...[false, true].map((surplus) =>
        lineTrace('law', grid, law(surplus), { color: COLOURS.paper, width: 1.5, dash: 'dash' }),
      ),
    ],
    shapes: [referenceLine(rule.atMost!, `"like 9B": at most ${rule.atMost}`, { side: 'below' })],
    showlegend: false,
    annotations: endLabels(labels, { low: -0.05, high: 0.8, pixels: 250 }) as never,
    margin: { r: 150 },
  });
}

/** What the runs of each load came to. */
export const loadRows = (records = runs()): Row[] =>
  [...KINDS, ...VARIANTS].map(({ name, load, configs }) => {
    const own = finishedRuns(records, configs);
    const range = (value: (run: ReplicaRun) => number, text = nats) => rangeText(own.map(value), text);
    return {
      '': name || 'between',
      load: Number(load.toPrecision(2)),
      seeds: own.length,
      passes: Number(passes(configs[0]!).toPrecision(3)),
      'training loss': range(({ end }) => end.trainWindowsLossNats),
      'held-out loss': range(({ end }) => end.heldOutLossNats),
      gap: range(({ end }) => gapOf(end)),
      [`gap reaches ${PARTED} at pass`]: range(({ curve }) => crossingOf(curve), passText),
    };
  });

/** Arms C and F at the same steps: R3 and R4 at other numbers of passes than the last. */
export const passRows = (records = runs()): Row[] => {
  const both = pairs(armOf(records, 'C'), armOf(records, 'F'));
  return PASSES.map((pass) => {
    const points = both.map(([c, f]) => {
      const point = atPass(c.curve, pass);
      return [point, f.curve.find(({ step }) => step === point.step)!] as const;
    });
    const range = (value: (c: ReplicaPoint, f: ReplicaPoint) => number) =>
      rangeText(
        points.map(([c, f]) => value(c, f)),
        (x) => decimals(x, 2),
      );
    return {
      pass,
      'training loss, C': range((c) => c.trainWindowsLossNats),
      'held-out loss, C': range((c) => c.heldOutLossNats),
      'gap of C (R3)': range(gapOf),
      'training loss, C − F': range((c, f) => c.trainWindowsLossNats - f.trainWindowsLossNats),
      'held-out loss, C − F': range((c, f) => c.heldOutLossNats - f.heldOutLossNats),
      'larger of the two (R4)': range(excessOf),
    };
  });
};

/** What known laws say, at the paper's size, of 90M tokens read 21.8 times against as many new ones. */
export function lawRows(records = runs()): Row[] {
  const both = pairs(armOf(records, 'C'), armOf(records, 'F'));
  const read = passes(FULL);
  const onDifferent = (law: LossLaw) =>
    lossBy(law, PAPER.parameters, PAPER.different) - lossBy(law, PAPER.parameters, SEEN);
  const row = (what: string, excess: string) => ({
    'held-out loss on 90M tokens above that on new text, by': what,
    'nats a token': excess,
  });
  return [
    row('Chinchilla (Hoffmann et al. 2022), repeated tokens count as new', '0'),
    row(
      'Muennighoff et al. 2023, repeated tokens lose their worth',
      nats(lawExcess(read, { surplus: false })),
    ),
    row(
      'Muennighoff et al. 2023, so do parameters that the tokens have no use for',
      nats(lawExcess(read, { surplus: true })),
    ),
    row('Chinchilla, different tokens alone count', nats(onDifferent(CHINCHILLA))),
    row('the same, fitted again (Besiroglu et al. 2024)', nats(onDifferent(CHINCHILLA_REFIT))),
    row(
      'our runs, arm C − F at the end',
      rangeText(
        both.map(([c, f]) => c.end.heldOutLossNats - f.end.heldOutLossNats),
        nats,
      ),
    ),
  ];
}

export const seedRows = (records = runs()): Row[] =>
  replicaRunRows(
    [...KINDS, ...VARIANTS].map(
      (one) => [kindLabel(one).replace('<br>', ', '), finishedRuns(records, one.configs)] as const,
    ),
  );

/** What matters of the paper's run, of the committed ones and of the run to be made. */
export const methodRows = (config: ReplicaConfig): Row[] =>
  methodColumns({
    'GPT-2 small on 90M tokens': FULL,
    'committed runs (C)': arm('desk', 'C', DECIDING_SEEDS[0]),
    [`your run (${config.tier})`]: config,
  });
