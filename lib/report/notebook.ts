/**
 * What every notebook is built from. A notebook has six sections, `## Claim` to `## What would change it`, in this order,
 * at most 20 cells of at most 25 lines, and no logic of its own: cells call `lib`. It ends with computed verdicts.
 *
 *   ## Claim                 the paper's sentence, its number, the tolerance: text only, before any run
 *   ## Scale                 const { tier, seed } = openNotebook();   const config = experiment[tier];
 *                            showTable([{ '': 'ours', 'steps': config.steps, … }, { '': 'paper', … }]);
 *   ## Experiment            const record = await run({ ...config, seed }, notebookObserver());   several: runAll(configs, notebookObserver(configs.length))
 *   ## Figure                await show(figure);   await saveFigure('NN-name', figure);
 *   ## Verdict               showVerdict({ claim, source, paper: 1, tolerance: 0.05, unit: 'nats per token',
 *                                          ours: [{ seed, tier, value, unfit: tier === 'quick' ? 'a tenth of the steps' : undefined }] });
 *   ## What would change it  two sentences
 *
 * Files: notebooks/NN-name.ts in jupytext's percent format and notebooks/NN-name.ipynb with outputs. Write either one;
 * `npm run reproduce -- NN --save` executes it and writes both. Cells import from './lib/…', which the kernel reads live.
 */
import { TIERS, type Tier } from '../train/config';
import { oneOf, wholeNumber } from '../util/errors';
import { banner } from '../tensor/engine';
import { Display } from './display';

/** Headings of a notebook, in their order. */
export const SECTIONS = [
  'Claim',
  'Scale',
  'Experiment',
  'Figure',
  'Verdict',
  'What would change it',
] as const;

/** Tier of this execution: the variable TIER, which `reproduce --tier` sets; quick without it, as in JupyterLab. */
const tierFromEnvironment = (): Tier => oneOf('TIER', process.env.TIER ?? 'quick', TIERS);

/** Seed of this execution: the variable SEED, which `reproduce --seed` sets; 1 without it. */
const seedFromEnvironment = (): number => wholeNumber('SEED', process.env.SEED ?? '1', 1);

/** Tier and seed of this execution; shows them with the engine, Node's version and the device. */
export function openNotebook(): { tier: Tier; seed: number } {
  const [tier, seed] = [tierFromEnvironment(), seedFromEnvironment()];
  const text = `Tier ${tier}, seed ${seed}. ${banner()}`;
  new Display().show({
    data: { 'text/markdown': `**Tier ${tier}, seed ${seed}.** ${banner()}`, 'text/plain': text },
  });
  return { tier, seed };
}
