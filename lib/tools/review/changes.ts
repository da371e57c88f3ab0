/** What differs between two trees: verdicts and their values, figures, cells and records. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { textOf, verdictsOf, parseNotebook, type Notebook } from '../../report/notebook-files';
import type { OwnValue, Verdict } from '../../report/verdict';
import type { CurvePoint, RunRecord } from '../../train/record';
import { count, rounded, significant } from '../../util/format';
import { paths } from '../../util/paths';
import { differences, type Hunk } from './diff';
import { drawn, drawnApart, figurePaths, pixelDifference, type PixelDifference } from './pixels';
import { namesIn, notebookPath, texts, type Tree } from './trees';

/** The same thing in both trees; undefined where it is missing. */
interface Two<T> {
  before?: T;
  after?: T;
}

/** Whether a thing is in both trees, in the old or in the new one alone. */
export const state = ({ before, after }: Two<unknown>): 'new' | 'removed' | 'changed' =>
  before === undefined ? 'new' : after === undefined ? 'removed' : 'changed';

/** The two versions of a file, null where it is missing or no such JSON; undefined for the two if it has not changed. */
function changedJson<T>(base: Tree, head: Tree, path: string): Two<T> | undefined {
  if (base.files.get(path) === head.files.get(path)) return undefined;
  const [before, after] = texts(base, head, path).map((text) => {
    try {
      return text === null ? undefined : (JSON.parse(text) as T);
    } catch {
      return undefined; // What is wrong with it is told elsewhere.
    }
  });
  return { before, after };
}

// Records.

export interface FieldChange {
  field: string;
  before: string;
  after: string;
}

export interface RecordChange extends Two<RunRecord> {
  id: string;
  /** Of a changed record, against itself; of a new one, its config against that of `next`. */
  fields: FieldChange[];
  /** The record that a new one replaces, else the one in the old tree whose config is nearest. */
  next?: string;
  replaces: boolean;
}

/** A value's leaves by their paths: `schedule.peak` → `0.001`. */
function leaves(value: unknown, path = ''): [path: string, leaf: string][] {
  if (value === null || typeof value !== 'object') return value === undefined ? [] : [[path, String(value)]];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, path ? `${path}.${key}` : key));
}

function fieldChanges(before: unknown, after: unknown): FieldChange[] {
  const [old, now] = [new Map(leaves(before)), new Map(leaves(after))];
  return [...new Set([...old.keys(), ...now.keys()])]
    .filter((field) => old.get(field) !== now.get(field))
    .map((field) => ({ field, before: old.get(field) ?? '–', after: now.get(field) ?? '–' }));
}

/** `step 15,500: training 1.0175, held out 1.0063 nats` */
const pointText = ({ step, trainLossNats, heldOutLossNats }: CurvePoint): string =>
  `step ${count(step)}: training ${significant(trainLossNats, 5)}, held out ${significant(heldOutLossNats, 5)} nats`;

/** The last point of a run's curve. */
export const endText = ({ curve }: RunRecord): string =>
  curve?.length ? pointText(curve.at(-1)!) : 'no curve';

/** A record with two facts on its curve instead of its points: how many there are, and the first that another curve has not. */
function withoutCurve({ curve = [], sha256, ...rest }: RunRecord, other: RunRecord): object {
  const point = curve.find((at, i) => JSON.stringify(at) !== JSON.stringify(other.curve?.[i]));
  return {
    ...rest,
    'points of the curve': curve.length,
    'first point that differs': point && pointText(point),
  };
}

function recordChanges(base: Tree, head: Tree): RecordChange[] {
  const ids = new Set([base, head].flatMap((tree) => namesIn(tree, 'data/runs', '.json')));
  const pairs = [...ids].sort().flatMap((id) => {
    const two = changedJson<RunRecord>(base, head, `data/runs/${id}.json`);
    return two?.before || two?.after ? [{ id, ...two }] : [];
  });
  const isOnly = (record: { before?: RunRecord; after?: RunRecord }) =>
    record.after === undefined && record.before !== undefined;
  const gone = pairs.filter(isOnly).map(({ before }) => before!);
  const known = (): RunRecord[] =>
    namesIn(base, 'data/runs', '.json').flatMap((id) => {
      try {
        return [JSON.parse(base.read(`data/runs/${id}.json`).toString('utf8')) as RunRecord];
      } catch {
        return [];
      }
    });
  let all: RunRecord[] | undefined;
  const nearest = (record: RunRecord, among: RunRecord[]) =>
    among
      .filter(
        ({ config }) =>
          config?.experiment === record.config?.experiment && config?.tier === record.config?.tier,
      )
      .map((other) => ({ other, fields: fieldChanges(other.config, record.config) }))
      .sort((a, b) => a.fields.length - b.fields.length)[0];
  return pairs.map(({ id, before, after }) => {
    if (before && after)
      return {
        id,
        before,
        after,
        fields: fieldChanges(withoutCurve(before, after), withoutCurve(after, before)),
        replaces: false,
      };
    if (!after) return { id, before, fields: [], replaces: false };
    const replaced = nearest(after, gone);
    const found = replaced ?? nearest(after, (all ??= known()));
    return {
      id,
      after,
      fields: found?.fields ?? [],
      next: found?.other.id,
      replaces: replaced !== undefined,
    };
  });
}

// Verdicts.

/** Values of runs with one seed and tier that are in one tree alone. */
export interface ValueChange extends Two<OwnValue> {}

export interface VerdictChange extends Two<Verdict> {
  notebook: string;
  values: ValueChange[];
  /** Ids of the records that are new, changed or missing and of a run among these values. */
  records: string[];
  /** Whether the word of the verdict differs, the claim or values of committed runs, or only values of the notebook's own runs. */
  weight: 'verdict' | 'evidence' | 'own runs';
}

const isSame = (a: OwnValue, b: OwnValue): boolean =>
  a.tier === b.tier && a.seed === b.seed && a.unfit === b.unfit && rounded(a.value) === rounded(b.value);

/** Values without an equal on the other side, those of one seed and tier side by side. */
function valueChanges(before: readonly OwnValue[], after: readonly OwnValue[]): ValueChange[] {
  const left = [...after];
  const taken = (found: number): OwnValue | undefined => (found < 0 ? undefined : left.splice(found, 1)[0]);
  const old = before.filter((value) => !taken(left.findIndex((other) => isSame(value, other))));
  const both = old.map((value) => ({
    before: value,
    after: taken(left.findIndex(({ tier, seed }) => tier === value.tier && seed === value.seed)),
  }));
  return [...both, ...left.map((value) => ({ after: value }))];
}

/** Experiments whose records a notebook reads, from what its analysis imports; null: all. */
function experimentsOf(notebook: string): string[] | null {
  const folder = join(paths.root, 'lib', 'analysis');
  const files = existsSync(folder)
    ? readdirSync(folder).filter((file) => file.startsWith(notebook.split('-')[0]!))
    : [];
  const source = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  return /allCommitted/.test(source)
    ? null
    : [...source.matchAll(/experiments\/([\w-]+)'/g)].map((match) => match[1]!);
}

/** Records that can have moved a verdict: of an experiment that its notebook reads, with the tier and seed of a number that moved. */
function recordsOf(
  notebook: string,
  values: readonly ValueChange[],
  records: readonly RecordChange[],
): string[] {
  const experiments = experimentsOf(notebook);
  const moved = values.filter(({ before, after }) => before?.value !== after?.value);
  const runs = new Set(
    moved.flatMap(({ before, after }) => [before, after].map((own) => `${own?.tier} ${own?.seed}`)),
  );
  return records
    .filter(({ before, after }) => {
      const { experiment, tier, seed } = (after ?? before)!.config;
      return (experiments === null || experiments.includes(experiment)) && runs.has(`${tier} ${seed}`);
    })
    .map(({ id }) => id);
}

const isCommitted = (own: OwnValue | undefined): boolean => own?.tier === 'desk' || own?.tier === 'full';

function weightOf({ before, after }: Two<Verdict>, values: readonly ValueChange[]): VerdictChange['weight'] {
  if (before?.outcome !== after?.outcome) return 'verdict';
  const isOwn =
    values.length > 0 && !values.some((value) => isCommitted(value.before) || isCommitted(value.after));
  return isOwn && before?.claim === after?.claim ? 'own runs' : 'evidence';
}

const decisive = ({ claim, outcome, reason, paper, tolerance, relation, unit }: Verdict): string =>
  JSON.stringify([claim, outcome, reason, paper, tolerance, relation, unit]);

/** Verdicts of one claim next to each other: equal words first, then what is left in its order. */
function paired(before: readonly Verdict[], after: readonly Verdict[]): Two<Verdict>[] {
  const left = [...before];
  const taken = (found: number): Verdict | undefined => (found < 0 ? undefined : left.splice(found, 1)[0]);
  const named = after.map((verdict) => ({
    after: verdict,
    before: taken(left.findIndex(({ claim }) => claim === verdict.claim)),
  }));
  const all = named.map((two) =>
    two.before
      ? two
      : {
          ...two,
          before: taken(
            left.findIndex(({ unit, paper }) => unit === two.after.unit && paper === two.after.paper),
          ),
        },
  );
  return [...all, ...left.map((verdict) => ({ before: verdict }))];
}

function parsed(text: string | null, path: string): Notebook | null {
  try {
    return text === null ? null : parseNotebook(text, path);
  } catch {
    return null; // What is wrong with it is told elsewhere.
  }
}

function verdictChanges(
  base: Tree,
  head: Tree,
  notebooks: readonly string[],
  records: readonly RecordChange[],
): VerdictChange[] {
  return notebooks.flatMap((notebook) => {
    const path = notebookPath(notebook);
    const [before, after] = texts(base, head, path).map((text) => parsed(text, path)) as [
      Notebook | null,
      Notebook | null,
    ];
    return paired(before ? verdictsOf(before) : [], after ? verdictsOf(after) : []).flatMap((two) => {
      const values = valueChanges(two.before?.ours ?? [], two.after?.ours ?? []);
      if (two.before && two.after && !values.length && decisive(two.before) === decisive(two.after))
        return [];
      return [
        {
          notebook,
          ...two,
          values,
          records: recordsOf(notebook, values, records),
          weight: weightOf(two, values),
        },
      ];
    });
  });
}

// Cells.

export interface CellsChange {
  notebook: string;
  source: Hunk[];
  /** Text that the cells put out: tables, printed lines. */
  outputs: Hunk[];
  /** Number of cells whose output differs, of whatever kind. */
  changedOutputs: number;
}

/** The text outputs of a notebook, cell by cell. */
function outputText(notebook: Notebook | null): string {
  return (notebook?.cells ?? [])
    .flatMap(({ outputs = [] }, i) => {
      const shown = outputs.flatMap(
        ({ text, data }) => text ?? (data?.['text/plain'] as string | string[] | undefined) ?? [],
      );
      return shown.length ? [`── cell ${i + 1}\n${shown.map(textOf).join('\n')}`] : [];
    })
    .join('\n');
}

function cellsChanges(base: Tree, head: Tree, notebooks: readonly string[]): CellsChange[] {
  return notebooks.flatMap((notebook) => {
    const source = differences(...texts(base, head, `notebooks/${notebook}.ts`));
    const path = notebookPath(notebook);
    const [before, after] = texts(base, head, path).map((text) => parsed(text, path)) as [
      Notebook | null,
      Notebook | null,
    ];
    const known = new Set((before?.cells ?? []).map(({ outputs }) => JSON.stringify(outputs)));
    const changedOutputs = (after?.cells ?? []).filter(
      ({ outputs }) => outputs && !known.has(JSON.stringify(outputs)),
    ).length;
    const outputs = differences(outputText(before), outputText(after));
    return source.length || outputs.length || changedOutputs
      ? [{ notebook, source, outputs, changedOutputs }]
      : [];
  });
}

// Figures.

export interface FigureChange extends Two<Buffer> {
  name: string;
  difference?: PixelDifference;
  /** Why the images are the committed ones and not drawn from the JSON. */
  note?: string;
}

/** The image of a figure: in the working tree as its JSON draws it, or as committed where that is not so; in a commit as committed. */
async function image(tree: Tree, name: string): Promise<{ png?: Buffer; note?: string }> {
  const [json, png] = figurePaths(name);
  const committed = tree.files.has(png) ? tree.read(png) : undefined;
  if (!tree.files.has(json)) return { png: committed, note: committed && `PNG without JSON in ${tree.name}` };
  if (committed && tree.folder === undefined) return { png: committed };
  try {
    return { png: await drawn(tree.read(json), committed) };
  } catch {
    return { png: committed, note: `JSON that draws nothing in ${tree.name}` };
  }
}

async function figureChanges(base: Tree, head: Tree): Promise<FigureChange[]> {
  const names = new Set([base, head].flatMap((tree) => namesIn(tree, 'figures', '.json', '.png')));
  const changed = [...names]
    .sort()
    .filter((name) => figurePaths(name).some((path) => base.files.get(path) !== head.files.get(path)));
  const half = Math.ceil(changed.length / 2);
  const drawing = head.folder === undefined ? undefined : drawnApart(changed.slice(half));
  const changes: FigureChange[] = [];
  for (const [i, name] of changed.entries()) {
    if (i === half) await drawing;
    const [old, now] = [await image(base, name), await image(head, name)];
    const note = [old.note, now.note].filter(Boolean).join('; ') || undefined;
    const difference = old.png && now.png ? await pixelDifference(old.png, now.png) : undefined;
    changes.push({ name, before: old.png, after: now.png, difference, note });
  }
  return changes;
}

export interface Changes {
  verdicts: VerdictChange[];
  figures: FigureChange[];
  cells: CellsChange[];
  records: RecordChange[];
}

export async function changesBetween(base: Tree, head: Tree): Promise<Changes> {
  const names = new Set([base, head].flatMap((tree) => namesIn(tree, 'notebooks', '.ipynb', '.ts')));
  const differs = (path: string) => base.files.get(path) !== head.files.get(path);
  const notebooks = [...names]
    .sort()
    .filter((name) => differs(notebookPath(name)) || differs(`notebooks/${name}.ts`));
  const records = recordChanges(base, head);
  return {
    records,
    verdicts: verdictChanges(base, head, notebooks, records),
    cells: cellsChanges(base, head, notebooks),
    figures: await figureChanges(base, head),
  };
}
