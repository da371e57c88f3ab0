/** A notebook is a function of the records: its stored verdicts are those that data/runs gives. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import test from 'node:test';
import { notebookNames, readNotebook, verdictsOf } from '../lib/report/notebook-files';
import { computedVerdicts, followsFromRecords, onCommitted } from '../lib/tools/review/verdicts';
import { paths } from '../lib/util/paths';

for (const name of notebookNames().filter(followsFromRecords))
  test(`the verdicts of ${name} follow from the records`, () => {
    const stored = verdictsOf(readNotebook(join(paths.notebooks, `${name}.ipynb`)));
    const recomputed = computedVerdicts(name, stored[0]!.ours[0]!);
    assert.deepEqual(recomputed, stored.map(onCommitted));
    assert.deepEqual(
      recomputed.map(({ outcome }) => outcome),
      stored.map(({ outcome }) => outcome),
    );
  });
