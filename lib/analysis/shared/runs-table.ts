/** `data/runs.csv`: all committed records as one table, a row a run. */
import { join } from 'node:path';
import { bitsOf, type CapacityConfig, type CapacityRecord } from '../../experiments/capacity';
import type { PlateauRecord } from '../../experiments/plateau-intervention';
import type { ReplicaRecord } from '../../experiments/replica';
import { isText, type TextRecord } from '../../experiments/text-task';
import { gpt2Parameters } from '../../model/config';
import type { TrainingConfig } from '../../train/config';
import { allCommitted, type RunRecord } from '../../train/record';
import { csvOf, type CsvField } from '../../util/csv';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import { sum } from '../../util/statistics';
import { dataFloor, drawOf, entropiesOf, keepDrawnLines } from './floors';

const isItems = (config: TrainingConfig): config is CapacityConfig => 'items' in config;

/** What a run was trained on, and how often it saw it. */
function dataColumns(record: RunRecord): Record<string, CsvField> {
  const { config, curve } = record;
  const { tokensSeen } = curve.at(-1)!;
  const steps = curve.at(-1)!.step;
  if (isText(config)) {
    const { epoch } = (curve as TextRecord['curve']).at(-1)!;
    return { data: config.dataset, D: config.trainTokens, D_unit: 'tokens', exposures: epoch };
  }
  if (isItems(config)) {
    const exposures = (steps * config.batchItems) / config.items;
    const entropy = Math.log(config.model.vocabulary - 1);
    return {
      data: `random ${config.what}`,
      D: config.items,
      D_unit: 'items',
      data_tokens: tokensSeen / exposures,
      data_bits: bitsOf(config),
      entropy_nats: entropy,
      exposures,
    };
  }
  const draw = drawOf(record);
  const exposures = (steps * draw.batchLines) / draw.trainLines;
  return {
    data: `grammar ${draw.grammar}`,
    D: draw.trainLines,
    D_unit: 'lines',
    data_tokens: Math.round(tokensSeen / exposures),
    data_bits: (draw.trainLines * sum(entropiesOf(draw))) / Math.LN2,
    entropy_nats: dataFloor(draw),
    exposures,
  };
}

/** Losses at the end, nats a token, and what is known by then. */
function lossColumns({ curve }: RunRecord): Record<string, CsvField> {
  const last = curve.at(-1)! as RunRecord['curve'][number] &
    Partial<
      PlateauRecord['curve'][number] & CapacityRecord['curve'][number] & ReplicaRecord['curve'][number]
    >;
  return {
    train_loss: last.trainLossNats,
    train_loss_evaluated: last.trainLinesLossNats ?? last.trainWindowsLossNats,
    held_out_loss: last.heldOutLossNats,
    held_out_loss_lowest: Math.min(...curve.map(({ heldOutLossNats }) => heldOutLossNats)),
    memorised_bits: last.memorisedBits,
    recalled_share: last.recalledShare ?? last.memorisedShare ?? last.memorised?.train,
  };
}

function row(record: RunRecord): Record<string, CsvField> {
  const { config, curve, hardware, parameters } = record;
  const { model } = config;
  const { step, tokensSeen } = curve.at(-1)!;
  const inner =
    model.kind === 'gpt2'
      ? gpt2Parameters(model).withoutEmbeddings
      : parameters - model.vocabulary * model.width;
  // Of an association one token is predicted, and all are read.
  const read = isItems(config) ? step * config.batchItems * config.itemTokens : tokensSeen;
  const { data, D, D_unit, data_tokens, data_bits, entropy_nats, exposures } = dataColumns(record);
  return {
    id: record.id,
    experiment: config.experiment,
    tier: config.tier,
    seed: config.seed,
    model: model.kind,
    layers: model.layers,
    width: model.width,
    dropout: model.dropout,
    N: parameters,
    N_without_embeddings: inner,
    data,
    D,
    D_unit,
    data_tokens,
    data_bits,
    entropy_nats,
    steps: step,
    tokens_seen: tokensSeen,
    exposures,
    learning_rate: config.schedule.peak,
    warmup_steps: config.schedule.warmupSteps,
    precision: record.computedIn ?? config.precision,
    ...lossColumns(record),
    flops: 6 * inner * read,
    minutes: record.minutes,
    device: hardware.device,
    cpu: hardware.cpu,
    cores: hardware.cores,
    data_hash: record.dataHash,
    commit: record.commit,
  };
}

export function runsTable(records: readonly RunRecord[]): string {
  const rows = records.map(row);
  return csvOf(Object.keys(rows[0] ?? {}), rows, (x) => String(Number(x.toPrecision(6))));
}

export const runsTablePath = join(paths.runs, '..', 'runs.csv');

/** Writes the table of all committed records, and what is known of their lines. @returns its path */
export function writeRunsTable(): string {
  writeAtomically(runsTablePath, runsTable(allCommitted()));
  keepDrawnLines();
  return runsTablePath;
}
