/** A grammar's lines and exact losses as files, for programs in any language. */
import { join } from 'node:path';
import { checkEmpty, writeAtomically } from '../../util/files';
import { mean } from '../../util/statistics';
import {
  floor,
  lineLogProb,
  memorisationFloor,
  positionEntropies,
  uniqueLinesFloor,
  type Floor,
} from './floor';
import { FAMILY, type FamilyName } from './grammar-family';
import {
  dataHash,
  formatLine,
  LINE_SPLITS,
  lineTokens,
  PUBLISHED_LINES,
  sampleSplits,
  Vocabulary,
} from './question-formation';

/** What `floors.json` says besides the lines. All losses in nats; a line's tokens are its words, the marker and the end token. */
export interface ExportedFloors {
  grammar: FamilyName;
  seed: number;
  /** SHA-256 of all lines, as records have it. */
  dataHash: string;
  /** Words in the order of their ids; the last is the end token, which comes after every line. */
  vocabulary: readonly string[];
  /** Numbers of lines. */
  lines: Record<(typeof LINE_SPLITS)[number], number>;
  /** The lowest expected loss of a model that has seen none of the lines: lines as drawn, and without repetition, as these are. */
  independent: Floor;
  unique: Floor;
  /** The loss of a model that knows the training lines and draws among them. */
  memorised: Floor;
  /** Of unique lines, at each position: entropy of the token given all before it, in nats a line (lines that have ended count 0), and the share of lines that reach it. */
  positions: { nats: number; share: number }[];
  /** What the lines of a split cost under the law of unique lines. A loss on the same lines less this is free of which lines they are. */
  surprisal: Record<'train' | 'dev' | 'test', Floor>;
}

const floorOnly = ({ nats, tokensPerLine, natsPerToken }: Floor): Floor => ({
  nats,
  tokensPerLine,
  natsPerToken,
});

/** Writes `<split>.txt`, a line `SENTENCE MARKER<TAB>OUTPUT` each, and `floors.json`, which is last. */
export function exportLines(
  folder: string,
  name: FamilyName,
  { seed, train }: { seed: number; train: number },
): ExportedFloors {
  checkEmpty('--export', folder);
  const grammar = FAMILY[name];
  const splits = sampleSplits(grammar, { seed, train });
  const drawn = train + PUBLISHED_LINES.dev + PUBLISHED_LINES.test;
  const law = uniqueLinesFloor(grammar, drawn);
  const cost = (split: 'train' | 'dev' | 'test'): Floor => {
    const nats = mean(splits[split].map((line) => -law.logProb(lineLogProb(grammar, line))));
    const tokensPerLine = mean(splits[split].map(lineTokens));
    return { nats, tokensPerLine, natsPerToken: nats / tokensPerLine };
  };
  const lines = Object.fromEntries(LINE_SPLITS.map((split) => [split, splits[split].length]));
  const floors: ExportedFloors = {
    grammar: name,
    seed,
    dataHash: dataHash(splits),
    vocabulary: new Vocabulary(grammar).words,
    lines: lines as ExportedFloors['lines'],
    independent: floor(grammar),
    unique: floorOnly(law),
    memorised: floorOnly(memorisationFloor(splits.train)),
    positions: positionEntropies(grammar, drawn),
    surprisal: { train: cost('train'), dev: cost('dev'), test: cost('test') },
  };
  for (const split of LINE_SPLITS)
    writeAtomically(
      join(folder, `${split}.txt`),
      splits[split].map((line) => `${formatLine(line)}\n`).join(''),
    );
  writeAtomically(join(folder, 'floors.json'), `${JSON.stringify(floors, null, 1)}\n`);
  return floors;
}
