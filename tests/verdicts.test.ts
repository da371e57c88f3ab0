/** A notebook is a function of the records: its stored verdicts are those that data/runs gives. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import * as bound from '../lib/analysis/03-cross-entropy-bound';
import * as plateau from '../lib/analysis/04-question-formation-plateau';
import * as overfitting from '../lib/analysis/05-overfitting-9m';
import * as scaling from '../lib/analysis/06-scaling-90m';
import * as intervention from '../lib/analysis/08-plateau-intervention';
import * as capacity from '../lib/analysis/09-capacity';
import { readNotebook, verdictsOf } from '../lib/report/notebook-files';
import { verdict, type OwnValue, type Question, type Verdict } from '../lib/report/verdict';
import { paths } from '../lib/util/paths';

/** What each notebook asks of the committed records alone. */
const QUESTIONS: Record<string, (execution: OwnValue) => Question[]> = {
  '03-cross-entropy-bound': ({ tier, seed }) => bound.questions(tier, seed),
  '04-question-formation-plateau': () => plateau.questions(plateau.runs([])),
  '05-overfitting-9m': () => overfitting.questions(overfitting.runs([])),
  '06-scaling-90m': () => scaling.questions(scaling.runs([])),
  '08-plateau-intervention': () => intervention.questions(intervention.runs([])),
  '09-capacity': ({ seed }) => capacity.questions(capacity.runs([]), seed),
};

const isCommitted = ({ tier }: OwnValue): boolean => tier === 'desk' || tier === 'full';

/** The verdict on committed runs alone; on all where there are none, as where the notebook computes everything itself. */
function onCommitted(stored: Verdict): Verdict {
  const runs = stored.ours.filter(isCommitted);
  return runs.length ? verdict({ ...stored, ours: runs }) : stored;
}

for (const [name, questions] of Object.entries(QUESTIONS))
  test(`the verdicts of ${name} follow from the records`, () => {
    const stored = verdictsOf(readNotebook(join(paths.notebooks, `${name}.ipynb`)));
    const recomputed = questions(stored[0]!.ours[0]!).map(verdict);
    // As JSON, which is how they are stored: fields that are undefined are left out.
    assert.deepEqual(JSON.parse(JSON.stringify(recomputed)), stored.map(onCommitted));
    assert.deepEqual(
      recomputed.map(({ outcome }) => outcome),
      stored.map(({ outcome }) => outcome),
    );
  });
