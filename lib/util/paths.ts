import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Root of the project: the nearest folder above this file with a package.json, whatever the working directory. */
function projectRoot(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  const up = dirname(from);
  if (up === from) throw new Error(`no package.json above ${__dirname}`);
  return projectRoot(up);
}

const root = projectRoot(__dirname);

/** Folders and files that the project reads or writes. */
export const paths = {
  root,
  notebooks: join(root, 'notebooks'),
  reports: join(root, 'reports'),
  figures: join(root, 'figures'),
  /** Committed records of desk and full runs. */
  runs: join(root, 'data', 'runs'),
  /** Committed values that notebooks compute themselves. */
  measures: join(root, 'data', 'measures'),
  /** Committed weights of some of these runs. */
  weights: join(root, 'data', 'weights'),
  /** Not in git: checkpoints, records as runs leave them, data sets. */
  local: join(root, 'data', 'local'),
  /** Not in git: caches of npm, pip and Jupyter. */
  cache: join(root, '.cache'),
  /** plotly.js as one minified file; set-up makes it. */
  plotly: join(root, '.cache', 'plotly.min.js'),
  venv: join(root, '.venv'),
  readme: join(root, 'README.md'),
} as const;
