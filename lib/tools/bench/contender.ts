/** A process that trains the same step as the others: this library, or PyTorch in one of four ways. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { allocator } from '../setup/environment.cjs';
import { UserError } from '../../util/errors';
import { paths } from '../../util/paths';
import { SHAPES, type ShapeName } from './shapes';

export type Precision = 'fp32' | 'bf16';

/** Measurements of some steps. */
export interface Answer {
  /** Per step. */
  seconds: number[];
  lossNats: number;
  peakBytes: number;
}

/** What this library measures in addition. */
export interface OwnAnswer extends Answer {
  residentBytes: number;
  tensors: number;
}

export class Contender {
  private readonly lines: AsyncIterator<string>;
  private errors = '';

  private constructor(
    readonly name: string,
    private readonly child: ChildProcess,
  ) {
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    child.stderr!.on(
      'data',
      (chunk: Buffer) => (this.errors = (this.errors + chunk.toString()).slice(-4000)),
    );
    child.stdin!.on('error', () => undefined);
  }

  /** @returns once it has built its model */
  static async start(
    name: string,
    program: string,
    args: string[],
    env: NodeJS.ProcessEnv,
  ): Promise<Contender> {
    const child = spawn(program, args, { cwd: paths.root, env, stdio: 'pipe' });
    const failed = new Promise<never>((_, reject) =>
      child.once('error', (error) =>
        reject(new UserError(`${name}: expected a program at ${program}; ${error.message}`)),
      ),
    );
    const contender = new Contender(name, child);
    await Promise.race([contender.answer(), failed]);
    child.kill('SIGSTOP');
    return contender;
  }

  private async answer<T>(): Promise<T> {
    const { value, done } = await this.lines.next();
    if (!done) return JSON.parse(value) as T;
    throw new UserError(
      `${this.name}: expected an answer; its process ended: ${this.errors.trim().split('\n').pop() || 'without a word'}`,
    );
  }

  /** Sends a command and waits for the answer. Between its turns a process is stopped: threads that spin would slow the others. */
  async ask<T>(command: string): Promise<T> {
    this.child.kill('SIGCONT');
    this.child.stdin!.write(`${command}\n`);
    const answer = await this.answer<T>();
    this.child.kill('SIGSTOP');
    return answer;
  }

  /** Ends the process; its memory and cores are free once this resolves. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await gone;
  }
}

export const ours = (shape: ShapeName, precision: Precision): Promise<Contender> =>
  Contender.start(
    `this library ${precision}`,
    process.execPath,
    [...process.execArgv, join(__dirname, 'ours.ts'), shape, precision],
    process.env,
  );

const PEER_MODES = ['eager', 'compiled'] as const;

/** Environment variables that are set for this library only. */
const OWN = [...Object.keys(allocator), 'LD_LIBRARY_PATH', 'XLA_FLAGS'];

/** PyTorch eager and compiled, in fp32 and bf16, with the environment of the user. @param python an interpreter with torch */
export function peers(shape: ShapeName, python: string): Promise<Contender>[] {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OWN.includes(name)));
  const start = (precision: Precision, mode: string) =>
    Contender.start(
      `PyTorch ${precision} ${mode}`,
      python,
      [join(__dirname, 'peer.py'), JSON.stringify(SHAPES[shape]), precision, mode],
      env,
    );
  return (['fp32', 'bf16'] as const).flatMap((precision) => PEER_MODES.map((mode) => start(precision, mode)));
}
