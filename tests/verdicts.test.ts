/** A notebook is a function of the records: its stored verdicts are those that data/runs gives. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { notebookNames, readNotebook, verdictsOf } from '../lib/report/notebook-files';
import { verdict, type OwnValue, type Question, type Verdict } from '../lib/report/verdict';
import { paths } from '../lib/util/paths';

/** Notebooks whose verdicts do not follow from the committed records alone, and why. */
const OTHERS: Record<string, string> = {
  '00-claims': 'shows the verdicts of the others',
  '01-associative-memories': 'computes them',
  '02-layers-and-global-energy': 'trains a model',
  '07-radius': 'reads a model',
};

/** What an analysis exports for its verdicts: its committed runs, and the questions put to them. */
interface Analysis {
  runs?: (own: readonly never[]) => unknown;
  questions?: (first: unknown, seed: number) => Question[];
}

/** The questions of a notebook on the committed records alone. Without `runs` they are asked of all records. */
function questionsOf(name: string, { tier, seed }: OwnValue): Question[] {
  const { runs, questions } = require(join(paths.root, 'lib', 'analysis', name)) as Analysis;
  assert.ok(questions, `lib/analysis/${name}.ts exports its questions`);
  return questions(runs ? runs([]) : tier, seed);
}

const isCommitted = ({ tier }: OwnValue): boolean => tier === 'desk' || tier === 'full';

/** The verdict on committed runs alone; on all where there are none, as where the notebook computes everything itself. */
function onCommitted(stored: Verdict): Verdict {
  const runs = stored.ours.filter(isCommitted);
  return runs.length ? verdict({ ...stored, ours: runs }) : stored;
}

for (const name of notebookNames().filter((notebook) => !(notebook in OTHERS)))
  test(`the verdicts of ${name} follow from the records`, () => {
    const stored = verdictsOf(readNotebook(join(paths.notebooks, `${name}.ipynb`)));
    const recomputed = questionsOf(name, stored[0]!.ours[0]!).map(verdict);
    // As JSON, which is how they are stored: fields that are undefined are left out.
    assert.deepEqual(JSON.parse(JSON.stringify(recomputed)), stored.map(onCommitted));
    assert.deepEqual(
      recomputed.map(({ outcome }) => outcome),
      stored.map(({ outcome }) => outcome),
    );
  });
