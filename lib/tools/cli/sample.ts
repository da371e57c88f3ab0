/** `npm run sample -- RUN`: text from a trained model, and what it has memorised. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { Windows } from '../../data/text/windows';
import { isText, openText } from '../../experiments/text-task';
import { writtenAs, writtenAsText, type Written } from '../../experiments/written';
import { generateOn, recalled } from '../../model/generate';
import { readGpt2 } from '../../model/hugging-face';
import type { LanguageModel } from '../../model/model';
import { checkpointPath, checkpointState, loadCheckpoint, loadedModel } from '../../train/checkpoint';
import { committedPath, readRecord, type RunRecord } from '../../train/record';
import { committedModel, weightsPath } from '../../train/weights';
import { UserError, oneOf, wholeNumber } from '../../util/errors';
import { layersByWidth } from '../../util/format';
import { paths } from '../../util/paths';
import { Random } from '../../util/random';
import { tick } from '../../report/display';
import { main, parse } from './arguments';

const USAGE = {
  command: 'sample',
  summary:
    "Text from a trained model: a run of this machine or one whose weights are in data/weights, by its id or a part of it, or a folder with GPT-2's config.json and model.safetensors.",
  positionals: 'RUN',
  options: {
    prompt: { type: 'string', help: 'text to continue (default: none, the beginning of a text)' },
    tokens: { type: 'string', help: 'number of tokens; with --memorised per window (default: 200, 32)' },
    temperature: {
      type: 'string',
      help: '0: the likeliest token always; below 1: likelier ones more often',
      default: '0.8',
    },
    'top-k': { type: 'string', help: 'draw among so many likeliest tokens only (default: all)' },
    seed: { type: 'string', help: 'whole number from 1; another seed, another text', default: '1' },
    checkpoint: {
      type: 'string',
      help: 'last or best: after the last step, or lowest held-out loss',
      default: 'last',
    },
    memorised: {
      type: 'boolean',
      help: 'instead continue windows of the training text and colour what is the text itself',
    },
    windows: { type: 'string', help: 'with --memorised: how many', default: '5' },
    json: { type: 'boolean', help: 'print JSON instead of text' },
  },
} as const;

/** A model, what is said of it, and how its tokens are written. */
interface Source {
  name: string;
  about: string;
  model: LanguageModel;
  written: Written;
  record: RunRecord | null;
}

const idsIn = (folder: string, end = ''): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(end))
        .map((name) => basename(name, end))
    : [];

/** Runs whose weights are here. */
function known(): string[] {
  const own = idsIn(join(paths.local, 'runs')).filter((id) => existsSync(checkpointPath(id)));
  return [...new Set([...own, ...idsIn(paths.weights, '.safetensors')])].sort();
}

/** The id that has a text in it; its own counts before others that contain it. */
function idOf(part: string | undefined): string {
  const all = known();
  const some = part === undefined ? all : all.filter((id) => id.includes(part));
  if (part !== undefined && all.includes(part)) return part;
  if (part !== undefined && some.length === 1) return some[0]!;
  const list = (some.length ? some : all).join(', ');
  throw new UserError(
    `run: expected ${some.length > 1 ? 'one' : 'a run'} of ${list || 'none, since none is trained here'}, or a folder with GPT-2's weights; got ${part === undefined ? 'nothing' : `"${part}"`}${all.length ? '' : ': train one with "npm run train"'}`,
  );
}

async function sourceOf(part: string | undefined, which: 'last' | 'best'): Promise<Source> {
  if (part !== undefined && existsSync(join(resolve(part), 'config.json'))) {
    const written = writtenAsText();
    const model = readGpt2(resolve(part));
    if (model.config.vocabulary !== written.end + 1)
      throw new UserError(
        `${part}: expected the ${written.end + 1} ids of GPT-2; its config.json says ${model.config.vocabulary}: its texts are of another tokenizer`,
      );
    return { name: part, about: 'published weights', model, written, record: null };
  }
  const id = idOf(part);
  const path = checkpointPath(id, which);
  // Loading a checkpoint without a state says what is wrong with it.
  const state = existsSync(path) ? (checkpointState(path) ?? loadCheckpoint(path, '', [])) : null;
  if (state) {
    const { record } = state;
    const model = loadedModel(path, record.config);
    return { name: id, about: `after step ${state.step}`, model, written: writtenAs(record.config), record };
  }
  if (which === 'best')
    throw new UserError(`--checkpoint: expected last; got best: of ${id} only the last weights are here`);
  if (!existsSync(weightsPath(id)))
    throw new UserError(`run: expected weights of ${id}; there are none here: train it with --weights`);
  const record = readRecord(committedPath(id));
  const model = await committedModel(record);
  return { name: id, about: 'committed weights', model, written: writtenAs(record.config), record };
}

const sizeOf = ({ config }: LanguageModel): string => `${layersByWidth(config)}, context ${config.context}`;

const COLOURED =
  process.env.FORCE_COLOR !== undefined || (process.stdout.isTTY === true && !process.env.NO_COLOR);
/** With a code of the terminal, or between marks where there is no colour. */
function painted(code: number, text: string, marks: readonly [string, string] = ['', '']): string {
  if (!text) return '';
  return COLOURED ? `\u001b[${code}m${text}\u001b[0m` : marks[0] + text + marks[1];
}
const [BOLD, DIM, GREEN, RED] = [1, 2, 32, 31];

const textOfIds = (written: Written, ids: readonly number[]): string => {
  const read = written.reader();
  return ids.map((id) => (id === written.end ? '<|endoftext|>' : read(id))).join('') + read(written.end);
};

/** Windows of the training text, evenly spread, or drawn if a seed is given. */
async function trainingWindows(
  { record, name }: Source,
  count: number,
  seed: string | undefined,
): Promise<Uint16Array[]> {
  if (!record || !isText(record.config))
    throw new UserError(
      `--memorised: expected a run on a text; got ${name}: without it ${name} can be sampled`,
    );
  const dataset = await openText(record.config);
  try {
    if (dataset.sha256 !== record.dataHash)
      throw new UserError(
        `--memorised: expected data set ${dataset.name} with hash ${record.dataHash.slice(0, 12)}, that of the run; got ${dataset.sha256.slice(0, 12)}: make it from the same sources again`,
      );
    const { trainTokens, model } = record.config;
    const windows = new Windows(
      `training text of ${dataset.name}`,
      dataset.train,
      trainTokens,
      model.context,
    );
    const some = Math.min(count, windows.count);
    const drawn =
      seed === undefined
        ? windows.spread(some)
        : [...new Random(wholeNumber('--seed', seed, 1), 'windows').permutation(windows.count)].slice(
            0,
            some,
          );
    return drawn.map((i) => windows.read(i));
  } finally {
    dataset.train.close();
    dataset.validation.close();
  }
}

async function showMemorised(
  source: Source,
  values: { tokens?: string; windows: number; seed?: string; json?: boolean },
): Promise<void> {
  const { model, written, name } = source;
  const windows = await trainingWindows(source, values.windows, values.seed);
  const { context } = model.config;
  const longest = Math.max(1, Math.floor(context / 2));
  const continuation = wholeNumber(
    '--tokens',
    values.tokens ?? String(Math.min(32, longest)),
    1,
    context - 1,
  );
  const prefix = Math.min(32, context - continuation);
  const all = recalled(model, windows, { prefix, continuation });
  const text = (ids: readonly number[]) => textOfIds(written, ids);
  const results = all.map((one) => ({
    prefix: text(one.prefix),
    memorised: text(one.text.slice(0, one.equal)),
    departs: text(one.continuation.slice(one.equal)),
    text: text(one.text.slice(one.equal)),
    tokens: one.equal,
  }));
  const whole = all.filter(({ equal }) => equal === continuation).length;
  if (values.json)
    return console.log(JSON.stringify({ run: name, continuation, whole, windows: results }, null, 2));
  const known = (part: string): string => painted(GREEN, part, ['«', '»']);
  const other = (part: string): string => painted(RED, part, ['[', ']']);
  console.log(
    `${painted(DIM, `${prefix} tokens of the training text`)}, which the model continues ${known('as the text does')} or ${other('otherwise')}`,
  );
  for (const [i, { prefix: given, memorised, departs, text, tokens }] of results.entries()) {
    const share = tokens === continuation ? `all ${tokens}` : `${tokens} of ${continuation}`;
    console.log(`\n${painted(BOLD, `${i + 1}. ${share} tokens are the text`)}`);
    console.log(painted(DIM, given) + known(memorised) + other(departs.trimEnd()));
    if (text) console.log(painted(DIM, `The text goes on: …${text.trimEnd().replace(/\s+/g, ' ')}`));
  }
  const mean = all.reduce((sum, { equal }) => sum + equal, 0) / all.length;
  console.log(
    `\nmemorised whole: ${whole} of ${all.length} windows; on average ${mean.toFixed(1)} of ${continuation} tokens after ${prefix} of the text`,
  );
}

async function write(
  { model, written, name }: Source,
  prompt: string | undefined,
  options: Parameters<typeof generateOn>[2],
  json: boolean | undefined,
): Promise<void> {
  const given = prompt === undefined ? [] : written.ids(prompt);
  const read = written.reader();
  const ids: number[] = [];
  let text = '';
  const say = (part: string): void => {
    text += part;
    if (!json) process.stdout.write(part);
  };
  if (!json && prompt !== undefined) process.stdout.write(painted(BOLD, prompt));
  const asked = model.config.kind === 'vanilla' || !given.length ? [written.start, ...given] : given;
  for (const id of generateOn(model, asked, options)) {
    ids.push(id);
    say(id === written.end ? `${read(id)}\n<|endoftext|>\n` : read(id));
    // Lets in that nobody reads any more.
    await tick();
  }
  say(read(written.end));
  if (json) console.log(JSON.stringify({ run: name, prompt: prompt ?? null, text, ids }, null, 2));
  else process.stdout.write('\n');
}

main('sample', async (argv) => {
  const { values, positionals } = parse(USAGE, argv);
  if (positionals.length > 1) throw new UserError(`expected one run; got ${positionals.join(' ')}`);
  const temperature = Number(values.temperature);
  if (!(temperature >= 0 && temperature < Infinity))
    throw new UserError(`--temperature: expected a number of at least 0; got "${values.temperature}"`);
  const { tokens, prompt, json } = values;
  const topK = values['top-k'] === undefined ? undefined : wholeNumber('--top-k', values['top-k'], 1);
  const windows = wholeNumber('--windows', values.windows, 1, 1000);
  const seed = wholeNumber('--seed', values.seed, 1);
  const maxNewTokens = wholeNumber('--tokens', tokens ?? '200', 1, 1_000_000);
  const source = await sourceOf(positionals[0], oneOf('--checkpoint', values.checkpoint, ['last', 'best']));
  try {
    console.error(`${source.name}: ${sizeOf(source.model)}, ${source.about}`);
    const isGiven = argv.some((arg) => /^--seed(=|$)/.test(arg));
    if (values.memorised)
      await showMemorised(source, { tokens, windows, seed: isGiven ? values.seed : undefined, json });
    else await write(source, prompt, { maxNewTokens, temperature, topK, seed }, json);
  } finally {
    source.model.dispose();
  }
});
