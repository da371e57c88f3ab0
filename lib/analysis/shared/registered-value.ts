/** A prediction that one value decides, such as a slope over all runs, as a question and as a row of the table of predictions. */
import { ruleText, type DecisionRule, type RegisteredPrediction } from '../../experiments/prediction';
import type { PredictionRow } from '../../report/predictions';
import { verdict, type OwnValue, type Question } from '../../report/verdict';
import { significant } from '../../util/format';

/** The value, or which runs are missing. */
export type Decided =
  (Pick<OwnValue, 'value' | 'interval'> & { seeds: readonly number[] }) | { missing: string };

/** A rule as a number and a tolerance. */
function limits({ atLeast, atMost }: DecisionRule): Pick<Question, 'paper' | 'tolerance' | 'relation'> {
  if (atLeast === undefined) return { paper: atMost!, tolerance: 0, relation: 'at most' };
  if (atMost === undefined) return { paper: atLeast, tolerance: 0, relation: 'at least' };
  return { paper: (atLeast + atMost) / 2, tolerance: (atMost - atLeast) / 2 };
}

export const valueQuestion = ({ claim, rule }: RegisteredPrediction, decided: Decided): Question => ({
  claim: `${claim}.`,
  source: `registered before its runs; ${ruleText(rule)}${'missing' in decided ? `; ${decided.missing}` : ''}`,
  ...limits(rule),
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
    found: 'missing' in decided ? null : significant(decided.value, 4),
    outcome: outcome.toLowerCase(),
  };
}
