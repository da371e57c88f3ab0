/** What notebook 06 shows: when training and held-out loss part, by the load of the memory and the passes over the text. */
import {
  arm,
  DECIDING_SEEDS,
  loadOf,
  replica,
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
import type { PredictionRow } from '../report/predictions';
import type { Row } from '../report/table';
import type { Question } from '../report/verdict';
import { rangeText } from '../util/format';
import { mean } from '../util/statistics';
import { CHINCHILLA, CHINCHILLA_REFIT, FULL, lawExcess, lossBy, PAPER, SEEN, type LossLaw } from './06-laws';
import {
  kindLabel,
  KINDS,
  oneDecimal,
  pairs,
  PARTED,
  passText,
  TIMES,
  VARIANTS,
  WARMUP_TEXT,
  WARMUPS,
  wholeCurves,
  WIDER,
} from './06-runs';
import {
  armOf,
  decimals,
  finishedRuns,
  holdsFor,
  methodColumns,
  nats,
  overRuns,
  replicaPrediction,
  replicaPredictionRows,
  replicaQuestions,
  replicaRecords,
  replicaRunRows,
  type ReplicaRun,
} from './shared/replica-runs';
import { passes } from './shared/text-runs';

export * from './shared/notebook';
export { excessFigure, gapFigure, phaseFigure } from './06-figures';
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
  const variants = [
    { what: `a warm-up of ${WARMUP_TEXT}`, one: WARMUPS[1]! },
    { what: `${TIMES} times the parameters and the text`, one: WIDER[1]! },
  ].flatMap(({ what, one }) => {
    const [at] = wholeCurves(records, one).map(crossingOf).filter(Number.isFinite);
    return at === undefined ? [] : [`${what} after ${oneDecimal(at)}`];
  });
  return [
    `Text and schedule decide too: with ${listed(({ times }) => times)} times the text, the steps and the warm-up they part after ${listed(({ passes }) => oneDecimal(passes))} passes${variants.map((text, i) => `, in ${i ? 'another' : 'one run'} with ${text}`).join('')}.`,
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
    )} after ${oneDecimal(c[0]!.end.epoch)}, where the schedule ends; the held-out loss is then ${rangeText(excess, nats)} above that of a text that is read once.`,
    'The paper does not say how many passes it made: until they part its claim holds, so it depends on when training stops.',
    ...sizeSentence(records),
  ].join(' ');
}

/** What the runs of each load came to. */
export const loadRows = (records = runs()): Row[] =>
  [...KINDS, ...VARIANTS].map(({ name, load, configs }) => {
    const own = finishedRuns(records, configs);
    const range = (value: (run: ReplicaRun) => number, text = nats) => overRuns(own, value, text);
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
  methodColumns(
    {
      'GPT-2 small on 90M tokens': FULL,
      'committed runs (C)': arm('desk', 'C', DECIDING_SEEDS[0]),
      [`your run (${config.tier})`]: config,
    },
    { 'committed runs (C)': deciding() },
  );
