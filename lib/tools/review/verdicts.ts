/** A notebook is a function of the records: its verdicts, computed from data/runs alone and compared with those that it shows. */
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

import { keptVerdict, ownText, type OwnValue, type Question, type Verdict } from '../../report/verdict';
import { paths } from '../../util/paths';

/** Notebooks whose verdicts do not follow from the committed records alone, and why. */
const OTHERS: Record<string, string> = {
  '00-claims': 'shows the verdicts of the others',
};

export const followsFromRecords = (notebook: string): boolean => !(notebook in OTHERS);

/** What an analysis exports for its verdicts: its committed runs, and the questions put to them. */
interface Analysis {
  runs?: (own: readonly never[]) => unknown;
  questions: (first: unknown, seed: number) => Question[];
}

/** As values are stored in a notebook: without fields that are undefined. */
const asStored = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** The verdicts on the committed records alone. An analysis without `runs` asks its questions of all records. */
export function computedVerdicts(notebook: string, { tier, seed }: OwnValue): Verdict[] {
  const { runs, questions } = require(join(paths.root, 'lib', 'analysis', notebook)) as Analysis;
  return asStored(questions(runs ? runs([]) : tier, seed).map(keptVerdict));
}

const isCommitted = ({ tier }: OwnValue): boolean => tier === 'desk' || tier === 'full';

/** The verdict on committed runs alone; on all where there are none, as where the notebook computes everything itself. */
export function onCommitted(stored: Verdict): Verdict {
  const ours = stored.ours.filter(isCommitted);
  return keptVerdict(ours.length ? { ...stored, ours } : stored);
}

const text = (v: Verdict | undefined): string => (v ? `${v.outcome}, ${ownText(v)}` : 'no such verdict');

/** A line per verdict of a notebook that is not what its values give by the rule, or its values not what the records give. */
function verdictFaults(notebook: string, stored: readonly Verdict[]): string[] {
  const byRule = stored.flatMap((v) => {
    const { outcome, reason } = keptVerdict(v);
    return outcome === v.outcome && reason === v.reason
      ? []
      : [`"${v.claim}": its values give ${outcome} (${reason}); it shows ${v.outcome} (${v.reason})`];
  });
  if (byRule.length || !stored[0]?.ours[0] || !followsFromRecords(notebook)) return byRule;
  const computed = computedVerdicts(notebook, stored[0].ours[0]);
  const shown = asStored(stored.map(onCommitted));
  const claims = new Set([...computed, ...shown].map(({ claim }) => claim));
  return [...claims].flatMap((claim) => {
    const [wanted, got] = [computed, shown].map((list) => list.find((v) => v.claim === claim));
    return isDeepStrictEqual(wanted, got)
      ? []
      : [`"${claim}": the records give ${text(wanted)}; it shows ${text(got)}`];
  });
}

/** Stored verdicts by notebook. */
export type Stored = Record<string, Verdict[]>;

/** `verdictFaults` of several notebooks in a process of its own: exact entropies take seconds. A notebook that cannot be computed has one line. */
export const verdictFaultsApart = (stored: Stored): Promise<Record<string, string[]>> =>
  new Promise((resolve, reject) => {
    const child = fork(__filename, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    child.once('message', (lines) => resolve(lines as Record<string, string[]>));
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      reject(new Error(`the computation of verdicts ended with ${code ?? signal}`)),
    );
    child.send(stored);
  });

if (require.main === module)
  process.once('message', (stored: Stored) => {
    const lines = Object.entries(stored).map(([notebook, verdicts]) => {
      try {
        return [notebook, verdictFaults(notebook, verdicts)];
      } catch (error) {
        return [notebook, [`its verdicts cannot be computed: ${(error as Error).message.split('\n')[0]}`]];
      }
    });
    process.send!(Object.fromEntries(lines), () => process.disconnect());
  });
