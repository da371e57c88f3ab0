/** What was registered before the runs of notebook 08 that decide it. */
import type { RegisteredPrediction } from './prediction';

/** Registered before the runs on five grammars, seeds 31 to 35, which have as many steps as it takes to settle. */
export const SETTLED_PREDICTIONS: RegisteredPrediction[] = [
  {
    id: 'G1',
    claim: 'All runs settle and learn to copy the first half',
    by: 'ours',
    rule: {
      quantity: 'of 25 runs, those that settle and spend at most 0.1 nats a line on copied positions',
      atLeast: 25,
      unit: 'runs',
    },
  },
  {
    id: 'G2',
    claim: 'The loss follows the entropy of the grammar',
    by: 'ours',
    rule: {
      quantity: 'slope of the held-out loss against the exact surprisal of the same lines',
      atLeast: 0.98,
      atMost: 1.02,
      unit: 'nats a nat',
    },
  },
  {
    id: 'G3',
    claim: 'Nothing but the entropy of the grammar is left',
    by: 'ours',
    rule: {
      quantity: 'the largest excess of the held-out loss over the exact surprisal of the same lines',
      atMost: 0.02,
      unit: 'nats a token',
    },
  },
  {
    id: 'G4',
    claim: 'Deeper models copy too, at the same rate or a slower one',
    by: 'ours',
    rule: {
      quantity:
        'of 6 and 10 layers, those with a run that settles and spends at most 0.1 nats a line on copied positions',
      atLeast: 2,
      unit: 'depths',
    },
  },
];
