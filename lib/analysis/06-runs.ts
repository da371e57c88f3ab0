/** Notebook 06: the runs by the load of the memory, and those in which something else is changed. */
import {
  arm,
  DECIDING_SEEDS,
  loaded,
  loadOf,
  LOADS,
  shorterWarmupRuns,
  widerRuns,
  type Arm,
  type ReplicaConfig,
  type ReplicaRecord,
} from '../experiments/replica';
import type { ReplicaPoint } from '../experiments/replica-predictions';
import { gpt2Parameters } from '../model/config';
import type { CosineSchedule } from '../train/config';
import { count } from '../util/format';
import { finishedRuns, IN_THE_PAPER, replicaPrediction, type ReplicaRun } from './shared/replica-runs';

/** Held-out less training loss at which they have parted. */
export const PARTED = replicaPrediction('R3').rule.atMost!;

/** Texts of one load: what they are called, and the configs of their seeds. */
export interface Kind {
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
export const KINDS: readonly Kind[] = [
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
export interface Variant extends Kind {
  /** Name of the kind that has the usual warm-up and size. */
  of: string;
  dash: Dash;
}
export type Dash = 'solid' | 'dash' | 'dot';
const variants = (configs: ReplicaConfig[], dash: Dash, what: (config: ReplicaConfig) => string): Variant[] =>
  configs.map((config, i) => {
    const name = (['B', 'C'] as const)[i]!;
    return { ...kind(`${IN_THE_PAPER[name]}, ${what(config)}`, [config]), of: inThePaper(name), dash };
  });
export const WARMUPS = variants(
  shorterWarmupRuns('desk'),
  'dash',
  (config) => `warm-up ${warmupOf(config)} steps`,
);
export const WIDER = variants(widerRuns('desk'), 'dot', () => 'twice as wide');
export const VARIANTS = [...WARMUPS, ...WIDER];
/** The shorter warm-up and the usual one. */
export const WARMUP_TEXT = `${warmupOf(WARMUPS[1]!.configs[0]!)} steps in place of ${warmupOf(arm('desk', 'C', 1))}`;
/** Parameters of the wider model over those of the usual one. */
export const TIMES = (
  gpt2Parameters(WIDER[1]!.configs[0]!.model).all / gpt2Parameters(arm('desk', 'C', 1).model).all
).toFixed(1);

/** A whole curve, also beyond the end of its config where the run was continued. */
export const wholeCurves = (records: readonly ReplicaRecord[], { configs }: Kind): ReplicaPoint[][] =>
  finishedRuns(records, configs).map(({ record }) => record.curve);

export const oneDecimal = (x: number): string => x.toFixed(1);
/** Two decimals: a rule has its border at 12 passes. */
export const passText = (x: number): string => (Number.isFinite(x) ? x.toFixed(2) : 'never');

/** Runs of two arms with the same seed. */
export const pairs = (a: readonly ReplicaRun[], b: readonly ReplicaRun[]): [ReplicaRun, ReplicaRun][] =>
  a.flatMap((one) => {
    const other = b.find(({ config }) => config.seed === one.config.seed);
    return other ? [[one, other] as [ReplicaRun, ReplicaRun]] : [];
  });

/** `load 1.1`, and on a second line what it is in the paper. */
export const kindLabel = ({ name, load }: Kind): string =>
  `load ${load.toPrecision(2)}${name && `<br>${name}`}`;
