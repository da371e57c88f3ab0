/** Predictions that were registered before their runs, as questions that get a verdict and as rows of the table of predictions. */
import { judge, ruleText, type DecisionRule, type SeededPrediction } from '../../experiments/prediction';
import type { PredictionRow } from '../../report/predictions';
import { valueText, type Question } from '../../report/verdict';

/** A rule as a number and a tolerance. */
export function bounds({
  atLeast,
  atMost,
}: DecisionRule): Pick<Question, 'paper' | 'tolerance' | 'relation'> {
  if (atLeast === undefined) return { paper: atMost!, tolerance: 0, relation: 'at most' };
  if (atMost === undefined) return { paper: atLeast, tolerance: 0, relation: 'at least' };
  return { paper: (atLeast + atMost) / 2, tolerance: (atMost - atLeast) / 2 };
}

/** While runs of a seed are missing, none decides. @param where the claim is made */
export function registeredQuestion<R>(
  prediction: SeededPrediction<R>,
  records: readonly R[],
  where: string,
): Question {
  const { claim, by, rule } = prediction;
  const { values } = judge(prediction, records);
  const missing = values.filter(({ value }) => value === null).map(({ seed }) => seed);
  const unfit = missing.length ? { unfit: `runs of seed ${missing.join(', ')} are missing` } : {};
  return {
    claim: `${claim}.`,
    source: `${where}; ${rule.quantity}`,
    ...bounds(rule),
    unit: rule.unit,
    kind: by === 'ours' ? 'prediction' : 'miniature',
    leastTier: 'desk',
    ours: values.flatMap(({ seed, value }) =>
      value === null ? [] : [{ seed, tier: 'desk' as const, value, ...unfit }],
    ),
  };
}

/** @param commit that registered it */
export function registeredRow<R>(
  prediction: SeededPrediction<R>,
  records: readonly R[],
  commit: string,
): PredictionRow {
  const { id, claim, rule } = prediction;
  const { values, outcome } = judge(prediction, records);
  const found = values.flatMap(({ value }) => (value === null ? [] : [valueText(value)]));
  return {
    id,
    prediction: `${claim} (${ruleText(rule)})`,
    registered: commit,
    found: found.length ? found.join(', ') : null,
    outcome: outcome ?? 'open',
  };
}
