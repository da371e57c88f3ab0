/** What kernels keep of imported files: nothing that was kept hides an error. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { ProjectCopy } from '../copy';

let copy: ProjectCopy;
before(() => {
  copy = new ProjectCopy();
  // That of the project, which every copy shares.
  rmSync(copy.path('.cache', 'kernel'), { force: true });
});
after(() => copy.remove());

interface SourceFile {
  fileName: string;
  version: string;
}
interface Found {
  errorsIn(
    files: SourceFile[],
    cell: SourceFile,
    builder: object,
    check: (program: unknown, files: SourceFile[]) => { file?: SourceFile }[],
  ): { file?: SourceFile }[];
}

/** As another kernel loads it. */
function anotherKernel(): Found {
  const path = copy.path('lib', 'tools', 'jupyter', 'found.cjs');
  const load = createRequire(path);
  delete load.cache[path];
  return load(path) as Found;
}

test('JavaScript is made once for all kernels', () => {
  const source = 'export const two: number = 1 + 1;';
  // In a process of its own, as a kernel is: this one runs under tsx, which has esbuild already.
  const made = (of: string) => {
    const script = `process.stdout.write(require('./lib/tools/jupyter/found.cjs').javascriptOf(${JSON.stringify(of)}))`;
    return spawnSync(process.execPath, ['-e', script], { cwd: copy.root, encoding: 'utf8' }).stdout;
  };
  const kept = () => readdirSync(copy.path('.cache', 'kernel'));
  const first = made(source);
  assert.match(first, /two = 1 \+ 1/);
  assert.equal(kept().length, 1);
  writeFileSync(copy.path('.cache', 'kernel', kept()[0]!), `${first}// kept`);
  assert.equal(made(source), `${first}// kept`);
  assert.doesNotMatch(made(`${source}\nexport const three = 3;`), /kept/);
});

test('a file is checked again when it or what it imports has changed, and as long as it has errors', () => {
  const cell = { fileName: 'cell.ts', version: '1' };
  const a = { fileName: 'a.ts', version: '1' };
  const b = { fileName: 'b.ts', version: '1' };
  const imports: Record<string, string[]> = { 'a.ts': ['a.ts', 'b.ts'], 'b.ts': ['b.ts'] };
  const broken = new Set<string>();
  let checked: string[] = [];
  const errors = (kernel: Found, files: SourceFile[]) => {
    checked = [];
    const builder = {
      getProgram: () => null,
      getAllDependencies: ({ fileName }: SourceFile) => imports[fileName],
      getSourceFile: (name: string) => files.find(({ fileName }) => fileName === name),
    };
    return kernel
      .errorsIn([cell, ...files], cell, builder, (_, asked) => {
        checked = asked.map(({ fileName }) => fileName);
        // TypeScript says things on no file, and on the cell, which leave imported files as they are.
        return [
          {},
          { file: cell },
          ...asked
            .filter(({ fileName, version }) => version === 'bad' || broken.has(fileName))
            .map((file) => ({ file })),
        ];
      })
      .flatMap(({ file }) => (file && file !== cell ? [file.fileName] : []));
  };
  const kernel = anotherKernel();
  assert.deepEqual([errors(kernel, [a, b]), checked], [[], ['cell.ts', 'a.ts', 'b.ts']]);
  assert.deepEqual([errors(kernel, [a, b]), checked], [[], ['cell.ts']]);
  assert.deepEqual([errors(anotherKernel(), [a, b]), checked], [[], ['cell.ts']]);
  const bad = { ...b, version: 'bad' };
  assert.deepEqual([errors(kernel, [a, bad]), checked], [['b.ts'], ['cell.ts', 'a.ts', 'b.ts']]);
  assert.deepEqual([errors(anotherKernel(), [a, bad]), checked], [['b.ts'], ['cell.ts', 'b.ts']]);
  const mended = { ...b, version: '2' };
  assert.deepEqual([errors(kernel, [a, mended]), checked], [[], ['cell.ts', 'a.ts', 'b.ts']]);

  // What a changed file breaks in one that imports it stays an error in the cells after.
  broken.add('a.ts');
  const other = { ...b, version: '3' };
  assert.deepEqual([errors(kernel, [a, other]), checked], [['a.ts'], ['cell.ts', 'a.ts', 'b.ts']]);
  assert.deepEqual([errors(kernel, [a, other]), checked], [['a.ts'], ['cell.ts', 'a.ts']]);
});
