import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fs, {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { runId } from '../../lib/experiments/experiment';
import { questionFormation, type QuestionFormationConfig } from '../../lib/experiments/question-formation';
import { commitRecord, run, runAll, trainedModel } from '../../lib/experiments/run';
import { batchOf } from '../../lib/model/model';
import { Vanilla } from '../../lib/model/vanilla';
import { checkpointPath, checkpointState, loadCheckpoint } from '../../lib/train/checkpoint';
import { silent, type TrainingObserver } from '../../lib/train/observer';
import { QuestionFormationTask } from '../../lib/experiments/question-formation';
import {
  committedPath,
  configHash,
  readRecord,
  recordPath,
  runFolder,
  type RunRecord,
} from '../../lib/train/record';
import { threadsNow } from '../../lib/train/arithmetic';
import { DivergedError, trainStep } from '../../lib/train/step';
import type { Task } from '../../lib/train/evaluate';
import { train } from '../../lib/train/trainer';
import { engine, tf } from '../../lib/tensor/engine';
import { assertClose } from '../assert-close';
import { assertOneLine, refusal } from '../refusal';
import { changeHeader, weightsIn } from './checkpoints';

/** A seed that only these tests use, so that no other run's folder is touched. */
const CONFIG: QuestionFormationConfig = {
  ...questionFormation.tiers.smoke,
  seed: 987_654,
  trainLines: 60,
  evaluationLines: 10,
  steps: 12,
  evaluateEverySteps: 5,
  checkpointEverySteps: 4,
};
const FOLDER = runFolder(runId(questionFormation, CONFIG));
const clean = () => rmSync(FOLDER, { recursive: true, force: true });
beforeEach(clean);
afterEach(clean);

/** Stops a run after a step, as a signal would. */
const stopAfter = (step: number): TrainingObserver => ({
  ...silent,
  progressed: (at) => {
    if (at.step === step) throw new Error('stopped');
  },
});
const numbers = (record: RunRecord) => record.curve.map((p) => ({ ...p }));

const body = (config: QuestionFormationConfig): Buffer =>
  weightsIn(checkpointPath(runId(questionFormation, config)));

for (const precision of ['fp32', 'bf16'] as const) {
  test(`a run stopped twice ends in the same bits as one that was not (${precision})`, async () => {
    const config = { ...CONFIG, precision };
    const straight = await run(questionFormation, config);
    const expected = body(config);
    rmSync(runFolder(runId(questionFormation, config)), { recursive: true });
    await assert.rejects(run(questionFormation, config, stopAfter(6)), /stopped/);
    await assert.rejects(run(questionFormation, config, stopAfter(9)), /stopped/);
    const resumed = await run(questionFormation, config);
    assert.deepEqual(numbers(resumed), numbers(straight));
    assert.ok(body(config).equals(expected), 'weights and moments');
    rmSync(runFolder(runId(questionFormation, config)), { recursive: true });
  });
}

test('a finished run is read, not trained again; more steps continue it', async () => {
  const first = await run(questionFormation, CONFIG);
  let steps = 0;
  const counting: TrainingObserver = {
    ...silent,
    progressed: () => {
      steps++;
    },
  };
  assert.deepEqual(await run(questionFormation, CONFIG, counting), first);
  assert.equal(steps, 0);
  const longer = await run(questionFormation, { ...CONFIG, steps: 14 }, counting);
  assert.equal(steps, 2);
  assert.equal(longer.curve.at(-1)!.step, 14);
});

test('runs of a list follow each other before one observer, each with its own record', async () => {
  const configs = [
    { ...CONFIG, steps: 2 },
    { ...CONFIG, steps: 3 },
  ];
  const seen: string[] = [];
  const observer: TrainingObserver = {
    ...silent,
    started: ({ steps }) => {
      seen.push(`start of ${steps}`);
    },
    finished: ({ config }) => {
      seen.push(`end of ${config.steps}`);
    },
  };
  const records = await runAll(questionFormation, configs, observer);
  assert.deepEqual(
    records.map(({ config }) => config),
    configs,
  );
  assert.deepEqual(seen, ['start of 2', 'end of 2', 'start of 3', 'end of 3']);
});

test('a run can be ended at its last checkpoint, with all that is known of it', async () => {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(7)), /stopped/);
  await assert.rejects(
    run(questionFormation, { ...CONFIG, steps: 4 }),
    /^UserError: config\.steps: expected at least 5, the step of the run's checkpoint; got 4/,
  );
  const ended = await run(questionFormation, { ...CONFIG, steps: 5 });
  assert.deepEqual(
    ended.curve.map((p) => p.step),
    [5],
  );
  assert.ok(ended.finishedAt && ended.tokensPerSecond > 0 && ended.minutes > 0);
  assert.equal(ended.config.steps, 5);
});

test('a run goes on in the precision it began in, or not at all', async () => {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const path = checkpointPath(runId(questionFormation, CONFIG));
  const begun = /"computedIn\\":\\"(\w+)\\"/.exec(readFileSync(path).toString('latin1'))![1]!;
  const other = begun === 'bf16' ? 'fp32' : 'bf16';
  changeHeader(path, (header) =>
    header.replace(`"computedIn\\":\\"${begun}\\"`, `"computedIn\\":\\"${other}\\"`),
  );
  await assert.rejects(
    run(questionFormation, CONFIG),
    new RegExp(`^UserError: checkpoint .*: expected products in ${other}, as it was begun; got ${begun}`),
  );
});

test('a run goes on with the threads it began with, or not at all; a record says with how many', async () => {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const { TF_NUM_INTRAOP_THREADS: before } = process.env;
  try {
    process.env.TF_NUM_INTRAOP_THREADS = '7';
    await assert.rejects(
      run(questionFormation, CONFIG),
      refusal('checkpoint', 'threads', '7', 'TF_NUM_INTRAOP_THREADS'),
    );
  } finally {
    if (before === undefined) delete process.env.TF_NUM_INTRAOP_THREADS;
    else process.env.TF_NUM_INTRAOP_THREADS = before;
  }
  const { engine } = await run(questionFormation, CONFIG);
  assert.equal(engine!.threads, threadsNow());
});

test('a run goes on with or without the fused ops as it began, or not at all; what to do depends on which', async () => {
  const here = engine();
  const { fused } = here;
  try {
    for (const begun of new Set([fused, false])) {
      here.fused = begun;
      await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
      here.fused = !begun;
      const remedy = begun ? 'unset FUSED and run "npm run doctor"' : 'set FUSED=0';
      await assert.rejects(run(questionFormation, CONFIG), refusal('checkpoint', `fused ${begun}`, remedy));
      clean();
    }
  } finally {
    here.fused = fused;
  }
});

test('a record is evidence only if it was committed, and only runs that a list names can be', async () => {
  const { id } = await run(questionFormation, CONFIG);
  assert.ok(!existsSync(committedPath(id)));
  assert.throws(() => commitRecord(questionFormation, CONFIG), refusal('--commit: ', id, 'list'));
  const { desk } = questionFormation.tiers;
  assert.throws(
    () => commitRecord(questionFormation, { ...desk, steps: desk.steps + 1 }),
    refusal('--commit: ', 'train it first'),
  );
  assert.equal(commitRecord(questionFormation, desk), committedPath(runId(questionFormation, desk)));
});

test('the best checkpoint is that of the lowest held-out loss, kept when later ones are worse', async () => {
  const real = new QuestionFormationTask(CONFIG);
  const task: Task = {
    dataHash: real.dataHash,
    batches: (step) => real.batches(step),
    evaluate: (_, step) => ({ heldOutLossNats: Math.abs(step - 9), generalisation: 0 }),
    dispose() {},
  };
  const after = new Map<number, Buffer>();
  await train(runId(questionFormation, CONFIG), CONFIG, task, {
    ...silent,
    progressed: ({ step }) => {
      if (step > 4) after.set(step - 1, body(CONFIG));
    },
  });
  const best = weightsIn(checkpointPath(runId(questionFormation, CONFIG), 'best'));
  assert.ok(
    best.equals(after.get(10)!),
    'lowest of steps 5, 10 and 12, and saved although no checkpoint is due',
  );
  assert.ok(!best.equals(body(CONFIG)) && !best.equals(after.get(5)!));
  const loaded = trainedModel(questionFormation, CONFIG, 'best');
  const { value } = loaded.parameters[0]!.state();
  assert.deepEqual(Buffer.from(value.buffer), Buffer.from(best.subarray(0, 4 * value.length)));
  loaded.dispose();
  clean();
  assert.throws(
    () => trainedModel(questionFormation, CONFIG, 'best'),
    /^UserError: checkpoint: expected a file at .*best\.safetensors; found none/,
  );
});

test('a kill between the save and the name of the best is made good when the run goes on', async () => {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const [last, best] = [
    checkpointPath(runId(questionFormation, CONFIG)),
    checkpointPath(runId(questionFormation, CONFIG), 'best'),
  ];
  assert.equal(statSync(last).ino, statSync(best).ino, 'one file on the disk');
  rmSync(best);
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  assert.equal(statSync(last).ino, statSync(best).ino);
});

test('a data set that has changed since the checkpoint is refused', async () => {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const path = checkpointPath(runId(questionFormation, CONFIG));
  changeHeader(path, (header) => header.replace(/"dataHash\\":\\"[0-9a-f]{4}/, '"dataHash\\":\\"0123'));
  await assert.rejects(
    run(questionFormation, CONFIG),
    /^UserError: checkpoint .*expected data [0-9a-f]{12}; got 0123[0-9a-f]{8}: the data set has changed/,
  );
});

test('a full disk ends the run in one line; the checkpoint before stays, and the run goes on from it', async () => {
  const straight = await run(questionFormation, CONFIG);
  const expected = body(CONFIG);
  clean();
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const path = checkpointPath(runId(questionFormation, CONFIG));
  const before = readFileSync(path);
  const onFullDisk: TrainingObserver = {
    ...silent,
    started() {
      const aside = readdirSync(FOLDER).find((name) => name.endsWith('.part'))!;
      symlinkSync('/dev/full', join(FOLDER, aside, `last.safetensors.${process.pid}.part`));
    },
  };
  await assert.rejects(
    run(questionFormation, CONFIG, onFullDisk),
    /^UserError: .*last\.safetensors: expected to write it; .*ENOSPC.*free the disk .*what was there before is intact$/,
  );
  assert.ok(readFileSync(path).equals(before));
  assert.deepEqual(readdirSync(FOLDER).sort(), ['best.safetensors', 'last.safetensors']);
  assert.deepEqual(numbers(await run(questionFormation, CONFIG)), numbers(straight));
  assert.ok(body(CONFIG).equals(expected));
});

test('what is opened before a failure is closed: the model of a damaged checkpoint, the task of a model that cannot be built', async () => {
  const id = runId(questionFormation, CONFIG);
  let disposed = 0;
  const task: Task = {
    dataHash: '0'.repeat(64),
    batches: () => [],
    evaluate: () => ({ heldOutLossNats: 0 }),
    dispose: () => void disposed++,
  };
  const impossible = { ...CONFIG, model: { ...CONFIG.model, width: -1 } };
  await assert.rejects(train(id, impossible, task, silent), RangeError);
  assert.equal(disposed, 1);

  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(checkpointPath(id), 'not a checkpoint');
  const { numTensors } = tf.memory();
  assert.throws(() => trainedModel(questionFormation, CONFIG, 'last'), /foreign, damaged/);
  assert.equal(tf.memory().numTensors, numTensors);
});

test('another seed gives another curve', async () => {
  const one = await run(questionFormation, CONFIG);
  const config = { ...CONFIG, seed: CONFIG.seed + 1 };
  const two = await run(questionFormation, config);
  rmSync(runFolder(runId(questionFormation, config)), { recursive: true });
  assert.notEqual(one.curve[0]!.trainLossNats, two.curve[0]!.trainLossNats);
});

test('damaged and foreign checkpoints are refused in one line and stay as they are', async () => {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(9)), /stopped/);
  const path = checkpointPath(runId(questionFormation, CONFIG));
  const whole = readFileSync(path);
  const model = new Vanilla(CONFIG.model, 2);
  const [first] = model.parameters;
  const untouched = first!.state().value;
  const refused = async (what: RegExp) => {
    const before = readFileSync(path);
    assert.throws(() => loadCheckpoint(path, configHash(CONFIG), model.parameters), what);
    assert.ok(readFileSync(path).equals(before), 'the file is untouched');
    assert.deepEqual(first!.state().value, untouched, 'so is the model');
  };
  for (let tenth = 0; tenth < 10; tenth++) {
    writeFileSync(path, whole);
    truncateSync(path, Math.floor((whole.length * tenth) / 10));
    await refused(/^UserError: checkpoint .*damaged/);
  }
  for (const at of [2, 60, 120, 400, whole.length - 1000]) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1;
    writeFileSync(path, flipped);
    await refused(at === 60 ? /foreign, damaged/ : /SHA-256/);
  }
  const other = { ...CONFIG, seed: CONFIG.seed + 1 };
  await assert.rejects(run(questionFormation, other, stopAfter(9)), /stopped/);
  writeFileSync(path, readFileSync(checkpointPath(runId(questionFormation, other))));
  rmSync(runFolder(runId(questionFormation, other)), { recursive: true });
  await refused(/belongs to another run/);
  for (const change of [
    (header: string) => header.replace(/"since\\":\{\\"steps/, '"since\\":{\\"stepz'),
    (header: string) => header.replace(/"state":"\{/, '"state":"['),
    (header: string) => header.replace(/"tokensSeen\\":\d/, '"tokensSeen\\":-'),
  ]) {
    writeFileSync(path, whole);
    changeHeader(path, change);
    assert.ok(!readFileSync(path).equals(whole));
    await refused(/^UserError: checkpoint .*: state.*: expected .*; got .*edited/);
  }
  rmSync(path);
  mkdirSync(path);
  assert.throws(
    () => loadCheckpoint(path, configHash(CONFIG), model.parameters),
    refusal(path, 'expected a file', 'EISDIR'),
  );
  rmSync(path, { recursive: true });
  writeFileSync(path, 'not a checkpoint');
  await refused(/foreign, damaged/);
  await assert.rejects(run(questionFormation, CONFIG), /foreign, damaged/);
  const larger = new Vanilla({ ...CONFIG.model, width: 64 }, 2);
  writeFileSync(path, whole);
  assert.throws(
    () => loadCheckpoint(path, configHash(CONFIG), larger.parameters),
    refusal(path, 'embedding.weight', '[69,64]', '[69,32]'),
  );
  model.dispose();
  larger.dispose();
});

test('damaged records are refused in one line', async () => {
  const record = await run(questionFormation, CONFIG);
  const path = recordPath(record.id);
  const text = readFileSync(path, 'utf8');
  for (const [bad, what] of [
    [text.slice(0, 300), /expected JSON/],
    ['{"format":9}', /format 1/],
    ['null', /expected an object/],
    ['{"format":2,"curve":[],"config":null}', /format 1 or 2 with config/],
    ['{"format":2,"curve":[],"config":{"tier":"smoke"}}', /format 1 or 2 with config/],
    [text.replace(/"curve": \[/, '"curve": [ null,'), /a curve .*got none/],
    [text.replace('"trainLines": 60', '"trainLines": 61'), /config hash/],
    [text.replace(/"id": "[^"]*"/, '"id": "question-formation-smoke-1-layers-seed-1-000000"'), /the id/],
    [text.replace(/"id": "[^"]*"/, '"id": 5'), /id: expected a text; got 5/],
    [text.replace(/"cores": \d+/, '"cores": "two"'), /hardware\.cores: expected a whole number .*got "two"/],
    [text.replace(/"engine": \{/, '"engine": 5, "was": {'), /engine: expected an object; got 5/],
    [text.replace(/"finishedAt": "[^"]*"/, '"finishedAt": null'), /has not ended/],
    [text.replace(/"curve": \[[^]*?\n \]/, '"curve": []'), /a curve .*got none/],
    [text.replace(/"heldOutLossNats": [^,]*/, '"heldOutLossNats": null'), /a curve .* and null at step 5/],
    [text.replace('"step": 5', '"step": 13'), /a curve .* at step 13/],
    [text.replace(/"trainLossNats": /, '"trainLossNats": 1'), /SHA-256/],
  ] as const) {
    assert.notEqual(bad, text);
    writeFileSync(path, bad);
    assert.throws(() => readRecord(path), refusal(path, 'delete it and run the experiment again'));
    assert.throws(() => readRecord(path), what);
  }
  const other = path.replace(record.id, record.id.replace('seed-', 'seed-1'));
  mkdirSync(dirname(other));
  writeFileSync(other, text);
  assert.throws(() => readRecord(other), refusal(other, `it is that of ${record.id}`));
  rmSync(dirname(other), { recursive: true });
  rmSync(path);
  mkdirSync(path);
  assert.throws(() => readRecord(path), refusal(path, 'EISDIR'));
  rmSync(path, { recursive: true });
  writeFileSync(path, text);
  assert.deepEqual(readRecord(path), record);
  assert.throws(() => readRecord(`${path}.none`), /found none/);
});

test('a record says what is needed to make it again', async () => {
  const record = await run(questionFormation, CONFIG);
  assert.equal(record.configHash, configHash(CONFIG));
  assert.match(record.dataHash, /^[0-9a-f]{64}$/);
  assert.ok(record.finishedAt && record.minutes > 0 && record.tokensPerSecond > 0);
  assert.deepEqual(
    record.curve.map((p) => p.step),
    [5, 10, 12],
  );
  assert.ok(
    !existsSync(`${checkpointPath(runId(questionFormation, CONFIG))}.part`) &&
      body(CONFIG).length === 12 * record.parameters,
  );
});

test('one batch is driven to its own entropy: ln 2 at the one free token', async () => {
  const config: QuestionFormationConfig = {
    ...CONFIG,
    model: { ...CONFIG.model, width: 64, feedForward: 128, dropout: 0 },
    schedule: { kind: 'linear', peak: 3e-3, warmupSteps: 10, decaySteps: 400 },
  };
  const model = new Vanilla(config.model, 1);
  const lines = [
    [5, 1, 2, 3, 4, 68],
    [6, 1, 2, 3, 4, 68],
  ];
  let loss = 0;
  let tensors = 0;
  for (let step = 1; step <= 150; step++) {
    loss = trainStep(model, config, step, () => batchOf(lines, 68, config.model)).lossNats;
    if (step === 50) tensors = tf.memory().numTensors;
  }
  // The first word is one of two; everything after it is certain.
  assertClose([loss], [Math.log(2) / 6], { absolute: 0.01, what: 'loss' });
  assert.equal(tf.memory().numTensors, tensors, 'no tensor is left behind');
  model.dispose();
});

test('a loss that is not finite stops the run and names step, rate and norm', async () => {
  const model = new Vanilla(CONFIG.model, 1);
  const weight = model.parameters[0]!;
  weight.write(new Float32Array(weight.size).fill(3e38));
  assert.throws(
    () => trainStep(model, CONFIG, 3, () => batchOf([[1, 2, 68]], 68, CONFIG.model)),
    (e: Error) =>
      e instanceof DivergedError && /step 3.*learning rate .*largest gradient NaN at /.test(e.message),
  );
});

test('weights that are not finite are named, and not the gradients that follow from them', () => {
  const model = new Vanilla(CONFIG.model, 1);
  const weight = model.parameters.at(-1)!;
  weight.write(new Float32Array(weight.size).fill(NaN));
  assert.throws(
    () => trainStep(model, CONFIG, 3, () => batchOf([[1, 2, 68]], 68, CONFIG.model)),
    refusal('step 3', `weights ${weight.name}`, 'not finite', 'delete the checkpoints'),
  );
  model.dispose();
});

test('a held-out loss that is not finite stops the run before it is saved', async () => {
  const real = new QuestionFormationTask(CONFIG);
  const task: Task = {
    dataHash: real.dataHash,
    batches: (step) => real.batches(step),
    evaluate: (_, step) => ({ heldOutLossNats: step === 5 ? 1 : NaN }),
    dispose() {},
  };
  const id = runId(questionFormation, CONFIG);
  await assert.rejects(train(id, CONFIG, task, silent), refusal('step 10', 'held-out loss'));
  assert.equal(checkpointState(checkpointPath(id))!.step, 8);
});

/** Trains to the end and puts the checkpoint of an earlier step in place of the last, as a second trainer could before runs had leases. */
async function finishedWithOldCheckpoint(): Promise<RunRecord> {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const path = checkpointPath(runId(questionFormation, CONFIG));
  const old = readFileSync(path);
  const record = await run(questionFormation, CONFIG);
  rmSync(path);
  writeFileSync(path, old);
  return record;
}

test('a record whose checkpoint is of an earlier step: its weights are refused, and the next start trains the missing steps', async () => {
  const before = await finishedWithOldCheckpoint();
  assert.throws(() => trainedModel(questionFormation, CONFIG, 'last'), refusal('step 12', 'step 5'));
  const after = await run(questionFormation, CONFIG);
  assert.deepEqual(after.weights, before.weights, 'the same bits');
  assert.deepEqual(numbers(after), numbers(before));
  trainedModel(questionFormation, CONFIG, 'last').dispose();
});

test('a record names the weights that belong to it; those of another training are refused', async () => {
  const { id, weights } = await run(questionFormation, CONFIG);
  assert.equal(weights!.last.step, 12);
  assert.equal(weights!.last.sha256, createHash('sha256').update(body(CONFIG)).digest('hex'));
  const path = checkpointPath(id);
  const other = readFileSync(path);
  clean();
  await run(questionFormation, { ...CONFIG, checkpointEverySteps: 3 });
  assert.deepEqual(readRecord(recordPath(id)).weights, weights, 'equal trainings have equal weights');
  other[other.length - 1]! ^= 1;
  writeFileSync(path, other);
  changeHeader(path, (header) => header);
  assert.throws(
    () => trainedModel(questionFormation, CONFIG, 'last'),
    refusal(path, weights!.last.sha256.slice(0, 12)),
  );
});

test('a best checkpoint of another step than the curve says is removed when the run goes on', async () => {
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const [last, best] = (['last', 'best'] as const).map((which) =>
    checkpointPath(runId(questionFormation, CONFIG), which),
  ) as [string, string];
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(9)), /stopped/);
  rmSync(best);
  writeFileSync(best, readFileSync(last));
  assert.equal(checkpointState(best)!.step, 8, 'no point of the curve');
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(9)), /stopped/);
  assert.ok(!existsSync(best));
});

test('a run whose record is here without checkpoints is trained again only where its weights are wanted', async () => {
  const { id, weights } = await run(questionFormation, CONFIG);
  rmSync(checkpointPath(id));
  let steps = 0;
  const counting: TrainingObserver = { ...silent, progressed: () => void steps++ };
  await run(questionFormation, CONFIG, counting);
  assert.throws(() => trainedModel(questionFormation, CONFIG, 'last'), refusal('found none', '--weights'));
  assert.equal(steps, 0);
  assert.deepEqual((await run(questionFormation, CONFIG, counting, { weights: true })).weights, weights);
  assert.equal(steps, 12);
});

test('two trainers of one run: the second waits, and the record of the first is its result', async () => {
  const seen: string[] = [];
  const observer = (name: string): TrainingObserver => ({
    ...silent,
    waits: () => void seen.push(`${name} waits`),
    progressed: ({ step }) => void seen.push(`${name} ${step}`),
  });
  const [first, second] = await Promise.all(
    ['first', 'second'].map((name) => run(questionFormation, CONFIG, observer(name))),
  );
  assert.deepEqual(second, first);
  const trained = seen.filter((line) => !line.endsWith('waits')).map((line) => line.split(' ')[0]);
  assert.equal(trained.length, 12);
  assert.equal(new Set(trained).size, 1);
  assert.ok(seen.some((line) => line.endsWith('waits')));
});

test('a run that goes on where the CPU has other instructions says so, and so does its record', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  await assert.rejects(run(questionFormation, CONFIG, stopAfter(6)), /stopped/);
  const path = checkpointPath(runId(questionFormation, CONFIG));
  const begun = checkpointState(path)!.record.engine!.cpuFeatures;
  changeHeader(path, (header) => header.replace(begun[0]!, begun[0]!.replace(/.$/, '!')));
  const record = await run(questionFormation, CONFIG);
  assertOneLine(String(warn.mock.calls[0]!.arguments[0]), record.id, 'steps to 5', 'bits may differ');
  assert.deepEqual(
    record.before!.map(({ untilStep, engine }) => [untilStep, engine!.cpuFeatures[0]]),
    [[5, begun[0]!.replace(/.$/, '!')]],
  );
  assert.deepEqual(record.engine!.cpuFeatures, begun);
  clean();
  assert.equal((await run(questionFormation, CONFIG)).before, undefined);
});

test('too little room for checkpoints is said before the first step', async (t) => {
  t.mock.method(fs, 'statfsSync', () => ({ bavail: 3, bsize: 4096 }));
  let steps = 0;
  await assert.rejects(
    run(questionFormation, CONFIG, { ...silent, progressed: () => void steps++ }),
    refusal(FOLDER, 'checkpoints', '0.0 MB'),
  );
  assert.equal(steps, 0);
  assert.ok(!existsSync(FOLDER));
});

test('memory that ran out is one line, with what TensorFlow wanted', async () => {
  const real = new QuestionFormationTask(CONFIG);
  const task: Task = {
    dataHash: real.dataHash,
    batches: () => {
      throw new Error(
        'Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[9,9] and type float on CPU. Hint',
      );
    },
    evaluate: () => ({ heldOutLossNats: 1 }),
    dispose() {},
  };
  await assert.rejects(
    train(runId(questionFormation, CONFIG), CONFIG, task, silent),
    refusal('enough memory', 'shape[9,9]', 'last checkpoint'),
  );
});
