/** What was registered before the runs of notebook 09 that decide it. */
import type { RegisteredPrediction } from './prediction';

/**
 * Registered before the runs of 2 × 64 on 37,568 and 44,672 associations, and those on items as long as the model is wide. M1 was
 * posed wrongly: 37,568 associations of 6 bits are 2.14 bits a parameter, so that it cannot hold. M4, added before any of these
 * runs, asks the same of more associations. M2 counts the items that a model recalls whole, M3 the bits that it memorises, each the
 * most over its three loads; exponents are slopes of log N over four models, and the models are what their intervals vary.
 */
export const EXPONENT_PREDICTIONS: RegisteredPrediction[] = [
  {
    id: 'M1',
    claim: 'At constant depth, parameters grow less than as items to the 1.19',
    by: 'ours',
    rule: { quantity: 'memorised by 2 × 64 on 37,568 associations', atLeast: 2.3, unit: 'bits a parameter' },
  },
  {
    id: 'M2',
    claim: 'Items as long as the model is wide: parameters as items squared',
    by: 'ours',
    rule: { quantity: 'exponent of the parameters in items', atLeast: 1.75, atMost: 2.25, unit: '' },
  },
  {
    id: 'M3',
    claim: 'Items as long as the model is wide: parameters as their bits',
    by: 'ours',
    rule: { quantity: 'exponent of the parameters in bits', atLeast: 0.85, atMost: 1.15, unit: '' },
  },
  {
    id: 'M4',
    claim: 'At constant depth, parameters grow less than as items to the 1.19',
    by: 'ours',
    rule: {
      quantity: 'memorised by 2 × 64 on 44,672 associations, each read 1,946 times',
      atLeast: 2.3,
      unit: 'bits a parameter',
    },
  },
];
