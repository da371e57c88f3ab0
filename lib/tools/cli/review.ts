/** `npm run review [-- BASE [COMMIT]]`: what a pull request changes, and what is wrong with it. */
import { join, relative } from 'node:path';
import { UserError } from '../../util/errors';
import { writeAtomically } from '../../util/files';
import { paths } from '../../util/paths';
import { changesBetween } from '../review/changes';
import { faultsOf } from '../review/faults';
import { reviewPage } from '../review/page';
import { headline, summaryMarkdown, type Review } from '../review/summary';
import { twoTrees } from '../review/trees';
import { main, parse } from './arguments';

const USAGE = {
  command: 'review',
  summary:
    'Compares verdicts, figures, cells and records with those of the last commit in common with BASE (without it, of main), and finds what is wrong with them. Writes reports/review/index.html and, for a pull request, reports/review/summary.md. With COMMIT it looks at that commit instead of the working tree.',
  positionals: '[BASE [COMMIT]]',
  options: {
    check: { type: 'boolean', help: 'exit with code 1 if something is wrong' },
  },
} as const;

main('review', async (argv) => {
  const { values, positionals } = parse(USAGE, argv);
  if (positionals.length > 2)
    throw new UserError(`expected at most BASE and COMMIT; got ${positionals.join(' ')}`);
  const { base, head } = twoTrees(...positionals);
  const changes = await changesBetween(base, head);
  const gone = changes.records.flatMap(({ before, after }) => (before && !after ? [before] : []));
  const review: Review = { base, head, ...changes, faults: await faultsOf(head, { gone, base }) };
  const folder = join(paths.reports, 'review');
  writeAtomically(join(folder, 'index.html'), reviewPage(review));
  writeAtomically(join(folder, 'summary.md'), summaryMarkdown(review));
  for (const { where, what } of review.faults) console.log(`${where}: ${what}`);
  console.log(`${head.name} compared with ${base.name}: ${headline(review)}`);
  console.log(`page: ${relative(paths.root, folder)}/index.html`);
  if (values.check && review.faults.length) process.exitCode = 1;
});
