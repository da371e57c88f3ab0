/** A copy of the project in which commands run as in a clone that is set up: its sources and data/local are its own. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { paths } from '../../lib/util/paths';

export class ProjectCopy {
  readonly root = mkdtempSync(join(tmpdir(), 'project-'));

  constructor() {
    for (const name of ['lib', 'package.json', 'package-lock.json', 'requirements.txt', 'tsconfig.json'])
      cpSync(join(paths.root, name), join(this.root, name), { recursive: true });
    for (const name of ['node_modules', '.venv']) symlinkSync(join(paths.root, name), join(this.root, name));
    mkdirSync(join(this.root, '.cache', 'setup'), { recursive: true });
    for (const name of readdirSync(paths.cache).filter((name) => name !== 'setup'))
      symlinkSync(join(paths.cache, name), join(this.root, '.cache', name));
    this.setUp();
  }

  /** Says that set-up has ended here, for the machine and the sources as they are. */
  setUp(): void {
    const { status, stderr } = this.node(['-e', 'require("./lib/tools/setup/state.cjs").writeStamp()']);
    if (status !== 0) throw new Error(stderr);
  }

  path(...names: string[]): string {
    return join(this.root, ...names);
  }

  /** Replaces a text that is in a file. */
  edit(file: string, from: string, to: string): void {
    const text = readFileSync(this.path(file), 'utf8');
    if (!text.includes(from)) throw new Error(`${file}: no ${from}`);
    writeFileSync(this.path(file), text.replace(from, to));
  }

  private node(argv: string[], env: NodeJS.ProcessEnv = process.env) {
    const { NODE_TEST_CONTEXT: _, ...rest } = env;
    return spawnSync(process.execPath, argv, { cwd: this.root, env: rest, encoding: 'utf8' });
  }

  /** A command without set-up. */
  command(name: string, argv: string[], env?: NodeJS.ProcessEnv) {
    return this.node(['--import', 'tsx', this.path('lib', 'tools', 'cli', `${name}.ts`), ...argv], env);
  }

  /** As `npm run` starts it. */
  start(name: string, argv: string[], env?: NodeJS.ProcessEnv) {
    return this.node([this.path('lib', 'tools', 'setup', 'start.cjs'), name, ...argv], env);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
