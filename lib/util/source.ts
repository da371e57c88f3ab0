/** The version of the source that is running. */
import { execFileSync } from 'node:child_process';
import { paths } from './paths';

/** Commit of the source; with "+" where it has changes that are not committed. */
export function sourceCommit(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, {
      cwd: paths.root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain', '--', 'lib', 'package.json') ? '+' : '');
  } catch {
    return 'unknown: not a git checkout';
  }
}
