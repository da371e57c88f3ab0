import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runId } from '../../lib/experiments/experiment';
import { questionFormation } from '../../lib/experiments/question-formation';
import { buildModel } from '../../lib/model/build';
import { batchOf } from '../../lib/model/model';
import { saveCheckpoint } from '../../lib/train/checkpoint';
import type { RunRecord } from '../../lib/train/record';
import { trainStep } from '../../lib/train/step';
import { paths } from '../../lib/util/paths';
import { assertClose } from '../assert-close';

const FOLDER = mkdtempSync(join(tmpdir(), 'checkpoint-'));
after(() => rmSync(FOLDER, { recursive: true }));

const python = existsSync(paths.venv) ? join(paths.venv, 'bin', 'python') : 'python3';
const hasSafetensors = spawnSync(python, ['-c', 'import numpy, safetensors']).status === 0;

/** What the published description of the format says, and nothing of lib. */
function parsed(path: string) {
  const file = readFileSync(path);
  const start = 8 + Number(file.readBigUInt64LE());
  const { __metadata__: metadata, ...entries } = JSON.parse(file.toString('utf8', 8, start));
  const tensors = Object.entries(entries).map(([name, entry]) => {
    const { dtype, shape, data_offsets } = entry as {
      dtype: string;
      shape: number[];
      data_offsets: number[];
    };
    assert.equal(dtype, 'F32');
    const bytes = file.subarray(start + data_offsets[0]!, start + data_offsets[1]!);
    const values = new Float32Array(new Uint8Array(bytes).buffer);
    return [name, { shape, squares: values.reduce((sum, x) => sum + x * x, 0) }] as const;
  });
  return { step: JSON.parse(metadata.state).step as number, tensors: new Map(tensors), metadata, start };
}

/** A checkpoint after one step, and the model in it. */
async function savedModel() {
  const config = questionFormation.tiers.smoke;
  const path = join(FOLDER, 'last.safetensors');
  const model = buildModel(config.model, 1);
  trainStep(model, config, 1, () => batchOf([[5, 1, 2, 68]], 68, config.model));
  const record = { id: runId(questionFormation, config) } as RunRecord;
  const since = { steps: 1, tokens: 4, nats: 4, gradientNorms: 1 };
  await saveCheckpoint(path, { step: 1, tokensSeen: 4, record, since }, model.parameters);
  return { path, model };
}

test('a checkpoint is a safetensors file: values and both moments, state and hash in its metadata', async () => {
  const { path, model } = await savedModel();

  const { step, tensors, metadata, start } = parsed(path);
  assert.equal(step, 1);
  assert.equal(start % 8, 0, 'values are aligned');
  const zeroed = readFileSync(path).toString('latin1').replace(metadata.sha256, '0'.repeat(64));
  assert.equal(metadata.sha256, createHash('sha256').update(zeroed, 'latin1').digest('hex'));
  assert.ok(Object.values(metadata).every((value) => typeof value === 'string'));
  assert.equal(tensors.size, 3 * model.parameters.length);
  for (const p of model.parameters) {
    const { value, m, v } = p.state();
    for (const [name, values] of [
      [p.name, value],
      [`${p.name}.m`, m],
      [`${p.name}.v`, v],
    ] as const) {
      const { shape, squares } = tensors.get(name)!;
      assert.deepEqual(shape, p.shape);
      assert.equal(
        squares,
        values.reduce((sum, x) => sum + x * x, 0),
        name,
      );
    }
  }
  model.dispose();
});

const skip = !hasSafetensors && "Python's packages numpy and safetensors are not installed";
test('Python opens a checkpoint with the package safetensors', { skip }, async () => {
  const { path, model } = await savedModel();
  model.dispose();
  const { tensors } = parsed(path);
  const script = join(paths.root, 'tests', 'fixtures', 'read-checkpoint.py');
  const theirs = JSON.parse(execFileSync(python, [script, path], { encoding: 'utf8' }));
  assert.equal(theirs.step, 1);
  assert.deepEqual(Object.keys(theirs.tensors).sort(), [...tensors.keys()].sort());
  for (const [name, { shape, squares }] of tensors) {
    assert.deepEqual(theirs.tensors[name].shape, shape);
    assertClose([theirs.tensors[name].squares], [squares], { relative: 1e-12, what: name });
  }
});
