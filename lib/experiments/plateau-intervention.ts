/** Lines of a family of grammars: what becomes of the plateau of question formation when grammar, data or model changes. */
import { FAMILY, FAMILY_NAMES, type FamilyName } from '../data/grammar/grammar-family';
import type { Line } from '../data/grammar/question-formation';
import type { Batch, LanguageModel } from '../model/model';
import { decides, longer, slower, withSteps, type Tier } from '../train/config';
import { scored, type Task } from '../train/evaluate';
import type { Measures, RunRecord } from '../train/record';
import { oneOf } from '../util/errors';
import { percent } from '../util/format';
import { sum } from '../util/statistics';
import { seeds, type Experiment } from './experiment';
import { checkLines, Lines, type LinesConfig } from './lines';
import { inGroups } from '../util/groups';

export interface PlateauConfig extends LinesConfig {
  grammar: FamilyName;
}

/** Everything without dropout. */
export interface PlateauMeasures extends Measures {
  /** Mean over the tokens of training lines, the first of them. */
  trainLinesLossNats: number;
  /** Loss at each position of the held-out lines, a mean over all of them: lines that have ended count 0. */
  positionNats: number[];
  /** Share of lines of which the model predicts all from the second half of the sentence on, greedily; ties of logits count as right. */
  memorised: { train: number; heldOut: number };
}

export type PlateauRecord = RunRecord<PlateauConfig, PlateauMeasures>;

/** A model that comes to its plateau in minutes, for many runs; tokens of all grammars fit its vocabulary. */
const desk: PlateauConfig = {
  experiment: 'plateau-intervention',
  tier: 'desk',
  seed: 1,
  model: {
    kind: 'vanilla',
    layers: 4,
    width: 128,
    heads: 4,
    feedForward: 512,
    context: 64,
    vocabulary: 304,
    dropout: 0.1,
  },
  grammar: '1.0',
  trainLines: 100_000,
  batchLines: 32,
  steps: 6000,
  schedule: { kind: 'linear', peak: 1e-3, warmupSteps: 500, decaySteps: 60_000 },
  adamw: { beta1: 0.9, beta2: 0.98, epsilon: 1e-7, weightDecay: 0 },
  clipNorm: 1,
  precision: 'bf16',
  evaluateEverySteps: 300,
  evaluationLines: 400,
  checkpointEverySteps: 1500,
};

/** The base run per tier; the lists of runs change one thing at a time. */
const tiers: Record<Tier, PlateauConfig> = {
  full: { ...desk, tier: 'full' },
  desk: desk,
  quick: {
    ...desk,
    tier: 'quick',
    model: { ...desk.model, layers: 2, width: 64, heads: 4, feedForward: 256, dropout: 0 },
    batchLines: 24,
    steps: 1000,
    schedule: { kind: 'linear', peak: 3e-3, warmupSteps: 150, decaySteps: 1000 },
    evaluateEverySteps: 100,
    evaluationLines: 200,
    checkpointEverySteps: 500,
  },
  smoke: {
    ...desk,
    tier: 'smoke',
    model: { ...desk.model, layers: 1, width: 32, heads: 2, feedForward: 64 },
    trainLines: 300,
    batchLines: 8,
    steps: 16,
    schedule: { kind: 'linear', peak: 3e-3, warmupSteps: 4, decaySteps: 16 },
    evaluateEverySteps: 2,
    evaluationLines: 20,
    checkpointEverySteps: 8,
  },
};

/** Grammars with other floors: the same model on each. */
export function grammarRuns(tier: Tier): PlateauConfig[] {
  const base = tiers[tier];
  const grammars: FamilyName[] = decides(tier)
    ? ['0.6', '1.5', '1.0', '0.8', '1.2', 'fewer-objects']
    : ['0.6', '0.8', '1.0'];
  return seeds(decides(tier) ? 3 : 1).flatMap((seed) =>
    grammars.map((grammar) => ({ ...base, seed, grammar })),
  );
}

/** Three times the steps on the grammar whose run of seed 1 did not copy within the others' steps. */
export const longerOnGrammar15 = (tier: Tier): PlateauConfig[] =>
  decides(tier) ? [longer({ ...tiers[tier], grammar: '1.5' }, 3)] : [];

/** Two more seeds of the grammars whose runs copy. */
export const seeds4And5 = (tier: Tier): PlateauConfig[] =>
  decides(tier)
    ? [4, 5].flatMap((seed) =>
        (['0.6', '1.0', '1.2', '0.8', '1.5'] as const).map((grammar) => ({
          ...tiers[tier],
          seed,
          grammar,
        })),
      )
    : [];

/** Fewer lines, down to as many as the model can memorise; without dropout, which hinders that. */
export function fewerLines(tier: Tier): PlateauConfig[] {
  const base = { ...tiers[tier], model: { ...tiers[tier].model, dropout: 0 } };
  if (tier === 'smoke') return [{ ...base, trainLines: 50 }];
  if (tier === 'quick') return [{ ...base, trainLines: 500 }];
  return [500, 2000, 10_000, 50_000, 100_000].map((trainLines) => longer({ ...base, trainLines }, 2));
}

/** Other depths and widths on the original grammar; wide ones learn at a smaller rate. 6 and 10 layers of width 512 are notebook 04's. */
export function modelRuns(tier: Tier): PlateauConfig[] {
  if (!decides(tier)) return [];
  const base = tiers[tier];
  const sizes = [128, 256, 512]
    .flatMap((width) => [2, 6, 10].map((layers) => ({ layers, width })))
    .filter(({ layers, width }) => width < 512 || layers === 2);
  return sizes.map(({ layers, width }): PlateauConfig => ({
    ...base,
    model: { ...base.model, layers, width, heads: width / 32, feedForward: 4 * width },
    schedule: slower(base.schedule, width / base.model.width),
  }));
}

/** The narrow model of 10 layers at a quarter of the learning rate, at which it may copy. */
export const slower10Layers = (tier: Tier): PlateauConfig[] =>
  modelRuns(tier)
    .filter(({ model }) => model.layers === 10 && model.width === 128)
    .map((config) => ({ ...config, schedule: slower(config.schedule, 4) }));

const withoutDropout = (tier: Tier): PlateauConfig => ({
  ...tiers[tier],
  model: { ...tiers[tier].model, dropout: 0 },
});

/** Runs that did not copy with dropout 0.1, without it: the pilot's first change. */
const withoutDropoutPilot = (tier: Tier): PlateauConfig[] =>
  decides(tier)
    ? (
        [
          ['1.5', 1],
          ['1.0', 2],
          ['1.0', 3],
          ['1.5', 2],
        ] as const
      ).map(([grammar, seed]) => ({
        ...withoutDropout(tier),
        grammar,
        seed,
        steps: 4000,
        evaluateEverySteps: 200,
        checkpointEverySteps: 1000,
      }))
    : [];

const FEW_FIRST = { lines: 2000, steps: 1000 };

/** The pilot's second change, tried since one of the first four runs did not copy: 2,000 lines alone in the first 1,000 steps. */
const fewFirstPilot = (tier: Tier): PlateauConfig[] =>
  withoutDropoutPilot(tier).map((config) => ({ ...config, fewFirst: FEW_FIRST }));

/**
 * The third change: both, and the learning rate falls to 0. After the second all four runs copied at step 1,400, and then two
 * were at their end above 0.1 nats, at a rate that had hardly fallen: one at 0.12, one in a spike of the loss.
 */
const annealedPilot = (tier: Tier): PlateauConfig[] =>
  fewFirstPilot(tier).map((config) => withSteps(config, config.steps));

/** Changes tried one after the other on runs that did not copy, on seeds that decide nothing afterwards. */
export const pilotRuns = (tier: Tier): PlateauConfig[] => [
  ...withoutDropoutPilot(tier),
  ...fewFirstPilot(tier),
  ...annealedPilot(tier),
];

/** Seeds of the runs that decide G1 to G3; each draws its own data. */
export const SETTLING_SEEDS = [31, 32, 33, 34, 35] as const;

/** What a run of a seed has that decides: the pilot's third change, its own data, and all held-out lines evaluated. */
const settling = (tier: Tier, seed: number): PlateauConfig => ({
  ...withSteps(withoutDropout(tier), 8000),
  seed,
  dataSeed: seed,
  fewFirst: FEW_FIRST,
  evaluateEverySteps: 400,
  evaluationLines: 1000,
  checkpointEverySteps: 2000,
});

/** The five grammars that differ in their word classes, the largest entropy first: there runs copied least often. */
export const settledRuns = (tier: Tier): PlateauConfig[] =>
  decides(tier)
    ? SETTLING_SEEDS.flatMap((seed) =>
        (['1.5', '1.0', '0.6', '1.2', '0.8'] as const).map((grammar) => ({
          ...settling(tier, seed),
          grammar,
        })),
      )
    : [];

/** Deeper models without dropout, at the others' rate and at a quarter of it after a warm-up of 4,000 steps. */
export const deeperRuns = (tier: Tier): PlateauConfig[] =>
  decides(tier)
    ? [6, 10].flatMap((layers) => {
        const base = settling(tier, SETTLING_SEEDS[0]);
        const config = { ...base, model: { ...base.model, layers } };
        const slow = withSteps(
          { ...config, schedule: { ...slower(base.schedule, 4), warmupSteps: 4000 } },
          12_000,
        );
        return [config, slow];
      })
    : [];

/** Few lines, two draws of each number, with twice the steps of the others: their losses fell still. */
export const fewLinesLonger = (tier: Tier): PlateauConfig[] =>
  decides(tier)
    ? SETTLING_SEEDS.slice(0, 2).flatMap((seed) =>
        [5000, 10_000].map((trainLines) => ({
          ...longer({ ...withoutDropout(tier), trainLines }, 4),
          seed,
          dataSeed: seed,
          evaluateEverySteps: 600,
          checkpointEverySteps: 3000,
        })),
      )
    : [];

/** Those on 5,000 lines go on to 96,000 steps, and their records take the place of the shorter ones: the training loss still fell by 0.03 nats from the third quarter to the last. */
const fewLinesContinued = (tier: Tier): PlateauConfig[] =>
  fewLinesLonger(tier)
    .filter(({ trainLines }) => trainLines === 5000)
    .map((config) => ({ ...config, steps: 4 * config.steps }));

/** Lines per forward pass of an evaluation. */
const EVALUATION_BATCH = 100;

/** What a model makes of some lines. */
interface Scores {
  lossNats: number;
  positionNats: number[];
  memorisedShare: number;
}

export class PlateauTask implements Task<PlateauMeasures> {
  private readonly lines: Lines;

  constructor(private readonly config: PlateauConfig) {
    this.lines = new Lines(FAMILY[config.grammar], config);
  }

  get dataHash(): string {
    return this.lines.dataHash;
  }

  batches(step: number): [() => Batch] {
    return this.lines.step(step);
  }

  evaluate(model: LanguageModel): PlateauMeasures {
    const [heldOut, train] = [this.lines.heldOut, this.lines.train].map((lines) =>
      this.scores(model, lines.slice(0, this.config.evaluationLines)),
    ) as [Scores, Scores];
    return {
      heldOutLossNats: heldOut.lossNats,
      trainLinesLossNats: train.lossNats,
      positionNats: heldOut.positionNats,
      memorised: { train: train.memorisedShare, heldOut: heldOut.memorisedShare },
    };
  }

  dispose(): void {}

  private scores(model: LanguageModel, lines: Line[]): Scores {
    let [nats, tokens, memorised] = [0, 0, 0];
    const positions: number[] = [];
    for (const some of inGroups(lines, EVALUATION_BATCH)) {
      const ids = some.map((line) => this.lines.vocabulary.encode(line));
      const { nats: losses, right } = scored(model, this.config, () => this.lines.batch(ids));
      let at = 0;
      some.forEach((line, b) => {
        const length = ids[b]!.length;
        for (let t = 0; t < length; t++) positions[t] = (positions[t] ?? 0) + losses[at + t]!;
        // The marker is the last of the input.
        const given = Math.ceil((line.input.length - 1) / 2);
        if (right.slice(at + given, at + length).every(Boolean)) memorised++;
        at += length;
      });
      nats += sum(losses);
      tokens += at;
    }
    return {
      lossNats: nats / tokens,
      positionNats: positions.map((sum) => sum / lines.length),
      memorisedShare: memorised / lines.length,
    };
  }
}

export const plateauIntervention: Experiment<PlateauConfig, PlateauMeasures> = {
  name: 'plateau-intervention',
  tiers,
  check: (config) => checkLines(config, FAMILY[oneOf('config.grammar', config.grammar, FAMILY_NAMES)]),
  idPart: ({ model, grammar, trainLines }) => `-width-${model.width}-grammar-${grammar}-${trainLines}-lines`,
  task: (config) => new PlateauTask(config),
  summary: ({ memorised }) => `memorised ${percent(memorised.train)} of training lines`,
  sweeps: {
    'plateau-intervention': (tier) => [
      ...grammarRuns(tier),
      ...longerOnGrammar15(tier),
      ...fewerLines(tier),
      ...modelRuns(tier),
      ...seeds4And5(tier),
      ...slower10Layers(tier),
    ],
    'plateau-pilot': pilotRuns,
    'plateau-settled': settledRuns,
    'plateau-few-lines': fewLinesLonger,
    'plateau-few-lines-continued': fewLinesContinued,
    'plateau-depth': deeperRuns,
  },
};
