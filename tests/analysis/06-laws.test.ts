import test from 'node:test';
import {
  CHINCHILLA,
  CHINCHILLA_REFIT,
  lawExcess,
  lossBy,
  lossOnRepeated,
  worthOfTokens,
} from '../../lib/analysis/06-laws';
import { assertClose } from '../assert-close';

test('Chinchilla at its own model: 70B parameters, 1.4T tokens', () =>
  // 1.69 + 0.083 + 0.163, and by the second fit 1.817 + 0.082 + 0.075 (each term by hand).
  assertClose(
    [CHINCHILLA, CHINCHILLA_REFIT].map((law) => lossBy(law, 70e9, 1.4e12)),
    [1.9365, 1.9739],
    {
      absolute: 1e-3,
      what: 'loss',
    },
  ));

test('the first pass is worth all its tokens, later ones less, and no number of them more than 16.4 times the text', () => {
  assertClose([worthOfTokens(1e6, 1e6), worthOfTokens(1e6, 5e5)], [1e6, 5e5], {
    relative: 1e-12,
    what: 'one pass',
  });
  // Muennighoff et al. 2023: up to four passes are nearly as good as new text.
  assertClose([worthOfTokens(1e6, 4e6) / 4e6], [0.93], { absolute: 0.005, what: 'four passes' });
  assertClose([worthOfTokens(1e6, 1e9)], [16.4e6], { relative: 1e-6, what: 'many passes' });
});

test("at the paper's size repeated tokens cost 0.17 nats after 21.6 passes, with surplus parameters 0.66", () => {
  const excess = (pass: number) => [false, true].map((surplus) => lawExcess(pass, { surplus }));
  // By a Python script with the published constants.
  assertClose([...excess(4), ...excess(21.6)], [0.036, 0.415, 0.171, 0.659], {
    absolute: 1e-3,
    what: 'excess',
  });
  assertClose(excess(1), [0, 0], { absolute: 1e-12, what: 'one pass' });
});

test('where the tokens have a use for all parameters, surplus changes nothing', () => {
  const text = { different: 1e12, seen: 1e12 };
  const [one, other] = [true, false].map((surplus) => lossOnRepeated(1e9, text, { surplus }));
  assertClose([one!], [other!], { relative: 1e-12, what: 'loss' });
});
