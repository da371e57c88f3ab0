/**
 * How a notebook is built: six sections, `## Claim` to `## What would change it`, in this order, at most 20 cells of at most
 * 25 lines, and no logic of its own. Cells call its analysis, `lib/analysis/NN-name.ts`, which is its only import. It ends with
 * computed verdicts.
 *
 *   ## Claim                 the paper's sentence, its number, the tolerance: text only, before any run
 *   ## Scale                 import * as subject from './lib/analysis/NN-name';
 *                            const { tier, seed } = subject.openNotebook();
 *                            subject.showTable(subject.scaleRows(config));
 *   ## Experiment            const record = await subject.run(experiment, config, subject.notebookObserver());
 *                            const records = subject.runs([record]);   with the committed ones
 *   ## Figure                const figure = subject.lossFigure(records);
 *                            await subject.saveFigure('name', figure);
 *                            await subject.show(figure);
 *   ## Verdict               subject.showVerdict(...subject.questions(records));
 *   ## What would change it  two sentences
 *
 * Files: notebooks/NN-name.ts in jupytext's percent format and notebooks/NN-name.ipynb with outputs. Write either one;
 * `npm run reproduce -- NN --save` executes it and writes both. Cells import from './lib/…', which the kernel reads live.
 * Trap: the types of what a cell keeps in a variable are exported by `lib`, though no file imports them: the kernel names them.
 * A folder is not imported for its index: the kernel does not find it.
 */
import { TIERS, type Tier } from '../train/config';
import { oneOf, wholeNumber } from '../util/errors';
import { banner } from '../tensor/engine';
import { Display } from './display';

/**
 * Tier and seed of this execution: the variables TIER and SEED, which `reproduce` sets; quick and 1 without them, as in
 * JupyterLab. Shows them with the engine, Node's version and the device.
 */
export function openNotebook(): { tier: Tier; seed: number } {
  const tier = oneOf('TIER', process.env.TIER ?? 'quick', TIERS);
  const seed = wholeNumber('SEED', process.env.SEED ?? '1', 1);
  const text = `Tier ${tier}, seed ${seed}. ${banner()}`;
  new Display().show({
    data: { 'text/markdown': `**Tier ${tier}, seed ${seed}.** ${banner()}`, 'text/plain': text },
  });
  return { tier, seed };
}
