import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import type { TextOptions } from '../../../lib/data/text/identity';
import { datasetFolder, openDataset } from '../../../lib/data/text/shards';
import { makeText } from '../../../lib/data/text/text';
import { paths } from '../../../lib/util/paths';
import { refusal } from '../../refusal';

export const FIXTURES = join(paths.root, 'tests', 'fixtures', 'text');

/** JSON Lines of documents. */
export const lines = (documents: readonly (string | null)[]): string =>
  documents.map((text) => `${JSON.stringify({ text })}\n`).join('');

/** Names of data sets and a folder for files that are gone when the tests of a file have ended. */
export function scratch(what: string) {
  const folder = mkdtempSync(join(tmpdir(), `${what}-`));
  const used: string[] = [];
  after(() => {
    rmSync(folder, { recursive: true });
    for (const name of used)
      for (const end of ['', '.part']) rmSync(datasetFolder(name) + end, { recursive: true, force: true });
  });
  function newName(): string {
    used.push(`test-${what}-${process.pid}-${used.length}`);
    return used.at(-1)!;
  }

  async function make(from: string, options: Partial<TextOptions> = {}) {
    const name = options.name ?? newName();
    const notices: string[] = [];
    const { meta, made: isNew } = await makeText(
      { name, from, column: 'text', limits: { train: Infinity, validation: 1e6 }, ...options },
      { onProgress: () => undefined, onHashing: () => undefined, onNotice: (text) => notices.push(text) },
    );
    const dataset = openDataset(name);
    const [train, validation] = [dataset.train, dataset.validation].map((file) => {
      const ids = [...file.read(0, file.tokens)];
      file.close();
      return ids;
    });
    return { name, meta, isNew, notices, train: train!, validation: validation!, sha256: dataset.sha256 };
  }

  /** A bad input is refused in one line, and nothing of the data set stays. */
  async function refused(
    from: string,
    parts: (string | number)[],
    options: Partial<TextOptions> = {},
  ): Promise<void> {
    const name = newName();
    await assert.rejects(make(from, { name, ...options }), refusal(...parts));
    assert.deepEqual(
      readdirSync(dirname(datasetFolder(name))).filter((entry) => entry.startsWith(name)),
      [],
    );
  }

  return {
    folder,
    name: newName,
    make,
    refused,
    file(name: string, content: string | Uint8Array): string {
      const path = join(folder, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      return path;
    },
  };
}
