import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { datasetFolder } from '../../../lib/data/text/shards';
import { paths } from '../../../lib/util/paths';

export const FIXTURES = join(paths.root, 'tests', 'fixtures', 'text');

/** Names of data sets and a folder for files that are gone when the tests of a file have ended. */
export function scratch(what: string) {
  const folder = mkdtempSync(join(tmpdir(), `${what}-`));
  const used: string[] = [];
  after(() => {
    rmSync(folder, { recursive: true });
    for (const name of used)
      for (const end of ['', '.part']) rmSync(datasetFolder(name) + end, { recursive: true, force: true });
  });
  return {
    folder,
    name(): string {
      used.push(`test-${what}-${process.pid}-${used.length}`);
      return used.at(-1)!;
    },
    file(name: string, content: string | Uint8Array): string {
      const path = join(folder, name);
      writeFileSync(path, content);
      return path;
    },
  };
}
