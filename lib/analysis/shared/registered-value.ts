/** A prediction that one value decides, such as a slope over all runs, as a question and as a row of the table of predictions. */
import { ruleText, type RegisteredPrediction } from '../../experiments/prediction';
import type { PredictionRow } from '../../report/predictions';
import { valueText, verdict, type OwnValue, type Question } from '../../report/verdict';
import { bounds } from './registered';

/** The value, or which runs are missing. */
export type Decided =
  (Pick<OwnValue, 'value' | 'interval'> & { seeds: readonly number[] }) | { missing: string };

export const valueQuestion = ({ claim, rule }: RegisteredPrediction, decided: Decided): Question => ({
  claim: `${claim}.`,
  source: `registered before its runs; ${ruleText(rule)}${'missing' in decided ? `; ${decided.missing}` : ''}`,
  ...bounds(rule),
  unit: rule.unit,
  kind: 'prediction',
  leastTier: 'desk',
  ours: 'missing' in decided ? [] : [{ ...decided, seed: decided.seeds[0]!, tier: 'desk' }],
});

/** @param commit that registered it */
export function valueRow(prediction: RegisteredPrediction, decided: Decided, commit: string): PredictionRow {
  const { outcome } = verdict(valueQuestion(prediction, decided));
  return {
    id: prediction.id,
    prediction: `${prediction.claim} (${ruleText(prediction.rule)})`,
    registered: commit,
    found: 'missing' in decided ? null : valueText(decided.value),
    outcome: outcome.toLowerCase(),
  };
}
