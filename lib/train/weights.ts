/**
 * Weights that were committed on purpose, so that notebooks and samples need no training: safetensors files with the parameters
 * of a run after its last step, without the optimiser's moments. The metadata name the run and the step, and hold the SHA-256
 * of names, shapes and values.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildModel } from '../model/build';
import type { LanguageModel } from '../model/model';
import { UserError } from '../util/errors';
import { writePartsAtomically } from '../util/files';
import { paths } from '../util/paths';
import { SafetensorsFile, safetensorsParts } from '../util/safetensors';
import { checkpointPath, checkpointState, loadedModel } from './checkpoint';
import { configHash, type RunRecord } from './record';

type Run = Pick<RunRecord, 'id' | 'config'>;

const FORMAT = 'memorization-notebooks/weights/1';

export const weightsPath = (id: string): string => join(paths.weights, `${id}.safetensors`);

function hashOf(model: LanguageModel): string {
  const hash = createHash('sha256');
  for (const p of model.parameters) {
    const { value } = p.state();
    hash
      .update(`${p.name} [${p.shape}]\n`)
      .update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  }
  return hash.digest('hex');
}

/** Copies the weights in the last checkpoint of a finished run to data/weights, from where git takes them; those that are there stay. @returns their path there */
export async function commitWeights({ id, config }: Run): Promise<string> {
  const [from, to] = [checkpointPath(id), weightsPath(id)];
  if (existsSync(to)) return to;
  const step = checkpointState(from)?.step;
  if (step !== config.steps)
    throw new UserError(
      `weights: expected a checkpoint after step ${config.steps} at ${from}; got ${step === undefined ? 'none' : `one after step ${step}`}: train this run again`,
    );
  const model = loadedModel(from, config);
  try {
    const metadata = {
      format: 'pt',
      weights: FORMAT,
      run: id,
      configHash: configHash(config),
      step: String(step),
      sha256: hashOf(model),
    };
    await writePartsAtomically(to, safetensorsParts(model.parameters, model.values(), metadata));
  } finally {
    model.dispose();
  }
  return to;
}

/** The model with the committed weights of a run, for the caller to `dispose` of. Throws a UserError where there are none, or not this run's. */
export async function committedModel({ id, config }: Run): Promise<LanguageModel> {
  const path = weightsPath(id);
  if (!existsSync(path))
    throw new UserError(
      `weights: expected a file at ${path}; found none: take a run whose weights are in data/weights, or train this one`,
    );
  const refuse = (expected: string, got: string, why: string): never => {
    throw new UserError(
      `weights ${path}: expected ${expected}; got ${got}: ${why}; restore the file with "git checkout -- data/weights"`,
    );
  };
  const file = new SafetensorsFile(path);
  let model: LanguageModel | undefined;
  try {
    const { weights, configHash: ofRun, sha256 } = file.metadata;
    if (weights !== FORMAT)
      refuse(`format ${FORMAT}`, String(weights), 'it is of another program or version');
    if (ofRun !== configHash(config))
      refuse(
        `config hash ${configHash(config).slice(0, 12)}`,
        String(ofRun).slice(0, 12),
        'it is of another run',
      );
    model = buildModel(config.model, config.seed);
    for (const { name, shape } of model.parameters) file.check(name, shape);
    for (const p of model.parameters) p.write(file.read(p.name));
    const got = hashOf(model);
    if (got !== sha256) refuse(`SHA-256 ${String(sha256).slice(0, 12)}`, got.slice(0, 12), 'it is damaged');
    return model;
  } catch (error) {
    model?.dispose();
    throw error;
  } finally {
    file.close();
  }
}
